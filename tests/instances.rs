//! Named instances: their records, and what becomes of them.
use crate::common::{nobody, root};

/// Starts an instance in the background that runs until it is ended, and waits until it runs.
const START: &str = "up() { f=$(mktemp -u); \"$CLI\" spawn \"$@\" -- sh -c \"echo >$f; exec sleep 100\" & \
     launcher=$!; until test -e $f; do sleep 0.02; done; rm $f; }; ";

#[test]
fn a_plain_spawn_writes_nothing_and_a_named_one_leaves_nothing() {
    root("$CLI spawn --pid -- true; ls -d $UNSHARED_STATE 2>&1 | grep -c 'No such'").prints("1");
    root("$CLI spawn --name a --pid -- sh -c 'ls $UNSHARED_STATE'; ls -A $UNSHARED_STATE")
        .prints("a");
    root("$CLI spawn --name a --pid -- /no/such 2>/dev/null; $CLI spawn --name a --preexec false -- true 2>/dev/null; ls -A $UNSHARED_STATE")
        .prints("");
}

#[test]
fn of_twenty_starts_of_one_name_one_wins_and_the_others_say_who_holds_it() {
    root(
        "d=$(mktemp -d); for i in $(seq 20); do \
           $CLI spawn --name one --pid --preexec \"echo $i >>$d/pre\" -- sh -c \"echo >>$d/won; until test \\$(cat $d/err.* | wc -l) = 19; do sleep 0.05; done\" 2>$d/err.$i & done; \
         wait; cat $d/won $d/pre | wc -l; cat $d/err.* | sed 's/[0-9]\\+/N/' | sort | uniq -c | sed 's/^ *//'; rm -r $d",
    )
    .prints("2\n19 unshared-cli: instance \"one\" runs already: pid N holds it");
}

#[test]
fn what_a_killed_launcher_left_is_ended_and_healed() {
    root(&format!(
        "{START} d=$(mktemp -d); cd $d; \
         up --name dead --pid --uts=$d/uts --preexec 'touch pre' --postexec 'rm pre; echo post $NAME $UNSHARED_STATUS'; \
         init=$(pgrep -P $launcher); kill -9 $launcher; wait $launcher 2>/dev/null; kill -0 $init && echo runs; cd /; \
         $CLI gc; grep -q 'State:.[^ZX]' /proc/$init/status 2>/dev/null || echo ended; $CLI gc; grep -c $d /proc/self/mountinfo; \
         umount $d/uts; rm $d/uts; rmdir $d"
    ))
    .prints("runs\npost dead 137\ndead\nended\n1");
}

#[test]
fn a_start_of_the_same_name_heals_what_a_killed_launcher_left() {
    root(&format!(
        "{START} up --name dead --pid --postexec 'echo post'; kill -9 $launcher; wait $launcher 2>/dev/null; \
         $CLI spawn --name dead --pid -- echo next; pgrep -x sleep -P $(pgrep -P $launcher || echo 0)"
    ))
    .ends_with(1)
    .out_is("post\nnext\n");
}

#[test]
fn an_instance_that_runs_is_not_healed() {
    root(&format!(
        "{START} up --name live --pid; $CLI gc; kill $launcher; wait $launcher; echo $?"
    ))
    .prints("143");
}

#[test]
fn numbers_of_another_boot_are_those_of_strangers() {
    root(
        "mkdir -p -m 700 $UNSHARED_STATE/old; sleep 100 & s=$!; start=$(cut -d ' ' -f 22 /proc/$s/stat); f=$(mktemp); \
         printf 'boot 1-2-3\\nlauncher 1 2\\ninit %s %s\\nundo-failure remove-empty-file %s\\npostexec echo%%20post\\n' $s $start $f \
           >$UNSHARED_STATE/old/record; \
         $CLI gc; test -e $f || echo removed; kill -0 $s && echo runs; kill $s",
    )
    .prints("post\nold\nremoved\nruns");
}

#[test]
fn a_number_that_was_given_again_is_a_strangers() {
    root(
        "mkdir -p -m 700 $UNSHARED_STATE/old; sleep 100 & s=$!; start=$(cut -d ' ' -f 22 /proc/$s/stat); \
         printf 'boot %s\\nlauncher %s %s\\ninit %s %s\\n' $(cat /proc/sys/kernel/random/boot_id) $s $((start - 1)) $s $((start + 1)) \
           >$UNSHARED_STATE/old/record; \
         $CLI gc; kill -0 $s && echo runs; kill $s",
    )
    .prints("old\nruns");
}

#[test]
fn a_record_that_means_nothing_is_removed_and_harms_nobody() {
    for text in
        ["", "boot", "\\0\\377", "undo remove-empty-file", "init 1 1\\ninit -1 0\\nended 999\\n"]
    {
        root(&format!(
            "mkdir -p -m 700 $UNSHARED_STATE/odd $UNSHARED_STATE/empty; printf '{text}' >$UNSHARED_STATE/odd/record; \
             $CLI gc; ls -A $UNSHARED_STATE"
        ))
        .prints("");
    }
}

#[test]
fn an_ordinary_user_without_a_place_for_records_is_refused() {
    nobody("unset UNSHARED_STATE; $CLI spawn --user --name a -- true")
        .complains(125, &["set XDG_RUNTIME_DIR or UNSHARED_STATE"]);
    nobody("unset UNSHARED_STATE; $CLI spawn --user -- true").prints("");
    nobody("export XDG_RUNTIME_DIR=$UNSHARED_STATE; mkdir -m 700 $UNSHARED_STATE; unset UNSHARED_STATE; \
            $CLI spawn --user --name a --pid -- ls -A $XDG_RUNTIME_DIR/unshared; ls -A $XDG_RUNTIME_DIR")
        .prints("a");
    nobody("UNSHARED_STATE=here $CLI spawn --name a -- true")
        .complains(125, &["UNSHARED_STATE is \"here\"", "no absolute path"]);
}

#[test]
fn a_state_directory_that_others_can_write_to_is_refused() {
    for command in ["spawn --user --name a -- true", "gc"] {
        root(&format!("mkdir $UNSHARED_STATE; chmod g+w $UNSHARED_STATE; $CLI {command}"))
            .complains(125, &["others may write to the state directory"]);
        root(&format!("mkdir $UNSHARED_STATE; chown 1 $UNSHARED_STATE; $CLI {command}"))
            .complains(125, &["is user 1's"]);
    }
}

#[test]
fn a_state_directory_that_is_full_or_read_only_is_one_clear_line() {
    let tmpfs = |options: &str, then: &str, command: &str| {
        root(&format!(
            "mkdir $UNSHARED_STATE; mount -t tmpfs -o mode=700,{options} tmpfs $UNSHARED_STATE; {then}; \
             $CLI {command}; s=$?; ls -A $UNSHARED_STATE | grep -v fill; umount $UNSHARED_STATE; exit $s"
        ))
    };
    let launches = ["spawn --name a --pid -- echo no", "spawn --uts=/tmp/full.$$ -- echo no"];
    for launch in launches {
        tmpfs("size=4k", "head -c 4096 /dev/zero >$UNSHARED_STATE/.fill", launch)
            .complains(125, &["write the record", "ENOSPC"]);
        tmpfs("size=64k,nr_inodes=2", "touch $UNSHARED_STATE/.fill", launch)
            .complains(125, &["the record", "ENOSPC"]);
        tmpfs("size=64k", "mount -o remount,ro $UNSHARED_STATE", launch)
            .complains(125, &["the record", "EROFS"]);
    }
    root("ls /tmp/full.* 2>/dev/null").ends_with(2);
    // What is there is healed on a disk that is full.
    tmpfs(
        "size=8k",
        "mkdir $UNSHARED_STATE/old; echo 'boot x' >$UNSHARED_STATE/old/record; cat /dev/zero >$UNSHARED_STATE/.fill 2>/dev/null",
        "gc",
    )
    .prints("old");
}

#[test]
fn of_a_thousand_instances_at_a_concurrency_of_eight_none_is_lost_and_nothing_is_left() {
    root("seq 1000 | xargs -P 8 -I@ sh -c '$CLI spawn --name i@ --pid -- echo @' | sort -n | cmp - <(seq 1000); ls -A $UNSHARED_STATE")
        .prints("");
}

//! Detached instances, and what they write.
use crate::common::{nobody, python, root};

#[test]
fn a_detached_instance_runs_on_and_its_name_is_printed() {
    for run in [root, nobody] {
        run("$CLI spawn --detach --name one --user --pid -- sh -c 'echo up; exec sleep 100'; \
             $CLI list | awk '{print $1, $3}' | tail -n +2; until $CLI logs one | grep -q up; do sleep 0.02; done; \
             $CLI exec one sh -c 'echo in $(readlink /proc/1/fd/0)'; $CLI stop one; $CLI list -q")
            .prints("one\none running\nin /dev/null");
    }
}

#[test]
fn whoever_reads_the_name_is_not_kept_waiting_and_a_name_is_made_up() {
    root("n=$($CLI spawn --detach --pid -- sleep 100); $CLI list -q | grep -cx $n; $CLI stop $n; echo ${n%-*}")
        .prints("1\nunshared");
}

#[test]
fn what_could_not_be_launched_is_told_with_its_status_and_leaves_nothing() {
    root("$CLI spawn --detach --name one --pid -- /no/such")
        .complains(127, &["execute \"/no/such\"", "ENOENT"]);
    root("$CLI spawn --detach --name one --preexec 'exit 3' -- true").complains(2, &["preexec"]);
    root("$CLI spawn --detach --name one --cwd /no -- true").complains(125, &["/no"]);
    root("$CLI spawn --detach --name one --log /no/log -- true")
        .complains(125, &["open log \"/no/log\""]);
}

#[test]
fn the_status_is_there_after_the_end_until_the_record_goes() {
    root(
        "$CLI spawn --detach --name one --pid --postexec \"touch /tmp/detach.$$.\\$UNSHARED_STATUS\" -- sh -c 'echo last words; sleep 0.1; exit 7'; \
         $CLI wait one; echo $?; $CLI wait one; echo $?; rm /tmp/detach.$$.7; $CLI list | grep -c ended:7; $CLI logs one; \
         $CLI exec one true 2>&1 | grep -o 'has ended, with status 7'; $CLI gc; $CLI list -q",
    )
    .prints("one\n7\n7\n1\nlast words\nhas ended, with status 7");
    root("for i in 1 2; do $CLI spawn --detach --name one -- echo $i; $CLI wait one; $CLI logs one; done; $CLI stop one")
        .prints("one\n1\none\n2");
}

#[test]
fn the_monitor_has_nothing_of_its_caller() {
    // From when the name is there, however slow the monitor is in letting go.
    for slow in
        ["", "strace -D -f -qq -o /dev/null -e trace=chdir -e inject=chdir:delay_enter=500000"]
    {
        root(&format!(
            "cd /tmp; exec 5</dev/null; {slow} $CLI spawn --detach --name one --pid -- sleep 100; \
             m=$($CLI inspect one | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/'); \
             readlink /proc/$m/cwd /proc/$m/fd/0 /proc/$m/fd/1 /proc/$m/fd/2 /proc/$m/fd/5 | grep -v anon_inode; \
             test $(ps -o sid= $m) = $m && echo leads; $CLI stop one",
        ))
        .ends_with(0)
        .out_is("one\n/\n/dev/null\n/dev/null\n/dev/null\nleads\n");
    }
}

#[test]
fn stop_ends_what_the_command_of_a_detached_instance_has_started() {
    let children = "sh -c 'trap : HUP; sleep 1000 & sh -c \"trap \\\"\\\" TERM; echo up; sleep 1000; :\" & wait'";
    root(&format!(
        "$CLI spawn --detach --name one -- {children}; until $CLI logs one | grep -q up; do sleep 0.02; done; \
         m=$($CLI inspect one | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/'); $CLI stop one --grace 1; \
         ps -o stat= -s $m | grep -vc Z; $CLI list -q"
    ))
    .out_is("one\n0\n");
    // Which may be one that stops it.
    root(
        "$CLI spawn --detach --name one -- sh -c \"$CLI stop one\"; \
         for i in $(seq 200); do [ -z \"$($CLI list -q)\" ] && break; sleep 0.05; done; $CLI list -q",
    )
    .prints("one");
}

#[test]
fn stop_does_not_wait_for_who_reaps_the_monitor() {
    // Its parent is a subreaper that never waits.
    let reaper = "
import subprocess
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
cli = os.environ['CLI']
subprocess.run([cli, 'spawn', '--detach', '--name', 'one', '--', 'sleep', '1000'], check=True)
print(subprocess.run([cli, 'stop', 'one', '--grace', '1000'], timeout=100).returncode)
";
    python(reaper).out_is("one\n0\n");
}

#[test]
fn a_killed_monitor_is_healed() {
    root(
        "$CLI spawn --detach --name one --pid --postexec 'echo post' -- sleep 100; \
         m=$($CLI inspect one | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/'); kill -9 $m; \
         until $CLI list | grep -q lost; do sleep 0.02; done; $CLI gc",
    )
    .prints("one\npost\none");
}

#[test]
fn a_log_is_a_file_or_stays_the_callers() {
    root("d=$(mktemp -d); cd $d; $CLI spawn --detach --name one --log log -- sh -c 'echo a; echo b >&2'; \
          $CLI wait one; cat log; $CLI logs one; $CLI stop one; rm -r $d")
        .prints("one\na\nb\na\nb");
    root("$CLI spawn --detach --name one --log - -- echo mine | sort; $CLI stop one")
        .prints("mine\none");
    root("f=$(mktemp); $CLI spawn --pid --log $f -- sh -c 'echo a; echo b >&2; exit 4'; echo $?; cat $f; rm $f")
        .prints("4\na\nb");
    root("$CLI spawn --name one -- $CLI logs one").complains(125, &["has no log"]);
    for words in ["--log-max 1m", "--log - --log-max 1m", "--log /tmp/x --log-max 1", "--log-max x"]
    {
        root(&format!("$CLI spawn {words} -- true")).complains(125, &["log-max"]);
    }
}

#[test]
fn a_log_with_a_limit_keeps_the_last_and_loses_none_of_it() {
    // Faster than any disk: the payload waits.
    root(
        "d=$(mktemp -d); $CLI spawn --pid --log $d/log --log-max 64k -- seq 200000; \
         cat $d/log.1 $d/log | tail -n 1; n=$(cat $d/log.1 $d/log | tail -n +2 | head -n 1); \
         cat $d/log.1 $d/log | tail -n +2 | cmp - <(seq $n 200000) && echo whole; \
         test $(cat $d/log.1 $d/log | wc -c) -le 65536 && test $(cat $d/log.1 $d/log | wc -c) -ge 32768 && echo small; rm -r $d",
    )
    .prints("200000\nwhole\nsmall");
    root("d=$(mktemp -d); $CLI spawn --pid --log $d/log --log-max 100m -- seq 200000; seq 200000 | cmp - $d/log; rm -r $d")
        .prints("");
}

#[test]
fn logs_follows_over_the_turn_of_a_log_to_the_end() {
    root(
        "f=$(mktemp); $CLI spawn --detach --name one --log-max 8k --pid -- sh -c 'i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i + 1)); \
           [ $((i % 100)) = 0 ] && until [ $(wc -l <$0) = $i ]; do sleep 0.05; done; done' $f; \
         $CLI logs one -f >$f; cmp $f <(seq 0 2999); $CLI stop one; rm $f",
    )
    .prints("one");
}

#[test]
fn a_log_of_which_only_the_older_half_is_left_is_shown_and_removed() {
    // As a monitor leaves it that is killed in between.
    root(
        "$CLI spawn --detach --name one --log-max 8k --pid -- sh -c 'seq 3000; exec sleep 100'; \
         until $CLI logs one | grep -q ^3000; do sleep 0.02; done; \
         kill -9 $($CLI inspect one | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/'); until $CLI list | grep -q lost; do sleep 0.02; done; \
         mv $UNSHARED_STATE/one/log $UNSHARED_STATE/one/log.1; $CLI logs one | tail -n 1; $CLI gc; ls -A $UNSHARED_STATE",
    )
    .prints("one\n3000\none");
}

//! Hooks, on the host's side and inside, and forkn.
use crate::common::{nobody, root};

#[test]
fn hooks_run_in_their_order_and_see_what_they_are_promised() {
    root(
        "cd /tmp; $CLI spawn --name one --pid --preexec 'echo pre $NAME $ROOT ${UNSHARED_PID-none}' --pre-mount 'echo pre-mount $NAME $UNSHARED_PID' \
         --post-mount 'echo post-mount $UNSHARED_PID' --postexec 'echo post $UNSHARED_STATUS' -- sh -c 'echo main ${NAME-none}; exit 4'; echo $?",
    )
    .prints("pre one / none\npre-mount one 1\nmain none\npost-mount 1\npost 4\n4");
}

#[test]
fn words_of_a_hook_up_to_the_next_option_are_one_expression() {
    root("$CLI spawn --preexec echo \\'a b\\' '$((1+1))' --postexec echo \\'echo die\\' -- true")
        .prints("a b 2\necho die");
}

#[test]
fn a_failing_preexec_is_2_and_nothing_else_is_done() {
    root("$CLI spawn --preexec 'exit 7' --preexec 'echo no' --postexec 'echo no' -- echo no")
        .complains(2, &["preexec \"exit 7\" ended with status 7"]);
    let outcome = root("$CLI spawn --preexec 'exit 7' --postexec 'echo no' -- echo no");
    assert_eq!(outcome.out, "");
}

#[test]
fn a_signal_to_the_launcher_ends_a_preexec_hook_and_what_it_runs() {
    for options in ["", "--name preexec-signal", "--pid"] {
        root(&format!(
            "f=$(mktemp); $CLI spawn {options} --preexec \"sh -c 'echo \\$\\$ >$f; sleep 100; :'; :\" -- echo no & \
             until test -s $f; do sleep 0.05; done; kill -TERM $!; wait $!; s=$?; \
             while kill -0 $(cat $f) 2>/dev/null; do sleep 0.05; done; rm $f; $CLI list; exit $s"
        ))
        .complains(2, &["preexec", "SIGTERM"]);
    }
}

#[test]
fn what_the_launcher_has_inherited_is_not_its_hooks() {
    let outcome = root(
        "f=$(mktemp); sh -c \"sleep 100 & echo \\$! >$f.other; exec $CLI spawn --preexec 'echo >$f; sleep 100; :' -- echo no\" & \
         until test -s $f; do sleep 0.05; done; kill -TERM $!; wait $!; s=$?; other=$(cat $f.other); \
         grep -q 'State:.S' /proc/$other/status && echo lives; kill $other; rm $f $f.other; exit $s",
    );
    assert_eq!(outcome.out, "lives\n");
    outcome.complains(2, &["preexec", "SIGTERM"]);
}

#[test]
fn an_expression_may_begin_with_a_dash() {
    let run = "d=$(mktemp -d); printf '#!/bin/sh\necho $0 $*' >$d/-p; chmod +x $d/-p; PATH=$d:$PATH; trap 'rm -r $d' EXIT; ";
    let words = "--preexec='-p pre' --pre-mount='-p in' --exec='-p main' --post-mount='-p out' --postexec='-p post'";
    let all = "pre\nin\nmain\nout\npost";
    root(&format!("{run}$CLI spawn {words} | sed 's,.* ,,'")).prints(all);
    root(&format!("{run}$CLI spawn --dry-run {words} | sh | sed 's,.* ,,'")).prints(all);
    root(&format!("{run}$CLI spawn --chroot='-p way' -- x | sed 's,.* way,way,'"))
        .prints("way / x");
    root(&format!("{run}$CLI forkn '-p clean' true | sed 's,.* ,,'")).prints("clean");
}

#[test]
fn postexec_runs_whatever_became_of_the_launch_and_the_status_stands() {
    for (command, status) in
        [("-- sh -c 'exit 3'", 3), ("-- /no/such", 127), ("--cwd /no -- true", 125)]
    {
        let outcome =
            root(&format!("$CLI spawn --postexec 'echo post $UNSHARED_STATUS' {command}"));
        assert_eq!(outcome.out, format!("post {status}\n"), "{outcome:?}");
        outcome.ends_with(status);
    }
    root("$CLI spawn --postexec 'exit 9' --postexec 'kill $$' -- sh -c 'exit 3'; echo $?")
        .ends_with(0);
    root("$CLI spawn --postexec 'exit 9' -- sh -c 'exit 3'")
        .complains(3, &["postexec \"exit 9\" ended with status 9"]);
}

#[test]
fn postexec_runs_also_after_a_signal_and_before_it_is_raised_again() {
    root("$CLI spawn --pid --re-raise --postexec 'echo post $UNSHARED_STATUS' -- sh -c 'kill -KILL $$'; echo $?")
        .ends_with(0);
    root(
        "f=$(mktemp); $CLI spawn --postexec \"echo post >>$f\" -- sh -c \"echo up >>$f; exec sleep 100\" & \
         until grep -q up $f; do sleep 0.05; done; kill -TERM $!; wait $!; echo $?; cat $f; rm $f",
    )
    .prints("143\nup\npost");
}

#[test]
fn a_failing_pre_mount_is_125_and_nothing_is_run() {
    for shape in ["", "--pid"] {
        root(&format!("$CLI spawn {shape} --pre-mount 'exit 9' -- echo no"))
            .complains(125, &["pre-mount \"exit 9\" ended with status 9"]);
    }
}

#[test]
fn what_pre_mount_mounts_is_inside_only() {
    nobody("$CLI spawn --user --pre-mount 'mount -t tmpfs none /mnt && touch /mnt/x' -- ls /mnt; test -e /mnt/x; echo $?")
        .prints("x\n1");
}

#[test]
fn post_mount_runs_when_everything_else_has_ended_and_its_end_changes_nothing() {
    for shape in ["", "--pid"] {
        root(&format!("$CLI spawn {shape} --post-mount 'exit 5' -- sh -c 'exit 3'"))
            .complains(3, &["post-mount \"exit 5\" ended with status 5"]);
    }
    // PID 1, the hook's shell and what it runs.
    root("$CLI spawn --pid --post-mount 'set -- /proc/[0-9]*; echo $#' -- sh -c 'sleep 100 & exit 0'")
        .prints("2");
    root("$CLI spawn --pid --no-init --post-mount : -- true")
        .complains(125, &["nobody is left to run it"]);
}

#[test]
fn a_way_into_the_root_of_ones_own_is_run_with_the_root_and_the_command() {
    root("$CLI spawn --name n --chroot 'echo $NAME' via -- a 'b c'").prints("n via / a b c");
    root(
        "R=$(mktemp -d); mkdir $R/bin; cp /bin/busybox $R/bin/sh; \
         $CLI spawn --root $R --chroot chroot -- /bin/sh -c 'test -e /bin/sh && test ! -e /etc && echo in'; rm -r $R",
    )
    .prints("in");
    root("$CLI spawn --chroot env X=1 -- sh -c :").ends_with(126);
}

#[test]
fn a_name_is_the_host_name_where_there_is_one_to_set() {
    root("$CLI spawn --uts --name box-1 -- hostname").prints("box-1");
    root("$CLI spawn --uts --name box --hostname other -- hostname").prints("other");
    for name in ["''", "-x", ".x", "a/b", "'a b'", "$(printf '%065d' 0)"] {
        root(&format!("$CLI spawn --name={name} -- true")).complains(125, &["--name"]);
    }
}

#[test]
fn what_dry_run_prints_runs_the_hooks_too() {
    root(
        "$CLI spawn --dry-run --preexec 'echo a' --pre-mount 'echo b' --post-mount 'echo d' --postexec 'echo e $UNSHARED_STATUS' \
         -- sh -c 'echo c; exit 4' | sh; echo $?",
    )
    .prints("a\nb\nc\nd\ne 4\n4");
}

#[test]
fn forkn_cleans_up_whatever_became_of_the_command() {
    root("$CLI forkn 'echo clean' sh -c 'echo main; exit 3'; echo $?").prints("main\nclean\n3");
    root("$CLI forkn 'echo clean' /no/such 2>/dev/null; echo $?").prints("clean\n127");
    root("$CLI forkn 'echo clean' sh -c 'kill -KILL $$'; echo $?").prints("clean\n137");
    root("$CLI forkn 'exit 9' sh -c 'exit 3'")
        .complains(3, &["cleanup \"exit 9\" ended with status 9"]);
    root("d=$(mktemp -d); ln -s $CLI $d/forkn; $d/forkn 'echo clean' -c true 2>&1 | tail -n 1; rm -r $d")
        .prints("clean");
    root(
        "f=$(mktemp); $CLI forkn \"echo clean >>$f\" sh -c \"echo up >>$f; exec sleep 100\" & \
         until grep -q up $f; do sleep 0.05; done; kill -TERM $!; wait $!; echo $?; cat $f; rm $f",
    )
    .prints("143\nup\nclean");
    for words in ["", "x"] {
        root(&format!("$CLI forkn {words}")).complains(125, &["forkn"]);
    }
}

//! The reaper alone: its options, and those of tini and dumb-init.
use crate::common::{python, root};

/// As PID 1 of a new namespace, where nothing is to be warned of.
const PID_1: &str = "unshare --pid --fork --mount-proc $INIT";

/// Called by another name.
const NAMED: &str = "as() { (exec -a \"$1\" $INIT \"${@:2}\"); };";

/// Sends the reaper with these options signals; its payload and a child of it in the same group say
/// what they get.
#[track_caller]
fn hears(options: &str, signals: &str, wanted: &[&str]) {
    python(&format!(
        r#"
payload = r"""
import os, signal
kinds = {{1, 2, 3, 10, 12, 15, 20, 34, 63, 64}}
signal.pthread_sigmask(signal.SIG_BLOCK, kinds)
name = "main" if os.fork() else "child"
signal.alarm(30)
os.write(1, b"up\n")
while (got := signal.sigwaitinfo(kinds).si_signo) != 64:
    os.write(1, f"{{name}} {{got}}\n".encode())
"""
os.environ["PAYLOAD"], os.environ["ME"] = payload, ME
p = start("bash", "-c", '{NAMED} {options} -- $ME -c "$PAYLOAD"')
for _ in range(2): assert p.stdout.readline() == "up\n"
init = until(lambda: [c for c in [p.pid] + children(p.pid) if os.readlink(f"/proc/{{c}}/exe") == os.path.realpath(INIT)])[0]
for s in [{signals}]: os.kill(init, s)
heard = [p.stdout.readline() for _ in {wanted:?}]
# 64 comes after everything that is there already.
main = children(init)[0]
for c in children(main) + [main]: os.kill(c, 64)
print("".join(sorted(heard + p.stdout.readlines())), end="")
"#
    ))
    .prints(&wanted.join("\n"));
}

#[test]
fn a_group_is_signalled_only_where_that_was_asked_for() {
    for alone in [
        "$INIT -q",
        "as dumb-init -q -c",
        "as dumb-init -q --single-child",
        "DUMB_INIT_SETSID=0 as dumb-init -q",
        "TINI_KILL_PROCESS_GROUP= as dumb-init -cq",
    ] {
        hears(alone, "10, 34", &["main 10", "main 34"]);
    }
    for group in [
        "$INIT -qg",
        "$INIT -gs",
        "TINI_KILL_PROCESS_GROUP=1 $INIT -q",
        "TINI_KILL_PROCESS_GROUP= as tini -q",
        "as dumb-init -q",
        "DUMB_INIT_SETSID=1 as dumb-init -q",
    ] {
        hears(group, "10, 34", &["child 10", "child 34", "main 10", "main 34"]);
    }
}

#[test]
fn a_signal_is_rewritten_by_name_and_by_number() {
    for rewrite in [
        "-r USR1:USR2",
        "-r SIGUSR1:SIGUSR2",
        "-r 10:12",
        "-r10:12",
        "-qr usr1:USR2",
        "--rewrite 10:12",
        "--rewrite=USR1:12",
        "-r HUP:0 -r USR1:USR2 -r QUIT:TERM",
    ] {
        for init in ["$INIT -q", "as dumb-init -c -q"] {
            hears(&format!("{init} {rewrite}"), "10", &["main 12"]);
        }
    }
    hears("$INIT -q -r RTMIN:RTMAX-1 -r TERM:HUP", "34, 15", &["main 1", "main 63"]);
    hears("$INIT -q -r USR1:0 -r 15:0", "10, 15, 12", &["main 12"]);
}

#[test]
fn an_exit_status_is_success_if_that_was_asked_for() {
    for options in ["-e 3", "-e3", "-se 3", "-se3", "-e 4 -e 3", "-e 3 -e 143"] {
        root(&format!("$INIT -q {options} -- sh -c 'exit 3'")).ends_with(0);
        root(&format!("$INIT -q {options} -- sh -c 'exit 5'")).ends_with(5);
    }
    root("$INIT -q -e 143 -- sh -c 'kill $$'").ends_with(0);
    root("$INIT -q -e 0 -e 255 -- sh -c 'exit 255'").ends_with(0);
}

#[test]
fn reaping_is_told_if_that_was_asked_for() {
    for (options, said) in [("-w", 1), ("-vv", 1), ("-qw", 1), ("", 0), ("-q", 0)] {
        let outcome =
            root(&format!("{PID_1} {options} -- sh -c '(sh -c \"exit 3\" &); sleep 0.5'"));
        let reaped = outcome.err.matches("reaped").count();
        assert_eq!(reaped, said, "{options} {outcome:?}");
    }
}

#[test]
fn verbosity_is_by_options_and_by_variables() {
    let lines = |words: &str| root(&format!("{NAMED} {words} -- true")).err.lines().count();
    let loud = lines("$INIT -vvv");
    assert!(loud > lines("$INIT"));
    for (same, as_this) in [
        ("$INIT -v -v -v", "$INIT -vvv"),
        ("$INIT --verbose --verbose -v", "$INIT -vvv"),
        ("TINI_VERBOSITY=4 $INIT", "$INIT -vvv"),
        ("TINI_VERBOSITY=3 as tini", "$INIT -vv"),
        ("TINI_VERBOSITY=0 $INIT", "$INIT -q"),
        ("TINI_VERBOSITY=1 as dumb-init", "as dumb-init"),
        ("DUMB_INIT_DEBUG=1 as dumb-init", "$INIT -vv"),
        ("TINI_VERBOSITY=x $INIT", "$INIT"),
    ] {
        assert_eq!(lines(same), lines(as_this), "{same}");
    }
    assert_eq!(lines("$INIT -q"), 0);
    assert_eq!(lines("$INIT --quiet"), 0);
}

#[test]
fn a_variable_makes_it_a_subreaper() {
    for init in ["TINI_SUBREAPER=1 $INIT", "TINI_SUBREAPER= as tini", "as dumb-init -s", "$INIT -s"]
    {
        // The orphan's new parent is the payload's. Were it not, this would not end.
        root(&format!(
            "{NAMED} {init} -- sh -c '(sh -c \"until [ \\$(ps -o ppid= -p \\$\\$) = $PPID ]; do sleep 0.05; done; echo adopted\" &) | cat'"
        ))
        .prints("adopted");
    }
}

#[test]
fn called_dumb_init_the_command_leads_a_session() {
    let leads = "sh -c 'set -- $(ps -o sid= -o pgid= -p $$) $$; [ $1 = $3 ]; echo $?; [ $2 = $3 ]; echo $?'";
    for (init, wanted) in [
        ("as dumb-init -q", "0\n0"),
        ("as dumb-init -q -c", "1\n1"),
        ("DUMB_INIT_SETSID=0 as dumb-init -q", "1\n1"),
        ("$INIT -q", "1\n1"),
        ("DUMB_INIT_SETSID=1 as tini -q", "1\n1"),
    ] {
        root(&format!("{NAMED} {init} {leads}")).prints(wanted);
    }
}

#[test]
fn called_dumb_init_a_stop_from_the_terminal_stops_for_sure() {
    for (signal, init, wanted) in [
        ("TSTP", "dumb-init -q", "T"),
        ("TTIN", "dumb-init -q", "T"),
        ("TTOU", "dumb-init -q", "T"),
        // Not without a session of its own.
        ("TSTP", "dumb-init -qc", "S"),
        ("TSTP", "dumb-init -qr TSTP:0", "S"),
    ] {
        root(&format!(
            "f=$(mktemp -u); mkfifo $f; \
             (exec -a {init_name} $INIT {init_options} -- env --ignore-signal={signal} sh -c 'echo $$; exec sleep 100') >$f & read pid <$f; \
             kill -{signal} $!; kill -URG $!; for i in $(seq 400); do read a b state rest </proc/$pid/stat; [ $state = {wanted} ] && [ $i -gt 10 ] && break; sleep 0.05; done; \
             echo $state; kill -KILL $pid; kill -CONT $! 2>/dev/null; wait $!; echo $?; rm $f",
            init_name = init.split(' ').next().unwrap(),
            init_options = init.split_once(' ').unwrap().1,
        ))
        .prints(&format!("{wanted}\n137"));
    }
}

#[test]
fn it_says_what_it_is_and_what_it_can() {
    let version = root("$INIT --version").ends_with(0).out;
    assert!(version.starts_with("unshared-init ") && version.lines().count() == 1, "{version:?}");
    for (name, option) in [("tini", "--version"), ("dumb-init", "--version"), ("dumb-init", "-V")] {
        root(&format!("{NAMED} as {name} {option}")).prints(version.trim());
    }
    let help = root("$INIT --help").ends_with(0).out;
    for option in ["-s ", "-g ", "-p ", "-e ", "-r ", "-w ", "--grace", "--restart", "--re-raise"] {
        assert!(help.contains(option), "{option}");
    }
    // The reaper alone has no services.
    assert!(!help.contains("--services"), "{help}");
    assert!(root("$CLI init --help").out.contains("  --services DIR "));
    root(&format!("{NAMED} as tini -h; as dumb-init -h >/dev/null")).prints(help.trim());
    root("$INIT --help >/dev/full").ends_with(125);
}

#[test]
fn a_wrong_command_line_is_said_in_one_line_and_nothing_is_run() {
    for words in [
        "",
        "--",
        "-s",
        "-x -- $C",
        "--nosuch -- $C",
        "-sx -- $C",
        "-p",
        "-p NOSUCH -- $C",
        "-p 0 -- $C",
        "-p 65 -- $C",
        "-e",
        "-e 256 -- $C",
        "-e -1 -- $C",
        "-e x -- $C",
        "-r TERM -- $C",
        "-r TERM:65 -- $C",
        "-r :TERM -- $C",
        "-r KILL:TERM -- $C",
        "-r 0:1 -- $C",
        "--grace -- $C",
        "--grace -1 -- $C",
        "--grace x -- $C",
        "--grace= -- $C",
        "--restart sometimes -- $C",
        "--restart",
        "--re-raise=1 -- $C",
        "--parent-fd x -- $C",
        "--parent-fd 77 -- $C",
        "--notification-fd 1 -- $C",
        "--notification-fd -- $C",
        "--ready-exec : -- $C",
    ] {
        root(&format!("C='echo run'; exec $INIT -q {words}")).init_complains(125, &[]);
        let out = root(&format!("C='echo run'; exec $INIT -q {words}")).out;
        assert_eq!(out, "", "{words}");
    }
}

#[test]
fn options_end_at_the_command_and_at_two_dashes() {
    root("$INIT -q echo -s --grace").prints("-s --grace");
    root("$INIT -q -- echo -- -e").prints("-- -e");
    root("$INIT -q -s -- -x").init_complains(127, &["-x"]);
}

#[test]
fn every_name_and_the_multi_call_binary_are_the_same() {
    root(
        "d=$(mktemp -d); cd $d; for binary in $INIT $CLI; do for name in init unshared-init tini dumb-init; do \
           ln -sf $binary $name; ./$name -s --grace 100 -e 9 -- sh -c 'sleep 100 & exit 9'; echo $?; \
           ./$name -q -- /no/such 2>&1; echo $?; ./$name --restart x true 2>&1; ./$name --help; \
         done; done | sed 's/unshared-cli/unshared-init/; /^  --services/d' >names; rm init unshared-init tini dumb-init; \
         for i in 1 2 3 4 5 6 7 8; do $CLI init -s -e 9 -- sh -c 'sleep 100 & exit 9'; echo $?; \
           $CLI init -q -- /no/such 2>&1; echo $?; $CLI init --restart x true 2>&1; $CLI init --help; \
         done | sed '/^  --services/d' >command; cmp names command && grep -c ENOENT names; rm -r $d",
    )
    .prints("8");
}

#[test]
fn a_payload_killed_by_a_signal_kills_the_reaper_where_that_was_asked_for() {
    for options in ["-q", "-s", "-q -g"] {
        for signal in [1, 9, 11, 15, 34, 64] {
            python(&format!(
                "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nw = '{options} -- sh -c'.split() + ['kill -{signal} $$']\n\
                 print(start(INIT, '--re-raise', *w).wait(), start(INIT, *w).wait(), start(INIT, '--re-raise', '-e{}', *w).wait())",
                128 + signal
            ))
            .prints(&format!("-{signal} {} 0", 128 + signal));
        }
        root(&format!("$INIT --re-raise {options} -- sh -c 'exit 143'")).ends_with(143);
    }
    // PID 1 cannot end so, but its status says so.
    root(&format!("{PID_1} --re-raise -- sh -c 'kill $$'")).ends_with(143);
}

/// A parent that starts the reaper with these options and its payload, and is killed; how the
/// payload ended is said by what it left in a file.
fn orphaned(options: &str) -> String {
    format!(
        "exec 2>/dev/null; export F=$(mktemp); \
         bash -c '$INIT -q {options} -- bash -c \"{REPORTS}\" & echo $! >$F.init; wait' & \
         until grep -q up $F && [ -s $F.init ]; do sleep 0.05; done; kill -KILL $!; \
         for i in $(seq 200); do [ -e /proc/$(cat $F.init) ] || break; sleep 0.05; done; \
         [ -e /proc/$(cat $F.init) ] && kill -KILL $(cat $F.init); tail -n 1 $F; rm $F $F.init"
    )
}

/// A payload that says in the file F what it gets, for a while.
const REPORTS: &str = "trap \\\"echo got >>$F; exit\\\" USR1; echo up >>$F; for i in {1..200}; do sleep 0.1; done; echo missed >>$F";

#[test]
fn the_end_of_the_parent_is_a_signal_for_the_payload() {
    for options in ["-p USR1", "-pUSR1", "-gp 10", "-sp SIGUSR1"] {
        root(&orphaned(options)).prints("got");
    }
    root(&orphaned("-p KILL")).prints("up");
}

#[test]
fn a_parent_that_ends_while_the_signal_is_asked_for_is_noticed() {
    // The call is held up until the parent is gone.
    root(
        "export F=$(mktemp); bash -c 'strace -D -o /dev/null -e trace=prctl -e inject=prctl:delay_enter=3000000:when=1 \
           $INIT -q -p USR1 -- sh -c \"sleep 8; echo missed >>$F\" & echo $! >$F.init; \
           until [ \"$call\" = 157 ]; do read call rest 2>/dev/null </proc/$!/syscall; done'; \
         while [ -e /proc/$(cat $F.init) ]; do sleep 0.1; done; cat $F; rm $F $F.init",
    )
    .prints("");
}

#[test]
fn a_descriptor_tells_of_the_parents_end() {
    // A pipe whose other end is closed later, one that is closed already, and pidfds of both kinds.
    root("$INIT -q --parent-fd 3 -- sleep 100 3< <(sleep 0.3)").ends_with(143);
    root("$INIT -q --parent-fd 3 -p INT -- sleep 100 3< <(sleep 0.3)").ends_with(130);
    root("$INIT -q --parent-fd=3 -p HUP -- sleep 100 3< <(:)").ends_with(129);
    root(&format!("{PID_1} -p USR1 --parent-fd 3 -- sleep 100 3< <(sleep 0.3)")).ends_with(138);
    root("$INIT -q --parent-fd 3 -- sh -c 'exit 4' 3< <(sleep 5)").ends_with(4);
    for before in ["", "parent.wait()"] {
        python(&format!(
            r#"
parent = subprocess.Popen(["sleep", "0.3"])
fd = os.pidfd_open(parent.pid)
{before}
os.set_inheritable(fd, True)
print(start("unshare", "--pid", "--fork", INIT, "--parent-fd", str(fd), "--", "sleep", "100", pass_fds=[fd]).wait())
"#
        ))
        .prints("143");
    }
}

#[test]
fn a_restarted_payload_is_not_started_again_after_the_parents_end() {
    root("$INIT -q --restart always --parent-fd 3 -- sleep 100 3< <(sleep 0.3)").ends_with(143);
    root("$INIT -q --restart always --parent-fd 3 -- true 3< <(sleep 0.5)").ends_with(0);
}

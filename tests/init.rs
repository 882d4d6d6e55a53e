//! The reaper alone: what others get wrong.
use crate::common::{leaves_orphans, nobody, python, root};

/// As PID 1 of a new namespace.
const PID_1: &str = "unshare --pid --fork --mount-proc";

/// Where it runs, and with what options.
const WAYS: [(&str, &str); 4] = [("", "-q"), ("", "-q -g"), ("", "-s"), (PID_1, "")];

#[test]
fn sigchld_ignored_on_entry_is_no_reason_to_hang_and_stays_ignored() {
    for (launcher, options) in WAYS {
        let init = format!("{launcher} env --ignore-signal=CHLD $INIT {options}");
        root(&format!("{init} -- sh -c 'exit 7'")).ends_with(7);
        let ignored = root(&format!("{init} -- cat /proc/self/status | grep SigIgn")).out;
        assert_eq!(ignored, root("env --ignore-signal=CHLD grep SigIgn /proc/self/status").out);
    }
}

#[test]
fn closed_streams_stay_closed_with_and_without_dev_null() {
    for hidden in ["", "unshare --mount sh -c 'mount -t tmpfs none /dev && exec \"$@\"' sh"] {
        for (closed, which) in [("<&-", "0"), ("<&- >&-", "0 1"), ("<&- >&- 2>&-", "0 1 2")] {
            for (launcher, options) in WAYS {
                root(&format!(
                    "exec {hidden} {launcher} $INIT {options} -- sh -c \
                     'for i in {which}; do [ ! -e /proc/$$/fd/$i ] || exit 9; done; exit 5' {closed}"
                ))
                .ends_with(5);
            }
        }
    }
}

#[test]
fn a_message_with_standard_error_closed_goes_nowhere_else() {
    root("f=$(mktemp); $INIT -- /no/such >$f 2>&-; echo $?; cat $f; rm $f").prints("127");
}

#[test]
fn the_payload_has_the_callers_mask_and_ignored_signals_exactly() {
    python(
        r#"
bits = lambda signals: sum(1 << s - 1 for s in signals)
state = lambda text: [int(line.split()[1], 16) for line in text.splitlines() if line[:6] in ("SigBlk", "SigIgn")]
# What nobody here can change.
kept = state(open("/proc/self/status").read())[1] & bits([32, 33])

def seen(words, blocked, ignored):
    r, w = os.pipe()
    if os.fork() == 0:
        os.dup2(w, 1)
        for s in set(each) - {32, 33}:
            signal.signal(s, signal.SIG_IGN if s in ignored else signal.SIG_DFL)
        raw_mask(bits(blocked))
        os.execv(INIT, words + ["--", "cat", "/proc/self/status"])
    os.close(w)
    with os.fdopen(r) as text:
        result = state(text.read())
    os.wait()
    return result

each = [s for s in range(1, 65) if s not in (9, 19)]
able = [s for s in each if s not in (32, 33)]
states = [([], []), (each, []), (each, able)]
states += [([s], [s] if s in able else []) for s in each]
states += [(random.sample(each, 30), random.sample(able, 30)) for _ in range(20)]
for words in (["x", "-q"], ["x", "-q", "-g"], ["x", "-s"], ["dumb-init", "-q"]):
    for blocked, ignored in states:
        got, wanted = seen(words, blocked, ignored), [bits(blocked), bits(ignored) | kept]
        if got != wanted:
            print(words, blocked, ignored, [hex(n) for n in got], [hex(n) for n in wanted])
"#,
    )
    .prints("");
}

/// Starts a payload that has all signals blocked, sends the reaper each of these signals `times`
/// times, and has the payload say what it got.
fn all_signals(signals: &str, times: u32, start: &str) {
    python(&format!(
        r#"
each = sorted(set({signals}) - NEVER - {{32, 33}})
payload = f"""
import signal
print("up", flush=True)
for s in {{each}} * {times}:
    info = signal.sigtimedwait({{each}}, 20)
    print(info and info.si_signo, flush=True)
"""
raw_mask(ALL)
launcher, init = {start}
assert launcher.stdout.readline() == "up\n"
for s in each:
    # A stop takes a CONT back that nobody has read yet, and the other way round.
    for _ in range({times}): os.kill(init, s)
    got = [launcher.stdout.readline() for _ in range({times})]
    if got != [f"{{s}}\n"] * {times}: print(s, got)
print(launcher.wait())
"#
    ))
    .prints("0");
}

const STARTS: [&str; 4] = [
    "as_pid_1(INIT, '--', ME, '-c', payload)",
    "(lambda p: (p, p.pid))(start(INIT, '-s', '--', ME, '-c', payload))",
    "(lambda p: (p, p.pid))(start(INIT, '-gq', '--', ME, '-c', payload))",
    "(lambda p: (p, p.pid))(start('dumb-init', '-q', '--', ME, '-c', payload, executable=INIT, env=dict(os.environ, DUMB_INIT_SETSID='0')))",
];

#[test]
fn every_signal_is_forwarded_though_all_were_blocked_on_entry() {
    for start in STARTS {
        all_signals("range(1, 65)", 1, start);
    }
}

#[test]
fn each_of_many_real_time_signals_is_forwarded() {
    for start in STARTS {
        all_signals("range(34, 65)", 50, start);
    }
}

#[test]
fn the_signals_that_c_libraries_keep_to_themselves_are_forwarded_too() {
    for signal in [32, 33] {
        python(&format!(
            r#"
init = os.fork()
if init == 0:
    raw_mask(1 << {signal} - 1)
    os.execv(INIT, ["x", "-q", "--", "sleep", "100"])
payload = until(lambda: children(init))[0]
field = lambda name: [int(l.split()[1], 16) for l in open(f"/proc/{{payload}}/status") if l.startswith(name)]
os.kill(init, {signal})
until(lambda: field("ShdPnd") == [1 << {signal} - 1])
os.kill(payload, 9)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"#
        ))
        .prints("137");
    }
}

#[test]
fn a_signal_that_came_before_the_payload_reaches_it() {
    // It is pending while the reaper starts, and again while the payload does.
    for words in ["['x', '-q']", "['x', '-q', '-g']", "['x', '-s']", "['dumb-init', '-q']"] {
        python(&format!(
            r#"
payload = "import signal; signal.pthread_sigmask(signal.SIG_UNBLOCK, {{15}}); signal.alarm(10); signal.pause()"
for _ in range(15):
    if os.fork() == 0:
        raw_mask(1 << 14)
        os.kill(os.getpid(), 15)
        os.execv(INIT, {words} + ["--", ME, "-S", "-c", payload])
    status = os.waitstatus_to_exitcode(os.wait()[1])
    if status != 143: print(status)
"#
        ))
        .prints("");
    }
}

#[test]
fn a_command_that_cannot_be_executed_is_told_from_one_that_is_not_there() {
    let file = |text: &str, mode: &str, status: i32, parts: &[&str]| {
        root(&format!(
            "d=$(mktemp -d); printf '{text}' >$d/run; chmod {mode} $d/run; \
             {PID_1} $INIT -- $d/run; s=$?; rm -r $d; exit $s"
        ))
        .init_complains(status, parts);
    };
    for way in ["-q", "-q -g", "-s"] {
        root(&format!("$INIT {way} -- /no/such")).init_complains(127, &["/no/such", "ENOENT"]);
        root(&format!("$INIT {way} -- nosuch")).init_complains(127, &["nosuch", "PATH"]);
        root(&format!("$INIT {way} -- /etc/passwd"))
            .init_complains(126, &["/etc/passwd", "EACCES"]);
        root(&format!("$INIT {way} -- /")).init_complains(126, &["directory"]);
    }
    file("#!/bin/sh\\n", "644", 126, &["/run", "EACCES", "permission"]);
    file("#!/no/interpreter -x\\n", "755", 127, &["/no/interpreter"]);
    file("\\177ELF and no more", "755", 126, &["ENOEXEC"]);
    nobody("$INIT -q -- /proc/1/exe").init_complains(126, &["EACCES"]);
}

#[test]
fn a_script_without_a_first_line_of_its_own_is_run_by_sh() {
    for command in ["$d/run", "run"] {
        root(&format!(
            "d=$(mktemp -d); printf 'echo $1; exit 9' >$d/run; chmod 755 $d/run; \
             PATH=$PATH:$d {PID_1} $INIT -- {command} word; s=$?; rm -r $d; echo $s"
        ))
        .prints("word\n9");
    }
}

#[test]
fn what_is_left_behind_gets_term_and_cont_and_the_time_that_it_needs() {
    for init in [&format!("{PID_1} $INIT"), "$INIT -s"] {
        // Were the end not noticed, this would take 1000 seconds.
        python(&format!(
            r#"
payload = r'''
import os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, {{15, 18}})
if os.fork() == 0:
    os.setsid()
    got = {{signal.sigtimedwait([15, 18], 20).si_signo, signal.sigtimedwait([15, 18], 20).si_signo}}
    time.sleep(1)
    print("after", sorted(got), flush=True)
    os._exit(0)
os._exit(7)
'''
os.environ["PAYLOAD"], os.environ["ME"] = payload, ME
print(subprocess.run(["sh", "-c", '{init} --grace 1000 -- $ME -c "$PAYLOAD"']).returncode)
"#
        ))
        .prints("after [15, 18]\n7");
    }
}

#[test]
fn a_stopped_leftover_hears_term() {
    for init in [&format!("{PID_1} $INIT"), "$INIT -s"] {
        root(&format!(
            "{init} --grace 1000 -- bash -c \
             '(trap \"echo term; exit\" TERM; kill -STOP $BASHPID; sleep 100) & \
              until grep -q \"State:.T\" /proc/$!/status; do sleep 0.01; done; exit 8'; echo $?"
        ))
        .prints("term\n8");
    }
}

#[test]
fn what_ignores_term_is_killed_after_the_grace_period() {
    for init in [&format!("{PID_1} $INIT"), "$INIT -s"] {
        for grace in ["--grace 0.2", "--grace 0", "--grace=0.05", ""] {
            root(&format!("{init} {grace} -- bash -c 'trap \"\" TERM; setsid sleep 100 & exit 9'"))
                .ends_with(9);
        }
    }
}

#[test]
fn a_second_term_makes_the_grace_period_none() {
    for start in ["as_pid_1(INIT, *words)", "(lambda p: (p, p.pid))(start(INIT, '-s', *words))"] {
        python(&format!(
            r#"
words = ["--grace", "1000", "--", "bash", "-c", '(trap "echo spared" TERM; echo up; for i in {{1..1000}}; do sleep 0.1; done) 2>/dev/null & exec sleep 100']
launcher, init = {start}
assert launcher.stdout.readline() == "up\n"
os.kill(init, signal.SIGTERM)
assert launcher.stdout.readline() == "spared\n"
os.kill(init, signal.SIGTERM)
print(launcher.wait())
"#
        ))
        .prints("143");
    }
}

#[test]
fn a_payload_that_may_not_be_signalled_is_no_reason_to_fail() {
    // Without this capability, root may signal root only.
    for way in ["-q", "-g -q", "-s"] {
        root(&format!(
            "f=$(mktemp -u); mkfifo $f; setpriv --bounding-set -kill --inh-caps -kill $INIT {way} -- \
             setpriv --reuid 65534 sh -c 'echo up; sleep 0.5; exit 3' >$f & \
             read up <$f; kill -USR1 $!; kill -TERM $!; wait $!; s=$?; rm $f; exit $s"
        ))
        .ends_with(3);
    }
}

/// The payload's own end is among those of its children.
#[test]
fn ten_thousand_orphans_that_end_at_once_with_the_payload_lose_no_status() {
    root(&format!("{PID_1} $INIT -- {}", leaves_orphans(10_000))).ends_with(77);
    root(&format!("$INIT -q -s -- {}", leaves_orphans(2_000))).ends_with(77);
}

#[test]
fn a_subreaper_ends_what_it_got_and_nothing_else() {
    root(
        "sleep 100 & other=$!; setsid sleep 100 & f=$(mktemp); \
         $INIT -s -- bash -c '(setsid sh -c \"sleep 100 & echo \\$!; wait\" &) ; sleep 100 & echo $!; \
           (sleep 100 & echo $! $PPID); until [ $(wc -l <'$f') = 3 ]; do sleep 0.01; done; exit 4' >$f; echo $?; \
         for pid in $(cut -d ' ' -f 1 $f); do [ -e /proc/$pid ] && echo $pid is left; done; wc -l <$f; rm $f; \
         for pid in $other $!; do kill $pid && wait $pid; echo $?; done",
    )
    .prints("4\n3\n143\n143");
}

#[test]
fn a_subreaper_is_the_new_parent_of_orphans() {
    for options in ["-s", "-gs"] {
        // Were it not, this would not end.
        root(&format!(
            "$INIT {options} -- sh -c '(sh -c \"until [ \\$(ps -o ppid= -p \\$\\$) = $PPID ]; do sleep 0.05; done; echo adopted\" &) | cat'"
        ))
        .prints("adopted");
    }
}

#[test]
fn neither_pid_1_nor_subreaper_is_said_in_one_line() {
    root("$INIT -- sh -c 'exit 6'").init_complains(6, &["not PID 1", "-s"]);
    for quiet in ["$INIT -s", "$INIT -q", &format!("{PID_1} $INIT"), "TINI_VERBOSITY=0 $INIT"] {
        root(&format!("{quiet} -- true")).prints("");
    }
}

#[test]
fn a_message_that_nobody_can_read_is_no_signal() {
    for (words, status) in [("-s -vv", 0), ("-w", 0), ("-s -v -w", 0)] {
        root(&format!(
            "python3 -c '
import os, subprocess, sys
r, w = os.pipe(); os.close(r)
print(subprocess.run(sys.argv[1:], stderr=w).returncode)
' timeout 20 $INIT {words} -- sh -c '(sleep 0.1 &); sleep 0.3'"
        ))
        .prints(&status.to_string());
    }
    root("timeout 20 sh -c 'ulimit -f 0; f=$(mktemp); $INIT -s -vv -- sleep 0.2 2>$f; s=$?; rm $f; exit $s'")
        .ends_with(0);
}

#[test]
fn a_script_without_an_interpreter_line_is_started_again_and_again() {
    root(
        "d=$(mktemp -d); printf 'echo $0 $1 >>$D/n; test $(wc -l <$D/n) -ge 3\\n' >$d/plain; chmod 755 $d/plain; \
         D=$d PATH=$d:$PATH timeout 20 $INIT -q -s --restart on-failure -- plain a; echo $?; sort -u $d/n | sed s,$d,D,; \
         rm $d/n; D=$d PATH=$d:$PATH timeout 20 $CLI spawn --pid --restart on-failure -- plain b; echo $?; sort -u $d/n | sed s,$d,D,; rm -r $d",
    )
    .prints("0\nD/plain a\n0\nD/plain b");
}

#[test]
fn a_signal_that_the_c_library_keeps_for_itself_is_raised_again_too() {
    for signal in [32, 33, 34, 64] {
        root(&format!(
            "python3 -c '
import ctypes, signal, subprocess, sys
def ignore():
    # rt_sigaction(2), which the C library refuses for the first two.
    action = (ctypes.c_ulong * 4)(1, 0, 0, 0)
    ctypes.CDLL(None).syscall(13, {signal}, action, None, 8)
print(subprocess.run(sys.argv[1:], preexec_fn=ignore).returncode)
' $INIT -s --re-raise -- python3 -c '
import ctypes, os
ctypes.CDLL(None).syscall(13, {signal}, (ctypes.c_ulong * 4)(0, 0, 0, 0), None, 8)
os.kill(os.getpid(), {signal})
'"
        ))
        .prints(&format!("-{signal}"));
    }
}

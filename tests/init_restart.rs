//! The reaper alone: starting its payload again.
use crate::common::{python, root};

/// Runs a payload that adds a line to a file each time, and says how often it ran.
fn counted(init: &str, payload: &str) -> String {
    root(&format!(
        "export F=$(mktemp); {init} -- sh -c 'echo >>$F; n=$(wc -l <$F); {payload}'; echo $? $(wc -l <$F); rm $F"
    ))
    .ends_with(0)
    .out
}

const WAYS: [&str; 3] = ["$INIT -q", "$INIT -s -g", "unshare --pid --fork --mount-proc $INIT"];

#[test]
fn a_policy_says_when_it_is_started_again() {
    for init in WAYS {
        let counted = |options: &str, payload| counted(&format!("{init} {options} -q"), payload);
        assert_eq!(counted("", "exit 3"), "3 1\n");
        assert_eq!(counted("--restart never", "exit 3"), "3 1\n");
        assert_eq!(counted("--restart on-failure", "exit 0"), "0 1\n");
        assert_eq!(counted("--restart on-failure", "[ $n = 3 ] || exit 3"), "0 3\n");
        assert_eq!(counted("--restart=on-failure", "[ $n = 2 ] || kill -KILL $$"), "0 2\n");
        assert_eq!(counted("--restart on-failure -e 3", "exit 3"), "0 1\n");
    }
}

#[test]
fn what_cannot_be_executed_is_not_started_again() {
    root("$INIT -q --restart always -- /no/such").init_complains(127, &["/no/such"]);
}

#[test]
fn a_payload_that_vanishes_for_a_moment_is_no_reason_to_give_up() {
    root(
        "d=$(mktemp -d); printf '#!/bin/sh\\necho run\\n[ -e $0.no ] && exit 0\\nmv $0 $0.no; exit 1\\n' >$d/p; chmod 755 $d/p; \
         (until [ -e $d/p.no ]; do sleep 0.05; done; sleep 0.5; cp $d/p.no $d/p) & \
         $INIT -q --restart on-failure -- $d/p 2>/dev/null; echo $?; wait; rm -r $d",
    )
    .prints("run\nrun\n0");
}

/// Sends a signal to what is restarted always, while the payload runs or once it has ended; prints
/// the status, and how often the payload was started.
fn ended(options: &str, signal: &str, payload: &str, runs: u32) -> String {
    python(&format!(
        r#"
p = start(INIT, "-q", "--restart", "always", *"{options}".split(), "--", "sh", "-c", "{payload}")
for _ in range({runs}): line = p.stdout.readline().split()
payload = int(line[1])
if {runs} > 1:
    # It has been reaped: the reaper waits for the time of its restart.
    until(lambda: not os.path.exists(f"/proc/{{payload}}"))
os.kill(p.pid, signal.SIG{signal})
rest = p.stdout.read().count("up")
print(p.wait(), rest)
"#
    ))
    .ends_with(0)
    .out
}

#[test]
fn a_request_to_end_is_the_end_while_it_runs() {
    for options in ["", "-s", "-g"] {
        assert_eq!(ended(options, "TERM", "echo up $$; exec sleep 100", 1), "143 0\n");
        assert_eq!(
            ended(
                options,
                "INT",
                "trap 'kill $!; wait; exit 4' INT; echo up $$; sleep 100 & wait",
                1
            ),
            "4 0\n"
        );
        assert_eq!(ended(options, "QUIT", "echo up $$; exec sleep 100", 1), "131 0\n");
    }
}

#[test]
fn a_request_to_end_is_the_end_while_it_waits_to_restart() {
    // After the sixth start it waits for 3.2 seconds.
    assert_eq!(ended("", "TERM", "echo up $$; exit 5", 6), "5 0\n");
    assert_eq!(ended("-s", "INT", "echo up $$; exit 0", 6), "0 0\n");
}

#[test]
fn another_signal_is_no_request_to_end() {
    for signal in ["USR1", "HUP"] {
        let out = python(&format!(
            r#"
p = start(INIT, "-q", "--restart", "always", "--", "sh", "-c", "echo up; exec sleep 100")
p.stdout.readline()
os.kill(p.pid, signal.SIG{signal})
print(p.stdout.readline(), end="")
os.kill(p.pid, signal.SIGTERM)
print(p.wait())
"#
        ));
        out.prints("up\n143");
    }
}

#[test]
fn what_a_run_left_behind_is_gone_before_the_next() {
    for init in ["$INIT -s", "unshare --pid --fork --mount-proc $INIT"] {
        let out = counted(
            &format!("{init} --restart on-failure"),
            "[ $n = 1 ] && { setsid sleep 77 & echo $! >$F.pid; exit 1; }; [ -e /proc/$(cat $F.pid) ]; s=$?; rm $F.pid; [ $s = 1 ] || kill -KILL $$",
        );
        assert_eq!(out, "0 2\n");
    }
}

#[test]
fn the_delay_doubles() {
    // What it waits for is seen, not how long it waited.
    python(
        r#"
import re, tempfile
with tempfile.TemporaryDirectory() as folder:
    os.environ["F"], trace = folder + "/runs", folder + "/trace"
    subprocess.run(["strace", "-qq", "-e", "trace=rt_sigtimedwait", "-o", trace, INIT, "-q", "--restart", "on-failure", "--",
                    "sh", "-c", "echo >>$F; [ $(wc -l <$F) = 6 ]"])
    times = [int(s) + int(n) / 1e9 for s, n in re.findall(r"tv_sec=(\d+), tv_nsec=(\d+)", open(trace).read())]
# The longest time after each start; a time that is waited for in parts gets shorter.
peaks = [t for i, t in enumerate(times) if i == 0 or t > times[i - 1]]
print(len(peaks), all(0 < t <= 0.1 * 2**i for i, t in enumerate(peaks)), peaks[-1] > 0.8)
"#,
    )
    .prints("5 True True");
}

#[test]
fn the_end_of_the_parent_is_the_end_of_restarts() {
    for signal in ["HUP", "USR1", "TERM"] {
        root(&format!(
            "timeout 20 python3 - $INIT <<'END'
import os, subprocess, sys
end, alive = os.pipe()
told, ready = os.pipe()
payload = 'trap \"exit 0\" {signal}; echo up >&%d; while :; do sleep 0.05; done' % ready
options = ['-q', '-s', '-p', '{signal}', '--parent-fd', str(end), '--restart', 'always', '--']
init = subprocess.Popen([sys.argv[1], *options, 'sh', '-c', payload], pass_fds=[end, ready])
os.read(told, 3)
os.close(alive)
print(init.wait())
END"
        ))
        .prints("0");
    }
}

//! Jobs within jobs: launchers under launchers, jobs that are stopped and continued by hand, shells
//! that had the terminal, and a terminal that hangs up.
use crate::common::root;
use crate::common::terminal::{SLEEPS, Terminal};

#[test]
fn ctrl_z_stops_a_launcher_under_a_launcher_and_fg_continues_both() {
    for (outer, inner) in [("", ""), ("--pid", ""), ("", "--pid"), ("--all", "--all")] {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn {outer} -- $CLI spawn {inner} -- {SLEEPS}"), "up2");
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("fg", "on2");
        terminal.line("echo st$?", "st5");
    }
}

#[test]
fn a_job_that_was_stopped_and_continued_by_hand_runs() {
    for shape in ["", "--pid", "--all"] {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("f=$(mktemp -u); mkfifo $f; $CLI spawn {shape} -- sh -c 'echo up$((1+1)); read x <$0; exit 4' $f &"),
            "up2",
        );
        terminal.line("kill -STOP %1; until ps -o stat= -p $! | grep -q T; do sleep 0.05; done; kill -CONT %1; sleep 0.3; ps -o stat= -p $! | grep -c '^[SR]' | sed s/^/running/", "running1");
        terminal.line("echo >$f; rm $f; wait $!; echo st$?", "st4");
    }
}

#[test]
fn fg_after_a_stop_by_hand_waits_for_the_end() {
    for shape in ["", "--pid"] {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} -- sh -c 'trap \"sleep 0.5; exit 3\" CONT; echo up$((1+1)); while :; do sleep 0.1; done' &"),
            "up2",
        );
        terminal.line("kill -STOP %1; until ps -o stat= -p $! | grep -q T; do sleep 0.05; done; fg; echo st$?", "st3");
    }
}

#[test]
fn the_terminal_comes_back_from_a_shell_that_had_it() {
    for shape in ["--user", "--pid", "--pid --no-init"] {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!(
                "sh -c '$CLI spawn {shape} -- bash --norc -i; echo af\"\"ter$?; read x; echo got$x'"
            ),
            "bash",
        );
        terminal.line("exit 3", "after3");
        terminal.line("hello", "gothello");
    }
}

/// How many hang-ups the payload gets when the terminal is closed under an interactive shell.
fn hang_ups(command: &str) -> String {
    root(&format!(
        "d=$(mktemp -d); cat >$d/count.py <<'END'
import signal, sys, time
count = 0
def hup(*_):
    global count
    count += 1
signal.signal(signal.SIGHUP, hup)
open(sys.argv[1] + '/up', 'w').close()
end = time.time() + 40
while not count and time.time() < end: time.sleep(0.01)
time.sleep(0.5)
open(sys.argv[1] + '/count', 'w').write(str(count))
END
         python3 - $d <<'END'
import os, pty, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execvp('sh', ['sh', '-c', '''{command} python3 $0/count.py $0; :''', sys.argv[1]])
end = time.time() + 50
while not os.path.exists(sys.argv[1] + '/up') and time.time() < end: time.sleep(0.01)
os.close(master)
while not os.path.exists(sys.argv[1] + '/count') and time.time() < end: time.sleep(0.01)
END
         cat $d/count; rm -r $d"
    ))
    .out
}

#[test]
fn a_hang_up_comes_as_often_as_without_us() {
    let direct = hang_ups("");
    assert!(direct.parse::<u32>().is_ok_and(|count| count > 0), "{direct:?}");
    for command in ["$CLI spawn --", "$CLI spawn --exec : --", "$CLI spawn --pid --", "$INIT -q --"]
    {
        assert_eq!(hang_ups(command), direct, "{command}");
    }
}

#[test]
fn a_hang_up_on_a_launcher_that_leads_the_session_reaches_the_payload() {
    // The shell becomes the launcher, so the hang-up goes to the launcher alone.
    for command in ["exec $CLI spawn --", "exec $CLI spawn --pid --", "exec $INIT -q --"] {
        let count = hang_ups(command);
        assert!(count.parse::<u32>().is_ok_and(|count| count > 0), "{command}: {count:?}");
    }
}

#[test]
fn a_ctrl_c_however_early_ends_the_payload() {
    // The launcher leads a session of its own, with no shell between it and the terminal; the keys
    // are hit 0 to 2.4 milliseconds after it is executed. Lost, and told, is what still runs then.
    for command in [
        "$CLI spawn --",
        "$CLI spawn --pid --",
        "$CLI spawn --exec : --",
        "$INIT -q --",
        "$INIT -qg --",
    ] {
        root(&format!(
            "python3 - {command} sleep 100 <<'END'
import os, pty, select, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
lost = []
for step in range(60):
    pid, master = pty.fork()
    if pid == 0:
        os.write(1, b'x')
        os.execv(sys.argv[1], sys.argv[1:])
    os.read(master, 1)
    time.sleep(step * 0.00004)
    os.write(master, b'\\x03')
    end = time.time() + 20
    while not os.waitpid(pid, os.WNOHANG)[0]:
        if time.time() > end:
            lost.append(step)
            os.kill(pid, signal.SIGKILL)
        if select.select([master], [], [], 0.002)[0]:
            try: os.read(master, 4096)
            except OSError: time.sleep(0.001)
    os.close(master)
print('lost', lost)
END"
        ))
        .prints("lost []");
    }
}

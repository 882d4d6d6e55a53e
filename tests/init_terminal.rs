//! The reaper alone, under an interactive shell on a pseudo-terminal.
use crate::common::dist;
use crate::common::terminal::{COUNTS_INTERRUPTS, SLEEPS, Terminal};

/// Ways to be called.
const WAYS: [&str; 4] =
    ["$INIT -q", "$INIT -q -g", "${INIT%/*}/dumb-init -q", "${INIT%/*}/dumb-init -q -c"];
/// The one that gives the payload a session of its own.
const SESSION: &str = WAYS[2];

/// A terminal in which this line has been typed, with `INIT` called that way, and printed that.
#[track_caller]
fn typed(way: &str, line: &str, expected: &str) -> Terminal {
    let _ = std::os::unix::fs::symlink("unshared-init", dist().join("dumb-init"));
    let mut terminal = Terminal::new();
    terminal.line(&line.replace("INIT", way), expected);
    terminal
}

#[test]
fn in_a_pipeline_the_pager_has_the_terminal() {
    for way in WAYS {
        let mut terminal =
            typed(way, "INIT -- seq 1000 | TERM=vt100 LESS= less; echo st$?", "\n20\r");
        terminal.write("G");
        terminal.expect("\n1000\r");
        terminal.write("g");
        terminal.expect("1\r");
        terminal.write("q");
        terminal.expect("st0");
        terminal.line("INIT -- seq 3 | (cat; read key </dev/tty; echo key:$key)", "3");
        terminal.line("k", "key:k");
    }
}

#[test]
fn as_the_last_of_a_pipeline_it_may_read_the_terminal() {
    // In a session of its own, it would have to be standard input.
    for way in [WAYS[0], WAYS[1], WAYS[3]] {
        let mut terminal = typed(
            way,
            "seq 3 | INIT -- sh -c 'cat; exec </dev/tty; echo up$((1+1)); read key; echo key:$key'",
            "up2",
        );
        terminal.line("k", "key:k");
    }
}

#[test]
fn the_keyboard_belongs_to_the_payload_and_then_to_the_shell_again() {
    for way in WAYS {
        let mut terminal =
            typed(way, "INIT -- sh -c 'echo up$((1+1)); read a; echo read:$a; exit 3'", "up2");
        terminal.line("hello", "read:hello");
        terminal.line("echo st$?", "st3");
        terminal.line("read b; echo shell:$b", "shell:$b");
        terminal.line("there", "shell:there");
    }
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for way in WAYS {
        // Twice, since the second time the terminal has been given away and taken back.
        let mut terminal = typed(
            way,
            "INIT -- sh -c 'echo up$((1+1)); while read a && [ $a = again ]; do echo has:$a; done; echo read:$a; exit 3'",
            "up2",
        );
        for _ in 0..2 {
            terminal.write("\x1a");
            terminal.expect("Stopped");
            terminal.line("jobs -s | wc -l", "1");
            terminal.line("fg", "-q");
            // The shell says so before it gives the terminal away, and a key of then is nobody's.
            terminal.line("again", "has:again");
        }
        terminal.line("hello", "read:hello");
        terminal.line("echo st$?", "st3");
    }
}

#[test]
fn a_payload_that_stops_itself_is_a_stopped_job_and_fg_continues_all() {
    for way in WAYS {
        for signal in ["STOP", "TSTP"] {
            // The kernel does not let a session of its own be stopped by TSTP.
            if signal == "TSTP" && way == SESSION {
                continue;
            }
            let mut terminal = typed(
                way,
                &format!(
                    "INIT -- bash -c '(kill -STOP $BASHPID) & until grep -q \"State:.T\" /proc/$!/status; do sleep 0.05; done; kill -{signal} $$; wait; echo all$((1+1)); read a; echo read:$a; exit 4'"
                ),
                "Stopped",
            );
            terminal.line("jobs -s | wc -l", "1");
            terminal.line("fg", "all2");
            terminal.line("hello", "read:hello");
            terminal.line("echo st$?", "st4");
        }
    }
}

#[test]
fn bg_lets_a_stopped_job_run_on() {
    for way in WAYS {
        let mut terminal = typed(way, &format!("INIT -- {SLEEPS}"), "up2");
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("bg", "-q");
        terminal.expect("on2");
        terminal.line("read line; echo got:$line", "$line");
        terminal.line("typed", "got:typed");
    }
}

#[test]
fn in_the_background_it_does_not_take_the_terminal() {
    for way in WAYS {
        let mut terminal = typed(way, "INIT -- sh -c 'echo up$((1+1)); exec sleep 100' &", "up2");
        terminal.line("read line; echo got:$line", "$line");
        terminal.line("typed", "got:typed");
        terminal.line("kill %1; wait %1; echo st$?", "st143");
    }
}

#[test]
fn a_background_job_that_reads_the_terminal_is_stopped() {
    // With a session of its own the terminal is no longer the payload's to be stopped by.
    for way in [WAYS[0], WAYS[1], WAYS[3]] {
        let mut terminal = typed(way, "INIT -- sh -c 'read a; echo read:$a; exit 5' &", "READY> ");
        terminal.line("for i in {1..200}; do jobs -s | grep -q Stopped && break; sleep 0.05; done; jobs -s | grep -c Stopped", "1\r");
        terminal.line("fg; echo st$?", "-q");
        terminal.line("hello", "read:hello");
        terminal.expect("st5");
    }
}

#[test]
fn ctrl_c_reaches_the_payload_once() {
    for way in WAYS {
        let mut terminal = typed(way, &format!("INIT -- {COUNTS_INTERRUPTS}; echo st$?"), "up2");
        terminal.write("\x03");
        terminal.expect("count1");
        terminal.expect("st6");
    }
}

#[test]
fn ctrl_c_kills_what_does_not_care() {
    for way in WAYS {
        let mut terminal = typed(way, "INIT -- sh -c 'echo up$((1+1)); exec sleep 100'", "up2");
        terminal.write("\x03");
        terminal.line("echo st$?", "st130");
    }
}

#[test]
fn a_payload_that_is_stopped_for_writing_gets_the_terminal() {
    for way in WAYS {
        let mut terminal =
            typed(way, "stty tostop; INIT -- sh -c 'echo up$((1+1)); exit 7'; echo st$?", "up2");
        terminal.expect("st7");
    }
}

#[test]
fn a_resized_terminal_is_noticed() {
    for way in WAYS {
        let mut terminal = typed(
            way,
            "INIT -- bash -c 'trap \"stty size; exit\" WINCH; echo up$((1+1)); for i in {1..500}; do sleep 0.1; done'",
            "up2",
        );
        let size = rustix::termios::Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal.master, size).unwrap();
        terminal.expect("33 77");
    }
}

/// Ways in which a reaper is not the direct child of a shell, or is PID 1.
const NESTED: [&str; 7] = [
    "$INIT -q -- $INIT -q -g --",
    "$INIT -q -- dumb-init -q",
    "$CLI spawn --pid -- $INIT -q -g --",
    "$CLI spawn --pid -- dumb-init -q",
    "$CLI spawn --pid --no-init -- $INIT -q --",
    "$CLI spawn --pid --no-init -- $INIT -q -g --",
    "$INIT -q -g -- $INIT -q -g --",
];

#[test]
fn ctrl_z_stops_a_reaper_under_others_and_fg_continues_all() {
    for way in NESTED {
        let mut terminal = Terminal::new();
        terminal.line(
            "d=$(mktemp -d); ln -s $INIT $d/dumb-init; PATH=$d:$PATH; echo ok$((1+1))",
            "ok2",
        );
        let way = way.replace(" dumb-init", " $d/dumb-init");
        terminal.line(&format!("{way} {SLEEPS}"), "up2");
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("fg", "on2");
        terminal.line("echo st$?; rm -r $d", "st5");
    }
}

#[test]
fn in_the_background_of_a_pid_namespace_it_does_not_take_the_terminal_either() {
    for way in [
        "unshare --pid --fork --kill-child $INIT -q -g --",
        "$CLI spawn --pid --no-init --die-with-parent -- $INIT -q -g --",
    ] {
        let mut terminal = Terminal::new();
        terminal.line(&format!("{way} cat &"), "READY> ");
        terminal.line("sleep 0.5; echo alive$((1+1))", "alive2");
        terminal.line("read line; echo got:$line", "read line");
        terminal.line("typed", "got:typed");
    }
}

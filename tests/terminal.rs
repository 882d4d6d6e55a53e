//! A real interactive shell on a pseudo-terminal, and jobs in it.
use crate::common::terminal::{COUNTS_INTERRUPTS, SLEEPS, Terminal};
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

const SHAPES: [&str; 3] = ["", "--pid", "--all"];

#[test]
fn ctrl_c_reaches_the_payload_once_and_its_status_comes_back() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn {shape} -- {COUNTS_INTERRUPTS}; echo st$?"), "up2");
        terminal.write("\x03");
        terminal.expect("count1");
        terminal.expect("st6");
    }
}

#[test]
fn ctrl_c_kills_what_does_not_care() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal
            .line(&format!("$CLI spawn {shape} -- sh -c 'echo up$((1+1)); exec sleep 100'"), "up2");
        terminal.write("\x03");
        terminal.line("echo st$?", "st130");
    }
}

#[test]
fn ctrl_c_ends_a_post_mount_hook() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} --post-mount 'echo up$((1+1)); exec sleep 100' -- true"),
            "up2",
        );
        terminal.write("\x03");
        terminal.expect("was killed by SIGINT");
    }
}

#[test]
fn ctrl_c_ends_a_loop_of_the_shell() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("for i in 1 2 3; do $CLI spawn {shape} -- sh -c 'echo up$((1+1)); exec sleep 100'; echo no$i; done"),
            "up2",
        );
        terminal.write("\x03");
        terminal.line("echo st$?", "st130");
        assert!(!terminal.seen.contains("up2"), "{:?}", terminal.seen);
    }
}

#[test]
fn ctrl_c_reaches_a_payload_that_left_the_process_group() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} -- sh -c 'echo up$((1+1)); exec timeout 100 sleep 100'"),
            "up2",
        );
        std::thread::sleep(Duration::from_millis(300));
        terminal.write("\x03");
        terminal.line("echo st$?", "st1");
    }
}

#[test]
fn a_hang_up_reaches_the_payload_of_a_session_leader() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        let mark = format!("{}", 1_000_000 + std::process::id() + shape.len() as u32);
        terminal.line(
            &format!("exec $CLI spawn {shape} -- sh -c 'echo up$((1+1)); exec sleep {mark}'"),
            "up2",
        );
        // Closing the master hangs up.
        drop(std::mem::replace(&mut terminal.master, File::open("/dev/null").unwrap()));
        let lives = || {
            let found =
                Command::new("pgrep").args(["-f", &format!("sleep {mark}")]).output().unwrap();
            !found.stdout.is_empty()
        };
        let end = Instant::now() + Duration::from_secs(60);
        while lives() {
            assert!(Instant::now() < end, "the payload outlives its terminal");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn ctrl_z_stops_the_job_and_fg_continues_it() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} -- sh -c 'echo up$((1+1)); read a; echo read:$a; exit 3'"),
            "up2",
        );
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("jobs -s | wc -l", "1");
        terminal.line("fg", "spawn");
        terminal.line("hello", "read:hello");
        terminal.line("echo st$?", "st3");
    }
}

#[test]
fn bg_lets_a_stopped_job_run_on() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn {shape} -- {SLEEPS}"), "up2");
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("bg", "spawn");
        terminal.expect("on2");
    }
}

#[test]
fn in_the_background_it_does_not_take_the_terminal() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn {shape} -- sleep 3 &"), "READY> ");
        terminal.line("read line; echo got:$line", "read line");
        terminal.line("typed", "got:typed");
    }
}

#[test]
fn a_background_job_that_reads_is_stopped() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn {shape} -- sh -c 'read a </dev/tty' &"), "READY> ");
        terminal.line("for i in {1..400}; do jobs -s | grep -q Stopped && break; sleep 0.05; done; jobs -s | grep -c Stopped", "1\r");
    }
}

#[test]
fn in_a_pipeline_the_pager_has_the_terminal() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} -- seq 3 | (cat; read key </dev/tty; echo key:$key)"),
            "3",
        );
        terminal.line("k", "key:k");
    }
}

#[test]
fn a_resized_terminal_is_noticed() {
    for shape in SHAPES {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("$CLI spawn {shape} -- bash -c 'trap \"stty size; exit\" WINCH; echo up$((1+1)); while :; do sleep 0.1; done'"),
            "up2",
        );
        let size = rustix::termios::Winsize { ws_row: 33, ws_col: 77, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal.master, size).unwrap();
        terminal.expect("33 77");
    }
}

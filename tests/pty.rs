//! A terminal of the payload's own.
use crate::common::root;
use crate::common::terminal::{COUNTS_INTERRUPTS, SLEEPS, Terminal};
use rustix::termios::{Winsize, tcsetwinsize};

const STATE: &str = "export UNSHARED_STATE=$(mktemp -d)";

#[test]
fn without_a_terminal_what_is_read_and_written_goes_through_one() {
    root("echo hello | $CLI spawn --pty --pid -- sh -c 'test -t 0 && test -t 1 && test -t 2 && cat; exit 3'; echo $?")
        .prints("hello\r\nhello\r\n3");
    root("$CLI spawn --pty -- seq 20000 | tr -d '\\r' | cmp - <(seq 20000)").prints("");
    root("$CLI spawn --pty --pid -- /no/such").complains(127, &["ENOENT"]);
    for devices in ["", "mknod /dev/ptmx c 5 2;", "mknod /dev/ptmx c 5 2; mkdir /dev/pts;"] {
        root(&format!(
            "unshare -m sh -c 'mount -t tmpfs none /dev; {devices} exec $0 spawn --pty -- true' $CLI"
        ))
        .complains(125, &["make a pty", "it takes a /dev/ptmx, and devpts"]);
    }
    for option in ["--detach", "--log x"] {
        root(&format!("$CLI spawn --pty {option} -- true")).complains(125, &["--pty with"]);
    }
}

#[test]
fn it_has_the_size_of_the_callers_and_follows_it() {
    let mut terminal = Terminal::new();
    let size =
        |rows, columns| Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal.master, size(31, 77)).unwrap();
    terminal.line(
        "$CLI spawn --pty --pid -- bash -c 'stty size; trap \"stty size; exit 4\" WINCH; echo ready$((1+1)); while :; do sleep 0.1; done'; echo ended$?",
        "31 77",
    );
    terminal.expect("ready2");
    tcsetwinsize(&terminal.master, size(20, 60)).unwrap();
    terminal.expect("20 60");
    terminal.expect("ended4");
}

#[test]
fn ctrl_c_is_for_the_command_once() {
    for shape in ["--pid", ""] {
        let mut terminal = Terminal::new();
        terminal
            .line(&format!("$CLI spawn --pty {shape} -- {COUNTS_INTERRUPTS}; echo ended$?"), "up2");
        terminal.write("\x03");
        terminal.expect("count1");
        terminal.expect("ended6");
    }
}

#[test]
fn ctrl_z_stops_the_command_and_us_and_fg_continues_both() {
    for shape in ["--pid", ""] {
        let mut terminal = Terminal::new();
        terminal.line(&format!("$CLI spawn --pty {shape} -- {SLEEPS}; echo ended$?"), "up2");
        terminal.write("\x1a");
        terminal.expect("Stopped");
        terminal.line("stty -a | grep -o ' icanon'; echo sane$?", "sane0");
        terminal.line("fg", "on2");
        terminal.expect("READY> ");
        terminal.line("stty -a | grep -o ' icanon'; echo sane$?", "sane0");
    }
}

#[test]
fn the_terminal_is_as_it_was_whatever_ends_the_launcher() {
    for signal in ["KILL", "TERM"] {
        let mut terminal = Terminal::new();
        terminal.line(
            &format!("{STATE}; (until test -e $UNSHARED_STATE.up; do sleep 0.05; done; rm $UNSHARED_STATE.up; kill -{signal} $($CLI inspect {signal} | sed 's/.*\"launcher\":\\([0-9]*\\).*/\\1/')) & $CLI spawn --pty --pid --name={signal} -- sh -c 'echo up$((1+1)); : >$UNSHARED_STATE.up; exec sleep 100'"),
            "up2",
        );
        terminal.expect("READY> ");
        terminal.line(
            "sleep 0.3; stty -a | grep -o ' icanon.*' ; stty -a | grep -o ' echo '; echo sane$?",
            "sane0",
        );
        terminal.line("$CLI gc; rm -r $UNSHARED_STATE; echo cleaned$?", "cleaned0");
    }
}

#[test]
fn exec_has_a_terminal_as_well() {
    let mut terminal = Terminal::new();
    terminal.line(&format!("{STATE}; $CLI spawn --detach --name one --pid -- sleep 100"), "one");
    terminal.line("$CLI exec one -t -- bash --norc -c 'test -t 0 && echo tty$((1+1)); read x; echo got-$x; exit 5'; echo ended$?", "tty2");
    terminal.line("word", "got-word");
    terminal.expect("ended5");
    terminal.line(&format!("$CLI exec -t one -- {COUNTS_INTERRUPTS}; echo ended$?"), "up2");
    terminal.write("\x03");
    terminal.expect("count1");
    terminal.expect("ended6");
    terminal.line("$CLI stop one; rm -r $UNSHARED_STATE; echo cleaned$?", "cleaned0");
}

//! The console: messages of PID 1, and the terminal of the payload.
use crate::files::read_file;
use crate::sys::machine::terminal_of;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Dev, Mode, OFlags, makedev, open};
use rustix::io::write;
use unshared_init::number::decimal;

/// The level that our messages have in the kernel's log: a notice.
const LEVEL: u64 = 5;

/// Says a line, in the kernel's log and on the console, and never waits for somebody to read it.
pub(super) fn say(text: &str) {
    let line = format!("unshared-init: {text}\n");
    let log =
        open(c"/dev/kmsg", OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty());
    let record = format!("<{LEVEL}>{line}");
    let logged = log.is_ok_and(|log| write(&log, record.as_bytes()).is_ok());
    if (!logged || !is_shown())
        && let Ok(console) = open_terminal(b"/dev/console")
    {
        let _ = write(&console, line.as_bytes());
    }
}

/// Whether the kernel itself writes such messages to the console.
fn is_shown() -> bool {
    let levels = read_file("/proc/sys/kernel/printk").unwrap_or_default();
    let level = levels.split(u8::is_ascii_whitespace).next().and_then(decimal);
    level.is_some_and(|level| level > LEVEL)
}

/// Reads of it wait for nothing, nor do writes.
fn open_terminal(path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Makes /dev/null our standard streams: the kernel had no console to give to PID 1, or one that
/// would make us wait.
pub(super) fn leave_streams() {
    // Otherwise the kernel's log drops what we say all at once. It wants a whole line.
    if let Ok(file) = open(c"/proc/sys/kernel/printk_devkmsg", OFlags::WRONLY, Mode::empty()) {
        let _ = write(&file, b"on\n");
    }
    if let Ok(null) = open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
        become_streams(null);
    }
}

/// Makes the console our standard streams, as the kernel does for an init.
pub(super) fn take_streams() {
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    if let Ok(console) = open(c"/dev/console", flags, Mode::empty()) {
        become_streams(console);
    }
}

/// What services write goes to the console. What they complain of, and what PID 1 says of them, goes
/// to the kernel's log, which never makes PID 1 wait.
pub(super) fn take_streams_of_services() {
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    if let Ok(console) = open(c"/dev/console", flags, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdout(&console);
    }
    if let Ok(log) = open(c"/dev/kmsg", OFlags::WRONLY, Mode::empty()) {
        let _ = rustix::stdio::dup2_stderr(&log);
    }
}

fn become_streams(file: OwnedFd) {
    let _ = rustix::stdio::dup2_stdin(&file);
    let _ = rustix::stdio::dup2_stdout(&file);
    let _ = rustix::stdio::dup2_stderr(&file);
    // Where the streams were closed, it is one of them itself.
    if file.as_raw_fd() <= 2 {
        std::mem::forget(file);
    }
}

/// The path and the number of the terminal that is the console. /dev/console itself can control no
/// session.
pub(super) fn terminal() -> Option<(Vec<u8>, Dev)> {
    let (major, minor) = terminal_of(&open_terminal(b"/dev/console").ok()?).ok()?;
    let path = device_of(&format!("/sys/dev/char/{major}:{minor}/uevent"))?;
    Some((path, makedev(major, minor)))
}

/// The path of the device whose `uevent` that is.
pub(super) fn device_of(event: &str) -> Option<Vec<u8>> {
    let event = read_file(event).ok()?;
    let mut lines = event.split(|byte| *byte == b'\n');
    let name = lines.find_map(|line| line.strip_prefix(b"DEVNAME="))?;
    Some([b"/dev/", name].concat())
}

/// In a child: a session of its own, with that terminal, or /dev/null, as its streams.
pub(super) fn enter_session(terminal: Option<&[u8]>) {
    let _ = rustix::process::setsid();
    let Some(terminal) = terminal.and_then(|path| open_terminal(path).ok()) else {
        return;
    };
    if let Ok(flags) = rustix::fs::fcntl_getfl(&terminal) {
        let _ = rustix::fs::fcntl_setfl(&terminal, flags - OFlags::NONBLOCK);
    }
    let _ = rustix::process::ioctl_tiocsctty(&terminal);
    become_streams(terminal);
}

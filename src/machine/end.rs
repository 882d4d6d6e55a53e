//! The end of the machine: everything is stopped, what is mounted is written, and reboot(2).
use super::console::say;
use super::settings::End;
use super::watchdog::Watchdog;
use crate::error::Error;
use crate::files::read_file;
use crate::proc;
use crate::spec::namespace::Namespaces;
use crate::sys::{self, Cloned};
use rustix::fs::sync;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::Pid;
use rustix::system::{RebootCommand, reboot};
use std::ffi::CString;
use unshared_init::number::SECOND;
use unshared_init::signal::{Sender, Signal};
use unshared_init::sys::{next_change, now, send_to_all, wait_for_signal};

/// What somebody has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    End(End),
    /// Begin anew: everything is stopped, and we execute ourselves.
    Restart,
}

/// What an end needs to know.
pub(super) struct Ends<'a> {
    /// Nanoseconds between TERM and KILL.
    pub(super) grace: u64,
    pub(super) watchdog: &'a Watchdog,
    /// Executes us anew; comes back if that cannot be.
    pub(super) restart: &'a dyn Fn(),
}

/// What is left after KILL waits for a device, and is not waited for.
const AFTER_KILL: u64 = 2 * SECOND;

/// A disk that does not answer must not keep the machine from its end.
const FOR_DISKS: u64 = 30 * SECOND;

/// The meaning of a signal to PID 1, as busybox's init has it. The kernel sends INT for Ctrl-Alt-Del.
pub(super) fn asked_for(signal: Signal) -> Option<What> {
    match signal.number() {
        libc::SIGTERM | libc::SIGINT => Some(What::End(End::Reboot)),
        libc::SIGUSR1 => Some(What::End(End::Halt)),
        libc::SIGUSR2 | libc::SIGPWR => Some(What::End(End::PowerOff)),
        libc::SIGQUIT => Some(What::Restart),
        _ => None,
    }
}

/// The signal that asks for it.
fn signal_for(end: End) -> Option<Signal> {
    Signal::new(match end {
        End::Reboot => libc::SIGTERM,
        End::Halt => libc::SIGUSR1,
        End::PowerOff => libc::SIGUSR2,
    })
}

fn command_for(end: End) -> RebootCommand {
    match end {
        End::PowerOff => RebootCommand::PowerOff,
        End::Reboot => RebootCommand::Restart,
        End::Halt => RebootCommand::Halt,
    }
}

/// Somebody's request for an end, from another process than PID 1. In a container it would reach
/// the container's PID 1, which takes these signals for the payload's.
pub(crate) fn ask_for(end: End, force: bool) -> Result<u8, Error> {
    const INITIAL: &[u8] = b"pid:[4026531836]";
    let namespace = rustix::fs::readlink(c"/proc/self/ns/pid", Vec::new());
    if namespace.is_ok_and(|namespace| namespace.as_bytes() != INITIAL) {
        let hint = "this is a PID namespace of its own, and its PID 1 no machine's init";
        return Err(Error::plain(format!("no machine to {}", end.name())).hint(hint));
    }
    let asked = if force {
        sync();
        reboot(command_for(end))
    } else {
        let signal = signal_for(end).ok_or(Errno::INVAL);
        signal.and_then(|signal| unshared_init::sys::send(Pid::INIT, signal))
    };
    let failed = |errno| Error::system(format!("ask for {}", end.name()), errno);
    asked.map(|()| 0).map_err(failed)
}

/// Ends everything.
pub(super) fn perform(what: What, ends: &Ends<'_>) -> ! {
    say(match what {
        What::End(End::PowerOff) => "power-off",
        What::End(End::Reboot) => "reboot",
        What::End(End::Halt) => "halt",
        What::Restart => "restart of init",
    });
    stop_all(ends);
    let end = match what {
        What::End(end) => end,
        What::Restart => {
            // Until the next one starts it again, nobody feeds it.
            ends.watchdog.stop();
            (ends.restart)();
            say("init could not be executed anew");
            End::Reboot
        }
    };
    in_child(FOR_DISKS, ends, &leave_disks);
    match end {
        End::Halt => ends.watchdog.stop(),
        End::PowerOff | End::Reboot => ends.watchdog.starve(),
    }
    // A halted kernel ends the process that asked for it, and PID 1 must not end.
    in_child(u64::MAX, ends, &|| {
        let _ = reboot(command_for(end));
    });
    say("reboot(2) came back");
    rest()
}

/// Waits for a signal; one that asks for an end has it.
pub(super) fn wait(timeout: Option<u64>, ends: &Ends<'_>) -> Option<(Signal, Sender)> {
    let until = timeout.map(|timeout| now().saturating_add(timeout));
    loop {
        let left = until.map(|until| until.saturating_sub(now()));
        let (signal, sender) = wait_for_signal(left)?;
        if signal.number() == libc::SIGALRM {
            ends.watchdog.feed();
            continue;
        }
        if let Some(what) = asked_for(signal) {
            perform(what, ends);
        }
        return Some((signal, sender));
    }
}

/// Waits, unless somebody asks for an end.
pub(super) fn pause(time: u64, ends: &Ends<'_>) {
    let until = now().saturating_add(time);
    while wait(Some(until.saturating_sub(now())), ends).is_some() {
        while let Ok(Some(_)) = next_change() {}
    }
}

/// Collects what ends, and does nothing else any more.
pub(super) fn rest() -> ! {
    loop {
        while let Ok(Some(_)) = next_change() {}
        let _ = wait_for_signal(None);
    }
}

/// Ends every process: TERM, the grace period, KILL.
fn stop_all(ends: &Ends<'_>) {
    send_to_all(Signal::TERM);
    send_to_all(Signal::CONT);
    if reap(now().saturating_add(ends.grace), ends, None) == Left::Nothing {
        return;
    }
    in_child(AFTER_KILL, ends, &|| send_to_all(Signal::KILL));
    reap(now().saturating_add(AFTER_KILL), ends, None);
}

/// What [`reap`] leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Processes,
}

/// Collects children until none is left, that one has ended, the time is there, or somebody is
/// impatient.
fn reap(until: u64, ends: &Ends<'_>, one: Option<Pid>) -> Left {
    let mut asked = false;
    loop {
        match next_change() {
            Ok(Some((pid, _))) if one == Some(pid) => return Left::Processes,
            Ok(Some(_)) => {}
            Err(_) => return Left::Nothing,
            Ok(None) => match wait_for_signal(Some(until.saturating_sub(now()))) {
                None => return Left::Processes,
                Some((signal, _)) if asked_for(signal).is_some() => {
                    if asked {
                        return Left::Processes;
                    }
                    asked = true;
                }
                Some((signal, _)) if signal.number() == libc::SIGALRM => ends.watchdog.feed(),
                Some(_) => {}
            },
        }
    }
}

/// Does something that may take for ever in a child, which is waited for only so long.
fn in_child(time: u64, ends: &Ends<'_>, work: &dyn Fn()) {
    match sys::clone_into(Namespaces::default(), None) {
        Ok(Cloned::Child { .. }) => {
            work();
            unshared_init::sys::exit(0);
        }
        Ok(Cloned::Parent(child)) => {
            reap(now().saturating_add(time), ends, Some(child));
        }
        // No memory, or no number: then it takes as long as it takes.
        Err(_) => work(),
    }
}

/// Child of PID 1: writes what is to be written, and unmounts what can be.
fn leave_disks() {
    sync();
    let swaps = read_file("/proc/swaps").unwrap_or_default();
    for swap in proc::lines(&swaps).skip(1) {
        let _ = sys::machine::swap_off(&path(proc::field(swap, 0)));
    }
    let mounts = read_file("/proc/mounts").unwrap_or_default();
    // What was mounted last is first: it may be below what was mounted before.
    for line in mounts.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let target = path(proc::field(line, 1));
        let kept = [c"/", c"/dev", c"/proc"].contains(&target.as_c_str());
        if kept || rustix::mount::unmount(&target, UnmountFlags::NOFOLLOW).is_err() {
            let flags = MountFlags::RDONLY;
            let _ = rustix::mount::mount_remount(&target, flags, c"");
        }
    }
    sync();
}

/// A path of such a file; what holds a zero byte is none.
fn path(field: Option<&[u8]>) -> CString {
    CString::new(proc::unescape(field.unwrap_or_default())).unwrap_or_default()
}

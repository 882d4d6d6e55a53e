//! Job control: process groups, sessions, and the terminal's foreground (credentials(7), tty(4)).
use super::{SignalSet, last_error, send, wait_for};
use crate::signal::Signal;
use rustix::io::Errno;
use rustix::process::Pid;

/// Whether a child of ours is still in the process group that it was started in: ours, or, for
/// PID 1 of a namespace, one outside of it, which is number 0 inside.
#[must_use]
pub fn is_in_callers_group(child: Pid) -> bool {
    // SAFETY: takes and returns numbers only.
    let group = unsafe { libc::getpgid(child.as_raw_nonzero().get()) };
    group == 0 || group == own_group()
}

/// getpgrp(2); 0 for a group outside of our PID namespace.
#[must_use]
pub fn own_group() -> i32 {
    // SAFETY: takes and returns numbers only.
    unsafe { libc::getpgid(0) }
}

/// Whether there is no process in that group. One that we may not signal is one.
#[must_use]
pub fn is_gone(group: i32) -> bool {
    // SAFETY: takes numbers only; signal 0 is none.
    group > 0 && unsafe { libc::kill(-group, 0) } < 0 && last_error() == Errno::SRCH
}

/// Whether that process leads its process group.
#[must_use]
pub fn leads_group(pid: Pid) -> bool {
    let number = pid.as_raw_nonzero().get();
    // SAFETY: takes and returns numbers only.
    unsafe { libc::getpgid(number) == number }
}

/// Whether our process group has the foreground of that terminal, also where it has no number in our
/// PID namespace: reading nothing from the background is refused with EIO while TTIN is blocked.
#[must_use]
pub fn has_foreground(terminal: i32) -> bool {
    // SAFETY: nothing is read into the null pointer.
    unsafe { libc::read(terminal, core::ptr::null_mut(), 0) == 0 }
}

/// Whether we lead our session: whoever started us is not in it, and controls no job of it.
#[must_use]
pub fn leads_session() -> bool {
    // SAFETY: both take and return numbers only.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// Whether a shell with job control started us: it is in our session, and not in our process group.
fn is_job_of_a_shell() -> bool {
    // SAFETY: all take and return numbers only.
    unsafe {
        let shell = libc::getppid();
        libc::getsid(shell) == libc::getsid(0) && libc::getpgid(shell) != libc::getpgid(0)
    }
}

/// kill(2) for the process group that `leader` leads or led.
pub fn send_to_group(leader: Pid, signal: Signal) -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::kill(-leader.as_raw_nonzero().get(), signal.number()) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Sends TSTP to our own process group, without stopping ourselves. For PID 1 of a namespace the
/// others may well be outside.
pub fn stop_own_group_but_self() {
    // SAFETY: takes numbers only.
    unsafe {
        libc::kill(0, libc::SIGTSTP);
    }
    // All signals are blocked: ours is pending now.
    let _ = wait_for(Some(Signal::TSTP), Some(0));
}

/// Sends this process that signal, and lets it through the mask: with its default action, the
/// process stops until it is continued, or ends.
fn stop_by(signal: Signal) {
    let set = SignalSet::of(signal);
    let _ = send(rustix::process::getpid(), signal);
    for how in [libc::SIG_UNBLOCK, libc::SIG_BLOCK] {
        // SAFETY: the set is 8 bytes, as the kernel's; no handler of ours can run.
        unsafe {
            let none = core::ptr::null::<u64>();
            libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set, none, 8);
        }
    }
}

/// The payload was stopped by that signal: stops with it, if whoever continues it will continue us.
///
/// That is so for a job of a shell's, and for what the terminal sent to our whole process group
/// (`by_terminal`), which may have become another signal on its way to the payload. Where CONT is pending, the news of the stop is older than its end.
pub fn stop_with_payload(signal: Signal, by_terminal: bool) {
    let pending = SignalSet::pending();
    if pending.has(Signal::CONT) {
        return;
    }
    if by_terminal || pending.has(signal) || is_job_of_a_shell() {
        stop_by(signal);
    }
}

/// Takes the foreground of the terminal that is standard input, if the process group that had it
/// is gone: a shell that had job control could not give it back to a group that it did not see
/// from inside its PID namespace.
pub fn take_abandoned_terminal() {
    if let Some(group) = foreground(0)
        && group != own_group()
        && is_gone(group)
    {
        set_foreground(0, own_group());
    }
}

/// Ends this process by that signal, without a core file of its own. Comes back if the signal does
/// not end it: PID 1 of a namespace is above the signals of its own processes.
pub fn die_by(signal: Signal) {
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // SAFETY: the default action runs no code of ours. The structure is as long as the kernel's: three
    // words, and a set of 8 bytes; the C library keeps the first real-time signals to itself.
    unsafe {
        let default = [0_usize; 5];
        let none = core::ptr::null_mut::<usize>();
        libc::syscall(libc::SYS_rt_sigaction, signal.number(), default.as_ptr(), none, 8);
    }
    stop_by(signal);
}

/// Whether that descriptor is the controlling terminal of our session.
#[must_use]
pub fn is_controlling_terminal(descriptor: i32) -> bool {
    let mut session: libc::pid_t = 0;
    // SAFETY: the kernel writes one pid_t.
    unsafe { libc::ioctl(descriptor, libc::TIOCGSID, &raw mut session) == 0 }
}

/// tcgetpgrp(3): the group in the foreground of our controlling terminal; 0 for one outside of our
/// PID namespace.
#[must_use]
pub fn foreground(terminal: i32) -> Option<i32> {
    let mut group: libc::pid_t = 0;
    // SAFETY: the kernel writes one pid_t.
    let result = unsafe { libc::ioctl(terminal, libc::TIOCGPGRP, &raw mut group) };
    (result == 0).then_some(group)
}

/// tcsetpgrp(3). It may be refused (the group is gone); then the foreground stays what it is. From
/// the background it works because TTOU is blocked.
pub fn set_foreground(terminal: i32, group: i32) {
    // SAFETY: the kernel reads one pid_t.
    unsafe {
        libc::ioctl(terminal, libc::TIOCSPGRP, &raw const group);
    }
}

/// Gives up the controlling terminal, if standard input is it (`TIOCNOTTY`), so that a session that
/// the payload leads can have it.
pub fn leave_terminal() {
    // SAFETY: takes numbers only.
    let left = unsafe { libc::ioctl(0, libc::TIOCNOTTY) } == 0;
    if left && leads_session() {
        // The kernel's farewell to the session of a terminal; nobody hung up.
        let _ = wait_for(Some(Signal::HUP), Some(0));
        let _ = wait_for(Some(Signal::CONT), Some(0));
    }
}

/// Makes standard input the controlling terminal of the session that we lead (`TIOCSCTTY`), if it
/// is a terminal that no session has.
pub fn take_terminal() {
    // SAFETY: takes numbers only; the last 0 is for not stealing it.
    unsafe {
        libc::ioctl(0, libc::TIOCSCTTY, 0);
    }
}

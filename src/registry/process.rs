//! A process that is known by its number and the time of its start, since numbers are given again.
use crate::files;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use std::ffi::CStr;
use unshared_init::number::{SECOND, decimal};
use unshared_init::signal::Signal;
use unshared_init::sys::{now, send};

/// A process, running or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    /// When it started, in clock ticks since boot (proc_pid_stat(5)); 0 where there was no /proc.
    pub(crate) start: u64,
}

impl Process {
    /// That process, which runs now.
    pub(crate) fn now(pid: Pid) -> Process {
        Process { pid, start: stat(pid).map_or(0, |stat| stat.start) }
    }

    /// One that runs, of that process group; `None` too where there is no /proc.
    pub(crate) fn in_group(group: Pid) -> Option<Process> {
        let directory = files::open(b"/proc", OFlags::DIRECTORY).ok()?;
        let mut found = None;
        let look = &mut |name: &CStr, _| {
            let number = decimal(name.to_bytes()).and_then(|number| i32::try_from(number).ok());
            if let Some(pid) = number.and_then(Pid::from_raw)
                && let Some(Stat { state, group: own, start }) = stat(pid)
                && own == group.as_raw_pid() as u64
                && !is_over(state)
            {
                found = Some(Process { pid, start });
            }
        };
        files::entries(directory.as_fd(), look).ok()?;
        found
    }

    /// Ourselves.
    pub(crate) fn own() -> Process {
        Process::now(rustix::process::getpid())
    }

    /// From the words that [`Process::line`] wrote.
    pub(crate) fn parse(pid: &[u8], start: &[u8]) -> Option<Process> {
        let pid = Pid::from_raw(i32::try_from(decimal(pid)?).ok()?)?;
        Some(Process { pid, start: decimal(start)? })
    }

    /// A line of a record: the key, its number and its start.
    pub(crate) fn line(self, key: &str) -> String {
        format!("{key} {} {}\n", self.pid, self.start)
    }

    /// Whether it still runs. One that has ended and is not waited for does not.
    pub(crate) fn is_alive(self) -> bool {
        match stat(self.pid) {
            Some(stat) => stat.start == self.start && !is_over(stat.state),
            // No /proc now, and none then: the number is all there is.
            None => {
                self.start == 0 && rustix::process::test_kill_process(self.pid) != Err(Errno::SRCH)
            }
        }
    }

    /// Its pidfd (Linux 5.3), which stays its own whoever gets the number next; `Ok(None)` before.
    /// `ESRCH` if it has ended.
    pub(crate) fn open(self) -> Result<Option<OwnedFd>, Errno> {
        let descriptor = match rustix::process::pidfd_open(self.pid, PidfdFlags::empty()) {
            Ok(descriptor) => Some(descriptor),
            Err(Errno::SRCH) => return Err(Errno::SRCH),
            Err(_) => None,
        };
        // Looked at after it has been taken hold of.
        if self.is_alive() { Ok(descriptor) } else { Err(Errno::SRCH) }
    }

    /// Sends a signal. `ESRCH` if it has ended.
    pub(crate) fn send(self, signal: Signal) -> Result<(), Errno> {
        match self.open()? {
            Some(descriptor) => match crate::sys::send_through(&descriptor, signal) {
                Err(Errno::NOSYS | Errno::PERM) => send(self.pid, signal),
                other => other,
            },
            None => send(self.pid, signal),
        }
    }

    /// Kills it and waits until it is gone, which takes no longer than `patience`, in nanoseconds.
    pub(crate) fn end(self, patience: u64) -> Result<(), Errno> {
        match self.send(Signal::KILL) {
            Err(Errno::SRCH) => return Ok(()),
            other => other?,
        }
        if self.wait(patience) { Ok(()) } else { Err(Errno::TIMEDOUT) }
    }

    /// Waits for its end; `false` when `patience`, in nanoseconds, is over before.
    pub(crate) fn wait(self, patience: u64) -> bool {
        let end = now().saturating_add(patience);
        let descriptor = self.open();
        while self.is_alive() {
            let left = end.saturating_sub(now());
            if left == 0 {
                return false;
            }
            match &descriptor {
                Ok(Some(descriptor)) => wait_for(descriptor, left),
                // Without one there is only looking again.
                Ok(None) | Err(_) => super::pause(),
            }
        }
        true
    }
}

/// poll(2) of a pidfd, for at most so many nanoseconds.
fn wait_for(descriptor: &OwnedFd, patience: u64) {
    use rustix::event::{PollFd, PollFlags, Timespec};
    let limit =
        Timespec { tv_sec: (patience / SECOND) as i64, tv_nsec: (patience % SECOND) as i64 };
    let _ = rustix::event::poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&limit));
}

/// What /proc/PID/stat says of a process.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Stat {
    state: u8,
    group: u64,
    start: u64,
}

/// The process has ended, and is not waited for yet.
fn is_over(state: u8) -> bool {
    matches!(state, b'Z' | b'X')
}

fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&files::read_file(&format!("/proc/{pid}/stat")).ok()?)
}

/// The name before them is in parentheses, and may hold some itself.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text.get(end..)?.split(|byte| *byte == b' ').skip(1);
    let state = *fields.next()?.first()?;
    let group = decimal(fields.nth(1)?)?;
    let start = decimal(fields.nth(16)?)?;
    Some(Stat { state, group, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_start_are_fields_5_and_22_whatever_the_name() {
        let text = b"7 (a) R (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 0 0";
        assert_eq!(parse_stat(text), Some(Stat { state: b'S', group: 2, start: 4711 }));
        assert_eq!(parse_stat(b"7 (a) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn a_process_with_another_start_is_another() {
        let own = Process::own();
        assert!(own.is_alive());
        let other = Process { start: own.start + 1, ..own };
        assert!(!other.is_alive());
        assert_eq!(other.send(Signal::KILL), Err(Errno::SRCH));
        let line = own.line("own");
        let words: Vec<&[u8]> = line.trim().split(' ').map(str::as_bytes).collect();
        assert_eq!(Process::parse(words[1], words[2]), Some(own));
    }

    #[test]
    fn one_that_is_not_waited_for_has_ended() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let process = Process::now(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap());
        assert!(!process.wait(SECOND / 50));
        process.end(10 * SECOND).unwrap();
        assert!(!process.is_alive());
        child.wait().unwrap();
    }
}

//! The processes that descend from us. A subreaper ends these, and nobody else's.
//!
//! They are looked up in /proc (proc(5)): there is no system call that lists them. Where no /proc is
//! mounted, they are not found.
use crate::number::{Digits, decimal};
use crate::signal::Signal;
use crate::sys::{self, Descriptor, Kind};
use core::ffi::CStr;
use rustix::fs::CWD;
use rustix::process::{Pid, getpid};

/// No tree of processes is that high; a chain of parents that changes while it is read might be.
const HIGHEST: usize = 10_000;

/// Sends a signal to every process that descends from us.
pub fn send(signal: Signal) {
    each(getpid(), &mut |pid, process| send_to(pid, process.as_ref(), signal));
}

/// Tells of every process that descends from another. The descriptor is taken before the look: it stays
/// that process's, whoever gets the number next. Before Linux 5.3 there is the number only.
pub fn each(ancestor: Pid, tell: &mut dyn FnMut(Pid, Option<Descriptor>)) {
    let Ok(proc) = Descriptor::open(c"/proc", Kind::Directory) else {
        return;
    };
    proc.list(&mut |name| {
        if let Some(pid) = pid(name) {
            let process = sys::process_descriptor(pid).ok();
            if descends(&proc, pid, ancestor) {
                tell(pid, process);
            }
        }
    });
}

/// Sends a signal to a process that [`each`] told of.
pub fn send_to(pid: Pid, process: Option<&Descriptor>, signal: Signal) {
    let _ = match process {
        Some(process) => sys::send_through(process, signal),
        None => sys::send(pid, signal),
    };
}

/// Whether they can be found here: /proc is there, and is that of our PID namespace.
#[must_use]
pub fn can_be_found() -> bool {
    let mut target = [0; 16];
    let own = rustix::fs::readlinkat_raw(CWD, c"/proc/self", &mut target[..]);
    own.is_ok_and(|length| target.get(..length).and_then(pid) == Some(getpid()))
}

/// Whether that process is one.
#[must_use]
pub(crate) fn is_one(number: i32) -> bool {
    match (Descriptor::open(c"/proc", Kind::Directory), Pid::from_raw(number)) {
        (Ok(proc), Some(process)) if number > 0 => descends(&proc, process, getpid()),
        (_, _) => false,
    }
}

/// Whether one process is among the ancestors of another.
fn descends(proc: &Descriptor, from: Pid, ancestor: Pid) -> bool {
    let mut process = from;
    for _ in 0..HIGHEST {
        match parent(proc, process) {
            Some(parent) if parent == ancestor => return true,
            Some(parent) => process = parent,
            None => return false,
        }
    }
    false
}

/// The parent of a process, if it has one that is seen from here.
fn parent(proc: &Descriptor, process: Pid) -> Option<Pid> {
    let mut path = heapless::Vec::<u8, 32>::new();
    let digits = Digits::of(process.as_raw_nonzero().get().unsigned_abs().into());
    for part in [digits.as_bytes(), b"/stat\0"] {
        path.extend_from_slice(part).ok()?;
    }
    let path = CStr::from_bytes_with_nul(&path).ok()?;
    let mut text = [0; 128];
    let length = proc.open_in(path, Kind::File).ok()?.read(&mut text);
    parent_in(text.get(..length)?)
}

/// The parent's number in `/proc/PID/stat`. The name before it is in parentheses, and may hold some
/// itself.
pub(crate) fn parent_in(stat: &[u8]) -> Option<Pid> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(end..)?.split(|byte| *byte == b' ');
    pid(fields.nth(2)?)
}

/// A process's number.
fn pid(text: &[u8]) -> Option<Pid> {
    Pid::from_raw(i32::try_from(decimal(text)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        let number = |stat: &[u8]| parent_in(stat).map(|pid| pid.as_raw_nonzero().get());
        assert_eq!(number(b"12 (sh) S 7 12 12 0"), Some(7));
        assert_eq!(number(b"12 (a) R 3 (b) S 7 12 12 0"), Some(7));
        assert_eq!(number(b"12 (sh) S 0 12 12 0"), None);
        assert_eq!(number(b"12 (sh"), None);
        assert_eq!(number(b""), None);
    }

    #[test]
    fn a_child_descends_from_us_and_we_do_not_from_it() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let proc = Descriptor::open(c"/proc", Kind::Directory).unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(descends(&proc, pid, getpid()));
        assert!(!descends(&proc, getpid(), pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

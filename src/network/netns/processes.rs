//! What runs in a network namespace, and its end.
use crate::registry::pause;
use core::fmt::Write;
use core::mem::MaybeUninit;
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::process::{Pid, Signal};
use std::ffi::CStr;
use unshared_init::number::SECOND;
use unshared_init::sys::now;

/// From TERM to KILL, and then to giving up.
const GRACE: u64 = 5 * SECOND;

/// Ends what runs in a network namespace: TERM, then KILL.
pub(super) fn end_all(inode: u64) {
    let mut signal = Signal::TERM;
    let mut told: Vec<Pid> = Vec::new();
    let mut since = now();
    loop {
        let processes = processes_in(inode);
        if processes.is_empty() {
            return;
        }
        for pid in processes {
            if !told.contains(&pid) {
                let _ = rustix::process::kill_process(pid, signal);
                // One that is stopped takes no notice before it goes on.
                let _ = rustix::process::kill_process(pid, Signal::CONT);
                told.push(pid);
            }
        }
        if now() - since > GRACE {
            if signal == Signal::KILL {
                return;
            }
            (signal, since) = (Signal::KILL, now());
            told.clear();
        }
        pause();
    }
}

/// The processes in a network namespace, but for ourselves.
fn processes_in(inode: u64) -> Vec<Pid> {
    let mut found = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(proc) = rustix::fs::open(c"/proc", flags, Mode::empty()) else { return found };
    let wanted = format!("net:[{inode}]");
    let own = rustix::process::getpid();
    // There may be thousands of processes: nothing is allocated for one, and its namespace is only named,
    // which is less than to open it is.
    let mut entries = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(&proc, &mut entries);
    let mut path = heapless::String::<32>::new();
    let mut name = [MaybeUninit::uninit(); 32];
    while let Some(Ok(entry)) = entries.next() {
        let text = entry.file_name().to_str().unwrap_or_default();
        let Some(pid) = text.parse().ok().and_then(Pid::from_raw) else { continue };
        path.clear();
        let _ = write!(path, "{text}/ns/net\0");
        let Ok(path) = CStr::from_bytes_with_nul(path.as_bytes()) else { continue };
        let is_in = rustix::fs::readlinkat_raw(&proc, path, &mut name)
            .is_ok_and(|(name, _)| name == wanted.as_bytes());
        if is_in && pid != own {
            found.push(pid);
        }
    }
    found
}

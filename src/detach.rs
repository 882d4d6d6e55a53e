//! `--detach`: the caller returns once the payload has been executed, or the launch has failed; the
//! monitor, which is the launcher then, stays.
use crate::error::Error;
use crate::registry::journal::Caller;
use crate::sys;
use crate::walk::channel::above_standard;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

/// Runs `launch` in a process of its own, whose name for the caller is what it says once the payload
/// has been executed; prints that. Otherwise the launcher has told why, and its status is ours.
pub(crate) fn run(launch: impl FnOnce(Caller) -> u8) -> Result<u8, Error> {
    let fail = |errno| Error::system("detach", errno);
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail)?;
    let theirs = above_standard(theirs).map_err(fail)?;
    match sys::fork().map_err(fail)? {
        None => {
            drop(ours);
            // What the terminal sends is for the caller's session.
            let _ = rustix::process::setsid();
            unshared_init::sys::exit(launch(Caller::new(theirs)))
        }
        Some(monitor) => {
            drop(theirs);
            let name = read_line(&ours);
            if name.last() == Some(&b'\n') {
                return crate::print(&name);
            }
            Ok(status_of(monitor))
        }
    }
}

/// The bytes up to a line feed, or to the end.
fn read_line(from: &OwnedFd) -> Vec<u8> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        match sys::again(|| rustix::io::read(from, &mut byte[..])) {
            Ok(1) => line.extend(byte),
            Ok(_) | Err(_) => break,
        }
    }
    line
}

/// Waits for the monitor's end.
fn status_of(monitor: Pid) -> u8 {
    loop {
        match rustix::process::waitpid(Some(monitor), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                if let Some(unshared_init::reaper::Change::Ended(ended)) =
                    unshared_init::sys::change_of(status)
                {
                    return ended.code();
                }
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return crate::error::FAILED,
        }
    }
}

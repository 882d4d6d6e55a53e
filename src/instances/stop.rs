//! `signal`, `stop` and `wait`.
use super::Found;
use super::collect;
use crate::error::Error;
use crate::registry::facts::{Facts, Stage};
use crate::registry::process::Process;
use rustix::io::Errno;
use rustix::process::{Pid, Signal as ProcessSignal, kill_process_group};
use std::ffi::CStr;
use unshared_init::number::SECOND;
use unshared_init::signal::Signal;
use unshared_init::sys::now;

/// How long a launcher may take to clean up, once everything inside has been killed.
const PATIENCE: u64 = 30 * SECOND;

/// Longer than anything runs.
const FOR_EVER: u64 = u32::MAX as u64 * SECOND;

/// Sends a signal to the first process of an instance, which passes it on if it is our init.
pub(super) fn signal(name: &CStr, signal: Signal) -> Result<u8, Error> {
    let found = Found::named(name)?;
    let init = found.init()?;
    match init.send(signal) {
        Ok(()) => Ok(0),
        Err(Errno::SRCH) => Err(found.problem("has just ended")),
        Err(errno) => Err(Error::system(format!("send a signal to pid {}", init.pid), errno)),
    }
}

/// Asks an instance to end, and kills it when the grace period, in nanoseconds, is over. What is over
/// already is taken away.
pub(super) fn stop(name: &CStr, grace: u64) -> Result<u8, Error> {
    let found = Found::named(name)?;
    if let Some(launcher) = found.facts.holder() {
        // A launcher passes on what it gets, to hooks as well; but while it is told to us that there
        // is a first process, that is the shorter way.
        let first = found.facts.init.unwrap_or(launcher);
        let send = |to: Process, signal| match to.send(signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::system(format!("send a signal to pid {}", to.pid), errno)),
        };
        // Of a detached one, which leads a session, the command and what it starts are in this group.
        let leads = rustix::process::getsid(Some(launcher.pid)) == Ok(launcher.pid);
        let end = now().saturating_add(grace);
        send(first, Signal::TERM)?;
        if !launcher.wait(grace) {
            // There may be a first process by now.
            let facts = Facts::read(&found.file).unwrap_or_default();
            send(facts.init.unwrap_or(launcher), Signal::KILL)?;
            if !launcher.wait(PATIENCE) {
                return Err(found.problem(&format!("is still held by pid {}", launcher.pid)));
            }
        }
        if leads {
            sweep(launcher.pid, end);
        }
    }
    collect::one(name).map(|_| 0)
}

/// Ends what is left in a process group: without a PID namespace nobody else does. Nobody is given the
/// number of a group as long as one is in it.
fn sweep(group: Pid, mut end: u64) {
    if rustix::process::getpgrp() == group {
        // The command has called us, and we have a record to take away.
        let _ = rustix::process::setpgid(None, None);
    }
    for signals in [[ProcessSignal::TERM, ProcessSignal::CONT], [ProcessSignal::KILL; 2]] {
        for signal in signals {
            let _ = kill_process_group(group, signal);
        }
        loop {
            // The launcher itself may stay in it as a zombie, for as long as its parent likes.
            let Some(left) = Process::in_group(group) else { return };
            if !left.wait(end.saturating_sub(now())) {
                break;
            }
        }
        end = now().saturating_add(SECOND);
    }
}

/// Waits for an instance's end, and ends with its status.
pub(super) fn wait(name: &CStr) -> Result<u8, Error> {
    let found = Found::named(name)?;
    if let Some(launcher) = found.facts.holder() {
        launcher.wait(FOR_EVER);
    }
    // What the launcher wrote last is there also if the record has been removed.
    let facts = Facts::read(&found.file).unwrap_or_default();
    match facts.stage() {
        Stage::Ended(status) => Ok(status),
        Stage::Starting | Stage::Running | Stage::Lost => Err(found.lost()),
    }
}

//! `--services DIR`: watches over the services of a directory, each a directory in runit's form.
//!
//! [`unit`] is the core, pure: what follows from what for one program. [`supervisor`] is the loop around it.
//! docs/services.md says what it does.
use crate::error::{Error, FAILED, quote};
use rustix::io::Errno;
use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};
use supervisor::Supervisor;
use table::Table;
use unshared_init::command_line::Services;
use unshared_init::line::Line;
use unshared_init::reaper::Sweep;
use unshared_init::signal::Signal;
use unshared_init::sys::SignalState;

mod after;
pub(crate) mod command;
mod ending;
mod files;
mod scan;
mod start;
pub(super) mod status;
mod supervisor;
mod table;
pub(super) mod unit;
mod watch;

/// What a signal means to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heed {
    /// Nothing.
    Not,
    /// The directory is read again.
    Scan,
    /// All services end in order; a second one means that nobody waits for them any more.
    End,
}

/// What is asked for.
pub(crate) struct Request<'a> {
    /// The directory of the services.
    pub(crate) directory: &'a CStr,
    /// How long those that end at the same time get from TERM to KILL, in nanoseconds.
    pub(crate) grace: u64,
    /// What else is ours to end after the last service.
    pub(crate) sweep: Sweep,
    /// What whoever started us did about signals; all have been blocked since.
    pub(crate) signals: SignalState,
    /// What a signal means.
    pub(crate) heed: &'a dyn Fn(Signal) -> Heed,
    /// Whether starts and ends are told on standard error.
    pub(crate) is_verbose: bool,
}

/// The exit status after HUP.
const HUNG_UP: u8 = 111;

static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// Watches over the services until a signal asks for the end, and nothing is left. Returns that
/// signal.
pub(crate) fn run(request: &Request<'_>) -> Result<Signal, Error> {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    start::hold_standard_streams();
    let supervisor = Supervisor::new(request, &mut table).map_err(|(attempt, errno)| {
        Error::system(format!("{attempt} {}", quote(request.directory.to_bytes())), errno)
    })?;
    Ok(supervisor.run())
}

/// What `unshared-init --services` does: HUP and whatever asks a process to end are the end of all, ALRM
/// looks for new services. Returns the exit status: 0, and 111 after HUP, as of runsvdir(8).
pub(crate) fn of_command_line(services: &Services) -> u8 {
    let heed = |signal| match services.rules.rewrites.apply(signal) {
        Some(Signal::TERM | Signal::INT | Signal::QUIT | Signal::HUP) => Heed::End,
        Some(Signal::ALRM) => Heed::Scan,
        Some(_) | None => Heed::Not,
    };
    let request = Request {
        directory: services.directory,
        grace: services.grace,
        sweep: services.rules.sweep,
        signals: services.signals,
        heed: &heed,
        is_verbose: services.verbosity > 1,
    };
    match run(&request) {
        Ok(Signal::HUP) => HUNG_UP,
        Ok(_) => 0,
        Err(error) => {
            complaint(b"").text(error.message().as_bytes()).say();
            FAILED
        }
    }
}

/// The beginning of a line on standard error about a service (or about all, with no name).
fn complaint(service: &[u8]) -> Line {
    let line = Line::new(b"unshared-init");
    if service.is_empty() { line } else { line.text(service).text(b": ") }
}

/// A line about a system call that failed.
fn failure(service: &[u8], attempt: &[u8], errno: Errno) {
    complaint(service).text(attempt).errno(errno).say();
}

//! The commands for named instances, each in its own file.
use crate::error::{Error, quote};
use crate::registry::State;
use crate::registry::facts::{Facts, Stage};
use crate::registry::process::Process;
use crate::registry::record::file_of;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use unshared_init::signal::Signal;

mod collect;
pub(crate) mod exec;
mod join;
#[cfg(feature = "network")]
mod link;
mod list;
mod logs;
mod shown;
mod stop;

/// A command for named instances.
pub(crate) enum Instances {
    /// `list`
    List { json: bool, names: bool },
    /// `inspect`
    Inspect(CString),
    /// `signal`
    Signal(CString, Signal),
    /// `stop`; nanoseconds between TERM and KILL.
    Stop(CString, u64),
    /// `wait`
    Wait(CString),
    /// `logs`, and whether it waits for more.
    Logs(CString, bool),
    /// `link`
    #[cfg(feature = "network")]
    Link(CString, CString),
    /// `gc`
    Collect,
    /// `exec`
    Execute(Box<exec::Execute>),
}

/// Does it, and returns the exit status.
pub(crate) fn run(command: Instances) -> Result<u8, Error> {
    match command {
        Instances::List { json, names } => list::run(json, names),
        Instances::Inspect(name) => list::inspect(&name),
        Instances::Signal(name, signal) => stop::signal(&name, signal),
        Instances::Stop(name, grace) => stop::stop(&name, grace),
        Instances::Wait(name) => stop::wait(&name),
        Instances::Logs(name, follow) => logs::run(&name, follow),
        #[cfg(feature = "network")]
        Instances::Link(one, other) => link::run(&one, &other),
        Instances::Collect => collect::run(),
        Instances::Execute(request) => exec::run(request),
    }
}

/// An instance that was found.
struct Found {
    name: CString,
    /// Its record, which can be read also when it has been removed.
    file: OwnedFd,
    facts: Box<Facts>,
}

impl Found {
    /// `None` if there is no such record.
    fn look(state: &State, name: &CStr) -> Result<Option<Found>, Error> {
        let cannot = |errno| {
            let name = quote(name.to_bytes());
            Error::system(format!("read the record of instance {name}"), errno)
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(state, file_of(name, "record"), flags, Mode::empty()) {
            Ok(file) => {
                let facts = Facts::read(&file).map_err(cannot)?;
                Ok(Some(Found { name: name.to_owned(), file, facts }))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(cannot(errno)),
        }
    }

    /// The instance of that name, which has to be there.
    fn named(name: &CStr) -> Result<Found, Error> {
        let found = match State::look()? {
            Some(state) => Found::look(&state, name)?,
            None => None,
        };
        found.ok_or_else(|| {
            Error::plain(format!("there is no instance {}", quote(name.to_bytes())))
                .hint("see: unshared-cli list")
        })
    }

    /// Its first process, which has to run.
    fn init(&self) -> Result<Process, Error> {
        match (self.facts.stage(), self.facts.init) {
            (Stage::Starting | Stage::Running, Some(init)) => Ok(init),
            (Stage::Starting | Stage::Running, None) => Err(self.problem("has not begun yet")),
            (Stage::Ended(status), _) => {
                Err(self.problem(&format!("has ended, with status {status}")))
            }
            (Stage::Lost, _) => Err(self.lost()),
        }
    }

    /// It is not as it would have to be.
    fn problem(&self, problem: &str) -> Error {
        Error::plain(format!("instance {} {problem}", quote(self.name.as_bytes())))
    }

    fn lost(&self) -> Error {
        self.problem("has lost its launcher, which was killed")
            .hint("unshared-cli gc ends what is left of it")
    }
}

//! What undoes a launch, written down before it is needed.
//!
//! Whoever leaves something on the host enters what undoes it first, with [`Journal::until_end`] or,
//! if it stays once the payload has been executed, [`Journal::until_launched`]; and then does it. That
//! is all: at the end, on failure, and after the launcher was killed, the entries are performed in
//! reverse. A step that does so has to be among those of `Plan::leaves_something`, so that there is a
//! record to write to. The kinds of entries are in [`super::undo`]; what several instances share, such
//! as a bridge, is counted by [`super::shared`].
use super::record::Record;
use super::undo::Undo;
use crate::error::{Error, quote};
use crate::perform::Failure;
use crate::sys::{again, become_standard};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::CStr;

/// The journal of one launch.
pub(crate) struct Journal {
    /// Where it is written; a launch that leaves nothing has none.
    record: Option<Record>,
    /// What is to be undone, and whether only until the payload has been executed.
    entries: Vec<(Undo, bool)>,
    /// Who waits for the payload to be executed, and then no longer.
    caller: Option<Caller>,
    /// The record stays after the end, for `wait` and `logs`.
    is_kept: bool,
}

/// Whoever started a detached instance, and returns once the payload has been executed.
pub(crate) struct Caller(OwnedFd);

impl Caller {
    /// At the other end of a pipe.
    pub(crate) fn new(pipe: OwnedFd) -> Caller {
        Caller(pipe)
    }

    /// Lets go of all that is the caller's, and then tells it the name: from there on it relies on that.
    fn tell(self, name: &CStr, keeps_directory: bool) {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let nothing = rustix::fs::open(c"/dev/null", flags, Mode::empty());
        // Where there is none, the pipe that nobody will read any more swallows as well.
        let nothing = nothing.as_ref().unwrap_or(&self.0);
        (0..=2).for_each(|stream| become_standard(nothing, stream));
        if !keeps_directory {
            let _ = rustix::process::chdir(c"/");
        }
        let line = [name.to_bytes(), b"\n"].concat();
        let _ = again(|| rustix::io::write(&self.0, &line));
    }
}

impl Journal {
    /// With a record, or without.
    pub(crate) fn new(record: Option<Record>, caller: Option<Caller>) -> Journal {
        Journal { record, entries: Vec::new(), caller, is_kept: false }
    }

    /// The record, where there is one.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// What is open of it.
    pub(crate) fn descriptors(&self) -> Vec<i32> {
        use rustix::fd::{AsFd, AsRawFd};
        let mut open = Vec::new();
        if let Some(record) = &self.record {
            open.extend([record.as_fd().as_raw_fd(), record.state.as_fd().as_raw_fd()]);
        }
        if let Some(caller) = &self.caller {
            open.push(caller.0.as_raw_fd());
        }
        open
    }

    /// Child: it is the parent's.
    pub(crate) fn leave(&mut self) {
        self.record = None;
        self.caller = None;
    }

    /// Parent: enters what is to be undone when the instance ends.
    pub(crate) fn until_end(&mut self, undo: Undo) -> Result<(), Failure> {
        self.enter(undo, false)
    }

    /// Parent: enters what is to be undone if the launch fails.
    pub(crate) fn until_launched(&mut self, undo: Undo) -> Result<(), Failure> {
        self.enter(undo, true)
    }

    fn enter(&mut self, undo: Undo, on_failure: bool) -> Result<(), Failure> {
        let key = if on_failure { "undo-failure" } else { "undo" };
        let words = undo.words();
        let result = match &self.record {
            Some(record) => record.note(key, &words),
            None => Err(Errno::NOENT),
        };
        result.map_err(|errno| {
            let path = self.record.as_ref().map(Record::path).unwrap_or_default();
            let reason = format!("what undoes it cannot be written to the record {}", quote(path));
            Failure::new(errno, reason)
        })?;
        self.entries.push((undo, on_failure));
        Ok(())
    }

    /// Parent: says who the child is, which waits for that.
    pub(crate) fn note_init(&self, pid: Pid) -> Result<(), Error> {
        self.record.as_ref().map_or(Ok(()), |record| record.note_init(pid))
    }

    /// Parent: the payload has been executed. If that cannot be written, more is undone after a kill
    /// than would have to be.
    pub(crate) fn note_launched(&mut self, keeps_directory: bool) {
        if let Some(record) = &self.record {
            let _ = record.note("launched", &[]);
            if let Some(caller) = self.caller.take() {
                self.is_kept = true;
                caller.tell(&record.name, keeps_directory);
            }
        }
    }

    /// Parent, when the child has ended: undoes in reverse what is to be undone.
    pub(crate) fn undo(&mut self, launch_failed: bool) {
        for (undo, on_failure) in self.entries.drain(..).rev() {
            if let Some(record) = &self.record
                && (launch_failed || !on_failure)
            {
                undo.perform(record);
            }
        }
    }

    /// Parent, when everything is undone: whoever waits for the end may know the status.
    pub(crate) fn end(self, status: u8) {
        if let Some(record) = &self.record {
            let _ = record.note("ended", &[status.to_string().into_bytes()]);
            if self.is_kept {
                return;
            }
            if let Err(error) = record.remove() {
                crate::say(&error.message());
            }
        }
    }
}

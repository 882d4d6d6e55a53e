//! Signals that ask us to end: read between two pieces of work, so that what is half made goes.
use crate::error::Error;
use crate::sys;
use crate::walk::report::signal_name;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use unshared_init::signal::Signal;

/// Signals that wait to be read instead of ending the process.
pub(crate) struct Interrupt {
    signals: OwnedFd,
}

impl Interrupt {
    /// From here on the signals wait, in threads that are started later too.
    pub(crate) fn new() -> Result<Interrupt, Error> {
        match sys::end_signals() {
            Ok(signals) => Ok(Interrupt { signals }),
            Err(errno) => Err(Error::system("make signalfd", errno)),
        }
    }

    /// Fails if one has come.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match sys::read_signal(&self.signals) {
            None => Ok(()),
            Some((signal, _)) => Err(ended_by(signal)),
        }
    }

    /// Waits until `file` can be read; fails if a signal comes before.
    pub(crate) fn wait_for(&self, file: impl AsFd) -> Result<(), Error> {
        let mut list = [
            PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        let _ = poll(&mut list, None);
        let [_, signals] = list;
        if signals.revents().is_empty() { Ok(()) } else { self.check() }
    }
}

fn ended_by(signal: Signal) -> Error {
    let code = u8::try_from(signal.number()).unwrap_or(0).saturating_add(128);
    Error::plain(format!("ended by {}", signal_name(signal))).with_code(code)
}

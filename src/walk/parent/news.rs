//! What the parent waits for: messages, signals, and what becomes of the child.
use super::Parent;
use crate::error::Error;
use crate::pty::WAITS;
use crate::sys;
use crate::walk::channel::{Closed, Message, above_standard};
use crate::walk::output::Ring;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::WaitOptions;
use unshared_init::reaper::{Change, Ended};
use unshared_init::signal::Signal;
use unshared_init::sys::change_of;

/// What the parent waits for.
pub(super) enum News {
    Message(Message),
    /// The channel is closed: a child without init has executed the payload.
    Closed,
    /// The child changed.
    Child(Change),
}

impl Parent<'_> {
    /// Waits for what happens next, passing on the signals that come meanwhile.
    pub(super) fn news(&mut self) -> Result<News, Error> {
        loop {
            if core::mem::take(&mut self.may_be_behind)
                && let Some(change) = self.child_change()
            {
                return Ok(News::Child(change));
            }
            if let Some(news) = self.poll()? {
                return Ok(news);
            }
            // Before its signal is read: the usual end is told with a call less. Any other waits for its
            // turn, since it may be of a signal that came before SIGCHLD.
            let change = self.child_change();
            match change {
                Some(Change::Ended(Ended::Exited(0))) => {
                    return Ok(News::Child(Change::Ended(Ended::Exited(0))));
                }
                Some(Change::Ended(_)) => self.reaped = true,
                Some(Change::Stopped(_)) | None => {}
            }
            while let Some((signal, sender)) = self.events.as_ref().and_then(sys::read_signal) {
                if signal != Signal::CHLD {
                    self.pass_on(signal, sender);
                } else if let Some(change) = change {
                    // The signal may have told of another as well.
                    self.may_be_behind = true;
                    return Ok(News::Child(change));
                } else if let Some(change) = self.child_change() {
                    return Ok(News::Child(change));
                }
            }
            if let Some(change) = change {
                return Ok(News::Child(change));
            }
        }
    }

    /// Waits for a message or a signal; returns what the channel has.
    fn poll(&mut self) -> Result<Option<News>, Error> {
        let events = match self.events.take() {
            Some(events) => events,
            None => sys::signal_descriptor()
                .and_then(above_standard)
                .map_err(|errno| Error::system("signalfd", errno))?,
        };
        let events = self.events.insert(events);
        let mut waits = heapless::Vec::<PollFd<'_>, { 3 + WAITS }>::new();
        let _ = waits.push(PollFd::new(events, PollFlags::IN));
        if !self.closed {
            let _ = waits.push(PollFd::new(&self.channel, PollFlags::IN));
        }
        let messages = waits.len() - 1;
        if let Some(ring) = &self.carried.ring {
            let _ = waits.push(PollFd::new(ring, PollFlags::IN));
        }
        if let Some(terminal) = &self.carried.terminal {
            waits.extend(terminal.waits());
        }
        // Interrupted is only who was stopped and continued; what was told meanwhile comes before
        // the signals.
        while let Err(errno) = rustix::event::poll(&mut waits, None) {
            if errno != Errno::INTR {
                return Err(Error::system("poll", errno));
            }
        }
        let has_news = |wait: &PollFd<'_>| !wait.revents().is_empty();
        let has_message = messages > 0 && waits.get(messages).is_some_and(has_news);
        let is_carried = waits.iter().skip(messages + 1).any(has_news);
        drop(waits);
        if is_carried {
            self.carry();
        }
        if !has_message {
            return Ok(None);
        }
        match self.channel.try_receive() {
            Ok(message) => Ok(message.map(News::Message)),
            Err(Closed) => {
                self.closed = true;
                Ok(Some(News::Closed))
            }
        }
    }

    /// Carries what the payload has written, and what is typed for it.
    #[cold]
    #[inline(never)]
    fn carry(&mut self) {
        if self.carried.ring.as_mut().is_some_and(|ring| !Ring::copy(ring)) {
            self.carried.ring = None;
        }
        if let Some(terminal) = &mut self.carried.terminal {
            terminal.carry();
        }
    }

    /// What SIGCHLD was about. Init's own stops are nobody's business.
    fn child_change(&self) -> Option<Change> {
        let stops =
            if self.run.spec.has_init() { WaitOptions::empty() } else { WaitOptions::UNTRACED };
        let options = WaitOptions::NOHANG | stops;
        let result = sys::again(|| rustix::process::waitpid(Some(self.pid), options));
        result.ok().flatten().and_then(|(_, status)| change_of(status))
    }
}

//! What parent and child tell each other, over one socket that does not survive execve(2).
use crate::sys::again;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use unshared_init::exec::Text;
use unshared_init::reaper::Ended;
use unshared_init::signal::Signal;

/// One datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    /// All of my steps up to the next of yours are done.
    YourTurn,
    /// I have done that step. Sent only where somebody wants to see each.
    Done(usize),
    /// The command has been executed.
    Started,
    /// The command was stopped by that signal.
    Stopped(Signal),
    /// The command was killed by that signal, which an exit status cannot say.
    Killed(Signal),
    /// The post-mount hook with that number, counted from 0, ended so.
    HookFailed(usize, Ended),
    /// A step failed, and I end.
    Failed(Box<Failed>),
}

/// What failed in the child.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failed {
    /// The step's place in the plan.
    pub(crate) step: usize,
    pub(crate) errno: Errno,
    /// Which of the commands was about to be executed.
    pub(crate) command: u16,
    /// The exit status that says so.
    pub(crate) code: u8,
    /// The cause, found by looking where only the child can; or empty.
    pub(crate) reason: Text,
}

/// In the place of a step: the rest of what clone3(2) would have done.
pub(crate) const CLONE: usize = u16::MAX as usize;
/// In the place of a step: the fork of the payload.
pub(crate) const FORK: usize = u16::MAX as usize - 1;

const YOUR_TURN: u8 = 1;
const DONE: u8 = 2;
const STARTED: u8 = 3;
const STOPPED: u8 = 4;
const KILLED: u8 = 5;
const FAILED: u8 = 6;
const HOOK_EXITED: u8 = 7;
const HOOK_KILLED: u8 = 8;

/// Kind, a small number, step, errno, command.
const HEADER: usize = 8;
/// With the reason of a failure.
const LONGEST: usize = HEADER + 512;

type Bytes = heapless::Vec<u8, LONGEST>;

impl Message {
    #[inline(never)]
    pub(crate) fn bytes(&self) -> Bytes {
        let header = |kind, number, step: usize, errno: i32, command: u16| {
            let [a, b] = (step as u16).to_ne_bytes();
            let [c, d] = (errno as u16).to_ne_bytes();
            let [e, f] = command.to_ne_bytes();
            [kind, number, a, b, c, d, e, f]
        };
        let number = |signal: Signal| signal.number() as u8;
        let (header, reason) = match self {
            Message::YourTurn => (header(YOUR_TURN, 0, 0, 0, 0), None),
            Message::Done(step) => (header(DONE, 0, *step, 0, 0), None),
            Message::Started => (header(STARTED, 0, 0, 0, 0), None),
            Message::Stopped(signal) => (header(STOPPED, number(*signal), 0, 0, 0), None),
            Message::Killed(signal) => (header(KILLED, number(*signal), 0, 0, 0), None),
            Message::HookFailed(index, Ended::Exited(code)) => {
                (header(HOOK_EXITED, *code, *index, 0, 0), None)
            }
            Message::HookFailed(index, Ended::Killed(signal)) => {
                (header(HOOK_KILLED, number(*signal), *index, 0, 0), None)
            }
            Message::Failed(failed) => {
                let errno = failed.errno.raw_os_error();
                let header = header(FAILED, failed.code, failed.step, errno, failed.command);
                (header, Some(&failed.reason))
            }
        };
        let mut bytes = Bytes::new();
        // Both fit.
        let _ = bytes.extend_from_slice(&header);
        if let Some(reason) = reason {
            let _ = bytes.extend_from_slice(reason);
        }
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Message> {
        let (header, reason) = bytes.split_first_chunk::<HEADER>()?;
        let [kind, number, a, b, c, d, e, f] = *header;
        let step = u16::from_ne_bytes([a, b]).into();
        let signal = Signal::new(number.into());
        Some(match kind {
            YOUR_TURN => Message::YourTurn,
            DONE => Message::Done(step),
            STARTED => Message::Started,
            STOPPED => Message::Stopped(signal?),
            KILLED => Message::Killed(signal?),
            HOOK_EXITED => Message::HookFailed(step, Ended::Exited(number)),
            HOOK_KILLED => Message::HookFailed(step, Ended::Killed(signal?)),
            FAILED => {
                let errno = unshared_init::errno::of(u16::from_ne_bytes([c, d]).into());
                let command = u16::from_ne_bytes([e, f]);
                return Message::failed(step, errno, command, number, reason);
            }
            _ => return None,
        })
    }

    /// On its own: the text is large, and a launch that succeeds has none.
    #[cold]
    #[inline(never)]
    fn failed(step: usize, errno: Errno, command: u16, code: u8, reason: &[u8]) -> Option<Message> {
        let reason = Text::from_slice(reason).ok()?;
        Some(Message::Failed(Box::new(Failed { step, errno, command, code, reason })))
    }
}

/// One end.
pub(crate) struct Channel(OwnedFd);

/// The other end is gone, or says what it cannot mean.
#[derive(Debug)]
pub(crate) struct Closed;

impl Channel {
    /// Both ends, never on the numbers of the standard streams, even where those are closed.
    pub(crate) fn pair() -> Result<(Channel, Channel), Errno> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Channel(above_standard(ours)?), Channel(above_standard(theirs)?)))
    }

    /// Sends. That the other end is gone is noticed when it should answer.
    pub(crate) fn send(&self, message: &Message) {
        let bytes = message.bytes();
        // Once more where it was interrupted, or memory was short: the other side waits for it.
        let _ = again(|| rustix::net::send(&self.0, &bytes, SendFlags::NOSIGNAL));
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> Result<Message, Closed> {
        self.receive_with(RecvFlags::empty()).and_then(|message| message.ok_or(Closed))
    }

    /// A message if one is there.
    pub(crate) fn try_receive(&self) -> Result<Option<Message>, Closed> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    fn receive_with(&self, flags: RecvFlags) -> Result<Option<Message>, Closed> {
        let mut bytes = [0; LONGEST];
        match again(|| rustix::net::recv(&self.0, &mut bytes[..], flags)) {
            Ok((length, _)) => {
                let message = Message::parse(bytes.get(..length).unwrap_or(&[]));
                message.map(Some).ok_or(Closed)
            }
            Err(Errno::AGAIN) => Ok(None),
            Err(_) => Err(Closed),
        }
    }

    /// Whether the other end has been closed.
    pub(crate) fn is_closed(&self) -> bool {
        let mut byte = [0];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        matches!(rustix::net::recv(&self.0, &mut byte[..], flags), Ok((0, _)))
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Moves a descriptor off the numbers 0 to 2: a message to a closed standard error must not end up
/// in a file or socket of ours, and the payload must not find one there.
pub(crate) fn above_standard(descriptor: OwnedFd) -> Result<OwnedFd, Errno> {
    use rustix::fd::AsRawFd;
    if descriptor.as_raw_fd() > 2 {
        return Ok(descriptor);
    }
    rustix::io::fcntl_dupfd_cloexec(&descriptor, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let (ours, theirs) = Channel::pair().unwrap();
        let failed = Failed {
            step: 300,
            errno: Errno::NOENT,
            command: 300,
            code: 127,
            reason: Text::from_slice(&[b'x'; 512]).unwrap(),
        };
        for message in [
            Message::YourTurn,
            Message::Done(12),
            Message::Started,
            Message::Stopped(Signal::TSTP),
            Message::Killed(Signal::new(64).unwrap()),
            Message::HookFailed(1, Ended::Exited(3)),
            Message::HookFailed(2, Ended::Killed(Signal::KILL)),
            Message::Failed(Box::new(failed)),
        ] {
            theirs.send(&message);
            assert_eq!(ours.receive().unwrap(), message);
        }
        assert!(ours.try_receive().unwrap().is_none());
        assert!(!ours.is_closed());
        drop(theirs);
        assert!(ours.is_closed());
        assert!(ours.receive().is_err());
    }

    #[test]
    fn bytes_that_mean_nothing_are_no_message() {
        assert_eq!(Message::parse(&[]), None);
        assert_eq!(Message::parse(&[0; HEADER]), None);
        assert_eq!(Message::parse(&[STOPPED, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}

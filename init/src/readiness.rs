//! How a payload says that it is ready, and who is told.
//!
//! It may write a newline to a descriptor (as s6's services do), or send `READY=1` to the socket
//! that NOTIFY_SOCKET names (sd_notify(3)). A service manager takes such messages from the process
//! that it started only, and that is us: the payload gets a socket of ours, and what it says there
//! is passed on.
use crate::descendants;
use crate::sys::{self, Address, Descriptor, Environment, Receiver};
use core::ffi::CStr;
use rustix::io::Errno;
use rustix::process::geteuid;

/// The environment variable with the manager's address.
const VARIABLE: &[u8] = b"NOTIFY_SOCKET";

/// The longest message that a manager takes (PIPE_BUF).
const LONGEST: usize = 4096;

/// What is watched besides signals.
pub(crate) struct Readiness {
    /// The number of the payload's descriptor.
    number: Option<i32>,
    /// Both ends of its pipe until it has been started; then the reading one, while anybody has the
    /// other.
    reading: Option<Descriptor>,
    writing: Option<Descriptor>,
    /// The payload has said so.
    is_ready: bool,
    manager: Option<Manager>,
    /// Readable or hung up when our parent has ended.
    parent: Option<Descriptor>,
    /// Readable when there is a signal.
    signals: Option<Descriptor>,
}

/// Who started us, and wants to know.
struct Manager {
    address: Address,
    receiver: Receiver,
    /// It did not read our last message.
    is_stuck: bool,
    /// We are PID 1: whoever is in our namespace may speak for the payload.
    is_first: bool,
}

/// What there is to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// A signal.
    Signal,
    /// The payload says that it is ready.
    Ready,
    /// Our parent has ended.
    ParentEnded,
    /// The time is over.
    TimeOver,
}

impl Readiness {
    /// Nothing but signals.
    #[must_use]
    pub(crate) const fn none() -> Readiness {
        Readiness {
            number: None,
            reading: None,
            writing: None,
            is_ready: false,
            manager: None,
            parent: None,
            signals: None,
        }
    }

    /// Watches for a newline that the payload writes to its descriptor `number`.
    pub(crate) fn watch_newline(&mut self, number: i32) {
        self.number = Some(number);
    }

    /// Watches a descriptor that is readable or hung up once our parent has ended.
    pub(crate) fn watch_parent(&mut self, descriptor: Descriptor) {
        self.parent = Some(descriptor);
    }

    /// Stands between the payload and the manager that NOTIFY_SOCKET names, if one is named by an
    /// address of the local kind; the payload will find our socket in its environment.
    pub(crate) fn stand_between(&mut self, is_first: bool) -> Result<(), Errno> {
        let Some(address) = Environment::inherited().get(VARIABLE).and_then(Address::parse) else {
            return Ok(());
        };
        let receiver = Receiver::new()?;
        let mut entry = heapless::Vec::<u8, 128>::new();
        let name = receiver.address()?;
        let parts = [VARIABLE, b"=@"];
        let bytes = parts.into_iter().flatten().copied().chain(name.abstract_name()).chain([0]);
        for byte in bytes {
            entry.push(byte).map_err(|_| Errno::NAMETOOLONG)?;
        }
        let entry = CStr::from_bytes_with_nul(&entry).map_err(|_| Errno::INVAL)?;
        sys::replace_in_own_environment(VARIABLE, entry)?;
        self.manager = Some(Manager { address, receiver, is_stuck: false, is_first });
        Ok(())
    }

    /// Whether anything could ever say that the payload is ready.
    #[must_use]
    pub(crate) fn is_watched(&self) -> bool {
        self.number.is_some() || self.manager.is_some()
    }

    /// Makes what the next start needs.
    pub(crate) fn prepare(&mut self) -> Result<(), Errno> {
        if self.signals.is_none() && (self.is_watched() || self.parent.is_some()) {
            self.signals = Some(sys::signal_descriptor()?);
        }
        self.is_ready = false;
        if self.number.is_some() {
            let (reading, writing) = sys::pipe()?;
            (self.reading, self.writing) = (Some(reading), Some(writing));
        }
        Ok(())
    }

    /// Child, not executed yet: gives the payload its descriptor.
    pub(crate) fn hand_over(&self) -> Result<(), Errno> {
        match (&self.writing, self.number) {
            (Some(writing), Some(number)) => writing.hand_over(number),
            (_, _) => Ok(()),
        }
    }

    /// The payload has been started: its end of the pipe is its own now.
    pub(crate) fn started(&mut self) {
        self.writing = None;
    }

    /// Whether signals are all there is to wait for.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.reading.is_none() && self.manager.is_none() && self.parent.is_none()
    }

    /// Waits for what happens next, for `timeout` nanoseconds at most.
    pub(crate) fn wait(&mut self, timeout: Option<u64>) -> News {
        let end = timeout.map(|timeout| sys::now().saturating_add(timeout));
        loop {
            let left = end.map(|end| end.saturating_sub(sys::now()));
            match self.poll(left) {
                Some(news) => return news,
                None if left == Some(0) => return News::TimeOver,
                None => {}
            }
        }
    }

    fn poll(&mut self, timeout: Option<u64>) -> Option<News> {
        let [signal, newline, message, parent] = self.look(timeout)?;
        if signal {
            return Some(News::Signal);
        }
        if parent {
            self.parent = None;
            return Some(News::ParentEnded);
        }
        self.hear(newline, message).then_some(News::Ready)
    }

    /// Takes in what has been said by now, so that a signal does not overtake it: it may be about the
    /// end of whoever said it. No flood of words keeps a signal back for long. Says whether the
    /// payload has become ready.
    pub(crate) fn catch_up(&mut self) -> bool {
        const MOST: usize = 64;
        let mut is_ready = false;
        for _ in 0..MOST {
            match self.look(Some(0)) {
                Some([_, newline, message, _]) if newline || message => {
                    is_ready |= self.hear(newline, message);
                }
                Some(_) | None => break,
            }
        }
        is_ready
    }

    /// What there is: a signal, a newline, a message, the parent's end.
    fn look(&self, timeout: Option<u64>) -> Option<[bool; 4]> {
        let manager = self.manager.as_ref().map(|manager| manager.receiver.descriptor());
        let (signals, reading, parent) = (&self.signals, &self.reading, &self.parent);
        sys::poll([signals.as_ref(), reading.as_ref(), manager, parent.as_ref()], timeout).ok()
    }

    /// Takes in one word of each kind that there is; says whether the payload has become ready by it.
    fn hear(&mut self, newline: bool, message: bool) -> bool {
        if newline && self.read_newline() {
            if let Some(manager) = &mut self.manager {
                manager.tell(READY, &[]);
            }
            return true;
        }
        message && self.manager.as_mut().is_some_and(Manager::pass_on) && self.is_ready_now()
    }

    /// The payload says that it is ready; whether that is new.
    fn is_ready_now(&mut self) -> bool {
        !core::mem::replace(&mut self.is_ready, true)
    }

    /// Reads what the payload wrote; says whether its first newline was in it. What comes after that
    /// is read too, and means nothing: closing our end would kill a payload that writes on.
    fn read_newline(&mut self) -> bool {
        let Some(reading) = &self.reading else {
            return false;
        };
        let mut buffer = [0; 64];
        let length = reading.read(&mut buffer);
        if length == 0 {
            self.reading = None;
        }
        let said = buffer.get(..length).is_some_and(|said| said.contains(&b'\n'));
        said && self.is_ready_now()
    }
}

/// What says that a service is ready.
const READY: &[u8] = b"READY=1";

impl Manager {
    /// Takes one message and passes it on; says whether the payload is ready by it. Not inlined, so
    /// that its buffers are on the stack only while they are used.
    #[inline(never)]
    fn pass_on(&mut self) -> bool {
        let mut buffer = [0; LONGEST];
        let Some(datagram) = self.receiver.receive(&mut buffer) else {
            return false;
        };
        let may_speak = datagram.sender.is_some_and(|(pid, user)| self.may_speak(pid, user));
        // A message that is cut off is another one; the manager would not take it whole either.
        if !may_speak || datagram.is_cut_off {
            return false;
        }
        let message = buffer.get(..datagram.length).unwrap_or(&[]);
        let mut passed_on = heapless::Vec::<u8, LONGEST>::new();
        for line in lines_to_pass_on(message) {
            let _ = passed_on.extend_from_slice(line);
            let _ = passed_on.push(b'\n');
        }
        if !passed_on.is_empty() || !datagram.rights.is_empty() {
            self.tell(&passed_on, &datagram.rights);
        }
        lines_to_pass_on(message).any(|line| line == READY)
    }

    /// A manager that is not there is no reason for the payload to end. One that does not read is
    /// waited for once, for a second, and then again when it has read something.
    fn tell(&mut self, message: &[u8], rights: &[Descriptor]) {
        let sent = self.receiver.send(&self.address, message, rights, !self.is_stuck);
        self.is_stuck = sent == Err(Errno::AGAIN);
    }

    /// Whether that sender is the payload or belongs to it. The socket can be reached by everybody
    /// who shares our network namespace.
    fn may_speak(&self, pid: i32, user: u32) -> bool {
        if self.is_first {
            return pid > 0;
        }
        user == 0 || user == geteuid().as_raw() || descendants::is_one(pid)
    }
}

/// The lines of a message but for those that name the main process: that is us.
pub(crate) fn lines_to_pass_on(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"MAINPID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(to: &Descriptor, text: &[u8]) {
        use std::io::Write;
        let path = format!("/proc/self/fd/{}", to.number());
        std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all(text).unwrap();
    }

    fn passed_on(message: &[u8]) -> Vec<&[u8]> {
        lines_to_pass_on(message).collect()
    }

    #[test]
    fn the_main_process_of_a_service_stays_who_it_is() {
        assert_eq!(
            passed_on(b"MAINPID=7\nREADY=1\nMAINPIDFDID=3\nSTATUS=up and running"),
            [&b"READY=1"[..], b"STATUS=up and running"]
        );
        assert!(passed_on(b"").is_empty());
    }

    #[test]
    fn a_newline_is_readiness_and_is_read_once() {
        let mut readiness = Readiness::none();
        readiness.watch_newline(3);
        readiness.prepare().unwrap();
        let writing = readiness.writing.take().unwrap();
        write(&writing, b"not yet");
        assert_eq!(readiness.wait(Some(0)), News::TimeOver);
        write(&writing, b"now\nand more");
        assert_eq!(readiness.wait(Some(0)), News::Ready);
        write(&writing, b"again\n");
        assert_eq!(readiness.wait(Some(0)), News::TimeOver);
        drop(writing);
        assert_eq!(readiness.wait(Some(0)), News::TimeOver);
        assert!(readiness.is_idle());
    }

    #[test]
    fn a_payload_that_closes_its_end_is_not_ready() {
        let mut readiness = Readiness::none();
        readiness.watch_newline(3);
        readiness.prepare().unwrap();
        readiness.started();
        assert_eq!(readiness.wait(Some(1000)), News::TimeOver);
        assert!(readiness.is_idle());
    }

    #[test]
    fn the_end_of_the_parent_is_told_once() {
        let (parent, theirs) = sys::pipe().unwrap();
        let mut readiness = Readiness::none();
        readiness.watch_parent(parent);
        readiness.prepare().unwrap();
        assert_eq!(readiness.wait(Some(0)), News::TimeOver);
        drop(theirs);
        assert_eq!(readiness.wait(None), News::ParentEnded);
        assert!(readiness.is_idle());
    }
}

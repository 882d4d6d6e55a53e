//! `--pty` and `exec -t`: a terminal of the payload's own, between which and the caller's the bytes are
//! carried. What is pushed into a terminal's input (TIOCSTI) stays in that one.
use crate::error::Error;
use crate::sys::{self, again};
use crate::walk::channel::above_standard;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// What a poll(2) of ours waits for at most: see [`Terminal::waits`].
pub(crate) const WAITS: usize = 3;

/// In nanoseconds.
const SILENCE: i64 = 200_000_000;

/// Our side.
pub(crate) struct Terminal {
    /// The payload's terminal, as its keyboard and screen.
    master: OwnedFd,
    /// How the caller's terminal was, if its input is one.
    before: Option<Termios>,
    guard: Option<Guard>,
    typed: Bytes,
    shown: Bytes,
    /// The caller has more to say.
    has_input: bool,
    /// Somebody inside has the terminal open.
    is_open: bool,
}

/// The payload's side: what it has as its standard streams.
pub(crate) struct Slave(OwnedFd);

/// Makes a terminal like the caller's.
pub(crate) fn open() -> Result<(Terminal, Slave), Error> {
    let make = || {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = above_standard(rustix::pty::openpt(flags)?)?;
        rustix::pty::unlockpt(&master)?;
        // Linux 4.13, and it needs no /dev/pts of its own; else by its name.
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).or_else(|_| {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            rustix::fs::open(rustix::pty::ptsname(&master, Vec::new())?, flags, Mode::empty())
        });
        let slave = above_standard(slave?)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok((master, slave))
    };
    let (master, slave) = make().map_err(|errno| {
        let is_missing = matches!(errno, Errno::NOENT | Errno::NODEV);
        let hint = "it takes a /dev/ptmx, and devpts mounted at /dev/pts";
        Error::system("make a pty", errno).maybe_hint(is_missing.then(|| hint.into()))
    })?;
    let before = tcgetattr(sys::descriptor(0)).ok();
    if let Some(before) = &before {
        let _ = tcsetattr(&slave, OptionalActions::Now, before);
    }
    let (typed, shown) = (Bytes::default(), Bytes::default());
    let terminal =
        Terminal { master, before, guard: None, typed, shown, has_input: true, is_open: true };
    terminal.resize();
    Ok((terminal, Slave(slave)))
}

impl Slave {
    /// Child: has it as its standard streams, and as the controlling terminal of a new session.
    pub(crate) fn take(&self) {
        (0..=2).for_each(|stream| sys::become_standard(&self.0, stream));
        let _ = rustix::process::setsid();
        unshared_init::sys::take_terminal();
    }
}

impl Terminal {
    /// From now on every key goes through, Ctrl-C too. All signals are blocked, so that being in the
    /// background stops nobody here.
    pub(crate) fn make_raw(&mut self) {
        self.resize();
        if let Some(before) = &self.before {
            if self.guard.is_none() {
                self.guard = Guard::start(before);
            }
            let mut raw = before.clone();
            raw.make_raw();
            let _ = again(|| tcsetattr(sys::descriptor(0), OptionalActions::Now, &raw));
        }
    }

    /// The caller's terminal is as it was.
    pub(crate) fn restore(&self) {
        if let Some(before) = &self.before {
            let _ = again(|| tcsetattr(sys::descriptor(0), OptionalActions::Now, before));
        }
    }

    /// The payload's terminal has the size of the caller's; the kernel tells the payload.
    pub(crate) fn resize(&self) {
        if let Ok(size) = rustix::termios::tcgetwinsize(sys::descriptor(0)) {
            let _ = rustix::termios::tcsetwinsize(&self.master, size);
        }
    }

    /// What is to be waited for.
    pub(crate) fn waits(&self) -> heapless::Vec<PollFd<'_>, WAITS> {
        let mut waits = heapless::Vec::new();
        let mut master = PollFlags::empty();
        master.set(PollFlags::IN, self.shown.is_empty());
        master.set(PollFlags::OUT, !self.typed.is_empty());
        if self.is_open {
            let _ = waits.push(PollFd::from_borrowed_fd(self.master.as_fd(), master));
        }
        if self.has_input && self.typed.is_empty() {
            let _ = waits.push(PollFd::from_borrowed_fd(sys::descriptor(0), PollFlags::IN));
        }
        if !self.shown.is_empty() {
            let _ = waits.push(PollFd::from_borrowed_fd(sys::descriptor(1), PollFlags::OUT));
        }
        waits
    }

    /// Carries what can be carried without waiting. The streams of the caller may block, since others
    /// have them too: they are asked first.
    pub(crate) fn carry(&mut self) {
        if self.has_input && self.typed.is_empty() && is_ready(sys::descriptor(0), PollFlags::IN, 0)
        {
            match again(|| rustix::io::read(sys::descriptor(0), &mut self.typed.bytes[..])) {
                Ok(length) if length > 0 => self.typed.filled(length),
                Ok(_) | Err(_) => self.end_input(),
            }
        }
        if !self.typed.is_empty() {
            match again(|| rustix::io::write(&self.master, self.typed.rest())) {
                Ok(length) => self.typed.gone(length),
                Err(Errno::AGAIN) => {}
                Err(_) => self.typed = Bytes::default(),
            }
        }
        if self.shown.is_empty() {
            match again(|| rustix::io::read(&self.master, &mut self.shown.bytes[..])) {
                Ok(length) if length > 0 => self.shown.filled(length),
                Err(Errno::AGAIN) => {}
                Ok(_) | Err(_) => self.is_open = false,
            }
        }
        if !self.shown.is_empty() && is_ready(sys::descriptor(1), PollFlags::OUT, 0) {
            self.show();
        }
    }

    /// The caller's input is at its end: so the payload's is, as if by Ctrl-D.
    fn end_input(&mut self) {
        self.has_input = false;
        let attributes = tcgetattr(&self.master).ok();
        let key = attributes.map_or(4, |all| all.special_codes[SpecialCodeIndex::VEOF]);
        if let Some(first) = self.typed.bytes.first_mut() {
            *first = key;
            self.typed.filled(1);
        }
    }

    fn show(&mut self) {
        match again(|| rustix::io::write(sys::descriptor(1), self.shown.rest())) {
            Ok(length) => self.shown.gone(length),
            Err(Errno::AGAIN) => {}
            // Nobody looks any more; the payload need not wait for that.
            Err(_) => self.shown = Bytes::default(),
        }
    }

    /// The payload has ended: what it wrote last is shown, and the caller's terminal is as it was.
    ///
    /// The kernel may still be on its way with that. Where somebody else has the terminal open, its end
    /// never comes; then a short silence is the end.
    pub(crate) fn end(mut self) {
        (self.has_input, self.typed) = (false, Bytes::default());
        while self.is_open && is_ready(self.master.as_fd(), PollFlags::IN, SILENCE) {
            self.carry();
            while !self.shown.is_empty() {
                self.show();
            }
        }
        self.restore();
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
    }
}

/// poll(2) of one descriptor, for at most so many nanoseconds.
fn is_ready(descriptor: BorrowedFd<'_>, what: PollFlags, patience: i64) -> bool {
    let mut wait = [PollFd::from_borrowed_fd(descriptor, what)];
    let limit = rustix::event::Timespec { tv_sec: 0, tv_nsec: patience };
    matches!(again(|| rustix::event::poll(&mut wait, Some(&limit))), Ok(count) if count > 0)
}

/// Bytes on their way.
struct Bytes {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes { bytes: vec![0; 4096], start: 0, end: 0 }
    }
}

impl Bytes {
    fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn filled(&mut self, length: usize) {
        (self.start, self.end) = (0, length);
    }

    fn gone(&mut self, length: usize) {
        self.start += length;
    }
}

/// A process that does nothing but make the caller's terminal what it was, where we are killed.
struct Guard {
    pid: Pid,
    /// Its end is the news.
    pipe: OwnedFd,
}

impl Guard {
    fn start(before: &Termios) -> Option<Guard> {
        let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).ok()?;
        let (from, to) = (above_standard(from).ok()?, above_standard(to).ok()?);
        let Ok(Some(pid)) = sys::fork().inspect(|pid| {
            if pid.is_none() {
                Guard::watch(&from, &to, before);
            }
        }) else {
            return None;
        };
        Some(Guard { pid, pipe: to })
    }

    /// Guard: waits for a byte, which says that there is nothing to do, or for the end.
    fn watch(from: &OwnedFd, to: &OwnedFd, before: &Termios) {
        use rustix::fd::AsRawFd;
        let _ = rustix::process::setsid();
        // Nothing of ours is held up by it, and its own end of the pipe least of all.
        sys::close(to.as_raw_fd());
        sys::close_all_but(&[from.as_raw_fd()]);
        let mut byte = [0];
        if again(|| rustix::io::read(from, &mut byte[..])) == Ok(0) {
            let _ = again(|| tcsetattr(sys::descriptor(0), OptionalActions::Now, before));
        }
        unshared_init::sys::exit(0);
    }

    fn dismiss(self) {
        let _ = again(|| rustix::io::write(&self.pipe, b"."));
        let _ = again(|| rustix::process::waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

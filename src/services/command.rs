//! `unshared-cli service`: commands what watches over services, as sv(8) does.
use super::files;
use super::status::{LENGTH, Status};
use super::supervisor::date;
use super::unit::State;
use crate::error::{Error, escape};
use core::fmt::Write;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::time::Duration;
use unshared_init::errno;
use unshared_init::number::SECOND;
use unshared_init::reaper::{Change, Ended};
use unshared_init::sys::{self, Arguments, Environment, Memory};

/// What is asked for.
pub(crate) struct Service {
    pub(crate) order: Order,
    /// How long it may take until it is so.
    pub(crate) seconds: u64,
    pub(crate) names: Arguments,
}

/// One command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// The letters for `supervise/control`.
    pub(crate) letters: &'static str,
    /// What is waited for, if anything is.
    pub(crate) check: Option<Check>,
    /// Whether it is killed when the time is over.
    pub(crate) kills: bool,
}

/// When a command has had its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// As soon as it has been sent.
    Nothing,
    /// `run` runs, and `check` agrees.
    Up,
    /// Nothing runs.
    Down,
    /// It has run, or runs and will not be started again.
    Once,
    /// It has been started again, or is to stay down.
    Again,
    /// Nobody watches over it.
    Exit,
    /// It is paused, or does not run.
    Paused,
    /// It is not.
    Continued,
    /// If it runs, `check` agrees.
    Requested,
}

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends the command to each service, and waits for its effect. Returns for how many it failed.
pub(crate) fn run(service: &Service) -> Result<u8, Error> {
    let order = service.order;
    let mut failed = 0_u64;
    let end = sys::now().saturating_add(service.seconds.saturating_mul(SECOND));
    let mut waited_for = Vec::new();
    for name in service.names {
        match Target::find(name, order.letters) {
            Ok(target) => {
                if order.letters.is_empty() && order.check.is_none() {
                    target.tell("")?;
                }
                waited_for.push(target);
            }
            Err(what) => {
                failed += 1;
                print(&format!("fail: {}: {what}", escape(name.to_bytes())))?;
            }
        }
    }
    let Some(check) = order.check else { return Ok(status(failed)) };
    loop {
        let is_late = sys::now() >= end;
        let mut rest = Vec::new();
        for mut target in waited_for {
            match target.is_so(check) {
                Ok(true) => target.tell("ok: ")?,
                Ok(false) if is_late => {
                    failed += 1;
                    target.tell(if order.kills { "kill: " } else { "timeout: " })?;
                    if order.kills {
                        // It may have ended just now.
                        let _ = target.send("k");
                    }
                }
                Ok(false) => rest.push(target),
                Err(_) => {
                    failed += 1;
                    target.tell("fail: ")?;
                }
            }
        }
        if rest.is_empty() {
            return Ok(status(failed));
        }
        waited_for = rest;
        std::thread::sleep(PAUSE);
    }
}

/// The exit status, as of sv(8).
fn status(failed: u64) -> u8 {
    u8::try_from(failed.min(99)).unwrap_or(99)
}

fn print(line: &str) -> Result<(), Error> {
    crate::print(format!("{line}\n").as_bytes()).map(|_| ())
}

const NOBODY: &str = "nobody watches over it";

/// Why there is no answer.
#[cold]
#[inline(never)]
fn failed(attempt: &str, errno: Errno) -> String {
    format!("{attempt}: {}", errno::name(errno))
}

/// A service's directory.
struct Target {
    name: &'static CStr,
    directory: OwnedFd,
    /// What was so before it was told anything.
    before: Option<Status>,
}

impl Target {
    /// Finds it, and sends letters to it.
    fn find(name: &'static CStr, letters: &str) -> Result<Target, String> {
        let bytes = name.to_bytes();
        let is_path = bytes.starts_with(b".") || bytes.starts_with(b"/") || bytes.ends_with(b"/");
        let services = Environment::inherited().get(b"SVDIR").unwrap_or(b"/etc/service");
        let path = if is_path { bytes.to_vec() } else { [services, b"/", bytes].concat() };
        let path = CString::new(path).unwrap_or_default();
        let directory = files::directory(CWD.as_fd(), &path)
            .map_err(|errno| failed("open its directory", errno))?;
        let mut target = Target { name, directory, before: None };
        target.send(letters)?;
        Ok(target)
    }

    /// What is so; fails where nobody watches over it.
    fn status(&self, directory: &OwnedFd) -> Result<Status, String> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(directory, c"supervise/ok", flags, Mode::empty()) {
            Ok(_) => {}
            Err(Errno::NXIO | Errno::NOENT) => return Err(NOBODY.to_owned()),
            Err(errno) => return Err(failed("open supervise/ok", errno)),
        }
        let mut bytes = [0; LENGTH + 1];
        let bytes = files::read(directory.as_fd(), c"supervise/status", &mut bytes);
        Status::parse(bytes).ok_or_else(|| "supervise/status is none".to_owned())
    }

    /// Writes letters to `supervise/control`, unless what they ask for is wanted already.
    fn send(&mut self, letters: &str) -> Result<(), String> {
        let status = self.status(&self.directory)?;
        self.before = Some(status);
        if letters.is_empty() {
            return Ok(());
        }
        let is_wanted = letters.as_bytes().first() == Some(&status.want);
        if is_wanted && (letters != "d" || status.term) {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&self.directory, c"supervise/control", flags, Mode::empty())
            .and_then(|control| rustix::io::write(&control, letters.as_bytes()))
            .map_err(|errno| failed("write supervise/control", errno))?;
        Ok(())
    }

    /// Whether a command has had its effect.
    fn is_so(&self, check: Check) -> Result<bool, String> {
        let status = match self.status(&self.directory) {
            Err(what) if check == Check::Exit && what == NOBODY => return Ok(true),
            status => status?,
        };
        let runs = status.pid.is_some();
        let moment = |status: Status| (status.seconds, status.nanoseconds);
        let is_new = self.before.is_none_or(|before| moment(before) != moment(status));
        Ok(match check {
            Check::Nothing => true,
            Check::Exit => false,
            Check::Up => runs && status.state == State::Run && self.agrees(),
            Check::Down => !runs && status.state == State::Down,
            Check::Once if runs => status.want == b'd',
            Check::Once => is_new,
            Check::Again if !runs => status.want == b'd',
            Check::Again => is_new && !status.term && self.agrees(),
            Check::Paused => !runs || status.paused,
            Check::Continued => !runs || !status.paused,
            Check::Requested if status.want == b'u' => {
                runs && status.state == State::Run && self.agrees()
            }
            Check::Requested => true,
        })
    }

    /// What `check` says, where there is one.
    fn agrees(&self) -> bool {
        if !files::exists(self.directory.as_fd(), c"check") {
            return true;
        }
        let started = sys::start(Memory::Copied, &mut || {
            // Child, not executed yet.
            if let Err(errno) = rustix::process::fchdir(&self.directory) {
                crate::say(&Error::system("enter the service's directory", errno).message());
                return crate::error::FAILED;
            }
            let errno =
                sys::execute_words([Some(c"./check"), None, None], Environment::inherited());
            crate::say(&Error::system("execute \"./check\"", errno).message());
            crate::error::FAILED
        });
        let Ok(pid) = started else { return false };
        let ended = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        let change = ended.ok().flatten().and_then(|(_, status)| sys::change_of(status));
        change == Some(Change::Ended(Ended::Exited(0)))
    }

    /// A line with what is so.
    fn tell(&self, how: &str) -> Result<(), Error> {
        let line = self.describe().unwrap_or_else(|what| {
            let name = escape(self.name.to_bytes());
            format!("{name}: {what}")
        });
        print(&format!("{how}{line}"))
    }

    /// As sv(8) puts it.
    fn describe(&self) -> Result<String, String> {
        let status = self.status(&self.directory)?;
        let name = escape(self.name.to_bytes());
        let mut line = describe(&name, status, self.directory.as_fd());
        if let Ok(log) = files::directory(self.directory.as_fd(), c"log")
            && let Ok(status) = self.status(&log)
        {
            line.push_str("; ");
            line.push_str(&describe("log", status, log.as_fd()));
        }
        Ok(line)
    }
}

fn describe(name: &str, status: Status, directory: rustix::fd::BorrowedFd<'_>) -> String {
    let runs = status.pid.is_some();
    let state = match status.state {
        _ if !runs => "down",
        State::Finish => "finish",
        State::Run | State::Down => "run",
    };
    let mut line = format!("{state}: {name}: ");
    if let Some(pid) = status.pid {
        let _ = write!(line, "(pid {}) ", pid.as_raw_nonzero());
    }
    let _ = write!(line, "{}s", (date() / SECOND).saturating_sub(status.seconds));
    let is_normally_down = files::exists(directory, c"down");
    let more = [
        (runs && is_normally_down, ", normally down"),
        (!runs && !is_normally_down, ", normally up"),
        (runs && status.paused, ", paused"),
        (!runs && status.want == b'u', ", want up"),
        (runs && status.want == b'd', ", want down"),
        (runs && status.term, ", got TERM"),
    ];
    for (is_so, text) in more {
        if is_so {
            line.push_str(text);
        }
    }
    line
}

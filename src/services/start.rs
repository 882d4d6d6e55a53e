//! Starts the programs of a service.
use super::files::{self, Role};
use super::table::Service;
use super::unit::Program;
use super::{complaint, failure};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit};
use std::ffi::CStr;
use unshared_init::exec;
use unshared_init::number::{Digits, decimal};
use unshared_init::reaper::Ended;
use unshared_init::sys::{self, Descriptor, Environment, Memory, SignalState};

/// The exit status of what could not be started, as runsv(8) has it.
const NOT_STARTED: u8 = 111;

/// What whoever started us did, and a service gets back.
#[derive(Clone, Copy)]
pub(crate) struct Inherited {
    pub(crate) signals: SignalState,
    /// How many files may be open.
    pub(crate) files: Rlimit,
}

/// Starts `run` or `finish` of a service or its log. Where `run` says when it is ready, the place
/// where it is going to is in the service from here on.
pub(crate) fn start(
    service: &mut Service,
    role: Role,
    program: Program,
    inherited: Inherited,
) -> Result<Pid, Errno> {
    let mut said = None;
    if (role, program) == (Role::Main, Program::Run)
        && let Some(number) = notification_number(service)
    {
        let (reading, writing) = sys::pipe()?;
        service.notification = Some(reading);
        said = Some((writing, number));
    }
    let (code, signal) = match program {
        Program::Run => (Digits::of(0), Digits::of(0)),
        Program::Finish(Ended::Exited(code)) => (Digits::of(code.into()), Digits::of(0)),
        Program::Finish(Ended::Killed(signal)) => {
            (Digits::of(0), Digits::of(signal.number().unsigned_abs().into()))
        }
    };
    let (code, signal) = (word(&code), word(&signal));
    let code = CStr::from_bytes_until_nul(&code).unwrap_or_default();
    let words = match program {
        Program::Run => [Some(c"./run"), None, None],
        Program::Finish(ended) => {
            let code = if matches!(ended, Ended::Killed(_)) { c"-1" } else { code };
            [Some(c"./finish"), Some(code), CStr::from_bytes_until_nul(&signal).ok()]
        }
    };
    sys::start(Memory::Shared, &mut || {
        // Child, not executed yet, memory shared with us.
        let result = prepare(service, role, inherited).and_then(|()| match &said {
            Some((writing, number)) => writing.hand_over(*number),
            None => Ok(()),
        });
        execute(service, role, words, inherited, result)
    })
}

/// Starts the script `control/LETTER` of a service.
pub(crate) fn start_script(
    service: &Service,
    path: &CStr,
    inherited: Inherited,
) -> Result<Pid, Errno> {
    sys::start(Memory::Shared, &mut || {
        let result = prepare(service, Role::Main, inherited);
        execute(service, Role::Main, [Some(path), None, None], inherited, result)
    })
}

/// Child: its own session, the service's directory, the log's pipe, and as many files as it may have.
fn prepare(service: &Service, role: Role, inherited: Inherited) -> Result<(), Errno> {
    let _ = rustix::process::setsid();
    rustix::process::fchdir(&service.directory)?;
    if role == Role::Log {
        rustix::process::chdir(c"log")?;
    }
    match (&service.pipe, role) {
        (Some((_, writing)), Role::Main) => writing.hand_over(1)?,
        (Some((reading, _)), Role::Log) => reading.hand_over(0)?,
        (None, _) => {}
    }
    rustix::process::setrlimit(Resource::Nofile, inherited.files)
}

/// Child: becomes the program, or says why not. Nothing is allocated: the memory is not its own.
fn execute(
    service: &Service,
    role: Role,
    words: [Option<&CStr>; 3],
    inherited: Inherited,
    prepared: Result<(), Errno>,
) -> u8 {
    let [path, _, _] = words;
    let path = path.unwrap_or_default();
    let name = path.to_bytes().strip_prefix(b"./").unwrap_or(path.to_bytes());
    let line = complaint(&service.name).text(b"execute ");
    let line = match role {
        Role::Main => line.text(name),
        Role::Log => line.text(b"log/").text(name),
    };
    if let Err(errno) = prepared {
        line.errno(errno).say();
        return NOT_STARTED;
    }
    sys::give_back_signals(inherited.signals);
    let errno = sys::execute_words(words, Environment::inherited());
    let reason = exec::explain(path, errno).reason;
    let line = line.errno(errno);
    match reason.as_slice() {
        [] => line,
        reason => line.text(b" (").text(reason).text(b")"),
    }
    .say();
    NOT_STARTED
}

/// The descriptor's number in `notification-fd`, if there is that file.
fn notification_number(service: &Service) -> Option<i32> {
    let mut buffer = [0; 16];
    let name = c"notification-fd";
    let text = files::read(service.directory.as_fd(), name, &mut buffer).trim_ascii();
    if text.is_empty() && !files::exists(service.directory.as_fd(), name) {
        return None;
    }
    let number = decimal(text).and_then(|number| i32::try_from(number).ok());
    let number = number.filter(|number| *number > 2);
    if number.is_none() {
        complaint(&service.name)
            .text(b"notification-fd holds a number of 3 or more, not ")
            .quoted(text)
            .say();
    }
    number
}

/// Digits, as a word that ends with a zero byte.
fn word(digits: &Digits) -> [u8; 24] {
    let mut word = [0; 24];
    for (place, digit) in word.iter_mut().zip(digits.as_bytes()) {
        *place = *digit;
    }
    word
}

/// As many files as may be: each service keeps some open. Returns how many might be before.
pub(crate) fn raise_file_limit() -> Rlimit {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(errno) = rustix::process::setrlimit(Resource::Nofile, raised) {
        failure(b"", b"raise the limit of open files", errno);
    }
    limit
}

/// Keeps the numbers of standard streams that are closed from becoming those of other files: what is
/// written there would reach them.
pub(crate) fn hold_standard_streams() {
    use rustix::fd::{AsRawFd, IntoRawFd};
    while let Ok(held) = files::directory(rustix::fs::CWD, c"/") {
        if held.as_raw_fd() > 2 {
            return;
        }
        // It stays open; a service does not get it.
        let _ = held.into_raw_fd();
    }
}

/// What a descriptor of a pipe is to epoll(7).
pub(crate) fn borrow(descriptor: &Descriptor) -> rustix::fd::BorrowedFd<'static> {
    crate::sys::descriptor(descriptor.number())
}

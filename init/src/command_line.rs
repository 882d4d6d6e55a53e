//! What `unshared-init` does with its arguments, be it the program of its own or the multi-call
//! binary called by that name.
use crate::descendants;
use crate::line::Line;
use crate::nearest;
use crate::readiness::Readiness;
use crate::reaper::{Ended, Reaper, Rules, Sweep};
use crate::signal::Signal;
use crate::supervise::supervise;
use crate::sys::{self, Arguments, Descriptor, Environment, SignalState, Stream};
use crate::terminal::Terminal;
use command::Command;
use core::ffi::CStr;
use options::{Group, Options, Request};
use rustix::io::Errno;
use rustix::process::getpid;

mod command;
mod options;

/// What we call ourselves in messages.
const NAME: &[u8] = b"unshared-init";

/// The name by which we are another program.
const DUMB_INIT: &[u8] = b"dumb-init";

/// The status for "unshared itself failed", usage errors among it.
const FAILED: u8 = 125;

/// The help text. The line of `--services` is there only where that is in the program.
pub const HELP: &str = include_str!("../help");

/// What watches over services has to know.
pub struct Services {
    /// Their directory.
    pub directory: &'static CStr,
    /// Nanoseconds between TERM and KILL.
    pub grace: u64,
    /// Statuses, signals that become others, and what else is ours to end.
    pub rules: Rules,
    /// What our caller did about signals; all are blocked.
    pub signals: SignalState,
    /// 0: errors only; 1: warnings; 2: starts and ends of services.
    pub verbosity: u64,
}

/// Runs `unshared-init` with its arguments (without its own name), and returns its exit status.
/// `program` is the name that it was called by; `services` does what `--services` asks for, where
/// that is in the program.
#[must_use]
pub fn run(
    program: &[u8],
    arguments: Arguments,
    version: &str,
    services: Option<fn(&Services) -> u8>,
) -> u8 {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
    let mut options = Options::new(name == DUMB_INIT, Environment::inherited(), arguments);
    match options.read() {
        Ok(Request::Run) => run_command(options).unwrap_or(FAILED),
        Ok(Request::Services(directory)) => match services {
            Some(services) => run_services(options, directory, services).unwrap_or(FAILED),
            None => {
                complaint(b"--services: not in this build; a whole unshared-cli init has it").say();
                FAILED
            }
        },
        Ok(Request::Help) => help(services.is_some()),
        Ok(Request::Version) => print(&[NAME, b" ", version.as_bytes(), b"\n"]),
        Err(options::Wrong(problem, word)) => {
            let line = complaint(problem).text(b" ").quoted(word.to_bytes()).text(b" (");
            let options = nearest::options(HELP.as_bytes());
            let meant = if word.to_bytes().starts_with(b"-") {
                nearest::nearest(word.to_bytes(), options).filter(|meant| *meant != word.to_bytes())
            } else {
                None
            };
            let line = match meant {
                Some(meant) => line.text(b"did you mean ").text(meant).text(b"? "),
                None => line,
            };
            line.text(b"see: unshared-init --help)").say();
            FAILED
        }
    }
}

/// Reads arguments and does nothing.
#[cfg(fuzzing)]
pub(crate) fn fuzz(as_dumb_init: bool, environment: Environment, arguments: Arguments) {
    let _ = Options::new(as_dumb_init, environment, arguments).read();
}

/// `None` when something that was asked for cannot be had, which has been said then.
fn run_command(mut options: Options) -> Option<u8> {
    let signals = sys::take_signals();
    let is_first = getpid().as_raw_nonzero().get() == 1;
    options.rules.sweep = sweep(&options, is_first)?;
    let readiness = readiness(&options, is_first)?;
    if let Some(signal) = options.parent_death {
        watch_parent(signal)?;
    }
    if options.group == Group::Session {
        sys::leave_terminal();
    } else if options.group == Group::Own && Terminal::of_session().is_none() {
        // Without a terminal there is nothing to share, and in a session of its own the ends of
        // its processes cost the kernel no look at all the others of their group.
        options.group = Group::Session;
    }
    let reaper = Reaper::new(options.rules.clone());
    let mut command = Command::new(&options, signals, is_first, readiness);
    let ended = supervise(reaper, options.grace, &mut command);
    if let Some(group) = command.group
        && options.group == Group::Own
        && let Some(terminal) = Terminal::of_session()
    {
        terminal.take_from(group);
    }
    if let Some(group) = command.group
        && options.ends_group
        && options.rules.sweep == Sweep::Nothing
    {
        // Most often it is gone already.
        let _ = sys::send_to_group(group, Signal::TERM);
        let _ = sys::send_to_group(group, Signal::CONT);
    }
    let status = options.rules.status(ended);
    if let Ended::Killed(signal) = ended
        && options.re_raise
        && status != 0
    {
        sys::die_by(signal);
    }
    Some(status)
}

/// `None` when something that was asked for cannot be had, which has been said then.
fn run_services(
    mut options: Options,
    directory: &'static CStr,
    services: fn(&Services) -> u8,
) -> Option<u8> {
    if options.is_about_a_command() {
        complaint(b"--services goes with -s, -p, -r, -v, -q and --grace only").say();
        return None;
    }
    let signals = sys::take_signals();
    options.rules.sweep = sweep(&options, getpid().as_raw_nonzero().get() == 1)?;
    if let Some(signal) = options.parent_death {
        watch_parent(signal)?;
    }
    let Options { grace, rules, verbosity, .. } = options;
    Some(services(&Services { directory, grace, rules, signals, verbosity }))
}

/// What is ours to end after the command.
fn sweep(options: &Options, is_first: bool) -> Option<Sweep> {
    if is_first {
        return Some(Sweep::Namespace);
    }
    let warns = options.verbosity > 0;
    if !options.subreaper {
        if warns {
            complaint(b"not PID 1, and no subreaper (-s): what is left behind is neither reaped nor ended here").say();
        }
        return Some(Sweep::Nothing);
    }
    if let Err(errno) = rustix::process::set_child_subreaper(Some(getpid())) {
        failure(b"become a subreaper", errno);
        return None;
    }
    if descendants::can_be_found() {
        return Some(Sweep::Descendants);
    }
    if warns {
        complaint(b"no /proc of this PID namespace: what is left behind is not ended here").say();
    }
    Some(Sweep::Nothing)
}

fn readiness(options: &Options, is_first: bool) -> Option<Readiness> {
    let mut readiness = Readiness::none();
    if let Some(number) = options.parent_fd {
        match Descriptor::inherit(number) {
            Ok(descriptor) => readiness.watch_parent(descriptor),
            Err(errno) => {
                complaint(b"--parent-fd ").number(number.unsigned_abs().into()).errno(errno).say();
                return None;
            }
        }
    }
    if let Some(number) = options.notification_fd {
        readiness.watch_newline(number);
    }
    if let Err(errno) = readiness.stand_between(is_first) {
        failure(b"make a socket for NOTIFY_SOCKET", errno);
        return None;
    }
    if options.ready_exec.is_some() && !readiness.is_watched() {
        complaint(b"--ready-exec needs --notification-fd, or NOTIFY_SOCKET in the environment")
            .say();
        return None;
    }
    Some(readiness)
}

/// Asks for a signal at the end of our parent (PR_SET_PDEATHSIG). If it has ended while we asked,
/// the signal comes from ourselves. What cannot be seen is an end before that: a parent that is gone
/// has left no trace. `--parent-fd` does not have this gap.
fn watch_parent(signal: Signal) -> Option<()> {
    let before = rustix::process::getppid();
    if let Err(errno) = sys::set_parent_death_signal(signal) {
        failure(b"set the parent death signal", errno);
        return None;
    }
    if rustix::process::getppid() != before {
        let _ = sys::send(getpid(), signal);
    }
    Some(())
}

/// The beginning of a line on standard error.
fn complaint(text: &[u8]) -> Line {
    Line::new(NAME).text(text)
}

/// A line about a system call that failed.
fn failure(attempt: &[u8], errno: Errno) {
    complaint(attempt).errno(errno).say();
}

fn help(has_services: bool) -> u8 {
    for line in HELP.as_bytes().split_inclusive(|byte| *byte == b'\n') {
        if (has_services || !line.starts_with(b"  --services")) && print(&[line]) != 0 {
            return FAILED;
        }
    }
    0
}

/// Prints what was asked for; the status says whether it could be printed.
fn print(parts: &[&[u8]]) -> u8 {
    for part in parts {
        if sys::write(Stream::Output, part).is_err() {
            return FAILED;
        }
    }
    0
}

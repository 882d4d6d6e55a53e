//! What `unshared-init` does with its arguments, be it the program of its own or the multi-call
//! binary called by that name.
use crate::errno;
use crate::exec::{self, Text};
use crate::reaper::{Reaper, Sweep};
use crate::signal::Signal;
use crate::supervise::{Payload, supervise};
use crate::sys::{self, Arguments, Environment, Memory, SignalState, Stream};
use core::ffi::CStr;
use rustix::io::Errno;
use rustix::process::Pid;

/// What we call ourselves in messages.
const NAME: &[u8] = b"unshared-init";

/// The status for "unshared itself failed", usage errors among it.
const FAILED: u8 = 125;

/// How long what the main process leaves behind gets between TERM and KILL, unless `--grace` says;
/// in nanoseconds.
pub const DEFAULT_GRACE: u64 = 10 * sys::SECOND;

/// The help text.
pub const HELP: &str = "Usage: unshared-init [OPTION]... [--] COMMAND [ARGUMENT]...

Runs COMMAND as PID 1 should: reaps every orphan, forwards every signal, and
ends with COMMAND's exit status (128+N if signal N killed it) once nothing is
left.

  --grace SECONDS  what COMMAND leaves behind gets TERM, and KILL after so many
                   seconds (default 10); as soon as nothing is left, it is over
  -h, --help       this text
  --version        name and version

Example: unshare --pid --fork --mount-proc unshared-init -- sh -c 'sleep 1 &'
";

/// The options, and the command that follows on them.
struct Options {
    grace: u64,
    command: Arguments,
}

/// What the arguments ask for.
enum Request {
    Run(Options),
    Help,
    Version,
    /// What is wrong, and with which word.
    Wrong(&'static [u8], &'static CStr),
}

/// Runs `unshared-init` with its arguments (without its own name), and returns its exit status.
#[must_use]
pub fn run(arguments: Arguments, version: &str) -> u8 {
    match parse(arguments) {
        Request::Run(options) => run_command(&options),
        Request::Help => print(&[HELP.as_bytes()]),
        Request::Version => print(&[NAME, b" ", version.as_bytes(), b"\n"]),
        Request::Wrong(problem, word) => {
            complain(&[problem, b" \"", word.to_bytes(), b"\" (see: unshared-init --help)"]);
            FAILED
        }
    }
}

fn parse(mut arguments: Arguments) -> Request {
    let mut grace = DEFAULT_GRACE;
    loop {
        let command = arguments;
        let Some(word) = arguments.next() else {
            return Request::Wrong(b"no command after", c"unshared-init");
        };
        match word.to_bytes() {
            b"--" => return with_command(grace, arguments),
            b"--help" | b"-h" => return Request::Help,
            b"--version" => return Request::Version,
            b"--grace" => match arguments.next() {
                Some(value) => match seconds(value.to_bytes()) {
                    Some(value) => grace = value,
                    None => {
                        return Request::Wrong(b"--grace takes a number of seconds, not", value);
                    }
                },
                None => return Request::Wrong(b"a number of seconds is missing after", word),
            },
            option => {
                if let Some(value) = option.strip_prefix(b"--grace=") {
                    match seconds(value) {
                        Some(value) => grace = value,
                        None => return Request::Wrong(b"not a number of seconds:", word),
                    }
                } else if option.starts_with(b"-") {
                    return Request::Wrong(b"unknown option", word);
                } else {
                    return with_command(grace, command);
                }
            }
        }
    }
}

fn with_command(grace: u64, command: Arguments) -> Request {
    match command.first() {
        Some(_) => Request::Run(Options { grace, command }),
        None => Request::Wrong(b"no command after", c"--"),
    }
}

/// A number of seconds, with up to nine digits after the point, as nanoseconds.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<u64> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole = digits(parts.next()?)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = parts.next() {
        let length = u32::try_from(fraction.len()).ok()?;
        nanoseconds = digits(fraction)?.checked_mul(10_u64.pow(9_u32.checked_sub(length)?))?;
    }
    whole.checked_mul(sys::SECOND)?.checked_add(nanoseconds)
}

/// A decimal number without sign.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn run_command(options: &Options) -> u8 {
    let signals = sys::take_signals();
    let first = rustix::process::getpid().as_raw_nonzero().get() == 1;
    if !first {
        complain(&[b"not PID 1: whatever COMMAND leaves behind is not mine to reap or to end"]);
    }
    let sweep = if first { Sweep::Namespace } else { Sweep::Nothing };
    let mut payload = Command { options, signals, is_first: first };
    supervise(Reaper::new(1, sweep), options.grace, &mut payload).code()
}

/// The command, started from here.
struct Command<'a> {
    options: &'a Options,
    signals: SignalState,
    is_first: bool,
}

impl Payload for Command<'_> {
    fn start(&mut self, _index: usize) -> Result<Pid, Errno> {
        let command = self.options.command;
        let signals = self.signals;
        sys::start(Memory::Shared, &mut || {
            // Child, not executed yet, memory shared with us.
            sys::give_back_signals(signals);
            let failure = exec::execute(command, Environment::inherited());
            let name = command.first().map_or(&[][..], CStr::to_bytes);
            let errno = errno::name(failure.errno).as_bytes();
            if failure.reason.is_empty() {
                complain(&[b"execute \"", name, b"\": ", errno]);
            } else {
                complain(&[b"execute \"", name, b"\": ", errno, b" (", &failure.reason, b")"]);
            }
            failure.code
        })
        .inspect_err(|errno| complain(&[b"fork: ", errno::name(*errno).as_bytes()]))
    }

    fn stopped(&mut self, _signal: Signal) {
        // The shell that started us waits for us, not for the command. PID 1 cannot be stopped.
        if !self.is_first {
            let _ = sys::send(rustix::process::getpid(), Signal::STOP);
        }
    }
}

/// One line on standard error.
fn complain(parts: &[&[u8]]) {
    let mut line = Text::new();
    for part in [NAME, b": "].iter().chain(parts) {
        for byte in *part {
            // A name may hold anything; a message is one line of what a terminal shows as it is.
            let byte = if byte.is_ascii_control() { b'?' } else { *byte };
            if line.len() + 1 < line.capacity() {
                let _ = line.push(byte);
            }
        }
    }
    let _ = line.push(b'\n');
    // There is nowhere to say that standard error is closed.
    let _ = sys::write(Stream::Error, &line);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(seconds(b"10"), Some(10_000_000_000));
        assert_eq!(seconds(b"0.25"), Some(250_000_000));
        assert_eq!(seconds(b"1.000000001"), Some(1_000_000_001));
    }

    #[test]
    fn what_is_not_a_number_of_seconds_is_refused() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", "x", "1.0000000000", "18446744074"] {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }
}

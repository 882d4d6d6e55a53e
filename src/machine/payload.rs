//! What the machine is there for: a command in a session of its own, with the console's terminal.
use super::console::{self, say};
use super::end::{self, Ends};
use super::settings::Run;
use crate::error::quote;
use crate::sys;
use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::exec::{self, SHELL};
use unshared_init::signal::{Sender, Signal};
use unshared_init::supervise::{Payload, Started};
use unshared_init::sys::{Arguments, Environment, Memory, SignalState};

/// A command that can be started.
pub(super) struct Main<'a> {
    ends: &'a Ends<'a>,
    signals: SignalState,
    words: Arguments,
    environment: Environment,
    terminal: Option<Vec<u8>>,
    /// Whether it could be executed, the last time.
    pub(super) executed: bool,
}

impl<'a> Main<'a> {
    pub(super) fn new(run: &Run, ends: &'a Ends<'a>, signals: SignalState) -> Main<'a> {
        let terminal = console::terminal().map(|(path, _)| path);
        Main {
            ends,
            signals,
            words: sys::arguments(words(run)),
            environment: environment(terminal.as_deref()),
            terminal,
            executed: false,
        }
    }

    /// Child, memory shared with PID 1: becomes the command, or says why not.
    fn execute(&self) -> u8 {
        console::enter_session(self.terminal.as_deref());
        unshared_init::sys::give_back_signals(self.signals);
        let failure = exec::execute(self.words, self.environment);
        let name = quote(self.words.first().map_or(&b""[..], CStr::to_bytes));
        let errno = unshared_init::errno::name(failure.errno);
        let reason = String::from_utf8_lossy(&failure.reason);
        say(&format!("execute {name}: {errno} ({})", crate::error::escape(reason.as_bytes())));
        failure.code
    }
}

impl Payload for Main<'_> {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        let mut executed = true;
        let first = self.words.first();
        let child = unshared_init::sys::start(Memory::Shared, &mut || {
            let status = self.execute();
            executed = false;
            status
        });
        if let Some(first) = first {
            self.words.put_back(first);
        }
        self.executed = executed && child.is_ok();
        if let Err(errno) = child {
            say(&format!("fork: {}", unshared_init::errno::name(errno)));
        }
        child.map(|pid| Started { pid, executed })
    }

    /// It is somebody's who sits at the console to continue it.
    fn stopped(&mut self, _main: Pid, _signal: Signal) {}

    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        end::wait(timeout, self.ends)
    }
}

/// The words of what is to be executed.
fn words(run: &Run) -> Vec<CString> {
    let mut words = Vec::new();
    let mut add = |word: &[u8]| words.push(CString::new(word).unwrap_or_default());
    match run {
        Run::Command(command) => command.iter().for_each(|word| add(word)),
        Run::Expression(expression) if rustix::fs::access(SHELL, Access::EXEC_OK).is_ok() => {
            [SHELL.to_bytes(), b"-c", b"--", expression].into_iter().for_each(add);
        }
        Run::Expression(expression) => {
            for word in expression.split(u8::is_ascii_whitespace) {
                if !word.is_empty() {
                    add(word);
                }
            }
        }
    }
    words
}

/// The environment that the kernel gave to us, and what is missing in it.
fn environment(terminal: Option<&[u8]>) -> Environment {
    let path = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    // The kernel says TERM=linux whatever the console is.
    let is_screen = terminal.is_none_or(|terminal| {
        terminal.strip_prefix(b"/dev/tty").and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
    });
    let term = if is_screen { c"TERM=linux" } else { c"TERM=vt220" };
    let inherited = Environment::inherited();
    let has_path = inherited.get(b"PATH").is_some();
    let mut entries = vec![term.to_owned()];
    for entry in inherited {
        if !entry.to_bytes().starts_with(b"TERM=") {
            entries.push(entry.to_owned());
        }
    }
    if !has_path {
        entries.push(path.to_owned());
    }
    sys::environment(entries)
}

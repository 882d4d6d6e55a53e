//! What `unshared-init` does with its arguments, be it the program of its own or the multi-call
//! binary called by that name.
use crate::descendants;
use crate::exec;
use crate::line::Line;
use crate::readiness::{News, Readiness};
use crate::reaper::{Change, Ended, Event, Reaper, Restart, Sweep};
use crate::signal::{Sender, Signal, is_delivered_by_terminal};
use crate::supervise::{Payload, Started, supervise};
use crate::sys::{self, Arguments, Descriptor, Environment, Memory, SignalState, Stream};
use crate::terminal::{self, Terminal};
use core::ffi::CStr;
use options::{Group, Options, Request};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};

mod options;

/// What we call ourselves in messages.
const NAME: &[u8] = b"unshared-init";

/// The name by which we are another program.
const DUMB_INIT: &[u8] = b"dumb-init";

/// The status for "unshared itself failed", usage errors among it.
const FAILED: u8 = 125;

/// The help text.
pub const HELP: &str = "Usage: unshared-init [OPTION]... [--] COMMAND [ARGUMENT]...

Runs COMMAND as PID 1 should: reaps every orphan, forwards every signal, and
ends with COMMAND's exit status (128+N if signal N killed it) once nothing is
left. Takes tini's options and variables, and called dumb-init, dumb-init's.

  -s               subreaper: where this is not PID 1, orphans come here too
  -g               COMMAND gets a process group, and every signal goes to it all
  -p SIGNAL        what COMMAND gets when the parent of this process ends
  --parent-fd FD   a pidfd, pipe or socket that tells of the parent's end
  -e STATUS        this exit status counts as 0 (repeatable)
  -r FROM:TO       pass signal FROM on as TO, with TO 0 not at all (repeatable)
  --grace SECONDS  what COMMAND leaves behind gets TERM, and KILL after so many
                   seconds (default 10); as soon as nothing is left, it is over
  --restart WHEN   start COMMAND again: never (default), on-failure or always,
                   after 0.1 to 30 seconds, until TERM, INT or QUIT comes
  --notification-fd FD  COMMAND writes a newline there once it is ready
  --ready-exec EXPR     what /bin/sh runs then (or after sd_notify's READY=1)
  --re-raise       end by the signal that killed COMMAND
  -w               say which orphans are reaped
  -v, -q           say more (repeatable), say nothing but errors
  -h, --help       this text
  --version        name and version

Example: unshare --pid --fork --mount-proc unshared-init -- sh -c 'sleep 1 &'
";

/// Runs `unshared-init` with its arguments (without its own name), and returns its exit status.
/// `program` is the name that it was called by.
#[must_use]
pub fn run(program: &[u8], arguments: Arguments, version: &str) -> u8 {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
    let mut options = Options::new(name == DUMB_INIT, Environment::inherited(), arguments);
    match options.read() {
        Ok(Request::Run) => run_command(options).unwrap_or(FAILED),
        Ok(Request::Help) => print(&[HELP.as_bytes()]),
        Ok(Request::Version) => print(&[NAME, b" ", version.as_bytes(), b"\n"]),
        Err(options::Wrong(problem, word)) => {
            complaint(problem)
                .text(b" ")
                .quoted(word.to_bytes())
                .text(b" (see: unshared-init --help)")
                .say();
            FAILED
        }
    }
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
    let mut command = Command {
        options: &options,
        signals,
        is_first,
        readiness,
        main: None,
        hook: None,
        from_terminal: None,
    };
    let ended = supervise(reaper, options.grace, &mut command);
    if let Some(main) = command.main
        && options.group == Group::Own
        && let Some(terminal) = Terminal::of_session()
    {
        terminal.take_from(main);
    }
    if let Some(main) = command.main
        && options.ends_group
        && options.rules.sweep == Sweep::Nothing
    {
        sys::send_to_group(main, Signal::TERM);
        sys::send_to_group(main, Signal::CONT);
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

/// What is ours to end after the command.
fn sweep(options: &Options, is_first: bool) -> Option<Sweep> {
    if is_first {
        return Some(Sweep::Namespace);
    }
    let warns = options.verbosity > 0;
    if !options.subreaper {
        if warns {
            complaint(b"not PID 1, and no subreaper (-s): what COMMAND leaves behind is neither reaped nor ended here").say();
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
        complaint(b"no /proc of this PID namespace: what COMMAND leaves behind is not ended here")
            .say();
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
/// the signal comes from ourselves. What cannot be seen is an end before that: a parent in another
/// PID namespace has no number here, and one that is gone has left no trace. `--parent-fd` does not
/// have this gap.
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

/// The command, started from here.
struct Command<'a> {
    options: &'a Options,
    signals: SignalState,
    is_first: bool,
    readiness: Readiness,
    main: Option<Pid>,
    /// The process of `--ready-exec`.
    hook: Option<Pid>,
    /// The last signal that the terminal sent to us and the command alike.
    from_terminal: Option<Signal>,
}

impl Payload for Command<'_> {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        if let Err(errno) = self.readiness.prepare() {
            failure(b"make what --notification-fd or --parent-fd needs", errno);
            return Err(errno);
        }
        let mut executed = true;
        let result = sys::start(Memory::Shared, &mut || {
            let status = self.execute();
            executed = false;
            status
        });
        self.readiness.started();
        self.main = result.ok();
        match result {
            Ok(pid) => Ok(Started { pid, executed }),
            Err(errno) => {
                failure(b"fork", errno);
                Err(errno)
            }
        }
    }

    fn stopped(&mut self, main: Pid, signal: Signal) {
        match self.options.group {
            // The shell that started us waits for us, not for the command.
            Group::Callers | Group::Session => {
                sys::stop_with_payload(signal, self.from_terminal == Some(signal));
            }
            Group::Own => terminal::stopped(main, signal),
        }
    }

    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        let (signal, sender) = self.wait_for_signal(timeout)?;
        if is_delivered_by_terminal(signal, sender) {
            self.from_terminal = Some(signal);
        }
        Some((signal, sender))
    }

    fn forward(&mut self, main: Pid, signal: Signal) {
        if self.options.verbosity > 1 {
            complaint(b"pass ").signal(signal).text(b" on to pid ").pid(main).say();
        }
        match self.options.group {
            Group::Callers => {
                // It may have changed its uid, or just have ended.
                let _ = sys::send(main, signal);
            }
            Group::Own | Group::Session => sys::send_to_group(main, signal),
        }
    }

    fn notice(&mut self, event: Event) {
        match event {
            Event::Started(pid) if self.options.verbosity > 1 => {
                let name = self.options.command.first().map_or(&[][..], CStr::to_bytes);
                complaint(b"started ").quoted(name).text(b" as pid ").pid(pid).say();
            }
            Event::Child(pid, Change::Ended(ended)) => self.notice_end(pid, ended),
            _ => {}
        }
    }
}

impl Command<'_> {
    fn wait_for_signal(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        let end = timeout.map(|timeout| sys::now().saturating_add(timeout));
        loop {
            let left = end.map(|end| end.saturating_sub(sys::now()));
            if self.readiness.is_idle() {
                return sys::wait_for_signal(left);
            }
            match self.readiness.wait(left) {
                News::Signal => {
                    if let Some(signal) = sys::wait_for_signal(Some(0)) {
                        return Some(signal);
                    }
                }
                News::Ready => self.ready(),
                News::ParentEnded => {
                    let signal = self.options.parent_death.unwrap_or(Signal::TERM);
                    return Some((signal, Sender::Process));
                }
                News::TimeOver => return None,
            }
        }
    }

    /// Child, not executed yet, memory shared with us: becomes the command, or says why not.
    fn execute(&self) -> u8 {
        if let Some(signal) = self.options.parent_death
            && !self.is_first
        {
            // We may be ended by what cannot be passed on.
            let _ = sys::set_parent_death_signal(signal);
        }
        match self.options.group {
            Group::Callers => {}
            Group::Own => {
                let _ = rustix::process::setpgid(None, None);
            }
            Group::Session => {
                let _ = rustix::process::setsid();
                sys::take_terminal();
            }
        }
        if let Err(errno) = self.readiness.hand_over() {
            let number = self.options.notification_fd.unwrap_or(0);
            complaint(b"--notification-fd ")
                .number(number.unsigned_abs().into())
                .errno(errno)
                .say();
            return FAILED;
        }
        sys::give_back_signals(self.signals);
        let command = self.options.command;
        let failure = exec::execute(command, Environment::inherited());
        let name = command.first().map_or(&[][..], CStr::to_bytes);
        let line = complaint(b"execute ").quoted(name).errno(failure.errno);
        let line = match failure.reason.as_slice() {
            [] => line,
            reason => line.text(b" (").text(reason).text(b")"),
        };
        line.say();
        failure.code
    }

    /// The command says that it is ready.
    fn ready(&mut self) {
        if self.options.verbosity > 1 {
            complaint(b"ready").say();
        }
        let Some(expression) = self.options.ready_exec else {
            return;
        };
        let signals = self.signals;
        let hook = sys::start(Memory::Shared, &mut || {
            sys::give_back_signals(signals);
            let errno = sys::execute_expression(expression, Environment::inherited());
            complaint(b"execute ").quoted(exec::SHELL.to_bytes()).errno(errno).say();
            FAILED
        });
        match hook {
            Ok(pid) => self.hook = Some(pid),
            Err(errno) => failure(b"fork for --ready-exec", errno),
        }
    }

    fn notice_end(&mut self, pid: Pid, ended: Ended) {
        let options = self.options;
        let subject: &[u8] = if self.main == Some(pid) {
            let restarts = options.rules.restart != Restart::Never;
            if options.verbosity < if restarts { 1 } else { 2 } {
                return;
            }
            b"the command, pid "
        } else if self.hook == Some(pid) {
            self.hook = None;
            if ended == Ended::Exited(0) {
                return;
            }
            b"--ready-exec, pid "
        } else if options.warn_of_reaping || options.verbosity > 2 {
            b"reaped: pid "
        } else {
            return;
        };
        let line = complaint(subject).pid(pid);
        match ended {
            Ended::Exited(status) => line.text(b", ended with status ").number(status.into()),
            Ended::Killed(signal) => line.text(b", was killed by ").signal(signal),
        }
        .say();
    }
}

/// The beginning of a line on standard error.
fn complaint(text: &[u8]) -> Line {
    Line::new(NAME).text(text)
}

/// A line about a system call that failed.
fn failure(attempt: &[u8], errno: Errno) {
    complaint(attempt).errno(errno).say();
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

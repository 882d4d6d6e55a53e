//! The command that `unshared-init` runs: started, signalled, and reported on.
use super::options::{Group, Options};
use super::{FAILED, complaint, failure};
use crate::exec;
use crate::readiness::{News, Readiness};
use crate::reaper::{Change, Ended, Event, Restart};
use crate::signal::{Sender, Signal, is_delivered_by_terminal};
use crate::supervise::{Payload, Started};
use crate::sys::{self, Environment, Memory, SignalState};
use crate::terminal;
use core::ffi::CStr;
use rustix::io::Errno;
use rustix::process::Pid;

/// The command, started from here.
pub(super) struct Command<'a> {
    options: &'a Options,
    signals: SignalState,
    is_first: bool,
    /// Ourselves.
    own: Pid,
    readiness: Readiness,
    main: Option<Pid>,
    /// The group of the main process that has ended.
    pub(super) group: Option<Pid>,
    /// The process of `--ready-exec`.
    hook: Option<Pid>,
    /// The last stop that the terminal sent to our process group, until it is over.
    stopped_from_terminal: Option<Signal>,
}

impl<'a> Command<'a> {
    /// Not started yet. `signals` is what whoever started us did about them; `is_first` says whether
    /// we are PID 1.
    pub(super) fn new(
        options: &'a Options,
        signals: SignalState,
        is_first: bool,
        readiness: Readiness,
    ) -> Command<'a> {
        Command {
            options,
            signals,
            is_first,
            own: rustix::process::getpid(),
            readiness,
            main: None,
            group: None,
            hook: None,
            stopped_from_terminal: None,
        }
    }
}

impl Payload for Command<'_> {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        if let Err(errno) = self.readiness.prepare() {
            failure(b"make what --notification-fd or --parent-fd needs", errno);
            return Err(errno);
        }
        let name = self.options.command.first();
        let mut executed = true;
        let result = sys::start(Memory::Shared, &mut || {
            let status = self.execute();
            executed = false;
            status
        });
        if let Some(name) = name {
            self.options.command.put_back(name);
        }
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
        let from_terminal = self.stopped_from_terminal.take();
        match self.options.group {
            // The shell that started us waits for us, not for the command.
            Group::Callers => sys::stop_with_payload(signal, from_terminal == Some(signal)),
            Group::Session => {
                sys::stop_with_payload(from_terminal.unwrap_or(signal), from_terminal.is_some());
            }
            Group::Own => terminal::stopped(main, signal, from_terminal),
        }
    }

    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        let (signal, sender) = self.wait_for_signal(timeout)?;
        match signal {
            Signal::CONT => self.stopped_from_terminal = None,
            Signal::TSTP | Signal::TTIN | Signal::TTOU
                if is_delivered_by_terminal(signal, sender) =>
            {
                self.stopped_from_terminal = Some(signal);
            }
            _ => {}
        }
        Some((signal, sender))
    }

    fn forward(&mut self, main: Pid, signal: Signal) {
        if self.options.verbosity > 1 {
            complaint(b"pass ").signal(signal).text(b" on to pid ").pid(main).say();
        }
        // It may have changed its uid, or just have ended.
        let _ = match self.options.group {
            Group::Callers => sys::send(main, signal),
            Group::Own | Group::Session => {
                let sent = sys::send_to_group(main, signal);
                // The command may have gone over to another group.
                if sys::leads_group(main) { sent } else { sys::send(main, signal) }
            }
        };
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
                    if self.readiness.catch_up() {
                        self.ready();
                    }
                    if let Some(signal) = sys::wait_for_signal(Some(0)) {
                        return Some(signal);
                    }
                }
                News::Ready => self.ready(),
                News::ParentEnded => {
                    let signal = self.options.parent_death.unwrap_or(Signal::TERM);
                    return Some((signal, Sender::ParentsEnd));
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
            // We may be ended by what cannot be passed on; perhaps we have been by now.
            let _ = sys::set_parent_death_signal(signal);
            if rustix::process::getppid() != Some(self.own) {
                let _ = sys::send(rustix::process::getpid(), signal);
            }
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
            self.group = self.main.take();
            // What it said last is passed on. That it was ready matters to nobody else any more.
            let _ = self.readiness.catch_up();
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

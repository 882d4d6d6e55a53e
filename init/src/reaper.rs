//! The core of the reaper: a state machine that is told events and answers with the next action.
//!
//! It knows no clock, makes no system call and cannot fail. The loop around it performs one action,
//! gets one event, and asks again:
//!
//! ```text
//! Start -> Started -> Wait -> Signal(CHLD) -> Collect -> Child -> Collect -> NoChildren -> Finish
//! ```
use crate::signal::{Sender, Signal, is_delivered_by_terminal};
use rustix::process::Pid;

mod backoff;
mod rules;

pub use backoff::Backoff;
pub use rules::{Restart, Rewrites, Rules, Statuses};

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It called _exit(2) with that status.
    Exited(u8),
    /// That signal ended it.
    Killed(Signal),
}

impl Ended {
    /// The exit status that stands for it, as shells have it: 128 and the signal's number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Ended::Exited(code) => code,
            Ended::Killed(signal) => 128 + signal.number() as u8,
        }
    }
}

/// What happened to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It ended, and is reaped.
    Ended(Ended),
    /// That signal stopped it.
    Stopped(Signal),
}

/// What the loop has to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The command that [`Action::Start`] asked for runs as this process.
    Started(Pid),
    /// It was forked as this process, could not be executed, and ends with a status that says so.
    NotExecuted(Pid),
    /// It could not be forked.
    NotStarted,
    /// A signal for us was read.
    Signal(Signal, Sender),
    /// The end of a time that was set: the grace period, the delay before a restart.
    TimeOver,
    /// A child changed.
    Child(Pid, Change),
    /// There are children, and none has news.
    NoNews,
    /// There are no children.
    NoChildren,
    /// The signal is passed on.
    Forwarded,
    /// The action is done, and there is nothing to tell of it.
    Done,
}

/// What the loop is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start the command with that number, counted from 0.
    Start(usize),
    /// Ask for a child's news without waiting.
    Collect,
    /// Wait for a signal.
    Wait,
    /// Wait for a signal, but not beyond the time that [`Action::Terminate`], [`Action::Kill`] or
    /// [`Action::Delay`] set.
    WaitForTime,
    /// Send the signal to that process. That it may be refused (the payload has another uid) is of
    /// no consequence.
    Forward(Pid, Signal),
    /// Tell who started us that the main process was stopped by that signal.
    ReportStop(Signal),
    /// Send TERM, then CONT (so that the stopped ones hear it), to everything that is left, and
    /// begin the grace period.
    Terminate,
    /// Send KILL to everything that is left, and set a time for a look at what is left.
    Kill,
    /// Set the time of the restart.
    Delay,
    /// End, with the main process's end as our own.
    Finish(Ended),
}

/// Whether the end of the main process is also the end of everything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// We are PID 1: everything in the namespace is ours to end.
    Namespace,
    /// We are a subreaper: orphans come to us, and what descends from us is ours to end.
    Descendants,
    /// We are not: other processes are none of our business.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The next command is about to be started.
    Starting,
    /// This is the main process.
    Running(Pid),
    /// The main process has ended; whether anything is left is being asked.
    Ending(Ended),
    /// What is left has been asked to end.
    Terminating(Ended),
    /// What was left has been killed, and will be so many times more.
    Killing(Ended, u8),
    /// Nothing is left, and the main process will be started again.
    Delaying(Ended),
}

/// The reaper's state.
#[derive(Clone, Debug)]
pub struct Reaper {
    rules: Rules,
    phase: Phase,
    /// The number of the current command.
    command: usize,
    /// A signal that asked for the end: the command that got it is the last, even if it had ended
    /// already.
    interrupted: Option<Signal>,
    /// TERM or INT has come: the next one does not want to wait.
    asked: bool,
    /// The main process could be executed once: that it cannot be now may be for a moment only.
    executed: bool,
}

/// How often what was killed is killed again before it is left to its fate: it may not be ours to
/// kill (another uid), or not to be woken (waiting for a disk).
const KILLS: u8 = 10;

/// Reported when our main process cannot be had: the status for "unshared itself failed".
const FAILED: Ended = Ended::Exited(125);

impl Reaper {
    /// A reaper by these rules. The first action is [`Action::Start`] of command 0.
    #[must_use]
    pub const fn new(rules: Rules) -> Reaper {
        Reaper {
            rules,
            phase: Phase::Starting,
            command: 0,
            interrupted: None,
            asked: false,
            executed: false,
        }
    }

    /// The rules that it goes by.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The action that follows on an event.
    pub fn next(&mut self, event: Event) -> Action {
        match event {
            Event::Started(pid) => {
                self.executed = true;
                self.phase = Phase::Running(pid);
                Action::Wait
            }
            Event::NotExecuted(pid) => {
                self.phase = Phase::Running(pid);
                Action::Wait
            }
            Event::NotStarted => self.end(FAILED),
            Event::Signal(Signal::CHLD, _) => Action::Collect,
            Event::Signal(signal, sender) => self.signalled(signal, sender),
            Event::TimeOver => self.time_over(),
            Event::Child(pid, change) => self.child(pid, change),
            Event::NoNews => self.idle(),
            Event::NoChildren => self.alone(),
            // What has ended meanwhile has told so by a signal that is still to be read.
            Event::Forwarded => self.wait(),
            Event::Done => self.done(),
        }
    }

    fn signalled(&mut self, signal: Signal, sender: Sender) -> Action {
        let asked_before = self.asked;
        self.asked |= is_impatient(signal);
        if self.asks_for_end(signal, sender) {
            self.interrupted = Some(signal);
        }
        match self.phase {
            Phase::Running(main) if !is_delivered_by_terminal(signal, sender) => {
                if sender == Sender::ParentsEnd {
                    return Action::Forward(main, signal);
                }
                match self.rules.rewrites.apply(signal) {
                    Some(signal) => Action::Forward(main, signal),
                    None => Action::Wait,
                }
            }
            // Whoever asks again while we wait for the others to end does not want to wait.
            Phase::Terminating(ended) if asked_before && is_impatient(signal) => {
                self.kill(ended, KILLS)
            }
            Phase::Delaying(ended) if self.interrupted.is_some() => Action::Finish(ended),
            Phase::Starting
            | Phase::Running(_)
            | Phase::Ending(_)
            | Phase::Terminating(_)
            | Phase::Killing(_, _)
            | Phase::Delaying(_) => self.wait(),
        }
    }

    /// Whether nothing is to be started after that signal.
    ///
    /// A Ctrl-C ends a sequence or restarts however the running command takes it, as it ends a
    /// script: it may have come when that command could no longer take it. With restarts, a hang-up
    /// that a process sent is the order to read the configuration again.
    fn asks_for_end(&self, signal: Signal, sender: Sender) -> bool {
        match signal {
            _ if sender == Sender::ParentsEnd => true,
            Signal::TERM | Signal::INT | Signal::QUIT => true,
            Signal::HUP => self.rules.restart == Restart::Never || sender != Sender::Process,
            _ => false,
        }
    }

    fn child(&mut self, pid: Pid, change: Change) -> Action {
        match (self.phase, change) {
            (Phase::Running(main), Change::Ended(ended)) if main == pid => self.main_ended(ended),
            (Phase::Running(main), Change::Stopped(signal)) if main == pid => {
                Action::ReportStop(signal)
            }
            (_, Change::Ended(_) | Change::Stopped(_)) => Action::Collect,
        }
    }

    fn main_ended(&mut self, ended: Ended) -> Action {
        if self.is_last() || !self.rules.is_success(ended) {
            return self.end(ended);
        }
        if let Some(signal) = self.interrupted {
            return self.end(Ended::Killed(signal));
        }
        self.command += 1;
        self.phase = Phase::Starting;
        Action::Start(self.command)
    }

    /// Whether the current command is the last one.
    fn is_last(&self) -> bool {
        self.command.saturating_add(1) >= self.rules.commands
    }

    fn end(&mut self, ended: Ended) -> Action {
        self.phase = Phase::Ending(ended);
        match self.rules.sweep {
            Sweep::Namespace | Sweep::Descendants => Action::Collect,
            Sweep::Nothing => self.over(ended),
        }
    }

    /// The main process has ended, and nothing that is ours to end is left.
    fn over(&mut self, ended: Ended) -> Action {
        let may_start = self.executed && self.interrupted.is_none() && self.is_last();
        if may_start && self.rules.starts_again(ended) {
            self.phase = Phase::Delaying(ended);
            return Action::Delay;
        }
        Action::Finish(ended)
    }

    /// Nothing more to collect, but children are left.
    fn idle(&mut self) -> Action {
        if let Phase::Ending(ended) = self.phase {
            self.phase = Phase::Terminating(ended);
            return Action::Terminate;
        }
        self.wait()
    }

    /// No children are left at all.
    fn alone(&mut self) -> Action {
        match self.phase {
            Phase::Ending(ended) | Phase::Terminating(ended) | Phase::Killing(ended, _) => {
                self.over(ended)
            }
            Phase::Delaying(_) => self.wait(),
            // Somebody else reaped our main process: its status is lost, and nobody is left.
            Phase::Starting | Phase::Running(_) => Action::Finish(FAILED),
        }
    }

    fn time_over(&mut self) -> Action {
        match self.phase {
            Phase::Terminating(ended) => self.kill(ended, KILLS),
            Phase::Killing(ended, 0) => self.over(ended),
            Phase::Killing(ended, left) => self.kill(ended, left - 1),
            Phase::Delaying(_) => {
                self.phase = Phase::Starting;
                Action::Start(self.command)
            }
            Phase::Starting | Phase::Running(_) | Phase::Ending(_) => self.wait(),
        }
    }

    fn kill(&mut self, ended: Ended, left: u8) -> Action {
        self.phase = Phase::Killing(ended, left);
        Action::Kill
    }

    /// A SIGCHLD stands for any number of children: after an action that interrupted the
    /// collecting, it goes on.
    fn done(&self) -> Action {
        match self.phase {
            Phase::Running(_) => Action::Collect,
            Phase::Starting
            | Phase::Ending(_)
            | Phase::Terminating(_)
            | Phase::Killing(_, _)
            | Phase::Delaying(_) => self.wait(),
        }
    }

    fn wait(&self) -> Action {
        match self.phase {
            Phase::Starting => Action::Start(self.command),
            Phase::Running(_) => Action::Wait,
            Phase::Ending(_) => Action::Collect,
            Phase::Terminating(_) | Phase::Killing(_, _) | Phase::Delaying(_) => {
                Action::WaitForTime
            }
        }
    }
}

/// The signals that cut the grace period short.
fn is_impatient(signal: Signal) -> bool {
    matches!(signal, Signal::TERM | Signal::INT)
}

#[cfg(test)]
mod tests;

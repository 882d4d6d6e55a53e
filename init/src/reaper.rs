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
    /// It could not be forked.
    NotStarted,
    /// A signal for us was read.
    Signal(Signal, Sender),
    /// The end of the grace period.
    GraceOver,
    /// A child changed.
    Child(Pid, Change),
    /// There are children, and none has news.
    NoNews,
    /// There are no children.
    NoChildren,
    /// The action is done, and there is nothing to tell of it.
    Done,
}

/// What the loop is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Start the next command.
    Start,
    /// Ask for a child's news without waiting.
    Collect,
    /// Wait for a signal.
    Wait,
    /// Wait for a signal, but not beyond the grace period that [`Action::Terminate`] began.
    WaitForGrace,
    /// Send the signal to that process. That it may be refused (the payload has another uid) is of
    /// no consequence.
    Forward(Pid, Signal),
    /// Tell who started us that the main process was stopped by that signal.
    ReportStop(Signal),
    /// Send TERM, then CONT (so that the stopped ones hear it), to everything in the namespace,
    /// and begin the grace period.
    Terminate,
    /// Send KILL to everything in the namespace.
    Kill,
    /// End, with the main process's end as our own.
    Finish(Ended),
}

/// Whether the end of the main process is also the end of everything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// We are PID 1: everything in the namespace is ours to end.
    Namespace,
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
    /// What was left has been killed.
    Killing(Ended),
}

/// The reaper's state.
#[derive(Debug)]
pub struct Reaper {
    phase: Phase,
    /// Commands to start after the current one.
    following: usize,
    /// A signal that asked for the end: the command that got it is the last, even if it had ended
    /// already.
    interrupted: Option<Signal>,
    sweep: Sweep,
}

/// Reported when our main process cannot be had: the status for "unshared itself failed".
const FAILED: Ended = Ended::Exited(125);

impl Reaper {
    /// A reaper for `commands` commands, run one after the other as long as each succeeds. The
    /// first action is [`Action::Start`].
    #[must_use]
    pub const fn new(commands: usize, sweep: Sweep) -> Reaper {
        Reaper {
            phase: Phase::Starting,
            following: commands.saturating_sub(1),
            interrupted: None,
            sweep,
        }
    }

    /// The action that follows on an event.
    pub fn next(&mut self, event: Event) -> Action {
        match event {
            Event::Started(pid) => {
                self.phase = Phase::Running(pid);
                Action::Wait
            }
            Event::NotStarted => self.end(FAILED),
            Event::Signal(Signal::CHLD, _) => Action::Collect,
            Event::Signal(signal, sender) => self.signalled(signal, sender),
            Event::GraceOver => self.kill(),
            Event::Child(pid, change) => self.child(pid, change),
            Event::NoNews => self.idle(),
            Event::NoChildren => self.alone(),
            Event::Done => self.done(),
        }
    }

    fn signalled(&mut self, signal: Signal, sender: Sender) -> Action {
        match self.phase {
            Phase::Running(main) if !is_delivered_by_terminal(signal, sender) => {
                if matches!(signal, Signal::TERM | Signal::INT | Signal::QUIT | Signal::HUP) {
                    self.interrupted = Some(signal);
                }
                Action::Forward(main, signal)
            }
            // Whoever asks again while we wait for the others to end does not want to wait.
            Phase::Terminating(_) if matches!(signal, Signal::TERM | Signal::INT) => self.kill(),
            Phase::Starting
            | Phase::Running(_)
            | Phase::Ending(_)
            | Phase::Terminating(_)
            | Phase::Killing(_) => self.wait(),
        }
    }

    fn child(&mut self, pid: Pid, change: Change) -> Action {
        match (self.phase, change) {
            (Phase::Running(main), Change::Ended(ended)) if main == pid => {
                if ended != Ended::Exited(0) || self.following == 0 {
                    return self.end(ended);
                }
                if let Some(signal) = self.interrupted {
                    return self.end(Ended::Killed(signal));
                }
                self.following -= 1;
                self.phase = Phase::Starting;
                Action::Start
            }
            (Phase::Running(main), Change::Stopped(signal)) if main == pid => {
                Action::ReportStop(signal)
            }
            (_, Change::Ended(_) | Change::Stopped(_)) => Action::Collect,
        }
    }

    fn end(&mut self, ended: Ended) -> Action {
        self.phase = Phase::Ending(ended);
        match self.sweep {
            Sweep::Namespace => Action::Collect,
            Sweep::Nothing => Action::Finish(ended),
        }
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
    fn alone(&self) -> Action {
        match self.phase {
            Phase::Ending(ended) | Phase::Terminating(ended) | Phase::Killing(ended) => {
                Action::Finish(ended)
            }
            // Somebody else reaped our main process: its status is lost, and nobody is left.
            Phase::Starting | Phase::Running(_) => Action::Finish(FAILED),
        }
    }

    fn kill(&mut self) -> Action {
        match self.phase {
            Phase::Ending(ended) | Phase::Terminating(ended) | Phase::Killing(ended) => {
                self.phase = Phase::Killing(ended);
                Action::Kill
            }
            Phase::Starting | Phase::Running(_) => self.wait(),
        }
    }

    /// A SIGCHLD stands for any number of children: after an action that interrupted the
    /// collecting, it goes on.
    fn done(&self) -> Action {
        match self.phase {
            Phase::Running(_) => Action::Collect,
            Phase::Starting | Phase::Ending(_) | Phase::Terminating(_) | Phase::Killing(_) => {
                self.wait()
            }
        }
    }

    fn wait(&self) -> Action {
        match self.phase {
            Phase::Starting => Action::Start,
            Phase::Running(_) | Phase::Killing(_) => Action::Wait,
            Phase::Ending(_) => Action::Collect,
            Phase::Terminating(_) => Action::WaitForGrace,
        }
    }
}

#[cfg(test)]
mod tests;

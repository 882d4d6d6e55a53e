//! Every order of events of any length: the reaper is followed through all of them with a witness
//! at its side, who knows only what was told and done, and objects to every lie.
//!
//! Where both have been in the same states before, the way ends: what follows depends on these alone,
//! and has been looked at. So the walk has an end, and has missed no order.
use super::*;
use std::collections::HashSet;

/// What an observer outside knows.
#[derive(Clone, Debug)]
struct Witness {
    restart: Restart,
    commands: usize,
    /// The command that runs.
    running: Option<Pid>,
    /// Whether one was ever executed.
    executed: bool,
    /// How the last main process ended, and how that was reported if it never started.
    ended: Option<Ended>,
    /// Somebody asked for the end.
    interrupted: bool,
}

impl Witness {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Started(pid) => (self.running, self.executed) = (Some(pid), true),
            Event::NotExecuted(pid) => self.running = Some(pid),
            Event::NotStarted => self.ended = Some(FAILED),
            Event::Child(pid, Change::Ended(ended)) if self.running == Some(pid) => {
                (self.running, self.ended) = (None, Some(ended));
            }
            Event::Signal(signal, _) => {
                self.interrupted |= matches!(signal, Signal::TERM | Signal::INT);
            }
            Event::Child(_, _)
            | Event::TimeOver
            | Event::NoNews
            | Event::NoChildren
            | Event::Forwarded
            | Event::Done => {}
        }
    }

    fn see(&self, action: Action) {
        match action {
            Action::Forward(who, _) => assert_eq!(self.running, Some(who)),
            Action::ReportStop(_) => assert!(self.running.is_some()),
            Action::Start(_) => {
                assert_eq!(self.running, None);
                assert!(!self.interrupted, "started after a request to end");
                let succeeded = self.ended == Some(Ended::Exited(0));
                let follows = self.commands > 1 && succeeded;
                let again = match self.restart {
                    Restart::Never => false,
                    Restart::OnFailure => !succeeded,
                    Restart::Always => true,
                };
                assert!(follows || (again && self.executed), "started without a reason");
            }
            Action::Terminate | Action::Kill => {
                assert_eq!(self.running, None, "the main process would be ended too");
                assert!(self.ended.is_some());
            }
            Action::Delay => {
                assert_eq!(self.running, None);
                assert!(!self.interrupted && self.executed && self.restart != Restart::Never);
            }
            Action::Finish(ended) => self.judge(ended),
            Action::Collect | Action::Wait | Action::WaitForTime => {}
        }
    }

    fn judge(&self, reported: Ended) {
        // Only if somebody else reaped it, the status of a running main process is lost.
        let known = if self.running.is_some() { FAILED } else { self.ended.unwrap() };
        let cut_short = self.commands > 1 && self.interrupted && known == Ended::Exited(0);
        assert!(
            reported == known || (cut_short && matches!(reported, Ended::Killed(_))),
            "{reported:?} is reported instead of {known:?}"
        );
    }
}

/// What can come after an action.
fn answers(action: Action) -> &'static [Event] {
    match action {
        Action::Finish(_) => &[],
        Action::Start(_) => {
            const { &[Event::Started(PID_MAIN), Event::NotExecuted(PID_MAIN), Event::NotStarted] }
        }
        _ => {
            const {
                &[
                    Event::Child(PID_MAIN, Change::Ended(Ended::Exited(5))),
                    Event::Child(PID_MAIN, Change::Ended(Ended::Exited(0))),
                    Event::Child(PID_OTHER, Change::Ended(Ended::Exited(6))),
                    Event::Child(PID_MAIN, Change::Stopped(Signal::STOP)),
                    Event::Signal(Signal::TERM, Sender::Process),
                    Event::Signal(Signal::INT, Sender::Kernel),
                    Event::Signal(Signal::CHLD, Sender::Kernel),
                    Event::TimeOver,
                    Event::NoNews,
                    Event::NoChildren,
                    Event::Forwarded,
                    Event::Done,
                ]
            }
        }
    }
}

const PID_MAIN: Pid = Pid::from_raw(MAIN).unwrap();
const PID_OTHER: Pid = Pid::from_raw(OTHER).unwrap();

/// Goes through all orders, a step at a time, until nothing new can come; returns after how many
/// steps that was.
fn walk(rules: Rules) -> usize {
    let witness = Witness {
        restart: rules.restart,
        commands: rules.commands,
        running: None,
        executed: false,
        ended: None,
        interrupted: false,
    };
    let mut seen = HashSet::new();
    let mut frontier = vec![(Reaper::new(rules), witness, Action::Start(0))];
    let mut steps = 0;
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (reaper, witness, action) in frontier {
            for event in answers(action) {
                let (mut reaper, mut witness) = (reaper.clone(), witness.clone());
                let action = reaper.next(*event);
                witness.hear(*event);
                witness.see(action);
                if seen.insert(format!("{reaper:?} {witness:?} {action:?}")) {
                    next.push((reaper, witness, action));
                }
            }
        }
        frontier = next;
        steps += 1;
    }
    steps
}

#[test]
fn no_order_of_events_makes_it_lie() {
    for restart in [Restart::Never, Restart::OnFailure, Restart::Always] {
        for sweep in [Sweep::Namespace, Sweep::Descendants, Sweep::Nothing] {
            for commands in [1, 2] {
                let steps = walk(Rules { commands, restart, ..Rules::new(sweep) });
                // A walk that ends at once has seen nothing.
                assert!(steps > 3, "{restart:?} {sweep:?} {commands}: {steps}");
            }
        }
    }
}

//! The core: one program that is kept up, be it a service's `run` or its log's. Events in, actions out;
//! no system call, no clock, nothing that can fail.
mod event;

pub(crate) use event::{Action, Actions, Event, Moment, Program};
use rustix::process::Pid;
use unshared_init::number::SECOND;
use unshared_init::signal::Signal;

/// What runs, in the numbers of runit's status file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Nothing.
    Down = 0,
    /// `run`.
    Run = 1,
    /// `finish`.
    Finish = 2,
}

/// What is to become of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// `run` is started again whenever it ends.
    Up,
    /// It stays down once it has ended.
    Down,
    /// Once it is down, nobody watches over it any more.
    Exit,
}

/// A run that ends sooner than this has failed at once.
const SHORT: u64 = SECOND;
/// The longest delay before a restart, in seconds.
const LONGEST: u64 = 60;

/// One program that is kept up.
#[derive(Debug)]
pub(crate) struct Unit {
    /// The process of `run` or `finish`.
    pub(crate) pid: Option<Pid>,
    pub(crate) state: State,
    pub(crate) want: Want,
    /// It has been sent STOP.
    pub(crate) paused: bool,
    /// It has been sent TERM.
    pub(crate) term: bool,
    /// It runs, and has said so if it says so at all.
    pub(crate) ready: bool,
    /// A script in `control/` runs; commands wait for its end.
    pub(crate) scripted: bool,
    /// It starts as soon as nothing is in its way.
    pub(crate) waits: bool,
    /// It is to exit once the script has ended.
    exits: bool,
    /// How often it has failed at once, one after the other.
    failures: u8,
    /// Since when it has been up or down, in nanoseconds since 1970.
    pub(crate) since: u64,
    /// When it was started, by the monotonic clock.
    started: u64,
    /// When it is to be started again, by the monotonic clock; `u64::MAX` for never.
    due: u64,
}

impl Unit {
    /// Not started yet.
    pub(crate) fn new(is_down: bool, now: Moment) -> Unit {
        Unit {
            pid: None,
            state: State::Down,
            want: if is_down { Want::Down } else { Want::Up },
            paused: false,
            term: false,
            ready: false,
            scripted: false,
            waits: false,
            exits: false,
            failures: 0,
            since: now.date,
            started: 0,
            due: u64::MAX,
        }
    }

    /// One that is to be taken up at that time of the monotonic clock.
    pub(crate) fn away(now: Moment, due: u64) -> Unit {
        Unit { due, ..Unit::new(false, now) }
    }

    /// The time at which [`Event::Due`] is to come.
    pub(crate) fn due(&self) -> u64 {
        self.due
    }

    /// Whether nothing of it is left, and nothing is to come.
    pub(crate) fn has_left(&self) -> bool {
        self.want == Want::Exit && self.is_idle() && !self.scripted
    }

    fn is_idle(&self) -> bool {
        self.pid.is_none() && self.state == State::Down
    }

    /// What follows from an event.
    pub(crate) fn next(&mut self, event: Event, now: Moment) -> Actions {
        let mut actions = Actions::new();
        let mut act = |action| {
            // There is room: no event leads to more than four.
            let _ = actions.push(action);
        };
        match event {
            Event::Command(letter) if self.scripted => self.exits |= letter == b'x',
            Event::Command(letter) => self.command(letter, &mut act),
            Event::Blocked => self.waits = true,
            Event::Free => {
                self.waits = false;
                if self.is_idle() && !self.scripted {
                    self.scripted = true;
                    act(Action::Script(b'u'));
                }
            }
            Event::Started(pid) => {
                self.pid = Some(pid);
                self.paused = false;
                self.term = false;
                if self.state != State::Finish {
                    self.state = State::Run;
                    self.started = now.uptime;
                    self.since = now.date;
                }
                act(Action::Report);
            }
            Event::NotStarted => {
                self.started = now.uptime;
                self.come_down(now, &mut act);
            }
            Event::NoFinish => self.come_down(now, &mut act),
            Event::Ended(ended) => {
                self.pid = None;
                self.term = false;
                self.paused = false;
                self.ready = false;
                if self.state == State::Run {
                    self.state = State::Finish;
                    act(Action::Start(Program::Finish(ended)));
                } else {
                    self.come_down(now, &mut act);
                }
            }
            Event::Scripted(letter, handled) => {
                self.scripted = false;
                if !(letter == b'u' && self.exits) {
                    self.scripted(letter, handled, &mut act);
                }
                if self.exits && !self.scripted {
                    self.exits = false;
                    self.command(b'x', &mut act);
                }
            }
            Event::Ready => {
                if self.state == State::Run && !self.ready {
                    self.ready = true;
                    act(Action::Ready);
                }
            }
            Event::Due => {
                self.due = u64::MAX;
                if self.is_idle() && self.want == Want::Up {
                    act(Action::Begin);
                }
            }
            Event::Drained => {
                self.cease(Want::Exit);
                act(Action::Report);
            }
            Event::Kill => {
                if self.pid.is_some() {
                    act(Action::Send(Signal::KILL));
                }
            }
        }
        actions
    }

    /// As runsv(8) has it.
    fn command(&mut self, letter: u8, act: &mut dyn FnMut(Action)) {
        match letter {
            b'u' | b'o' => {
                self.want = if letter == b'u' { Want::Up } else { Want::Down };
                act(Action::Report);
                if self.is_idle() {
                    self.due = u64::MAX;
                    act(Action::Begin);
                }
            }
            b'd' | b'x' => {
                self.cease(if letter == b'd' { Want::Down } else { Want::Exit });
                act(Action::Report);
                self.stop(act);
            }
            b't' => self.stop(act),
            _ if signal(letter).is_some() && self.pid.is_some() => {
                self.scripted = true;
                act(Action::Script(letter));
            }
            _ => {}
        }
    }

    /// No start is to come any more.
    fn cease(&mut self, want: Want) {
        self.want = want;
        self.waits = false;
        self.due = u64::MAX;
    }

    /// Asks `run` to end, if it runs.
    fn stop(&mut self, act: &mut dyn FnMut(Action)) {
        if self.pid.is_some() && self.state == State::Run {
            self.scripted = true;
            act(Action::Script(b't'));
        }
    }

    fn scripted(&mut self, letter: u8, handled: bool, act: &mut dyn FnMut(Action)) {
        match letter {
            b'u' => {
                if self.is_idle() {
                    act(Action::Start(Program::Run));
                }
                return;
            }
            b'd' | b'x' => return,
            _ if self.pid.is_none() => return,
            // The signal was for `run`.
            b't' if self.state != State::Run => return,
            _ => {}
        }
        if !handled && let Some(signal) = signal(letter) {
            act(Action::Send(signal));
        }
        match letter {
            b'p' => self.paused = true,
            b'c' => self.paused = false,
            b't' => {
                self.term |= !handled;
                let next = match self.want {
                    Want::Up => None,
                    Want::Down => Some(b'd'),
                    Want::Exit => Some(b'x'),
                };
                if let Some(next) = next {
                    act(Action::Send(Signal::CONT));
                    self.scripted = true;
                    act(Action::Script(next));
                }
            }
            _ => return,
        }
        act(Action::Report);
    }

    /// `run` and `finish` have ended, or could not be started.
    fn come_down(&mut self, now: Moment, act: &mut dyn FnMut(Action)) {
        self.state = State::Down;
        let ran = now.uptime.saturating_sub(self.started);
        self.since = now.date;
        act(Action::Report);
        if self.want != Want::Up {
            return;
        }
        if ran >= SHORT {
            self.failures = 0;
            act(Action::Begin);
        } else {
            let delay = 1_u64.wrapping_shl(self.failures.into()).min(LONGEST);
            self.failures = self.failures.saturating_add(1).min(6);
            self.due = now.uptime.saturating_add(delay * SECOND);
        }
    }
}

/// The signal of a letter.
fn signal(letter: u8) -> Option<Signal> {
    Some(match letter {
        b't' => Signal::TERM,
        b'k' => Signal::KILL,
        b'h' => Signal::HUP,
        b'i' => Signal::INT,
        b'q' => Signal::QUIT,
        b'p' => Signal::STOP,
        b'c' => Signal::CONT,
        b'a' => Signal::ALRM,
        b'1' => Signal::USR1,
        b'2' => Signal::USR2,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;

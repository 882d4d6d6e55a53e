//! What happens to a unit, and what follows.
use rustix::process::Pid;
use unshared_init::reaper::Ended;
use unshared_init::signal::Signal;

/// A point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    /// Nanoseconds by the monotonic clock.
    pub(crate) uptime: u64,
    /// Nanoseconds since 1970.
    pub(crate) date: u64,
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A letter came out of `supervise/control`.
    Command(u8),
    /// What [`Action::Begin`] asked for: something that it waits for is not ready.
    Blocked,
    /// Nothing is in the way of `run`.
    Free,
    /// `run` or `finish` has been started.
    Started(Pid),
    /// There is no process to be had.
    NotStarted,
    /// There is no `finish`.
    NoFinish,
    /// Its process has ended.
    Ended(Ended),
    /// The script `control/LETTER` has ended, and has seen to it all, or has not (or is not there).
    Scripted(u8, bool),
    /// It says that it is ready.
    Ready,
    /// The time has come that [`super::Unit::due`] said.
    Due,
    /// It is to end for good without a signal: its input ends.
    Drained,
    /// Whatever runs is to be killed.
    Kill,
}

/// What is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// `run`.
    Run,
    /// `finish`, with how `run` ended.
    Finish(Ended),
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Look whether `run` may be started, and say [`Event::Free`] or [`Event::Blocked`].
    Begin,
    /// Start it.
    Start(Program),
    /// Run `control/LETTER` if there is one.
    Script(u8),
    /// Send its process a signal.
    Send(Signal),
    /// Tell those who wait for it that it is ready.
    Ready,
    /// Write down what is so now.
    Report,
}

/// More than follow from one event.
pub(crate) type Actions = heapless::Vec<Action, 6>;

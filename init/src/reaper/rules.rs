//! What the reaper is asked to do about ends and signals.
use super::{Ended, Sweep};
use crate::signal::Signal;

/// The rules of one run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How many commands there are, run one after the other as long as each succeeds. The last one
    /// is what a restart starts again.
    pub commands: usize,
    /// What the end of the main process means to the others.
    pub sweep: Sweep,
    /// Whether the main process is started again.
    pub restart: Restart,
    /// Exit statuses that are success, and 0 to the outside.
    pub successes: Statuses,
    /// Signals that become others on their way to the main process.
    pub rewrites: Rewrites,
}

impl Rules {
    /// One command, the processes of its namespace swept after it, and nothing else asked for.
    #[must_use]
    pub const fn new(sweep: Sweep) -> Rules {
        Rules {
            commands: 1,
            sweep,
            restart: Restart::Never,
            successes: Statuses::none(),
            rewrites: Rewrites::none(),
        }
    }

    /// Whether that end is a success.
    #[must_use]
    pub fn is_success(&self, ended: Ended) -> bool {
        ended == Ended::Exited(0) || self.successes.contains(ended.code())
    }

    /// The exit status for that end.
    #[must_use]
    pub fn status(&self, ended: Ended) -> u8 {
        if self.is_success(ended) { 0 } else { ended.code() }
    }

    /// Whether what ended so is to be started again.
    pub(super) fn starts_again(&self, ended: Ended) -> bool {
        match self.restart {
            Restart::Never => false,
            Restart::OnFailure => !self.is_success(ended),
            Restart::Always => true,
        }
    }
}

/// When the main process is started again after its end. A request to end (TERM, INT, QUIT) that
/// came before is also the end of restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Restart {
    /// Its end is the end.
    Never,
    /// After an end that was no success.
    OnFailure,
    /// After every end.
    Always,
}

impl Restart {
    /// By its name on the command line.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Restart> {
        match core::str::from_utf8(text).ok()? {
            "never" => Some(Restart::Never),
            "on-failure" => Some(Restart::OnFailure),
            "always" => Some(Restart::Always),
            _ => None,
        }
    }
}

/// A set of exit statuses.
#[derive(Clone, Debug)]
pub struct Statuses([u64; 4]);

impl Statuses {
    /// The empty set.
    #[must_use]
    pub const fn none() -> Statuses {
        Statuses([0; 4])
    }

    /// Adds one.
    pub fn add(&mut self, status: u8) {
        if let Some(word) = self.0.get_mut(usize::from(status / 64)) {
            *word |= 1 << (status % 64);
        }
    }

    fn contains(&self, status: u8) -> bool {
        self.0.get(usize::from(status / 64)).is_some_and(|word| word & (1 << (status % 64)) != 0)
    }
}

/// What each signal becomes before it is passed on.
#[derive(Clone, Debug)]
pub struct Rewrites([Option<Rewrite>; 64]);

/// One signal's fate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rewrite {
    To(Signal),
    Drop,
}

impl Rewrites {
    /// Every signal stays what it is.
    #[must_use]
    pub const fn none() -> Rewrites {
        Rewrites([None; 64])
    }

    /// Passes `from` on as `to`, or not at all.
    pub fn set(&mut self, from: Signal, to: Option<Signal>) {
        if let Some(place) = self.0.get_mut(place(from)) {
            *place = Some(to.map_or(Rewrite::Drop, Rewrite::To));
        }
    }

    /// As [`Rewrites::set`], where nothing has been set.
    pub fn set_default(&mut self, from: Signal, to: Signal) {
        if let Some(place) = self.0.get_mut(place(from)) {
            place.get_or_insert(Rewrite::To(to));
        }
    }

    /// What is passed on for a signal, if anything is.
    #[must_use]
    pub fn apply(&self, signal: Signal) -> Option<Signal> {
        match self.0.get(place(signal)).copied().flatten() {
            None => Some(signal),
            Some(Rewrite::To(signal)) => Some(signal),
            Some(Rewrite::Drop) => None,
        }
    }
}

/// Where a signal is in the table.
fn place(signal: Signal) -> usize {
    usize::try_from(signal.number()).unwrap_or(0).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_added_and_nothing_else() {
        for added in 0..=255 {
            let mut statuses = Statuses::none();
            statuses.add(added);
            for status in 0..=255 {
                assert_eq!(statuses.contains(status), status == added);
            }
        }
    }

    #[test]
    fn a_signal_becomes_another_or_none() {
        let mut rewrites = Rewrites::none();
        rewrites.set(Signal::TERM, Some(Signal::QUIT));
        rewrites.set(Signal::HUP, None);
        rewrites.set_default(Signal::TERM, Signal::KILL);
        rewrites.set_default(Signal::TSTP, Signal::STOP);
        assert_eq!(rewrites.apply(Signal::TSTP), Some(Signal::STOP));
        assert_eq!(rewrites.apply(Signal::TERM), Some(Signal::QUIT));
        assert_eq!(rewrites.apply(Signal::HUP), None);
        assert_eq!(rewrites.apply(Signal::INT), Some(Signal::INT));
    }

    #[test]
    fn a_status_that_is_named_is_success_however_it_came_about() {
        let mut rules = Rules::new(Sweep::Nothing);
        rules.successes.add(143);
        assert_eq!(rules.status(Ended::Killed(Signal::TERM)), 0);
        assert_eq!(rules.status(Ended::Exited(143)), 0);
        assert_eq!(rules.status(Ended::Exited(142)), 142);
    }
}

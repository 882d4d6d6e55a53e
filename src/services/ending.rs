//! The end: services stop in the reverse of the order in which they were started, those of the same rank
//! together; then whatever else is left.
use super::Request;
use super::files::Role;
use super::supervisor::Supervisor;
use super::table::Index;
use super::unit::Event;
use super::{Heed, complaint};
use unshared_init::number::SECOND;
use unshared_init::reaper::Sweep;
use unshared_init::signal::Signal;
use unshared_init::supervise::send_to_rest;
use unshared_init::sys;

/// After so long, what has been killed is looked for again.
const KILL_AGAIN: u64 = SECOND;

/// How far the end has come.
pub(crate) struct Ending {
    /// The signal that asked for it.
    signal: Signal,
    /// Services of this rank and higher ones have been told.
    rank: u16,
    /// When what is left of them is killed, by the monotonic clock.
    deadline: u64,
    /// Nobody is waited for.
    hurries: bool,
}

impl Ending {
    pub(super) fn time(&self) -> u64 {
        self.deadline
    }
}

impl Supervisor<'_> {
    /// The end is asked for, or, the second time, asked for in a hurry.
    pub(super) fn begin_end(&mut self, signal: Signal) {
        if let Some(ending) = &mut self.ending {
            ending.hurries = true;
            ending.deadline = 0;
            return;
        }
        if self.request.is_verbose {
            complaint(b"").text(b"ending: ").signal(signal).say();
        }
        self.ending = Some(Ending { signal, rank: u16::MAX, deadline: u64::MAX, hurries: false });
        for index in self.table.indexes() {
            if self.table.get(index).is_some_and(|service| !service.is_taken_up()) {
                self.table.remove(index);
            }
        }
    }

    pub(super) fn has_hurry(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.hurries)
    }

    /// Goes on with the end if there is one; returns its signal when no service is left.
    pub(super) fn advance(&mut self) -> Option<Signal> {
        loop {
            let ending = self.ending.as_ref()?;
            let (signal, told) = (ending.signal, ending.rank);
            let Some(highest) = self.table.iter().map(|(_, service)| service.rank).max() else {
                return Some(signal);
            };
            if highest >= told {
                break;
            }
            self.tell(highest);
        }
        let now = sys::now();
        let ending = self.ending.as_mut().filter(|ending| ending.deadline <= now)?;
        ending.deadline = now.saturating_add(KILL_AGAIN);
        self.kill_told(self.ending.as_ref()?.rank);
        None
    }

    /// Those of a rank are told to end.
    fn tell(&mut self, rank: u16) {
        let grace = self.request.grace;
        if let Some(ending) = &mut self.ending {
            ending.rank = rank;
            let end = sys::now().saturating_add(grace);
            ending.deadline = if ending.hurries { 0 } else { end };
        }
        for index in self.table.indexes() {
            if self.table.get(index).is_some_and(|service| service.rank == rank) {
                self.drive(index, Role::Main, Event::Command(b'x'));
            }
        }
    }

    fn kill_told(&mut self, rank: u16) {
        for index in self.table.indexes() {
            if self.table.get(index).is_some_and(|service| service.rank >= rank) {
                self.kill(index);
            }
        }
    }

    /// What keeps a service from its end is killed: first its script, `run` or `finish`, and when these
    /// have ended, its log.
    fn kill(&mut self, index: Index) {
        let Some(service) = self.table.get(index) else { return };
        if let Some((script, _)) = service.main.script {
            let _ = sys::send(script, Signal::KILL);
        }
        let role = if service.main.unit.has_left() { Role::Log } else { Role::Main };
        self.drive(index, role, Event::Kill);
    }
}

/// Ends what is left when the services have ended, as the reaper does.
pub(super) fn sweep(request: &Request<'_>, mut hurries: bool) {
    let mut deadline = sys::now().saturating_add(request.grace);
    let mut is_told = false;
    loop {
        let is_left = loop {
            match sys::next_change() {
                Ok(Some(_)) => {}
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        if !is_left || request.sweep == Sweep::Nothing {
            return;
        }
        let now = sys::now();
        if hurries || now >= deadline {
            send_to_rest(request.sweep, Signal::KILL);
            hurries = false;
            deadline = sys::now().saturating_add(KILL_AGAIN);
        } else if !is_told {
            send_to_rest(request.sweep, Signal::TERM);
            send_to_rest(request.sweep, Signal::CONT);
        }
        is_told = true;
        if let Some((signal, _)) = sys::wait_for_signal(Some(deadline.saturating_sub(sys::now()))) {
            hurries |= signal != Signal::CHLD && (request.heed)(signal) == Heed::End;
        }
    }
}

//! What a service waits for before it is started: the names in its file `after`.
use super::complaint;
use super::files::{self, Role};
use super::supervisor::Supervisor;
use super::table::{Index, MOST, Table, Wait};
use super::unit::Event;
use rustix::fd::AsFd;

/// No longer may the file be.
const LONGEST: usize = 4096;

impl Supervisor<'_> {
    /// Looks whether everything is ready that is named in `after`; keeps what is not.
    pub(super) fn look_at_what_it_waits_for(&mut self, index: Index) -> Event {
        let mut buffer = [0; LONGEST];
        let Some(service) = self.table.get(index) else { return Event::Blocked };
        let text = files::read(service.directory.as_fd(), c"after", &mut buffer);
        if text.len() == LONGEST {
            complaint(&service.name).text(b"after is too long: its first 4096 bytes count").say();
        }
        let (wait, rank) = look(self.table, index, text);
        if let Some(service) = self.table.get(index) {
            service.wait = wait;
            service.has_told_of_name = wait == Wait::ForAName;
            service.rank = rank;
        }
        match wait {
            Wait::Nothing => Event::Free,
            Wait::For(_) | Wait::ForAName | Wait::Unknown => Event::Blocked,
        }
    }

    /// A service is ready, or gone: those that wait for it are to be looked at.
    pub(super) fn recheck_what_waits_for(&mut self, index: Index) {
        self.recheck_if(|wait| wait == Wait::For(index));
    }

    /// There is a new service: perhaps it is one that others wait for.
    pub(super) fn recheck_what_waits_for_names(&mut self) {
        self.recheck_if(|wait| wait == Wait::ForAName);
    }

    fn recheck_if(&mut self, concerns: impl Fn(Wait) -> bool) {
        for service in self.table.iter_mut().filter(|service| concerns(service.wait)) {
            service.wait = Wait::Unknown;
            self.rechecks = true;
        }
    }

    /// Looks again at those for which something has changed. A start may be news for others.
    pub(super) fn recheck(&mut self) {
        while core::mem::take(&mut self.rechecks) {
            for index in self.table.indexes() {
                let Some(service) = self.table.get(index) else { continue };
                if service.wait != Wait::Unknown {
                    continue;
                }
                service.wait = Wait::Nothing;
                if service.main.unit.waits {
                    let event = self.look_at_what_it_waits_for(index);
                    self.drive(index, Role::Main, event);
                }
            }
        }
    }
}

/// What a service with these names in `after` waits for, and its rank if that is nothing.
fn look(table: &mut Table, index: Index, names: &[u8]) -> (Wait, u16) {
    let mut rank = 0;
    let words = names.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty());
    for name in words {
        let Some((other, found)) = table.find(name) else {
            if !table.get(index).is_some_and(|service| service.has_told_of_name) {
                say(table, index, name, b" is no service here: waiting for one");
            }
            return (Wait::ForAName, 0);
        };
        if found.main.unit.ready {
            rank = rank.max(found.rank.saturating_add(1));
        } else if other == index || is_circle(table, index, other) {
            say(table, index, name, b" waits for this one in turn, so it is not waited for");
        } else {
            return (Wait::For(other), 0);
        }
    }
    (Wait::Nothing, rank)
}

fn say(table: &mut Table, index: Index, name: &[u8], what: &[u8]) {
    if let Some(service) = table.get(index) {
        complaint(&service.name).text(b"after: ").quoted(name).text(what).say();
    }
}

/// Whether that other one waits, by however many in between, for this one.
fn is_circle(table: &mut Table, index: Index, other: Index) -> bool {
    let mut at = other;
    for _ in 0..MOST {
        match table.get(at).map(|service| (service.main.unit.waits, service.wait)) {
            Some((true, Wait::For(next))) if next == index => return true,
            Some((true, Wait::For(next))) => at = next,
            _ => return false,
        }
    }
    false
}

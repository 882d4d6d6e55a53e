//! The services that are watched over, in a table of a fixed size. It lies in .bss, where a page costs
//! nothing until it is touched, and a place in it is small: see the test.
use super::files::{self, Failed, Files, Role};
use super::unit::Unit;
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::Pid;
use unshared_init::sys::Descriptor;

/// So many services there may be, as with runsvdir(8).
pub(crate) const MOST: usize = 1000;

/// The longest name of a service, in bytes.
pub(crate) const LONGEST_NAME: usize = 63;

/// The number of a service in the table; it stays the same while the service is there.
pub(crate) type Index = u16;

/// A name.
pub(crate) type Name = heapless::Vec<u8, LONGEST_NAME, u8>;

/// What stands between a service and its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    /// Nothing is known to.
    Nothing,
    /// That one is to be ready before.
    For(Index),
    /// A name in `after` is none of a service.
    ForAName,
    /// Something has changed: it is to be looked up again.
    Unknown,
}

/// One program of a service, with what belongs to it.
#[derive(Debug)]
pub(crate) struct Entity {
    pub(crate) unit: Unit,
    /// `None` while nobody watches over it.
    pub(crate) files: Option<Files>,
    /// The process of a script in `control/`, and its letter.
    pub(crate) script: Option<(Pid, u8)>,
}

/// One service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: Name,
    /// Its directory, also when that has another name by now, or none.
    pub(crate) directory: OwnedFd,
    /// The directory's inode number: with its device, what tells it from others.
    pub(crate) inode: u64,
    pub(crate) main: Entity,
    pub(crate) log: Option<Entity>,
    /// From `run` to `log/run`; both ends are held as long as the service is there.
    pub(crate) pipe: Option<(Descriptor, Descriptor)>,
    /// Where `run` is going to say that it is ready.
    pub(crate) notification: Option<Descriptor>,
    pub(crate) wait: Wait,
    /// It has been said that it waits for a name that is none.
    pub(crate) has_told_of_name: bool,
    /// One more than the highest rank of what it was started after; 0 if that is nothing.
    pub(crate) rank: u16,
    /// Its directory is no longer there.
    pub(crate) is_gone: bool,
    /// The scan that goes on has come across it.
    pub(crate) is_seen: bool,
    /// It has been said that nobody can watch over it.
    pub(crate) is_refused: bool,
}

impl Service {
    pub(crate) fn entity(&mut self, role: Role) -> Option<&mut Entity> {
        match role {
            Role::Main => Some(&mut self.main),
            Role::Log => self.log.as_mut(),
        }
    }

    /// Writes down what is so now.
    pub(crate) fn report(&self, role: Role) -> Result<(), Failed> {
        let unit = match role {
            Role::Main => Some(&self.main.unit),
            Role::Log => self.log.as_ref().map(|log| &log.unit),
        };
        unit.map_or(Ok(()), |unit| files::report(self.directory.as_fd(), role, unit))
    }

    /// Whether somebody watches over it.
    pub(crate) fn is_taken_up(&self) -> bool {
        self.main.files.is_some()
    }

    /// Whether nothing of it is left.
    pub(crate) fn has_left(&self) -> bool {
        self.main.unit.has_left() && self.log.as_ref().is_none_or(|log| log.unit.has_left())
    }

    /// The times at which something is to be done about it.
    pub(crate) fn due(&self) -> u64 {
        self.main.unit.due().min(self.log.as_ref().map_or(u64::MAX, |log| log.unit.due()))
    }
}

/// All of them.
pub(crate) struct Table {
    places: heapless::Vec<Option<Service>, MOST>,
}

impl Table {
    pub(crate) const fn new() -> Table {
        Table { places: heapless::Vec::new() }
    }

    #[inline(never)]
    pub(crate) fn get(&mut self, index: Index) -> Option<&mut Service> {
        self.places.get_mut(usize::from(index))?.as_mut()
    }

    /// All numbers that a service may have.
    pub(crate) fn indexes(&self) -> core::ops::Range<Index> {
        0..self.places.len() as Index
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Index, &Service)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, place)| Some((index as Index, place.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Service> {
        self.places.iter_mut().flatten()
    }

    /// Adds one; `None` where there is no place left.
    pub(crate) fn add(&mut self, service: Service) -> Option<Index> {
        let free = self.places.iter().position(Option::is_none);
        let index = free.unwrap_or(self.places.len());
        match free.and_then(|free| self.places.get_mut(free)) {
            Some(place) => *place = Some(service),
            None => self.places.push(Some(service)).ok()?,
        }
        Some(index as Index)
    }

    pub(crate) fn remove(&mut self, index: Index) {
        if let Some(place) = self.places.get_mut(usize::from(index)) {
            *place = None;
        }
    }

    /// The service of that name which is there; one that is on its way out has lost its name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<(Index, &Service)> {
        self.iter().find(|(_, service)| !service.is_gone && service.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_takes_less_than_300_bytes() {
        assert!(size_of::<Option<Service>>() <= 300, "{}", size_of::<Option<Service>>());
    }
}

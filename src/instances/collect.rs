//! `gc`: ends and heals what killed launchers have left.
use crate::error::{Error, quote};
#[cfg(feature = "network")]
use crate::network::netns;
use crate::registry::facts::Facts;
use crate::registry::heal::heal;
use crate::registry::record::{Missing, PATIENCE, Record, Taken};
use crate::registry::{State, pause};
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::sys::now;

/// Heals every record that nobody holds, and what is left of named network namespaces; prints the names
/// of those that had something to heal.
pub(crate) fn run() -> Result<u8, Error> {
    let Some(state) = State::look()? else { return Ok(0) };
    let mut healed = Vec::new();
    let mut first = None;
    for name in state.names()? {
        match one(&name) {
            Ok(false) => {}
            Ok(true) => {
                healed.extend_from_slice(name.to_bytes());
                healed.push(b'\n');
            }
            Err(error) => {
                // Each has its line; the last one is main's to say.
                if let Some(before) = first.replace(error) {
                    crate::say(&before.message());
                }
            }
        }
    }
    #[cfg(feature = "network")]
    for name in netns::collect(&state)? {
        healed.extend_from_slice(name.to_bytes());
        healed.push(b'\n');
    }
    state.remove_if_empty();
    crate::print(&healed)?;
    first.map_or(Ok(0), Err)
}

/// Heals one, and removes its record. Whether there was something to heal.
pub(super) fn one(name: &CStr) -> Result<bool, Error> {
    let cannot = |what: &str, errno: Errno| {
        Error::system(format!("{what} the record of instance {}", quote(name.to_bytes())), errno)
    };
    let end = now() + PATIENCE;
    loop {
        let Some(state) = State::look()? else { return Ok(false) };
        match Record::take(state, name, Missing::Leave) {
            Ok(Taken::Ours(record)) => {
                let healed = heal(&record, None);
                record.remove()?;
                return Ok(healed);
            }
            Ok(Taken::Gone) => return Ok(false),
            Ok(Taken::Held(file)) => {
                let is_held = Facts::read(&file).is_ok_and(|facts| facts.holder().is_some());
                if is_held || now() > end {
                    return Ok(false);
                }
            }
            Err(errno) => return Err(cannot("take", errno)),
        }
        // Its child is about to let go of the lock that its launcher had.
        pause();
    }
}

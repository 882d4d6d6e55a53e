//! Bridges: made where there is none, and taken away again by the last who uses one.
use super::links::{Links, address_of};
use super::names;
use crate::error::quote;
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::registry::record::Record;
use crate::registry::undo::Undo;
use crate::registry::{State, shared};
use crate::spec::network::Cidr;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use unshared_netlink::link::{Kind, Link};
use unshared_netlink::message::Verb;

/// What several instances share (registry::shared): a bridge, and an address of one.
pub(crate) const BRIDGE: &str = "bridge";
const ADDRESS: &str = "bridge-address";

/// A name for an address of a bridge, as that of a file.
fn address_object(bridge: &CStr, address: &Cidr) -> Vec<u8> {
    let address = address.to_string().replace('/', "_");
    [bridge.to_bytes(), b"_", address.as_bytes()].concat()
}

impl Links {
    pub(super) fn add_bridge(
        &mut self,
        bridge: &CString,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        journal.until_end(Undo::LeaveBridge(bridge.clone()))?;
        let record = journal.record().ok_or(Errno::NOENT)?;
        self.join_bridge(&record.state, &record.name, bridge)
    }

    /// Makes `user` one of the bridge's, which is made where there is none.
    pub(super) fn join_bridge(
        &mut self,
        state: &State,
        user: &CStr,
        bridge: &CStr,
    ) -> Result<(), Failure> {
        // As long as these are held, nobody makes it or takes it away.
        let users = shared::join(state, user, BRIDGE, bridge.to_bytes())?;
        let socket = self.socket()?;
        let index = match socket.find(bridge.to_bytes())? {
            Some(Found { is_bridge: true, index, .. }) => index,
            Some(_) => {
                let problem = format!("link {} is no bridge", quote(bridge.to_bytes()));
                return Err(Failure::new(Errno::EXIST, problem));
            }
            None => {
                users.note_made()?;
                let id = crate::files::read_file("/etc/machine-id").unwrap_or_default();
                let link = Link {
                    name: Some(bridge.to_bytes()),
                    address: Some(names::bridge_address(bridge, &id)),
                    kind: Some(Kind::Bridge),
                    ..Link::default()
                };
                socket.link(Verb::Create, link.up())?;
                socket.find(bridge.to_bytes())?.ok_or(Errno::NODEV)?.index
            }
        };
        self.remember(bridge, index);
        Ok(())
    }

    pub(super) fn add_bridge_address(
        &mut self,
        bridge: &CString,
        address: Cidr,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        let undo = Undo::LeaveBridgeAddress { bridge: bridge.clone(), address };
        journal.until_end(undo)?;
        let record = journal.record().ok_or(Errno::NOENT)?;
        let users =
            shared::join(&record.state, &record.name, ADDRESS, &address_object(bridge, &address))?;
        let index = self.index(bridge)?;
        let socket = self.socket()?;
        let mut is_there = false;
        socket.addresses(&mut |one| {
            is_there |=
                (one.index, one.address, one.prefix) == (index, address.address, address.prefix);
        })?;
        if is_there {
            return Ok(());
        }
        users.note_made()?;
        socket.address(Verb::Create, address_of(index, address))
    }
}

/// Undo: `user` has no port on that bridge any more; if it was the last, and we made
/// the bridge, that goes.
pub(crate) fn leave_bridge(state: &State, user: &CStr, bridge: &CStr) {
    let _ = shared::leave(state, user, BRIDGE, bridge.to_bytes(), &mut |made| match made {
        true => remove_bridge(&mut Socket::open()?, bridge).map_err(|failure| failure.errno()),
        false => Ok(()),
    });
}

fn remove_bridge(socket: &mut Socket, bridge: &CStr) -> Result<(), Failure> {
    match socket.find(bridge.to_bytes())? {
        Some(Found { is_bridge: true, index, .. }) => {
            socket.link(Verb::Delete, Link { index, ..Link::default() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Undo: the same for an address of the bridge's.
pub(crate) fn leave_bridge_address(record: &Record, bridge: &CStr, address: Cidr) {
    let take = || -> Result<(), Failure> {
        let mut socket = Socket::open()?;
        match socket.find(bridge.to_bytes())? {
            Some(found) => socket.address(Verb::Delete, address_of(found.index, address)),
            None => Ok(()),
        }
    };
    let object = address_object(bridge, &address);
    let _ = shared::leave(&record.state, &record.name, ADDRESS, &object, &mut |made| match made {
        true => take().map_err(|failure| failure.errno()),
        false => Ok(()),
    });
}

//! The steps about links, performed. Each of the two processes has one socket for all of its steps.
use super::{Inner, NetStep, Upon, lent, names, nat, pasta};
use crate::error::{Error, FAILED, quote};
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::registry::record::Record;
use crate::registry::undo::Undo;
use crate::registry::{State, shared};
use crate::spec::network::Cidr;
use core::net::IpAddr;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::LinkNameSpaceType;
use std::ffi::{CStr, CString};
use unshared_init::sys::SignalState;
use unshared_netlink::address::{Address, NODAD};
use unshared_netlink::link::{Kind, LOOPBACK, Link, Namespace, Peer};
use unshared_netlink::message::Verb;
use unshared_netlink::route::Route;

/// `MACVLAN_MODE_BRIDGE`, `IPVLAN_MODE_L2`.
const MACVLAN_BRIDGE: u32 = 4;
const IPVLAN_L2: u16 = 0;

/// How many times a name is tried that a link still has which is about to go.
const ATTEMPTS: u32 = 3;

/// A process's socket, and what it has found already.
#[derive(Default)]
pub(crate) struct Links {
    socket: Option<Socket>,
    /// The link that was looked up last.
    last: Option<(CString, u32)>,
}

impl Links {
    pub(super) fn socket(&mut self) -> Result<&mut Socket, Failure> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open()?,
        };
        Ok(self.socket.insert(socket))
    }

    /// The index of a link, looked up once.
    fn index(&mut self, name: &CStr) -> Result<u32, Failure> {
        if let Some((last, index)) = &self.last
            && last.as_c_str() == name
        {
            return Ok(*index);
        }
        match self.socket()?.find(name.to_bytes())? {
            Some(found) => Ok(self.remember(name, found.index)),
            None => {
                let problem = format!("there is no link {}", quote(name.to_bytes()));
                Err(Failure::new(Errno::NODEV, problem))
            }
        }
    }

    fn remember(&mut self, name: &CStr, index: u32) -> u32 {
        self.last = Some((name.to_owned(), index));
        index
    }

    /// Brings `lo` up in our network namespace.
    pub(crate) fn bring_up_loopback(&mut self) -> Result<(), Failure> {
        self.socket()?.bring_up(LOOPBACK)
    }

    /// Parent, the caller's namespaces: performs one of its steps for the child `pid`.
    #[cold]
    #[inline(never)]
    pub(crate) fn on_host(
        &mut self,
        step: &NetStep,
        pid: Pid,
        signals: SignalState,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        let result = match step {
            NetStep::AddBridge { bridge } => self.add_bridge(bridge, journal),
            NetStep::AddBridgeAddress { bridge, address } => {
                self.add_bridge_address(bridge, *address, journal)
            }
            NetStep::AddVeth { bridge, inner, .. } => {
                let record = journal.record().ok_or(Errno::NOENT)?;
                let state = record.state.path_of(b"");
                let name =
                    names::host_side(&record.name, state.strip_suffix(b"/").unwrap_or(&state));
                self.add_veth(&name, bridge, inner, namespace_of(pid))
            }
            NetStep::AddUpon { kind, parent, inner } => self.add_upon(*kind, parent, inner, pid),
            NetStep::AddRules { rules, .. } => nat::add(rules, journal),
            NetStep::RunPasta { publish } => pasta::run(publish, pid, signals, journal),
            NetStep::KeepNamespace => lent::keep_namespace(pid, journal),
            NetStep::MoveLink(names) => lent::move_link(self, names, pid, journal),
            NetStep::AddAddress { .. }
            | NetStep::FillInChecksums { .. }
            | NetStep::BringUp { .. }
            | NetStep::AddDefaultRoute { .. } => Err(Errno::INVAL.into()),
        };
        result.map_err(|failure| match failure.errno {
            Errno::PERM if !matches!(step, NetStep::RunPasta { .. }) => Failure::new(
                Errno::PERM,
                "only root may change the host's links; an ordinary user has --pasta",
            ),
            _ => failure,
        })
    }

    /// Child, the new network namespace: performs one of its steps.
    #[cold]
    #[inline(never)]
    pub(crate) fn inside(&mut self, step: &NetStep) -> Result<(), Failure> {
        match step {
            NetStep::AddAddress { link, address } => {
                let index = self.index(link)?;
                self.socket()?.address(Verb::Create, address_of(index, *address))
            }
            NetStep::FillInChecksums { link } => match crate::sys::fill_in_checksums(link) {
                Err(Errno::OPNOTSUPP) => Ok(()),
                result => Ok(result?),
            },
            NetStep::BringUp { link } => {
                let index = self.index(link)?;
                self.socket()?.bring_up(index)
            }
            NetStep::AddDefaultRoute { gateway } => self.add_default_route(*gateway),
            NetStep::AddBridge { .. }
            | NetStep::AddBridgeAddress { .. }
            | NetStep::AddVeth { .. }
            | NetStep::AddUpon { .. }
            | NetStep::AddRules { .. }
            | NetStep::RunPasta { .. }
            | NetStep::KeepNamespace
            | NetStep::MoveLink(_) => Err(Errno::INVAL.into()),
        }
    }

    fn add_bridge(&mut self, bridge: &CString, journal: &mut Journal) -> Result<(), Failure> {
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
                let id = crate::host::read_file("/etc/machine-id").unwrap_or_default();
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

    fn add_bridge_address(
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

    /// Makes a pair: `name` on the bridge, and the other end in that namespace.
    pub(super) fn add_veth(
        &mut self,
        name: &CStr,
        bridge: &CStr,
        inner: &Inner,
        namespace: Namespace,
    ) -> Result<(), Failure> {
        let master = Some(self.index(bridge)?);
        let peer = Peer {
            name: Some(inner.name.to_bytes()),
            address: inner.mac,
            mtu: inner.mtu,
            namespace: Some(namespace),
        };
        let link = Link {
            name: Some(name.to_bytes()),
            mtu: inner.mtu,
            master,
            kind: Some(Kind::Veth(Some(peer))),
            ..Link::default()
        };
        let socket = self.socket()?;
        for attempt in 1.. {
            match socket.link(Verb::Create, link.up()) {
                // No other instance has that name: what has it is left over from an earlier run of
                // this one, and perhaps about to go.
                Err(Failure { errno: Errno::EXIST, .. }) if attempt < ATTEMPTS => {
                    remove_link(socket, name)?;
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        // Before Linux 4.11 a link that is made is no port of anything yet.
        let found = socket.find(name.to_bytes())?.ok_or(Errno::NODEV)?;
        if found.master != master {
            let index = found.index;
            socket.link(Verb::Change, Link { index, master, ..Link::default() })?;
        }
        Ok(())
    }

    fn add_upon(
        &mut self,
        kind: Upon,
        parent: &CStr,
        inner: &Inner,
        pid: Pid,
    ) -> Result<(), Failure> {
        let link = Link {
            name: Some(inner.name.to_bytes()),
            address: inner.mac,
            mtu: inner.mtu,
            parent: Some(self.index(parent)?),
            namespace: Some(namespace_of(pid)),
            kind: Some(match kind {
                Upon::Macvlan => Kind::Macvlan(MACVLAN_BRIDGE),
                Upon::Ipvlan => Kind::Ipvlan(IPVLAN_L2),
            }),
            ..Link::default()
        };
        self.socket()?.link(Verb::Create, link)
    }

    fn add_default_route(&mut self, gateway: IpAddr) -> Result<(), Failure> {
        self.socket()?.route(Verb::Create, Route::default_through(gateway))
    }
}

/// What several instances share (registry::shared): a bridge, and an address of one.
pub(crate) const BRIDGE: &str = "bridge";
const ADDRESS: &str = "bridge-address";

/// A name for an address of a bridge, as that of a file.
fn address_object(bridge: &CStr, address: &Cidr) -> Vec<u8> {
    let address = address.to_string().replace('/', "_");
    [bridge.to_bytes(), b"_", address.as_bytes()].concat()
}

/// The namespace of a process.
pub(super) fn namespace_of(pid: Pid) -> Namespace {
    Namespace::OfProcess(pid.as_raw_nonzero().get().cast_unsigned())
}

/// That of an open file.
pub(crate) fn descriptor_of(file: &OwnedFd) -> Namespace {
    Namespace::OfDescriptor(file.as_raw_fd())
}

/// A socket of another network namespace. EINVAL if the file is none.
pub(crate) fn socket_in(there: &OwnedFd) -> Result<Socket, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let here = rustix::fs::open(c"/proc/self/ns/net", flags, Mode::empty())?;
    enter(there)?;
    let socket = Socket::open();
    go_home(&here);
    socket
}

/// Back to our own network namespace. Whatever was done after a failure, would be done to the wrong
/// links.
pub(super) fn go_home(here: &OwnedFd) {
    if let Err(errno) = enter(here) {
        crate::say(&Error::system("enter our own net namespace again", errno).message());
        unshared_init::sys::exit(FAILED);
    }
}

/// setns(2).
fn enter(namespace: &OwnedFd) -> Result<(), Errno> {
    let kind = Some(LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)
}

/// An address for a link. Nobody else in the network is asked first whether it is his: that takes a
/// second, in which it could not be used.
pub(crate) fn address_of(index: u32, cidr: Cidr) -> Address {
    let flags = if cidr.address.is_ipv6() { NODAD } else { 0 };
    Address { flags, ..Address::new(index, cidr.address, cidr.prefix) }
}

/// Removes a link, if there is one of that name.
pub(crate) fn remove_link(socket: &mut Socket, name: &CStr) -> Result<(), Failure> {
    if let Some(Found { index, .. }) = socket.find(name.to_bytes())? {
        match socket.link(Verb::Delete, Link { index, ..Link::default() }) {
            Err(Failure { errno: Errno::NODEV, .. }) => {}
            result => result?,
        }
    }
    Ok(())
}

/// Undo: `user` has no port on that bridge any more; if it was the last, and we made
/// the bridge, that goes.
pub(crate) fn leave_bridge(state: &State, user: &CStr, bridge: &CStr) {
    let remove = |made| {
        if made && let Ok(mut socket) = Socket::open() {
            let _ = remove_bridge(&mut socket, bridge);
        }
    };
    let _ = shared::leave(state, user, BRIDGE, bridge.to_bytes(), remove);
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
    let remove = |made| {
        if made
            && let Ok(mut socket) = Socket::open()
            && let Ok(Some(found)) = socket.find(bridge.to_bytes())
        {
            let _ = socket.address(Verb::Delete, address_of(found.index, address));
        }
    };
    let _ = shared::leave(
        &record.state,
        &record.name,
        ADDRESS,
        &address_object(bridge, &address),
        remove,
    );
}

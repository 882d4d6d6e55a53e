//! The steps about links, performed. Each of the two processes has one socket for all of its steps.
use super::namespace::namespace_of;
use super::{Inner, NetStep, Upon, lent, names, nat, pasta};
use crate::error::quote;
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::spec::network::Cidr;
use core::net::IpAddr;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::sys::SignalState;
use unshared_netlink::address::{Address, NODAD};
use unshared_netlink::link::{Kind, LOOPBACK, Link, Namespace, Peer};
use unshared_netlink::message::Verb;
use unshared_netlink::route::Route;

/// `MACVLAN_MODE_BRIDGE`, `IPVLAN_MODE_L2`.
const MACVLAN_BRIDGE: u32 = 4;
const IPVLAN_L2: u16 = 0;

/// How many queues the ends of a pair have. The kernel would make more, use one, and wait until nobody
/// sees the others any more, which takes half of the time that a pair takes.
pub(crate) const ONE_QUEUE: Option<u32> = Some(1);

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
    pub(super) fn index(&mut self, name: &CStr) -> Result<u32, Failure> {
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

    pub(super) fn remember(&mut self, name: &CStr, index: u32) -> u32 {
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
        result.map_err(|failure| match failure.errno() {
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
            queues: ONE_QUEUE,
            namespace: Some(namespace),
        };
        let link = Link {
            name: Some(name.to_bytes()),
            mtu: inner.mtu,
            queues: ONE_QUEUE,
            master,
            kind: Some(Kind::Veth(Some(peer))),
            ..Link::default()
        };
        let socket = self.socket()?;
        for attempt in 1.. {
            match socket.link(Verb::Create, link.up()) {
                // No other instance has that name: what has it is left over from an earlier run of
                // this one, and perhaps about to go.
                Err(failure) if failure.errno() == Errno::EXIST && attempt < ATTEMPTS => {
                    remove_link(socket, name)?;
                }
                result => {
                    result?;
                    break;
                }
            }
        }
        // Before Linux 4.11 a link that is made is no port of anything yet. Later this changes nothing,
        // and costs less than to ask: that waits until nobody sees the link without a carrier any more.
        let port = Link { name: Some(name.to_bytes()), master, ..Link::default() };
        socket.link(Verb::Change, port)
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
            Err(failure) if failure.errno() == Errno::NODEV => {}
            result => result?,
        }
    }
    Ok(())
}

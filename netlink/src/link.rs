//! Network interfaces: messages whose fixed part is `struct ifinfomsg` (rtnetlink(7)).
use crate::attribute::{Attribute, Attributes, u32_at};
use crate::message::{Message, Overflow, Verb};
use linux_raw_sys::net::net_device_flags::IFF_UP;
use linux_raw_sys::netlink::{self, RTEXT_FILTER_SKIP_STATS, RTM_NEWLINK};

/// The index of `lo`: the first interface of every network namespace.
pub const LOOPBACK: u32 = 1;

/// The longest name, in bytes (IFNAMSIZ without the zero byte).
pub const NAME_LENGTH: usize = 15;

/// The type of a message that tells about a link.
pub const NEW: u16 = RTM_NEWLINK as u16;

attributes!(netlink => NAMES:
    IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_NET_NS_PID, IFLA_NET_NS_FD,
    IFLA_LINKINFO, IFLA_EXT_MASK, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES,
);
attributes!(netlink => INFO_NAMES: IFLA_INFO_KIND, IFLA_INFO_DATA);
attributes!(netlink => MACVLAN_NAMES: IFLA_MACVLAN_MODE);
attributes!(netlink => IPVLAN_NAMES: IFLA_IPVLAN_MODE);

const VETH_INFO_PEER: u16 = 1;
pub(crate) const VETH_NAMES: &[(u16, &str)] = &[(VETH_INFO_PEER, "VETH_INFO_PEER")];

/// Where things are in the payload of a message.
pub mod field {
    use core::ops::Range;
    /// The interface's index, from 1.
    pub const INDEX: Range<usize> = 4..8;
    /// `IFF_…`.
    pub const FLAGS: Range<usize> = 8..12;
    /// Which of the flags are to be changed.
    pub const CHANGE: Range<usize> = 12..16;
    /// Where attributes begin.
    pub const LENGTH: usize = 16;
}

/// A view of the payload of a message.
#[derive(Clone, Copy, Debug)]
pub struct View<'a>(&'a [u8]);

impl<'a> View<'a> {
    /// `None` if it is cut short.
    #[must_use]
    pub fn new(payload: &'a [u8]) -> Option<View<'a>> {
        (payload.len() >= field::LENGTH).then_some(View(payload))
    }

    /// The interface's index.
    #[must_use]
    pub fn index(&self) -> u32 {
        u32_at(self.0, field::INDEX)
    }

    /// `IFF_…`.
    #[must_use]
    pub fn flags(&self) -> u32 {
        u32_at(self.0, field::FLAGS)
    }

    /// Which of the flags are to be changed.
    #[must_use]
    pub fn change(&self) -> u32 {
        u32_at(self.0, field::CHANGE)
    }

    /// `IFLA_…`.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.0.get(field::LENGTH..).unwrap_or(&[]))
    }
}

/// A hardware address.
pub type Mac = [u8; 6];

/// A network namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Namespace {
    /// That of a process, by its number in the sender's PID namespace.
    OfProcess(u32),
    /// That of a file descriptor.
    OfDescriptor(i32),
}

/// A link. What is not said is left as it is, or to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Link<'a> {
    /// Its index, from 1; 0 if the name says which.
    pub index: u32,
    /// `IFF_…`.
    pub flags: u32,
    /// Which of the flags are to be changed.
    pub change: u32,
    /// Its name, of 1 to 15 bytes.
    pub name: Option<&'a [u8]>,
    /// Its hardware address, where that has six bytes.
    pub address: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// How many queues it has for each direction. Unless told, the kernel makes a veth with one for
    /// each processor, takes all but the first out of use again, and waits until nobody sees them.
    pub queues: Option<u32>,
    /// The index of the bridge that it is a port of; 0 for none.
    pub master: Option<u32>,
    /// The index of the link that it is made upon; of a veth, the other end's in its namespace.
    pub parent: Option<u32>,
    /// The namespace that it is moved to, or made in.
    pub namespace: Option<Namespace>,
    /// What kind of link it is; `None` for hardware and `lo`.
    pub kind: Option<Kind<'a>>,
}

/// Kinds of links.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind<'a> {
    /// A bridge.
    Bridge,
    /// A pair; the other end is said where one is made.
    Veth(Option<Peer<'a>>),
    /// `MACVLAN_MODE_…`.
    Macvlan(u32),
    /// `IPVLAN_MODE_…`.
    Ipvlan(u16),
    /// Another.
    Other(&'a [u8]),
}

impl<'a> Kind<'a> {
    /// The kernel's word for it.
    #[must_use]
    pub fn name(self) -> &'a [u8] {
        match self {
            Kind::Bridge => b"bridge",
            Kind::Veth(_) => b"veth",
            Kind::Macvlan(_) => b"macvlan",
            Kind::Ipvlan(_) => b"ipvlan",
            Kind::Other(name) => name,
        }
    }
}

/// The other end of a pair. It cannot be up from the beginning: as long as its pair is not whole,
/// that is ENOTCONN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Peer<'a> {
    /// Its name.
    pub name: Option<&'a [u8]>,
    /// Its hardware address.
    pub address: Option<Mac>,
    /// Its MTU.
    pub mtu: Option<u32>,
    /// How many queues it has for each direction.
    pub queues: Option<u32>,
    /// The namespace that it is born in.
    pub namespace: Option<Namespace>,
}

impl<'a> Link<'a> {
    /// The link, to be brought up.
    #[must_use]
    pub fn up(self) -> Link<'a> {
        let up = IFF_UP as u32;
        Link { flags: self.flags | up, change: self.change | up, ..self }
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP as u32 != 0
    }

    /// Reads the payload of a message.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Link<'a>> {
        let view = View::new(payload)?;
        let attributes = view.attributes();
        let number = |kind| attributes.get(kind).and_then(|attribute| attribute.u32());
        let common = Peer::of(&attributes);
        Some(Link {
            index: view.index(),
            flags: view.flags(),
            change: view.change(),
            name: common.name,
            address: common.address,
            mtu: common.mtu,
            queues: common.queues,
            master: number(IFLA_MASTER),
            parent: number(IFLA_LINK),
            namespace: common.namespace,
            kind: attributes.get(IFLA_LINKINFO).and_then(|info| Kind::of(&info)),
        })
    }

    /// Writes a request about it.
    pub fn emit(self, verb: Verb, buffer: &mut [u8], sequence: u32) -> Result<&[u8], Overflow> {
        let mut message = Message::new(buffer, verb.kind(NEW), verb.flags(), sequence);
        fixed(&mut message, self.index, self.flags, self.change);
        if matches!(verb, Verb::Get | Verb::Dump) {
            message.number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        }
        if let Some(index) = self.parent {
            message.number(IFLA_LINK, index);
        }
        let Link { name, address, mtu, queues, namespace, .. } = self;
        let end = Peer { name: None, address, mtu, queues, namespace };
        end.emit(&mut message);
        if let Some(index) = self.master {
            message.number(IFLA_MASTER, index);
        }
        if let Some(name) = name {
            message.text(IFLA_IFNAME, name);
        }
        if let Some(kind) = self.kind {
            message.nest(IFLA_LINKINFO, |message| kind.emit(message));
        }
        message.finish()
    }
}

fn fixed(message: &mut Message<'_>, index: u32, flags: u32, change: u32) {
    message.put(&[0; 4]);
    message.put(&index.to_ne_bytes());
    message.put(&flags.to_ne_bytes());
    message.put(&change.to_ne_bytes());
}

impl<'a> Kind<'a> {
    fn of(info: &Attribute<'a>) -> Option<Kind<'a>> {
        let kind = info.nested().get(IFLA_INFO_KIND)?.text();
        let data = info.nested().get(IFLA_INFO_DATA);
        let value = |kind| data?.nested().get(kind);
        // Bytes would be compared one by one.
        Some(match core::str::from_utf8(kind).unwrap_or_default() {
            "bridge" => Kind::Bridge,
            "veth" => {
                let peer = value(VETH_INFO_PEER).and_then(|peer| View::new(peer.value));
                Kind::Veth(peer.map(|peer| Peer::of(&peer.attributes())))
            }
            "macvlan" => {
                Kind::Macvlan(value(IFLA_MACVLAN_MODE).and_then(|mode| mode.u32()).unwrap_or(0))
            }
            "ipvlan" => {
                Kind::Ipvlan(value(IFLA_IPVLAN_MODE).and_then(|mode| mode.u16()).unwrap_or(0))
            }
            _ => Kind::Other(kind),
        })
    }

    fn emit(self, message: &mut Message<'_>) {
        // A text whose zero byte iproute2 leaves out, too; newer kernels take either.
        message.attribute(IFLA_INFO_KIND, self.name());
        match self {
            Kind::Bridge | Kind::Other(_) | Kind::Veth(None) => {}
            Kind::Veth(Some(peer)) => message.nest(IFLA_INFO_DATA, |message| {
                message.nest(VETH_INFO_PEER, |message| {
                    fixed(message, 0, 0, 0);
                    peer.emit(message);
                });
            }),
            Kind::Macvlan(mode) => {
                message.nest(IFLA_INFO_DATA, |message| message.number(IFLA_MACVLAN_MODE, mode));
            }
            Kind::Ipvlan(mode) => message.nest(IFLA_INFO_DATA, |message| {
                message.attribute(IFLA_IPVLAN_MODE, &mode.to_ne_bytes());
            }),
        }
    }
}

impl<'a> Peer<'a> {
    fn of(attributes: &Attributes<'a>) -> Peer<'a> {
        let number = |kind| attributes.get(kind).and_then(|attribute| attribute.u32());
        let of_process = number(IFLA_NET_NS_PID).map(Namespace::OfProcess);
        let of_descriptor = number(IFLA_NET_NS_FD).map(u32::cast_signed);
        Peer {
            name: attributes.get(IFLA_IFNAME).map(|name| name.text()),
            address: attributes.get(IFLA_ADDRESS).and_then(|mac| Mac::try_from(mac.value).ok()),
            mtu: number(IFLA_MTU),
            queues: number(IFLA_NUM_TX_QUEUES),
            namespace: of_process.or(of_descriptor.map(Namespace::OfDescriptor)),
        }
    }

    fn emit(self, message: &mut Message<'_>) {
        if let Some(address) = self.address {
            message.attribute(IFLA_ADDRESS, &address);
        }
        if let Some(mtu) = self.mtu {
            message.number(IFLA_MTU, mtu);
        }
        if let Some(queues) = self.queues {
            message.number(IFLA_NUM_TX_QUEUES, queues);
            message.number(IFLA_NUM_RX_QUEUES, queues);
        }
        match self.namespace {
            Some(Namespace::OfProcess(pid)) => message.number(IFLA_NET_NS_PID, pid),
            Some(Namespace::OfDescriptor(number)) => {
                message.number(IFLA_NET_NS_FD, number.cast_unsigned());
            }
            None => {}
        }
        if let Some(name) = self.name {
            message.text(IFLA_IFNAME, name);
        }
    }
}

#[cfg(test)]
mod tests;

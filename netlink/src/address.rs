//! Addresses of interfaces: messages whose fixed part is `struct ifaddrmsg` (rtnetlink(7)).
use crate::attribute::{Attributes, u8_at, u32_at};
use crate::message::{Message, Overflow, Verb};
use core::net::IpAddr;
use linux_raw_sys::netlink::{self, IFA_F_NODAD, RTM_NEWADDR};

/// The type of a message that tells about an address.
pub const NEW: u16 = RTM_NEWADDR as u16;

/// Use the address without looking for somebody who has it (duplicate address detection).
pub const NODAD: u32 = IFA_F_NODAD;

/// RT_SCOPE_LINK.
const LINK_SCOPE: u8 = 253;

/// The flags that say what an address is, and not what has become of it.
pub const LIFELONG: u32 = IFA_F_NODAD
    | netlink::IFA_F_HOMEADDRESS
    | netlink::IFA_F_MANAGETEMPADDR
    | netlink::IFA_F_NOPREFIXROUTE
    | netlink::IFA_F_MCAUTOJOIN;

attributes!(netlink => NAMES: IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS);

/// Where things are in the payload of a message.
pub mod field {
    use core::ops::Range;
    /// AF_INET or AF_INET6.
    pub const FAMILY: usize = 0;
    /// How many bits of the address are the network's.
    pub const PREFIX: usize = 1;
    /// The lowest eight of `IFA_F_…`.
    pub const FLAGS: usize = 2;
    /// `RT_SCOPE_…`.
    pub const SCOPE: usize = 3;
    /// The interface's index.
    pub const INDEX: Range<usize> = 4..8;
    /// Where attributes begin.
    pub const LENGTH: usize = 8;
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

    /// How many bits of the address are the network's.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        u8_at(self.0, field::PREFIX)
    }

    /// The lowest eight of `IFA_F_…`.
    #[must_use]
    pub fn flags(&self) -> u8 {
        u8_at(self.0, field::FLAGS)
    }

    /// `RT_SCOPE_…`.
    #[must_use]
    pub fn scope(&self) -> u8 {
        u8_at(self.0, field::SCOPE)
    }

    /// The interface's index.
    #[must_use]
    pub fn index(&self) -> u32 {
        u32_at(self.0, field::INDEX)
    }

    /// `IFA_…`.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.0.get(field::LENGTH..).unwrap_or(&[]))
    }
}

/// An address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The interface's index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// How many bits of it, or of the peer's, are the network's.
    pub prefix: u8,
    /// The other end's, where the link has two.
    pub peer: Option<IpAddr>,
    /// The network's broadcast address; IPv4 only.
    pub broadcast: Option<IpAddr>,
    /// `IFA_F_…`.
    pub flags: u32,
    /// `RT_SCOPE_…`; 0 is the universe.
    pub scope: u8,
}

impl Address {
    /// An address as it usually is.
    #[must_use]
    pub fn new(index: u32, address: IpAddr, prefix: u8) -> Address {
        Address { index, address, prefix, peer: None, broadcast: None, flags: 0, scope: 0 }
    }

    /// Whether the kernel makes it by itself: one of the link alone, or one that changes.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        let changes = netlink::IFA_F_TEMPORARY | netlink::IFA_F_STABLE_PRIVACY;
        self.address.is_ipv6() && (self.scope == LINK_SCOPE || self.flags & changes != 0)
    }

    /// Reads the payload of a message.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Address> {
        let view = View::new(payload)?;
        let attributes = view.attributes();
        let ip = |kind| attributes.get(kind).and_then(|attribute| attribute.ip());
        let (local, address) = (ip(IFA_LOCAL), ip(IFA_ADDRESS));
        let flags = attributes.get(IFA_FLAGS).and_then(|flags| flags.u32());
        Some(Address {
            index: view.index(),
            address: local.or(address)?,
            prefix: view.prefix(),
            peer: address.filter(|address| local.is_some_and(|local| local != *address)),
            broadcast: ip(IFA_BROADCAST),
            flags: flags.unwrap_or(view.flags().into()),
            scope: view.scope(),
        })
    }

    /// Writes a request about it.
    pub fn emit(self, verb: Verb, buffer: &mut [u8], sequence: u32) -> Result<&[u8], Overflow> {
        let mut message = Message::new(buffer, verb.kind(NEW), verb.flags(), sequence);
        let low = u8::try_from(self.flags);
        let family = crate::message::family_of(self.address);
        message.put(&[family, self.prefix, low.unwrap_or(0), self.scope]);
        message.put(&self.index.to_ne_bytes());
        message.ip(IFA_LOCAL, self.address);
        message.ip(IFA_ADDRESS, self.peer.unwrap_or(self.address));
        if let Some(broadcast) = self.broadcast {
            message.ip(IFA_BROADCAST, broadcast);
        }
        if low.is_err() {
            message.number(IFA_FLAGS, self.flags);
        }
        message.finish()
    }
}

/// Asks for the addresses of all links.
pub fn dump(buffer: &mut [u8], sequence: u32) -> Result<&[u8], Overflow> {
    let verb = Verb::Dump;
    let mut message = Message::new(buffer, verb.kind(NEW), verb.flags(), sequence);
    message.put(&[0; field::LENGTH]);
    message.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured;
    use crate::connection::{Answer, Connection};
    use crate::message::HEADER;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[track_caller]
    fn is_what_iproute2_sends(command: &str, verb: Verb, expected: Address) {
        if cfg!(target_endian = "big") {
            return;
        }
        let sent = captured::of(command).sent;
        let mut buffer = [0; 128];
        assert_eq!(expected.emit(verb, &mut buffer, 1).unwrap(), sent, "{command}");
        assert_eq!(Address::parse(&sent[HEADER..]), Some(expected));
    }

    #[test]
    fn addresses_are_added_and_removed_as_by_iproute2() {
        let four = Address::new(2, "10.99.0.2".parse().unwrap(), 24);
        is_what_iproute2_sends("ip -n cap addr add 10.99.0.2/24 dev eth0", Verb::Create, four);
        is_what_iproute2_sends("ip -n cap addr del 10.99.0.2/24 dev eth0", Verb::Delete, four);
        let six = Address::new(2, "fd00:99::2".parse().unwrap(), 64);
        is_what_iproute2_sends(
            "ip -n cap addr add fd00:99::2/64 dev eth0 nodad",
            Verb::Create,
            Address { flags: NODAD, ..six },
        );
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        let mut found = Vec::new();
        for exchange in captured::all().iter().filter(|one| one.command == "ip -n cap addr show") {
            let mut buffer = [0; 64];
            if exchange.sent.len() == dump(&mut buffer, 1).unwrap().len() {
                assert_eq!(dump(&mut buffer, 1).unwrap(), exchange.sent);
            }
            let mut connection = Connection::new(2);
            connection.next_sequence();
            for datagram in &exchange.received {
                for answer in connection.feed(0, datagram) {
                    if let Answer::Item { kind: NEW, payload } = answer {
                        found.push(Address::parse(payload).unwrap());
                    }
                }
            }
        }
        if cfg!(target_endian = "big") {
            return;
        }
        let of = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            *found.iter().find(|one| one.address == address).unwrap()
        };
        assert_eq!((of("10.99.0.2").prefix, of("10.99.0.2").index), (24, 2));
        assert_eq!(of("fd00:99::2").flags & NODAD, NODAD);
        assert_eq!((of("127.0.0.1").scope, of("127.0.0.1").prefix), (254, 8));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            index: u32, four: [u8; 4], six: Option<[u8; 16]>, prefix: u8, flags: u32, scope: u8,
            peer: Option<[u8; 4]>, broadcast: Option<[u8; 4]>
        ) {
            let address = six.map_or(IpAddr::from(four), IpAddr::from);
            let peer = peer.map(IpAddr::from).filter(|peer| *peer != address);
            let broadcast = broadcast.map(IpAddr::from);
            let address = Address { index, address, prefix, peer, broadcast, flags, scope };
            let mut buffer = [0; 128];
            let bytes = address.emit(Verb::Create, &mut buffer, 1).unwrap();
            prop_assert_eq!(Address::parse(&bytes[HEADER..]), Some(address));
            let length = bytes.len();
            prop_assert_eq!(address.emit(Verb::Create, &mut buffer[..length - 1], 1), Err(Overflow));
        }

        #[test]
        fn any_bytes_are_an_address_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Address::parse(&bytes).is_none() || bytes.len() > field::LENGTH);
        }
    }
}

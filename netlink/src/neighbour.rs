//! Neighbours, which hardware address an IP address has: messages whose fixed part is
//! `struct ndmsg` (rtnetlink(7)).
use crate::attribute::{Attributes, u8_at, u16_at, u32_at};
use crate::link::Mac;
use crate::message::{Message, Overflow, Verb};
use core::net::IpAddr;
use linux_raw_sys::netlink::{self, NUD_PERMANENT, RTM_NEWNEIGH};

/// The type of a message that tells about a neighbour.
pub const NEW: u16 = RTM_NEWNEIGH as u16;

/// The kernel never forgets it (NUD_PERMANENT).
pub const PERMANENT: u16 = NUD_PERMANENT as u16;

attributes!(netlink => NAMES: NDA_DST, NDA_LLADDR);

/// Where things are in the payload of a message.
pub mod field {
    use core::ops::Range;
    /// AF_INET or AF_INET6.
    pub const FAMILY: usize = 0;
    /// The interface's index.
    pub const INDEX: Range<usize> = 4..8;
    /// `NUD_…`.
    pub const STATE: Range<usize> = 8..10;
    /// `NTF_…`.
    pub const FLAGS: usize = 10;
    /// `RTN_…`.
    pub const KIND: usize = 11;
    /// Where attributes begin.
    pub const LENGTH: usize = 12;
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

    /// `NUD_…`.
    #[must_use]
    pub fn state(&self) -> u16 {
        u16_at(self.0, field::STATE)
    }

    /// `NTF_…`.
    #[must_use]
    pub fn flags(&self) -> u8 {
        u8_at(self.0, field::FLAGS)
    }

    /// `RTN_…`.
    #[must_use]
    pub fn kind(&self) -> u8 {
        u8_at(self.0, field::KIND)
    }

    /// `NDA_…`.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.0.get(field::LENGTH..).unwrap_or(&[]))
    }
}

/// A neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// The index of the interface that it is behind.
    pub index: u32,
    /// Its IP address.
    pub address: IpAddr,
    /// Its hardware address, if it is known.
    pub mac: Option<Mac>,
    /// `NUD_…`.
    pub state: u16,
    /// `NTF_…`.
    pub flags: u8,
    /// `RTN_…`; the kernel fills it in.
    pub kind: u8,
}

impl Neighbour {
    /// Reads the payload of a message.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Neighbour> {
        let view = View::new(payload)?;
        let attributes = view.attributes();
        let mac = attributes.get(NDA_LLADDR);
        Some(Neighbour {
            index: view.index(),
            address: attributes.get(NDA_DST)?.ip()?,
            mac: mac.and_then(|mac| Mac::try_from(mac.value).ok()),
            state: view.state(),
            flags: view.flags(),
            kind: view.kind(),
        })
    }

    /// Writes a request about it.
    pub fn emit(self, verb: Verb, buffer: &mut [u8], sequence: u32) -> Result<&[u8], Overflow> {
        let mut message = Message::new(buffer, verb.kind(NEW), verb.flags(), sequence);
        message.put(&[crate::message::family_of(self.address), 0, 0, 0]);
        message.put(&self.index.to_ne_bytes());
        message.put(&self.state.to_ne_bytes());
        message.put(&[self.flags, self.kind]);
        message.ip(NDA_DST, self.address);
        if let Some(mac) = self.mac {
            message.attribute(NDA_LLADDR, &mac);
        }
        message.finish()
    }
}

/// Asks for the neighbours on all links.
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

    fn neighbour() -> Neighbour {
        Neighbour {
            index: 2,
            address: "10.99.0.7".parse().unwrap(),
            mac: Some([2, 0, 0, 0, 0, 7]),
            state: PERMANENT,
            flags: 0,
            kind: 0,
        }
    }

    #[test]
    fn neighbours_are_added_and_removed_as_by_iproute2() {
        if cfg!(target_endian = "big") {
            return;
        }
        let gone = Neighbour { mac: None, ..neighbour() };
        for (command, verb, neighbour) in [
            (
                "ip -n cap neigh add 10.99.0.7 lladdr 02:00:00:00:00:07 dev eth0",
                Verb::Create,
                neighbour(),
            ),
            ("ip -n cap neigh del 10.99.0.7 dev eth0", Verb::Delete, gone),
        ] {
            let sent = captured::of(command).sent;
            let mut buffer = [0; 128];
            assert_eq!(neighbour.emit(verb, &mut buffer, 1).unwrap(), sent, "{command}");
            assert_eq!(Neighbour::parse(&sent[HEADER..]), Some(neighbour));
        }
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        if cfg!(target_endian = "big") {
            return;
        }
        let mut found = Vec::new();
        for exchange in captured::all().iter().filter(|one| one.command == "ip -n cap neigh show") {
            let mut buffer = [0; 64];
            if exchange.sent.len() == dump(&mut buffer, 1).unwrap().len() {
                assert_eq!(dump(&mut buffer, 1).unwrap(), exchange.sent);
            }
            let mut connection = Connection::new(2);
            connection.next_sequence();
            for datagram in &exchange.received {
                for answer in connection.feed(0, datagram) {
                    if let Answer::Item { kind: NEW, payload } = answer {
                        found.extend(Neighbour::parse(payload));
                    }
                }
            }
        }
        assert!(found.contains(&Neighbour { kind: 1, ..neighbour() }), "{found:?}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            index: u32, four: [u8; 4], six: Option<[u8; 16]>, mac: Option<Mac>, state: u16, flags: u8, kind: u8
        ) {
            let address = six.map_or(IpAddr::from(four), IpAddr::from);
            let neighbour = Neighbour { index, address, mac, state, flags, kind };
            let mut buffer = [0; 128];
            let bytes = neighbour.emit(Verb::Create, &mut buffer, 1).unwrap();
            prop_assert_eq!(Neighbour::parse(&bytes[HEADER..]), Some(neighbour));
            let length = bytes.len();
            prop_assert_eq!(neighbour.emit(Verb::Create, &mut buffer[..length - 1], 1), Err(Overflow));
        }

        #[test]
        fn any_bytes_are_a_neighbour_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Neighbour::parse(&bytes).is_none() || bytes.len() > field::LENGTH);
        }
    }
}

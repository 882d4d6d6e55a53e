//! Routes: messages whose fixed part is `struct rtmsg` (rtnetlink(7)).
use crate::attribute::{Attributes, u8_at};
use crate::message::{Message, Overflow, Verb};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use linux_raw_sys::netlink::{RTM_NEWROUTE, RTN_UNICAST, RTPROT_BOOT, rt_class_t, rtattr_type_t};

/// The type of a message that tells about a route.
pub const NEW: u16 = RTM_NEWROUTE as u16;

/// The table that routes are in unless another is named (RT_TABLE_MAIN).
pub const MAIN: u32 = rt_class_t::RT_TABLE_MAIN as u32;

attributes!(rtattr_type_t => NAMES:
    RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE,
);

/// Where things are in the payload of a message.
pub mod field {
    /// AF_INET or AF_INET6.
    pub const FAMILY: usize = 0;
    /// How many bits of the destination count.
    pub const PREFIX: usize = 1;
    /// The table, where its number is below 256.
    pub const TABLE: usize = 4;
    /// `RTPROT_…`: who made the route.
    pub const PROTOCOL: usize = 5;
    /// `RT_SCOPE_…`.
    pub const SCOPE: usize = 6;
    /// `RTN_…`.
    pub const KIND: usize = 7;
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

    /// AF_INET or AF_INET6.
    #[must_use]
    pub fn family(&self) -> u8 {
        u8_at(self.0, field::FAMILY)
    }

    /// How many bits of the destination count.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        u8_at(self.0, field::PREFIX)
    }

    /// The table, where its number is below 256.
    #[must_use]
    pub fn table(&self) -> u8 {
        u8_at(self.0, field::TABLE)
    }

    /// `RTPROT_…`.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        u8_at(self.0, field::PROTOCOL)
    }

    /// `RT_SCOPE_…`.
    #[must_use]
    pub fn scope(&self) -> u8 {
        u8_at(self.0, field::SCOPE)
    }

    /// `RTN_…`.
    #[must_use]
    pub fn kind(&self) -> u8 {
        u8_at(self.0, field::KIND)
    }

    /// `RTA_…`.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.0.get(field::LENGTH..).unwrap_or(&[]))
    }
}

/// A route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// Where it leads; with a prefix of 0, everywhere.
    pub destination: IpAddr,
    /// How many bits of the destination count.
    pub prefix: u8,
    /// Through whom.
    pub gateway: Option<IpAddr>,
    /// Over which link, by its index. With a gateway the kernel finds it.
    pub index: Option<u32>,
    /// Of several to the same destination, the lowest number is taken.
    pub priority: Option<u32>,
    /// The address that is ours on this way.
    pub source: Option<IpAddr>,
    /// In which table.
    pub table: u32,
    /// `RTPROT_…`: who made it.
    pub protocol: u8,
    /// `RT_SCOPE_…`; 0 is the universe.
    pub scope: u8,
    /// `RTN_…`.
    pub kind: u8,
}

impl Route {
    /// A route in the main table, as ip(8) makes it.
    #[must_use]
    pub fn new(destination: IpAddr, prefix: u8) -> Route {
        Route {
            destination,
            prefix,
            gateway: None,
            index: None,
            priority: None,
            source: None,
            table: MAIN,
            protocol: RTPROT_BOOT as u8,
            scope: 0,
            kind: RTN_UNICAST as u8,
        }
    }

    /// The default route through that gateway.
    #[must_use]
    pub fn default_through(gateway: IpAddr) -> Route {
        Route { gateway: Some(gateway), ..Route::new(unspecified(gateway.is_ipv6()), 0) }
    }

    /// Reads the payload of a message. `None` also for families that are not IP.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Route> {
        let view = View::new(payload)?;
        let attributes = view.attributes();
        let ip = |kind| attributes.get(kind).and_then(|attribute| attribute.ip());
        let number = |kind| attributes.get(kind).and_then(|attribute| attribute.u32());
        let is_six = match view.family() {
            crate::message::FOUR => false,
            crate::message::SIX => true,
            _ => return None,
        };
        Some(Route {
            destination: ip(RTA_DST).unwrap_or(unspecified(is_six)),
            prefix: view.prefix(),
            gateway: ip(RTA_GATEWAY),
            index: number(RTA_OIF),
            priority: number(RTA_PRIORITY),
            source: ip(RTA_PREFSRC),
            table: number(RTA_TABLE).unwrap_or(view.table().into()),
            protocol: view.protocol(),
            scope: view.scope(),
            kind: view.kind(),
        })
    }

    /// Writes a request about it.
    pub fn emit(self, verb: Verb, buffer: &mut [u8], sequence: u32) -> Result<&[u8], Overflow> {
        let mut message = Message::new(buffer, verb.kind(NEW), verb.flags(), sequence);
        let family = crate::message::family_of(self.destination);
        let low = u8::try_from(self.table);
        message.put(&[family, self.prefix, 0, 0]);
        message.put(&[low.unwrap_or(0), self.protocol, self.scope, self.kind, 0, 0, 0, 0]);
        if self.destination != unspecified(self.destination.is_ipv6()) {
            message.ip(RTA_DST, self.destination);
        }
        if let Some(gateway) = self.gateway {
            message.ip(RTA_GATEWAY, gateway);
        }
        if let Some(index) = self.index {
            message.number(RTA_OIF, index);
        }
        if let Some(priority) = self.priority {
            message.number(RTA_PRIORITY, priority);
        }
        if let Some(source) = self.source {
            message.ip(RTA_PREFSRC, source);
        }
        if low.is_err() {
            message.number(RTA_TABLE, self.table);
        }
        message.finish()
    }
}

fn unspecified(is_six: bool) -> IpAddr {
    if is_six { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// Asks for the routes of all tables.
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

    const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));

    #[test]
    fn routes_are_added_as_by_iproute2() {
        if cfg!(target_endian = "big") {
            return;
        }
        let net = Route {
            gateway: Some(GATEWAY),
            index: Some(2),
            ..Route::new("10.98.0.0".parse().unwrap(), 16)
        };
        for (command, route) in [
            ("ip -n cap route add default via 10.99.0.1", Route::default_through(GATEWAY)),
            ("ip -n cap route add 10.98.0.0/16 via 10.99.0.1 dev eth0", net),
        ] {
            let sent = captured::of(command).sent;
            let mut buffer = [0; 128];
            assert_eq!(route.emit(Verb::Create, &mut buffer, 1).unwrap(), sent, "{command}");
            assert_eq!(Route::parse(&sent[HEADER..]), Some(route));
        }
        // It says :: in so many words, which is not needed.
        let sent = captured::of("ip -n cap -6 route add default via fd00:99::1").sent;
        let route = Route::default_through("fd00:99::1".parse().unwrap());
        assert_eq!(Route::parse(&sent[HEADER..]), Some(route));
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        if cfg!(target_endian = "big") {
            return;
        }
        let mut found = Vec::new();
        for exchange in
            captured::all().iter().filter(|one| one.command == "ip -n cap -4 route show")
        {
            let mut connection = Connection::new(2);
            connection.next_sequence();
            for datagram in &exchange.received {
                for answer in connection.feed(0, datagram) {
                    if let Answer::Item { kind: NEW, payload } = answer {
                        found.push(Route::parse(payload).unwrap());
                    }
                }
            }
        }
        let [default, net, own] = found[..] else { panic!("{found:?}") };
        assert_eq!(default, Route { index: Some(2), ..Route::default_through(GATEWAY) });
        assert_eq!((net.prefix, net.gateway), (16, Some(GATEWAY)));
        assert_eq!(own.source, Some("10.99.0.2".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            six: bool, addresses: [[u8; 16]; 3], prefix: u8, has_gateway: bool, has_source: bool,
            index: Option<u32>, priority: Option<u32>, table: u32, numbers: [u8; 3]
        ) {
            let ip = |octets: [u8; 16]| {
                if six { IpAddr::from(octets) } else { IpAddr::from(*octets.first_chunk::<4>().unwrap()) }
            };
            let [protocol, scope, kind] = numbers;
            let route = Route {
                destination: ip(addresses[0]), prefix, gateway: has_gateway.then_some(ip(addresses[1])),
                index, priority, source: has_source.then_some(ip(addresses[2])), table, protocol, scope, kind,
            };
            let mut buffer = [0; 128];
            let bytes = route.emit(Verb::Create, &mut buffer, 1).unwrap();
            prop_assert_eq!(Route::parse(&bytes[HEADER..]), Some(route));
            let length = bytes.len();
            prop_assert_eq!(route.emit(Verb::Create, &mut buffer[..length - 1], 1), Err(Overflow));
        }

        #[test]
        fn any_bytes_are_a_route_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Route::parse(&bytes).is_none() || bytes.len() >= field::LENGTH);
        }
    }
}

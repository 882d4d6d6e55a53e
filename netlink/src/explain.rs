//! What the kernel's refusals mean: the name of the attribute at fault, and a hint for those
//! refusals for which the kernel has no words of its own.
use crate::attribute::{Attribute, Attributes, u16_at};
use crate::link::{Link, NAME_LENGTH, Namespace, Peer};
use crate::message::HEADER;
use crate::{address, link, neighbour, route};

/// Families of messages, and what may be in their attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Table {
    Link,
    Info,
    Veth,
    Macvlan,
    Ipvlan,
    Address,
    Route,
    Neighbour,
}

impl Table {
    /// By the type of a request, and where its attributes begin.
    fn of(request: &[u8]) -> Option<(Table, usize)> {
        // Each family has four types: new, del, get, and set.
        let (table, length) = match u16_at(request, 4..6) & !3 {
            link::NEW => (Table::Link, link::field::LENGTH),
            address::NEW => (Table::Address, address::field::LENGTH),
            route::NEW => (Table::Route, route::field::LENGTH),
            neighbour::NEW => (Table::Neighbour, neighbour::field::LENGTH),
            _ => return None,
        };
        Some((table, HEADER + length))
    }

    fn names(self) -> &'static [(u16, &'static str)] {
        match self {
            Table::Link => link::NAMES,
            Table::Info => link::INFO_NAMES,
            Table::Veth => link::VETH_NAMES,
            Table::Macvlan => link::MACVLAN_NAMES,
            Table::Ipvlan => link::IPVLAN_NAMES,
            Table::Address => address::NAMES,
            Table::Route => route::NAMES,
            Table::Neighbour => neighbour::NAMES,
        }
    }

    /// What the attribute called so has in it, and where in its value that begins. `siblings` are
    /// those beside it.
    fn inside(self, name: &str, siblings: &Attributes<'_>) -> Option<(Table, usize)> {
        match (self, name) {
            (Table::Link, "IFLA_LINKINFO") => Some((Table::Info, 0)),
            (Table::Info, "IFLA_INFO_DATA") => {
                match core::str::from_utf8(siblings.clone().next()?.text()).ok()? {
                    "veth" => Some((Table::Veth, 0)),
                    "macvlan" => Some((Table::Macvlan, 0)),
                    "ipvlan" => Some((Table::Ipvlan, 0)),
                    _ => None,
                }
            }
            (Table::Veth, "VETH_INFO_PEER") => Some((Table::Link, link::field::LENGTH)),
            _ => None,
        }
    }
}

/// The name of the attribute that begins at `offset` of a request, or that of the one that it is
/// in.
#[must_use]
pub fn attribute_at(request: &[u8], offset: usize) -> Option<&'static str> {
    let (mut table, mut start) = Table::of(request)?;
    let mut bytes = request;
    let mut end = bytes.len();
    let mut found = None;
    // No attribute of ours is deeper than that.
    for _ in 0..5 {
        bytes = request.get(..end)?;
        let attributes = Attributes::new(bytes.get(start..)?);
        let holds = |one: &Attribute<'_>| {
            let at = start + one.offset;
            (at..at + crate::attribute::HEADER + one.value.len()).contains(&offset)
        };
        let Some(attribute) = attributes.clone().find(holds) else { break };
        let known = table.names().iter().find(|(kind, _)| *kind == attribute.kind);
        let Some((_, name)) = known else { break };
        found = Some(*name);
        let value = start + attribute.offset + crate::attribute::HEADER;
        if start + attribute.offset == offset {
            break;
        }
        let Some((inner, skipped)) = table.inside(name, &attributes) else { break };
        end = value + attribute.value.len();
        (table, start) = (inner, value + skipped);
    }
    found
}

/// Whether the kernel takes that for the name of a link.
#[must_use]
pub fn is_link_name(name: &[u8]) -> bool {
    // "%d" stands for a number that the kernel finds; another "%" is EINVAL.
    let is_wrong = |byte: &u8| matches!(byte, b'/' | b':' | b'%' | 0) || is_space(*byte);
    !name.is_empty()
        && name.len() <= NAME_LENGTH
        && name != b"."
        && name != b".."
        && !name.iter().any(is_wrong)
}

/// As isspace() of the kernel, for which 0xa0 is one, too.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d | 0xa0)
}

const EPERM: i32 = 1;
const ESRCH: i32 = 3;
const EBADF: i32 = 9;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;
const ERANGE: i32 = 34;
const ELOOP: i32 = 40;
const EOPNOTSUPP: i32 = 95;
const EADDRNOTAVAIL: i32 = 99;
const ENETUNREACH: i32 = 101;
const ENOTCONN: i32 = 107;
const EHOSTUNREACH: i32 = 113;

/// What a refusal of that request by that error most probably means.
#[must_use]
pub fn hint(request: &[u8], errno: i32) -> Option<&'static str> {
    if errno == EPERM {
        return Some("CAP_NET_ADMIN is needed, in each network namespace that has a part in it");
    }
    let (table, _) = Table::of(request)?;
    match (table, errno) {
        (Table::Link, _) => link_hint(&Link::parse(request.get(HEADER..)?)?, errno),
        (Table::Address, EEXIST) => Some("the link has that address already"),
        (Table::Address, EINVAL) if is_v6(request) => {
            Some("IPv6 needs a link with an MTU of 1280 or more")
        }
        (Table::Address, EADDRNOTAVAIL) => Some("the link does not have that address"),
        (Table::Address | Table::Neighbour, ENODEV) => Some("there is no such link"),
        (Table::Route, EEXIST) => Some("there is such a route already"),
        (Table::Route, ESRCH) => Some("there is no such route"),
        (Table::Route, ENETUNREACH | EHOSTUNREACH) => {
            Some("the gateway is in no network of a link that is up")
        }
        (Table::Neighbour, EEXIST) => Some("there is such a neighbour already"),
        _ => None,
    }
}

fn is_v6(request: &[u8]) -> bool {
    let address = request.get(HEADER..).and_then(crate::address::Address::parse);
    address.is_some_and(|one| one.address.is_ipv6())
}

fn link_hint(link: &Link<'_>, errno: i32) -> Option<&'static str> {
    let peer = match link.kind {
        Some(link::Kind::Veth(peer)) => peer,
        _ => None,
    };
    let peer = peer.unwrap_or_default();
    let ends = [
        Peer {
            name: link.name,
            address: link.address,
            mtu: link.mtu,
            queues: link.queues,
            namespace: link.namespace,
        },
        peer,
    ];
    let any = |is: fn(&Peer<'_>) -> bool| ends.iter().any(is);
    let is_multicast = |end: &Peer<'_>| {
        end.address
            .is_some_and(|mac| mac == [0; 6] || mac.first().is_some_and(|byte| byte & 1 != 0))
    };
    Some(match errno {
        EEXIST => "a link of that name is there already",
        EINVAL | ERANGE if any(|end| end.name.is_some_and(|name| !is_link_name(name))) => {
            "a link's name has 1 to 15 bytes, and no \"/\", \":\", \"%\" or space"
        }
        EADDRNOTAVAIL | EINVAL if any(is_multicast) => {
            "a hardware address is not zero, and its first byte is even"
        }
        EINVAL if any(|end| end.mtu.is_some_and(|mtu| !(68..=65535).contains(&mtu))) => {
            "an MTU is at least 68, and at most what the kind of link allows"
        }
        EBADF | EINVAL if any(|end| matches!(end.namespace, Some(Namespace::OfDescriptor(_)))) => {
            "the file is no network namespace"
        }
        ESRCH if any(|end| matches!(end.namespace, Some(Namespace::OfProcess(_)))) => {
            "there is no such process"
        }
        EOPNOTSUPP => match link.kind? {
            link::Kind::Bridge => "this kernel has no bridges",
            link::Kind::Veth(_) => "this kernel has no veth links",
            link::Kind::Macvlan(_) => "this kernel has no macvlan links",
            link::Kind::Ipvlan(_) => "this kernel has no ipvlan links",
            link::Kind::Other(_) => "this kernel has no links of that kind",
        },
        ENODEV if link.kind.is_some() => "there is no such link to make it upon",
        ENODEV => "there is no such link",
        EBUSY if link.name.is_some() => "a link that is up cannot be renamed (before Linux 6.2)",
        EBUSY => "the link is used already, perhaps by another bridge",
        ELOOP => "a bridge cannot be a port of a bridge",
        ENOTCONN => "the other end is not there yet",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::captured;
    use crate::link::Kind;
    use crate::message::Verb;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::vec::Vec;

    fn veth(buffer: &mut [u8]) -> &[u8] {
        let peer = Peer { name: Some(b"eth0"), address: Some([2; 6]), ..Peer::default() };
        let kind = Some(Kind::Veth(Some(peer)));
        Link { name: Some(b"veth0"), mtu: Some(1500), kind, ..Link::default() }
            .emit(Verb::Create, buffer, 1)
            .unwrap()
    }

    /// Where bytes are in others.
    fn find(bytes: &[u8], part: &[u8]) -> usize {
        bytes.windows(part.len()).position(|window| window == part).unwrap()
    }

    #[test]
    fn an_attribute_is_named_however_deep_it_is() {
        let mut buffer = [0; 256];
        let bytes = veth(&mut buffer);
        let before = crate::attribute::HEADER;
        let name_at = |offset| attribute_at(bytes, offset);
        assert_eq!(name_at(find(bytes, b"veth0") - before), Some("IFLA_IFNAME"));
        assert_eq!(name_at(find(bytes, &1500_u32.to_ne_bytes()) - before), Some("IFLA_MTU"));
        assert_eq!(name_at(find(bytes, b"eth0\0") - before), Some("IFLA_IFNAME"));
        assert_eq!(name_at(find(bytes, &[2; 6]) - before), Some("IFLA_ADDRESS"));
        let names: Vec<_> = (0..bytes.len()).filter_map(name_at).collect();
        for name in ["IFLA_LINKINFO", "IFLA_INFO_KIND", "IFLA_INFO_DATA", "VETH_INFO_PEER"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert_eq!(name_at(0), None);
        assert_eq!(name_at(bytes.len()), None);
    }

    #[test]
    fn names_of_links_are_those_that_the_kernel_takes() {
        for name in [&b"eth0"[..], b"a", b"123456789012345", b"x.y-z@1", b"..."] {
            assert!(is_link_name(name), "{name:?}");
        }
        for name in
            [&b""[..], b"1234567890123456", b"a/b", b"a:b", b"a b", b"a\n", b"a%d", b".", b".."]
        {
            assert!(!is_link_name(name), "{name:?}");
        }
    }

    #[test]
    fn refusals_without_words_have_a_hint() {
        let hint_of = |link: Link<'_>, errno| {
            let mut buffer = [0; 256];
            hint(link.emit(Verb::Create, &mut buffer, 1).unwrap(), errno).unwrap_or_default()
        };
        let link = Link::default();
        assert!(hint_of(Link { name: Some(b"x"), ..link }, EEXIST).contains("already"));
        assert!(hint_of(Link { name: Some(b"a/b"), ..link }, EINVAL).contains("name"));
        assert!(hint_of(Link { address: Some([1; 6]), ..link }, EADDRNOTAVAIL).contains("even"));
        assert!(hint_of(Link { mtu: Some(1), ..link }, EINVAL).contains("MTU"));
        let namespace = Some(Namespace::OfDescriptor(0));
        assert!(hint_of(Link { namespace, ..link }, EINVAL).contains("namespace"));
        let kind = Some(Kind::Ipvlan(0));
        assert!(hint_of(Link { kind, ..link }, EOPNOTSUPP).contains("ipvlan"));
        assert!(hint_of(link, EPERM).contains("CAP_NET_ADMIN"));
        assert_eq!(hint_of(link, 5), "");
        let mut buffer = [0; 128];
        let route = route::Route::default_through(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let request = route.emit(Verb::Create, &mut buffer, 1).unwrap();
        assert!(hint(request, ENETUNREACH).unwrap().contains("gateway"));
    }

    #[test]
    fn what_the_kernel_refused_iproute2_without_words_has_a_hint() {
        if cfg!(target_endian = "big") {
            return;
        }
        for (command, errno) in [
            ("ip link add vcap0 type veth peer name vcap1", EEXIST),
            ("ip link set vcap0 master vcap0", ELOOP),
        ] {
            let sent = captured::of(command).sent;
            assert!(hint(&sent, errno).is_some(), "{command}");
        }
    }

    proptest! {
        #[test]
        fn any_request_can_be_asked_about(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 16..36_u16, offset in 0..200_usize, errno in 1..134
        ) {
            if let Some(place) = bytes.get_mut(4..6) {
                place.copy_from_slice(&kind.to_ne_bytes());
            }
            let _ = attribute_at(&bytes, offset);
            let _ = hint(&bytes, errno);
        }

        #[test]
        fn a_request_of_ours_with_a_byte_changed_can_be_asked_about(place in 0..100_usize, byte: u8, offset in 0..110_usize) {
            let mut buffer = [0; 256];
            let mut bytes = veth(&mut buffer).to_vec();
            let place = place % bytes.len();
            bytes[place] = byte;
            let _ = attribute_at(&bytes, offset);
        }
    }
}

//! Links that were asked for, and what is said about them.
use super::idmap::parse_id;
use core::net::{IpAddr, Ipv4Addr};
use std::ffi::{CStr, CString};
use unshared_netlink::explain::is_link_name;
use unshared_netlink::link::Mac;

/// What the new network namespace is connected to.
#[derive(Clone, Default)]
pub(crate) struct Network {
    /// One of these three: a bridge, to which a veth pair leads; or a link of the host's that ours is
    /// made upon.
    pub(crate) bridge: Option<CString>,
    pub(crate) macvlan: Option<CString>,
    pub(crate) ipvlan: Option<CString>,
    /// Links of the host's that are lent.
    pub(crate) moved: Vec<Moved>,
    /// How ours is called inside.
    pub(crate) link_name: Option<CString>,
    pub(crate) mac: Option<Mac>,
    pub(crate) mtu: Option<u32>,
    /// Frames of ours may leave without their checksums, for some hardware to fill in.
    pub(crate) offload: bool,
    /// The addresses of ours, or else of the first that is lent.
    pub(crate) addresses: Vec<Cidr>,
    /// Default routes: one for each family.
    pub(crate) gateways: Vec<IpAddr>,
    /// The host's own addresses on the bridge.
    pub(crate) bridge_addresses: Vec<Cidr>,
    /// What goes from the bridge's network to others goes as the host's own.
    pub(crate) nat: bool,
    /// pasta(1) connects it, for an ordinary user.
    pub(crate) pasta: bool,
    /// Ports of the host's that lead inside.
    pub(crate) publish: Vec<Publish>,
    /// Name servers.
    pub(crate) dns: Vec<IpAddr>,
    /// What /etc/hosts says besides localhost.
    pub(crate) hosts: Vec<(CString, IpAddr)>,
}

/// An address, and how many bits of it are the network's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl Cidr {
    /// Reads `ADDRESS/PREFIX`.
    pub(crate) fn parse(text: &str) -> Result<Cidr, &'static str> {
        const EXPECTED: &str = "ADDRESS/PREFIX is needed, such as 10.0.0.2/24 or fd00::2/64";
        let (address, prefix) = text.split_once('/').ok_or(EXPECTED)?;
        let address: IpAddr = address.parse().map_err(|_| EXPECTED)?;
        let prefix = prefix.parse().map_err(|_| EXPECTED)?;
        if prefix > if address.is_ipv4() { 32 } else { 128 } {
            return Err("the prefix is longer than the address");
        }
        Ok(Cidr { address, prefix })
    }

    /// The same, for an address that one host may have.
    pub(crate) fn of_host(text: &str) -> Result<Cidr, &'static str> {
        let cidr = Cidr::parse(text)?;
        let is_broadcast = cidr.address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if cidr.address.is_unspecified() || cidr.address.is_multicast() || is_broadcast {
            return Err("that is no address of one host");
        }
        Ok(cidr)
    }
}

impl core::fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

/// A port of the host's that leads inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Publish {
    pub(crate) outside: u16,
    pub(crate) inside: u16,
    pub(crate) is_udp: bool,
}

impl Publish {
    /// Reads `HOSTPORT:PORT`, `HOSTPORT:PORT/tcp` or `HOSTPORT:PORT/udp`.
    pub(crate) fn parse(text: &str) -> Result<Publish, &'static str> {
        const EXPECTED: &str = "HOSTPORT:PORT or HOSTPORT:PORT/udp is needed, such as 8080:80";
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (outside, inside) = ports.split_once(':').ok_or(EXPECTED)?;
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or(EXPECTED);
        let is_udp = match protocol {
            "tcp" => false,
            "udp" => true,
            _ => return Err(EXPECTED),
        };
        Ok(Publish { outside: port(outside)?, inside: port(inside)?, is_udp })
    }
}

/// A link of the host's that is lent, and given back at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moved {
    pub(crate) name: CString,
    /// How it is called inside.
    pub(crate) inside: CString,
}

impl Moved {
    /// Reads `NAME` or `NAME:INSIDE`.
    pub(crate) fn parse(text: &[u8]) -> Result<Moved, &'static str> {
        let mut words = text.splitn(2, |byte| *byte == b':');
        let name = link_name(words.next().unwrap_or_default())?;
        let inside = words.next().map_or_else(|| Ok(name.clone()), link_name)?;
        Ok(Moved { name, inside })
    }
}

/// Reads the name of a link.
pub(crate) fn link_name(text: &[u8]) -> Result<CString, &'static str> {
    match CString::new(text) {
        Ok(name) if is_link_name(text) => Ok(name),
        _ => Err("a link's name has 1 to 15 bytes, and no \"/\", \":\", \"%\" or space"),
    }
}

/// Reads a hardware address.
pub(crate) fn mac(text: &str) -> Result<Mac, &'static str> {
    const EXPECTED: &str = "six bytes are needed, such as 02:00:00:00:00:01";
    let mut mac = Mac::default();
    let mut bytes = text.split(':');
    for place in &mut mac {
        let digits = bytes.next().filter(|digits| matches!(digits.len(), 1 | 2));
        let is_number = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = digits.filter(is_number).ok_or(EXPECTED)?;
        *place = u8::from_str_radix(digits, 16).map_err(|_| EXPECTED)?;
    }
    match mac {
        _ if bytes.next().is_some() => Err(EXPECTED),
        [0, 0, 0, 0, 0, 0] => Err("a hardware address is not zero"),
        [first, ..] if first & 1 != 0 => Err("its first byte is odd: that is a group's"),
        mac => Ok(mac),
    }
}

/// Reads the address of a host.
pub(crate) fn ip(text: &str) -> Result<IpAddr, &'static str> {
    match text.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() && !ip.is_multicast() => Ok(ip),
        _ => Err("the IP address of a host is needed"),
    }
}

/// Reads the size of a link's packets.
pub(crate) fn mtu(text: &str) -> Result<u32, &'static str> {
    let mtu = parse_id(text).filter(|mtu| (68..=65535).contains(mtu));
    mtu.ok_or("an MTU is a number from 68 to 65535")
}

/// Reads `NAME=ADDRESS`.
pub(crate) fn host(text: &str) -> Result<(CString, IpAddr), &'static str> {
    const EXPECTED: &str = "NAME=ADDRESS is needed, such as db=10.0.0.3";
    let (name, address) = text.split_once('=').ok_or(EXPECTED)?;
    let is_wrong = |byte: u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || byte == b'#';
    if name.is_empty() || name.bytes().any(is_wrong) {
        return Err(EXPECTED);
    }
    let name = CString::new(name).map_err(|_| EXPECTED)?;
    Ok((name, address.parse().map_err(|_| EXPECTED)?))
}

/// The name of our link inside, unless another was asked for.
const LINK: &CStr = c"eth0";

impl Network {
    /// Whether it needs a network namespace.
    pub(crate) fn has_links(&self) -> bool {
        self.own().is_some()
            || !self.moved.is_empty()
            || !self.addresses.is_empty()
            || !self.gateways.is_empty()
            || !self.bridge_addresses.is_empty()
            || self.link_name.is_some()
            || self.mac.is_some()
            || self.mtu.is_some()
            || self.nat
            || self.pasta
            || !self.publish.is_empty()
    }

    /// Whether files are mounted for it.
    pub(crate) fn has_files(&self) -> bool {
        !self.dns.is_empty() || !self.hosts.is_empty()
    }

    /// How our own link is called inside, if there is one.
    pub(crate) fn own(&self) -> Option<&CStr> {
        let is_asked = self.bridge.is_some() || self.macvlan.is_some() || self.ipvlan.is_some();
        is_asked.then(|| self.link_name.as_deref().unwrap_or(LINK))
    }

    /// The link that the addresses are for, as it is called inside.
    pub(crate) fn main(&self) -> Option<&CStr> {
        self.own().or_else(|| self.moved.first().map(|moved| moved.inside.as_c_str()))
    }

    /// The networks of the bridge, as far as they are known.
    pub(crate) fn networks(&self) -> &[Cidr] {
        if self.bridge_addresses.is_empty() { &self.addresses } else { &self.bridge_addresses }
    }

    /// What does not go together.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let kinds = [&self.bridge, &self.macvlan, &self.ipvlan];
        if kinds.into_iter().flatten().count() > 1 {
            return Some("only one of --bridge, --macvlan and --ipvlan can be had");
        }
        let has_addresses = !self.addresses.is_empty() || !self.gateways.is_empty();
        if has_addresses && self.main().is_none() {
            return Some(
                "--address and --gateway need a link: --bridge, --macvlan, --ipvlan or --move-link",
            );
        }
        let has_own = self.link_name.is_some() || self.mac.is_some() || self.mtu.is_some();
        if has_own && self.own().is_none() {
            return Some(
                "--link-name, --mac and --mtu need a link: --bridge, --macvlan or --ipvlan",
            );
        }
        if self.offload && self.bridge.is_none() {
            return Some("--offload without --bridge");
        }
        if self.mac.is_some() && self.ipvlan.is_some() {
            return Some("--mac with --ipvlan: such a link has the address of its parent");
        }
        if !self.bridge_addresses.is_empty() && self.bridge.is_none() {
            return Some("--bridge-address without --bridge");
        }
        if self.nat && (self.bridge.is_none() || self.networks().is_empty()) {
            return Some("--nat is for a --bridge, and its --bridge-address or an --address");
        }
        if self.pasta && (self.main().is_some() || has_addresses) {
            return Some("--pasta makes the link and its addresses by itself");
        }
        if !self.publish.is_empty()
            && !self.pasta
            && (self.bridge.is_none() || self.addresses.is_empty())
        {
            return Some("--publish is for a --bridge with an --address, or for --pasta");
        }
        for is_four in [true, false] {
            if self.gateways.iter().filter(|gateway| gateway.is_ipv4() == is_four).count() > 1 {
                return Some("--gateway is given twice for one family");
            }
        }
        let mut inside: Vec<&CStr> =
            self.moved.iter().map(|moved| moved.inside.as_c_str()).collect();
        inside.extend(self.own());
        inside.push(c"lo");
        inside.sort_unstable();
        if inside.windows(2).any(|names| matches!(names, [one, other] if one == other)) {
            return Some("two links would have the same name inside");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_prefix_that_fits() {
        for text in ["10.0.0.2/24", "0.0.0.0/0", "fd00::2/128", "10.0.0.2/32"] {
            assert_eq!(Cidr::parse(text).unwrap().to_string(), text);
        }
        for text in ["10.0.0.2", "10.0.0.2/33", "fd00::2/129", "10.0.0/8", "/8", "x/8", "1.2.3.4/"]
        {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hardware_address_is_a_single_stations() {
        assert_eq!(mac("02:0:00:00:00:fF").unwrap(), [2, 0, 0, 0, 0, 255]);
        for text in
            ["", "02:00:00:00:00", "02:00:00:00:00:01:02", "01:00:00:00:00:00", "+2:0:0:0:0:1"]
        {
            assert!(mac(text).is_err(), "{text}");
        }
        assert!(mac("00:00:00:00:00:00").is_err());
    }

    #[test]
    fn a_link_is_lent_under_its_name_or_another() {
        let names = |text: &[u8]| {
            Moved::parse(text).map(|moved| (moved.name.into_bytes(), moved.inside.into_bytes()))
        };
        assert_eq!(names(b"int3"), Ok((b"int3".to_vec(), b"int3".to_vec())));
        assert_eq!(names(b"int3:eth1"), Ok((b"int3".to_vec(), b"eth1".to_vec())));
        for text in [&b""[..], b":x", b"x:", b"x:y:z", b"0123456789abcdef", b"a/b"] {
            assert!(names(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_host_has_a_name_that_a_line_can_have() {
        assert_eq!(host("db=10.0.0.3").unwrap().0.as_bytes(), b"db");
        for text in ["db", "=10.0.0.3", "a b=10.0.0.3", "db=x", "#=10.0.0.3", "a\n=::1"] {
            assert!(host(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_needs_a_link_is_refused_without_one() {
        let refused = |change: fn(&mut Network)| {
            let mut network = Network::default();
            change(&mut network);
            network.problem().is_some()
        };
        assert!(!refused(|_| {}));
        assert!(refused(|network| network.mtu = Some(1400)));
        assert!(refused(|network| network.gateways.push(IpAddr::from([10, 0, 0, 1]))));
        assert!(refused(|network| {
            network.bridge = Some(c"a".to_owned());
            network.macvlan = Some(c"a".to_owned());
        }));
        assert!(refused(|network| {
            network.bridge = Some(c"a".to_owned());
            network.moved.push(Moved::parse(b"x:eth0").unwrap());
        }));
        assert!(!refused(|network| network.moved.push(Moved::parse(b"x:eth0").unwrap())));
    }
}

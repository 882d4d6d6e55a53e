//! `--nat` and `--publish`: tables of the packet filter, one for each family.
use super::{NetStep, names};
use crate::link::Socket;
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::registry::undo::Undo;
use crate::spec::network::{Cidr, Network, Publish};
use crate::step::word;
use core::fmt::Write;
use core::net::IpAddr;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use unshared_netlink::nftables::{Batch, Expression, FIRST, Family, Hook, SECOND};

/// What the tables of an instance say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rules {
    /// Networks whose packets to others leave as the host's own.
    pub(crate) masqueraded: Vec<Cidr>,
    /// Ports of the host's that lead to the instance.
    pub(crate) published: Vec<Publish>,
    /// The instance's addresses. In each family the first one counts.
    pub(crate) targets: Vec<IpAddr>,
}

/// The step for it, if there is something to do.
pub(super) fn step(network: &Network, instance: Option<&CString>) -> Option<NetStep> {
    let published = if network.pasta { Vec::new() } else { network.publish.clone() };
    if !network.nat && published.is_empty() {
        return None;
    }
    let rules = Rules {
        masqueraded: if network.nat { network.networks().to_vec() } else { Vec::new() },
        published,
        targets: network.addresses.iter().map(|cidr| cidr.address).collect(),
    };
    Some(NetStep::AddRules { rules, instance: instance.cloned() })
}

impl Rules {
    /// Whether there is something to say about a family.
    fn concern(&self, family: Family) -> bool {
        let is_four = family == Family::Four;
        self.masqueraded.iter().any(|cidr| cidr.address.is_ipv4() == is_four)
            || self.target(family).is_some() && !self.published.is_empty()
    }

    fn target(&self, family: Family) -> Option<IpAddr> {
        self.targets.iter().copied().find(|target| target.is_ipv4() == (family == Family::Four))
    }

    /// As nft(8) takes it.
    pub(crate) fn shell(&self, instance: Option<&CStr>) -> String {
        let instance = instance.unwrap_or(c"unshared");
        let table = table_of(instance, b"/run/unshared");
        let table = table.to_string_lossy();
        let mut text = String::new();
        for (family, word) in FAMILIES {
            if !self.concern(family) {
                continue;
            }
            let _ = writeln!(text, "table {word} {table} {{");
            if let Some(target) = self.target(family) {
                for (chain, priority) in [("prerouting", "dstnat"), ("output", "-100")] {
                    let _ = writeln!(
                        text,
                        "chain {chain} {{ type nat hook {chain} priority {priority};"
                    );
                    let (open, close) = if target.is_ipv6() { ("[", "]") } else { ("", "") };
                    for Publish { outside, inside, is_udp } in &self.published {
                        let protocol = if *is_udp { "udp" } else { "tcp" };
                        let _ = writeln!(
                            text,
                            "fib daddr type local {protocol} dport {outside} \
                             dnat to {open}{target}{close}:{inside}"
                        );
                    }
                    text.push_str("}\n");
                }
            }
            text.push_str("chain postrouting { type nat hook postrouting priority srcnat;\n");
            for cidr in self.of(family) {
                let _ = writeln!(text, "{word} saddr {cidr} {word} daddr != {cidr} masquerade");
            }
            text.push_str("}\n}\n");
        }
        format!("nft {}", word(text.as_bytes()))
    }

    fn of(&self, family: Family) -> impl Iterator<Item = &Cidr> {
        let is_four = family == Family::Four;
        self.masqueraded.iter().filter(move |cidr| cidr.address.is_ipv4() == is_four)
    }
}

const FAMILIES: [(Family, &str); 2] = [(Family::Four, "ip"), (Family::Six, "ip6")];

/// The name of an instance's tables.
fn table_of(instance: &CStr, state: &[u8]) -> CString {
    let name = names::host_side(instance, state);
    CString::new([b"unshared-", name.to_bytes()].concat()).unwrap_or_default()
}

/// Host: makes the tables. Forwarding is the host's business, and not turned on by us.
pub(super) fn add(rules: &Rules, journal: &mut Journal) -> Result<(), Failure> {
    for (family, file, setting) in [
        (Family::Four, "/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        (Family::Six, "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"),
    ] {
        if rules.concern(family) && crate::files::read_file(file).is_ok_and(|text| text == b"0\n") {
            let reason = format!("the host forwards nothing: {setting} is 0; set it to 1");
            return Err(Failure::new(Errno::HOSTUNREACH, reason));
        }
    }
    let record = journal.record().ok_or(Errno::NOENT)?;
    let state = record.state.path_of(b"");
    let table = table_of(&record.name, state.strip_suffix(b"/").unwrap_or(&state));
    journal.until_end(Undo::RemoveTables(table.clone()))?;
    send(&mut |batch| {
        for (family, _) in FAMILIES {
            if rules.concern(family) {
                // What a run before left under that name goes.
                batch.add_table(family, table.to_bytes());
                batch.delete_table(family, table.to_bytes());
                batch.add_table(family, table.to_bytes());
                fill(batch, family, table.to_bytes(), rules);
            }
        }
    })
}

fn fill(batch: &mut Batch<'_>, family: Family, table: &[u8], rules: &Rules) {
    if let Some(target) = rules.target(family) {
        for (chain, hook) in [(&b"prerouting"[..], Hook::Prerouting), (b"output", Hook::Output)] {
            batch.add_chain(family, table, chain, hook);
            for one in &rules.published {
                publish(batch, family, table, chain, one, target);
            }
        }
    }
    let chain = b"postrouting";
    batch.add_chain(family, table, chain, Hook::Postrouting);
    for cidr in rules.of(family) {
        masquerade(batch, family, table, chain, cidr);
    }
}

/// What is in an address as bytes.
fn octets(address: IpAddr) -> ([u8; 16], usize) {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(four) => bytes.iter_mut().zip(four.octets()).for_each(|(to, from)| *to = from),
        IpAddr::V6(six) => bytes = six.octets(),
    }
    (bytes, if address.is_ipv4() { 4 } else { 16 })
}

fn masquerade(batch: &mut Batch<'_>, family: Family, table: &[u8], chain: &[u8], cidr: &Cidr) {
    let (mut network, length) = octets(cidr.address);
    let mut mask = [0_u8; 16];
    for (index, (byte, mask)) in network.iter_mut().zip(&mut mask).enumerate() {
        let bits = usize::from(cidr.prefix).saturating_sub(8 * index).min(8) as u32;
        *mask = 0xff_u8.checked_shl(8 - bits).unwrap_or(0);
        *byte &= *mask;
    }
    let (value, mask) = (network.get(..length).unwrap_or(&[]), mask.get(..length).unwrap_or(&[]));
    // Where source and destination are in the header.
    let (source, destination) = if family == Family::Four { (12, 16) } else { (8, 24) };
    let length = u32::try_from(length).unwrap_or(0);
    batch.add_rule(
        family,
        table,
        chain,
        &[
            Expression::Network { offset: source, length },
            Expression::Mask(mask),
            Expression::Compare { equal: true, value },
            Expression::Network { offset: destination, length },
            Expression::Mask(mask),
            Expression::Compare { equal: false, value },
            Expression::Masquerade,
        ],
    );
}

/// RTN_LOCAL: an address of the host's.
const LOCAL: u32 = 2;

fn publish(
    batch: &mut Batch<'_>,
    family: Family,
    table: &[u8],
    chain: &[u8],
    one: &Publish,
    target: IpAddr,
) {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let (address, length) = octets(target);
    batch.add_rule(
        family,
        table,
        chain,
        &[
            Expression::DestinationKind,
            Expression::Compare { equal: true, value: &LOCAL.to_ne_bytes() },
            Expression::Protocol,
            Expression::Compare { equal: true, value: &[if one.is_udp { UDP } else { TCP }] },
            Expression::Transport { offset: 2, length: 2 },
            Expression::Compare { equal: true, value: &one.outside.to_be_bytes() },
            Expression::Immediate { register: FIRST, value: address.get(..length).unwrap_or(&[]) },
            Expression::Immediate { register: SECOND, value: &one.inside.to_be_bytes() },
            Expression::Translate(family),
        ],
    );
}

/// Has a batch done, as a whole.
fn send(fill: &mut dyn FnMut(&mut Batch<'_>)) -> Result<(), Failure> {
    let mut socket = Socket::open_filter().map_err(|errno| match errno {
        Errno::PROTONOSUPPORT => Failure::new(errno, "this kernel has no nf_tables"),
        _ => errno.into(),
    })?;
    let result = socket.batch(fill);
    result.map_err(|failure| match failure.errno() {
        errno @ (Errno::OPNOTSUPP | Errno::INVAL) => {
            Failure::new(errno, "this kernel has no nf_tables")
        }
        _ => failure,
    })
}

/// Undo: removes the tables of that name.
pub(crate) fn remove(table: &CStr) {
    for (family, _) in FAMILIES {
        // One batch each: what is not there refuses all of it.
        let _ = send(&mut |batch| batch.delete_table(family, table.to_bytes()));
    }
}

//! The steps that connect a network namespace: on the host's side, and inside.
use crate::error::quote;
use crate::spec::Spec;
use crate::spec::network::{Cidr, Moved, Network, Publish};
use crate::step::word;
use core::fmt::Write;
use core::net::IpAddr;
use std::ffi::{CStr, CString};
use unshared_netlink::link::Mac;

pub(crate) mod bridge;
pub(crate) mod lent;
pub(crate) mod links;
pub(crate) mod names;
pub(crate) mod namespace;
pub(crate) mod nat;
pub(crate) mod netns;
pub(crate) mod pasta;

/// A link that is born in the new namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Inner {
    pub(crate) name: CString,
    pub(crate) mac: Option<Mac>,
    pub(crate) mtu: Option<u32>,
}

/// Kinds of links that are made upon one of the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Upon {
    Macvlan,
    Ipvlan,
}

/// One thing to do about links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NetStep {
    /// Host: makes a bridge where there is none.
    AddBridge { bridge: CString },
    /// Host: gives the host an address on the bridge.
    AddBridgeAddress { bridge: CString, address: Cidr },
    /// Host: makes a pair, one end of which is a port of the bridge, and the other inside.
    AddVeth {
        bridge: CString,
        inner: Inner,
        /// The instance's name, if one was given.
        instance: Option<CString>,
    },
    /// Host: makes a link inside, upon one of the host's.
    AddUpon { kind: Upon, parent: CString, inner: Inner },
    /// Host: makes tables of the packet filter.
    AddRules {
        rules: nat::Rules,
        /// The instance's name, if one was given.
        instance: Option<CString>,
    },
    /// Host: has pasta(1) connect the namespace.
    RunPasta { publish: Vec<Publish> },
    /// Host: keeps the network namespace until what was lent to it is back.
    KeepNamespace,
    /// Host: lends a link.
    MoveLink(Moved),
    /// Inside: gives a link an address.
    AddAddress { link: CString, address: Cidr },
    /// Inside: frames leave with their checksums.
    FillInChecksums { link: CString },
    /// Inside: brings a link up.
    BringUp { link: CString },
    /// Inside: adds the default route.
    AddDefaultRoute { gateway: IpAddr },
}

/// The host's steps for what was asked for, in their order.
pub(crate) fn on_host(spec: &Spec) -> Vec<NetStep> {
    let network = &spec.network;
    let mut steps = Vec::new();
    if !network.moved.is_empty() {
        steps.push(NetStep::KeepNamespace);
        for moved in &network.moved {
            steps.push(NetStep::MoveLink(moved.clone()));
        }
    }
    if network.pasta {
        steps.push(NetStep::RunPasta { publish: network.publish.clone() });
    }
    let Some(name) = network.own() else { return steps };
    let inner = Inner { name: name.to_owned(), mac: network.mac, mtu: network.mtu };
    if let Some(bridge) = &network.bridge {
        steps.push(NetStep::AddBridge { bridge: bridge.clone() });
        for address in &network.bridge_addresses {
            steps.push(NetStep::AddBridgeAddress { bridge: bridge.clone(), address: *address });
        }
        let instance = spec.name.clone();
        steps.push(NetStep::AddVeth { bridge: bridge.clone(), inner: inner.clone(), instance });
    }
    for (kind, parent) in [(Upon::Macvlan, &network.macvlan), (Upon::Ipvlan, &network.ipvlan)] {
        if let Some(parent) = parent.clone() {
            steps.push(NetStep::AddUpon { kind, parent, inner: inner.clone() });
        }
    }
    steps.extend(nat::step(network, spec.name.as_ref()));
    steps
}

/// Those inside, once the host's are done.
pub(crate) fn inside(network: &Network) -> Vec<NetStep> {
    let mut steps = Vec::new();
    if let Some(link) = network.main() {
        for address in &network.addresses {
            steps.push(NetStep::AddAddress { link: link.to_owned(), address: *address });
        }
    }
    if let (Some(link), true) = (network.own(), network.bridge.is_some() && !network.offload) {
        steps.push(NetStep::FillInChecksums { link: link.to_owned() });
    }
    if let Some(link) = network.own() {
        steps.push(NetStep::BringUp { link: link.to_owned() });
    }
    for moved in &network.moved {
        steps.push(NetStep::BringUp { link: moved.inside.clone() });
    }
    for gateway in &network.gateways {
        steps.push(NetStep::AddDefaultRoute { gateway: *gateway });
    }
    steps
}

/// What the files say that are mounted for it.
pub(crate) fn files(spec: &Spec) -> Vec<(&'static CStr, String)> {
    let network = &spec.network;
    let mut files = Vec::new();
    if !network.dns.is_empty() {
        let mut text = String::new();
        for server in &network.dns {
            let _ = writeln!(text, "nameserver {server}");
        }
        files.push((c"/etc/resolv.conf", text));
    }
    if !network.hosts.is_empty() {
        let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned();
        if let (Some(name), Some(own)) = (&spec.hostname, network.addresses.first()) {
            let _ = writeln!(text, "{} {}", own.address, name.to_string_lossy());
        }
        for (name, address) in &network.hosts {
            let _ = writeln!(text, "{address} {}", name.to_string_lossy());
        }
        files.push((c"/etc/hosts", text));
    }
    files
}

impl Upon {
    fn word(self) -> &'static str {
        match self {
            Upon::Macvlan => "macvlan",
            Upon::Ipvlan => "ipvlan",
        }
    }

    /// The mode that is asked for: what is upon the same link reaches each other.
    fn mode(self) -> &'static str {
        match self {
            Upon::Macvlan => "bridge",
            Upon::Ipvlan => "l2",
        }
    }
}

impl NetStep {
    /// The attempt and its object, as a message has them.
    pub(crate) fn attempt(&self) -> String {
        let name = |name: &CStr| quote(name.to_bytes());
        match self {
            NetStep::AddBridge { bridge } => format!("make bridge {}", name(bridge)),
            NetStep::AddBridgeAddress { bridge, address } => {
                format!("add address {address} to bridge {}", name(bridge))
            }
            NetStep::AddVeth { bridge, inner, .. } => {
                format!("make link {} inside, on bridge {}", name(&inner.name), name(bridge))
            }
            NetStep::AddUpon { kind, parent, inner } => format!(
                "make {} link {} inside, upon {}",
                kind.word(),
                name(&inner.name),
                name(parent)
            ),
            NetStep::AddRules { .. } => "add nf_tables rules".to_owned(),
            NetStep::RunPasta { .. } => "run pasta".to_owned(),
            NetStep::KeepNamespace => "keep the net namespace".to_owned(),
            NetStep::MoveLink(moved) => format!("move link {} inside", name(&moved.name)),
            NetStep::AddAddress { link, address } => {
                format!("add address {address} to link {}", name(link))
            }
            NetStep::FillInChecksums { link } => {
                format!("fill in the checksums of link {}", name(link))
            }
            NetStep::BringUp { link } => format!("bring up link {}", name(link)),
            NetStep::AddDefaultRoute { gateway } => {
                format!("add default route through {gateway}")
            }
        }
    }

    /// The step as a line of ip(8). `pid` is the child's, or a variable that holds it.
    pub(crate) fn shell(&self, pid: &str) -> String {
        let name = |name: &CStr| word(name.to_bytes());
        match self {
            NetStep::AddBridge { bridge } => {
                let bridge = name(bridge);
                format!(
                    "ip link show dev {bridge} >/dev/null 2>&1 || \
                     {{ made=\"{bridge} $made\"; ip link add name {bridge} up type bridge; }}"
                )
            }
            NetStep::AddBridgeAddress { bridge, address } => {
                let nodad = nodad(address);
                format!("ip address replace {address} dev {}{nodad}", name(bridge))
            }
            NetStep::AddVeth { bridge, inner, instance } => {
                let instance = instance.as_deref().unwrap_or(c"unshared");
                let host = name(&names::host_side(instance, b"/run/unshared"));
                let mtu = mtu(inner);
                format!(
                    "ip link add name {host}{mtu} master {} up type veth peer name {}{}{mtu} netns {pid}",
                    name(bridge),
                    name(&inner.name),
                    with_mac(inner)
                )
            }
            NetStep::AddUpon { kind, parent, inner } => format!(
                "ip link add link {} name {}{}{} netns {pid} type {} mode {}",
                name(parent),
                name(&inner.name),
                with_mac(inner),
                mtu(inner),
                kind.word(),
                kind.mode()
            ),
            NetStep::AddRules { rules, instance } => rules.shell(instance.as_deref()),
            NetStep::RunPasta { publish } => format!("{} {pid}", pasta::words(publish)),
            // What is no hardware goes with the namespace, where nobody takes it back.
            NetStep::KeepNamespace => ":".to_owned(),
            NetStep::MoveLink(moved) => {
                let (link, inside) = (name(&moved.name), name(&moved.inside));
                format!("ip link set dev {link} name {inside} netns {pid}")
            }
            NetStep::AddAddress { link, address } => {
                format!("ip address add {address} dev {}{}", name(link), nodad(address))
            }
            NetStep::FillInChecksums { link } => {
                format!("ethtool -K {} tx off >/dev/null 2>&1 || :", name(link))
            }
            NetStep::BringUp { link } => format!("ip link set dev {} up", name(link)),
            NetStep::AddDefaultRoute { gateway } => {
                let family = if gateway.is_ipv6() { "-6 " } else { "" };
                format!("ip {family}route add default via {gateway}")
            }
        }
    }

    /// Whether what undoes it is in the journal.
    pub(crate) fn leaves_something(&self) -> bool {
        match self {
            NetStep::AddBridge { .. }
            | NetStep::AddBridgeAddress { .. }
            | NetStep::AddRules { .. }
            | NetStep::RunPasta { .. }
            | NetStep::KeepNamespace
            | NetStep::MoveLink(_) => true,
            // These go with the namespace.
            NetStep::AddVeth { .. }
            | NetStep::AddUpon { .. }
            | NetStep::AddAddress { .. }
            | NetStep::FillInChecksums { .. }
            | NetStep::BringUp { .. }
            | NetStep::AddDefaultRoute { .. } => false,
        }
    }
}

fn nodad(address: &Cidr) -> &'static str {
    if address.address.is_ipv6() { " nodad" } else { "" }
}

/// A hardware address as it is written.
fn mac([a, b, c, d, e, f]: Mac) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn with_mac(inner: &Inner) -> String {
    inner.mac.map_or_else(String::new, |address| format!(" address {}", mac(address)))
}

fn mtu(inner: &Inner) -> String {
    inner.mtu.map_or_else(String::new, |mtu| format!(" mtu {mtu}"))
}

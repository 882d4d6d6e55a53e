//! The options of `spawn` that are about links, and the commands for named network namespaces.
use super::spawn::{once, wrong};
use super::{Request, help};
use crate::error::{Error, quote};
use crate::network::netns;
use crate::spec::network::{self, Cidr, Moved, Network, Publish};
use core::net::IpAddr;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

/// Takes in an option with its value; `false` if it is not about links.
pub(super) fn take(
    network: &mut Network,
    name: &str,
    value: impl FnOnce() -> Result<OsString, Error>,
) -> Result<bool, Error> {
    match name {
        "--bridge" => once(&mut network.bridge, link_name(value()?, name)?, name)?,
        "--macvlan" => once(&mut network.macvlan, link_name(value()?, name)?, name)?,
        "--ipvlan" => once(&mut network.ipvlan, link_name(value()?, name)?, name)?,
        "--move-link" => network.moved.push(moved(value()?, name)?),
        "--link-name" => once(&mut network.link_name, link_name(value()?, name)?, name)?,
        "--mac" => once(&mut network.mac, parse(value()?, name, network::mac)?, name)?,
        "--mtu" => once(&mut network.mtu, parse(value()?, name, mtu)?, name)?,
        "--address" => network.addresses.push(parse(value()?, name, Cidr::of_host)?),
        "--bridge-address" => network.bridge_addresses.push(parse(value()?, name, Cidr::of_host)?),
        "--gateway" => network.gateways.push(parse(value()?, name, ip)?),
        "--publish" => network.publish.push(parse(value()?, name, Publish::parse)?),
        "--dns" => network.dns.push(parse(value()?, name, ip)?),
        "--hosts" => network.hosts.push(parse(value()?, name, network::host)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn link_name(value: OsString, name: &str) -> Result<CString, Error> {
    network::link_name(value.as_bytes()).map_err(|problem| wrong(name, &value, problem))
}

fn moved(value: OsString, name: &str) -> Result<Moved, Error> {
    Moved::parse(value.as_bytes()).map_err(|problem| wrong(name, &value, problem))
}

fn parse<T>(
    value: OsString,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Result<T, Error> {
    parse(value.to_str().unwrap_or_default()).map_err(|problem| wrong(name, &value, problem))
}

fn ip(text: &str) -> Result<IpAddr, &'static str> {
    match text.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() && !ip.is_multicast() => Ok(ip),
        _ => Err("the IP address of a host is needed"),
    }
}

fn mtu(text: &str) -> Result<u32, &'static str> {
    const EXPECTED: &str = "an MTU is a number from 68 to 65535";
    let mtu = text.parse().map_err(|_| EXPECTED)?;
    if (68..=65535).contains(&mtu) { Ok(mtu) } else { Err(EXPECTED) }
}

/// `BRIDGE NAME ADDRESS/PREFIX... [--gateway ADDRESS]`.
pub(super) fn parse_init(arguments: Arguments) -> Result<Request, Error> {
    let command = "initnetns";
    let words: Vec<&CStr> = arguments.collect();
    let [bridge, name, rest @ ..] = words.as_slice() else {
        return match words.first() {
            Some(word) if is_help(word) => Ok(Request::Print(help::of(command))),
            _ => Err(Error::usage(INIT_NEEDS, command)),
        };
    };
    if is_help(bridge) {
        return Ok(Request::Print(help::of(command)));
    }
    let (mut addresses, mut gateways) = (Vec::new(), Vec::new());
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if word.to_bytes() == b"--gateway" {
            let value = rest.next().copied().unwrap_or_default();
            let gateway = ip(value.to_str().unwrap_or_default());
            let gateway = gateway.map_err(|problem| bad(value, problem, command))?;
            if gateways.iter().any(|other: &IpAddr| other.is_ipv4() == gateway.is_ipv4()) {
                return Err(bad(value, "there is a gateway of that family already", command));
            }
            gateways.push(gateway);
        } else {
            let address = Cidr::of_host(word.to_str().unwrap_or_default());
            addresses.push(address.map_err(|problem| bad(word, problem, command))?);
        }
    }
    if addresses.is_empty() {
        return Err(Error::usage(INIT_NEEDS, command));
    }
    let (bridge, name) = (bridge_name(bridge, command)?, netns_name(name, command)?);
    Ok(Request::Netns(netns::Request::Init(netns::Init { bridge, name, addresses, gateways })))
}

const INIT_NEEDS: &str = "BRIDGE, NAME and ADDRESS/PREFIX are needed";

/// `BRIDGE NAME`.
pub(super) fn parse_destroy(arguments: Arguments) -> Result<Request, Error> {
    let command = "destroynetns";
    let words: Vec<&CStr> = arguments.collect();
    match words.as_slice() {
        [word, ..] if is_help(word) => Ok(Request::Print(help::of(command))),
        [bridge, name] => {
            let (bridge, name) = (bridge_name(bridge, command)?, netns_name(name, command)?);
            Ok(Request::Netns(netns::Request::Destroy { bridge, name }))
        }
        _ => Err(Error::usage("BRIDGE and NAME are needed", command)),
    }
}

fn is_help(word: &CStr) -> bool {
    matches!(word.to_bytes(), b"--help" | b"-h")
}

fn bad(word: &CStr, problem: &str, command: &str) -> Error {
    Error::usage(format!("{}: {problem}", quote(word.to_bytes())), command)
}

fn bridge_name(word: &CStr, command: &str) -> Result<CString, Error> {
    network::link_name(word.to_bytes()).map_err(|problem| bad(word, problem, command))
}

/// A name that is one of a file.
fn netns_name(word: &CStr, command: &str) -> Result<CString, Error> {
    match word.to_bytes() {
        b"" | b"." | b".." => Err(bad(word, "no name of a file", command)),
        name if name.contains(&b'/') || name.len() > 200 => {
            Err(bad(word, "no name of a file", command))
        }
        _ => Ok(word.to_owned()),
    }
}

//! The command lines of the commands for named network namespaces.
use super::Request;
use super::values::{Problem, add};
use super::words::Words;
use crate::error::Error;
use crate::network::netns;
use crate::spec::network::{Cidr, ip, link_name};
use core::net::IpAddr;
use std::ffi::{CStr, CString};

/// The options of `initnetns`, as [`Words::next`] has them.
pub(super) const OPTIONS: &str = "gateway=";

/// `BRIDGE NAME ADDRESS/PREFIX... [--gateway ADDRESS]`.
pub(super) fn init(words: &mut Words) -> Result<Request, Error> {
    const NEEDED: &str = "BRIDGE, NAME and ADDRESS/PREFIX are needed";
    let (bridge, name) = names(words, NEEDED)?;
    let (mut addresses, mut gateways) = (Vec::new(), Vec::new());
    while let Some(option) = words.next(OPTIONS)? {
        let text = words.value().to_str().unwrap_or_default();
        let taken = match option {
            "gateway" => ip(text).and_then(|gateway| {
                if gateways.iter().any(|other| gateway.is_ipv4() == IpAddr::is_ipv4(other)) {
                    return Err("there is a gateway of that family already");
                }
                gateways.push(gateway);
                Ok(())
            }),
            _ => add(&mut addresses, Cidr::of_host(text)),
        };
        taken.map_err(|problem| words.wrong(problem))?;
    }
    if addresses.is_empty() {
        return Err(words.usage(NEEDED));
    }
    Ok(Request::Netns(netns::Request::Init(netns::Init { bridge, name, addresses, gateways })))
}

/// `BRIDGE NAME`.
pub(super) fn destroy(words: &mut Words) -> Result<Request, Error> {
    let (bridge, name) = names(words, "BRIDGE and NAME are needed")?;
    words.none()?;
    Ok(Request::Netns(netns::Request::Destroy { bridge, name }))
}

/// The two that come first. A namespace may be called as an option is.
fn names(words: &mut Words, needed: &str) -> Result<(CString, CString), Error> {
    let bridge = words.any().ok_or_else(|| words.usage(needed))?;
    let bridge = link_name(bridge.to_bytes()).map_err(|problem| words.wrong(problem))?;
    let name = words.any().ok_or_else(|| words.usage(needed))?;
    let name = netns_name(name).map_err(|problem| words.wrong(problem))?;
    Ok((bridge, name))
}

/// A name that is one of a file.
fn netns_name(word: &CStr) -> Result<CString, Problem> {
    let name = word.to_bytes();
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.len() > 200 {
        return Err("no name of a file");
    }
    Ok(word.to_owned())
}

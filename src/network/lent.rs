//! Links of the host's that are lent to an instance, and given back.
//!
//! A link that is no hardware dies with its network namespace. So the namespace is kept by a file
//! until the link is back, whoever is killed meanwhile.
use super::links::Links;
use super::namespace;
use crate::error::quote;
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::registry::undo::Undo;
use crate::spec::network::{self, Cidr, Moved};
use core::fmt::Write;
use core::net::IpAddr;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::CString;
use unshared_netlink::address::{Address, LIFELONG};
use unshared_netlink::link::{Link, Mac};
use unshared_netlink::message::Verb;

/// A link as it was on the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lent {
    /// The file that keeps the namespace which it was lent to.
    pub(crate) namespace: CString,
    pub(crate) names: Moved,
    pub(crate) index: u32,
    /// Its hardware address, by which it is known again; zero if it has none of six bytes.
    pub(crate) mac: Mac,
    pub(crate) was_up: bool,
    /// The bridge that it was a port of, or 0.
    pub(crate) master: u32,
    /// Its addresses, but for those that the kernel makes by itself.
    pub(crate) addresses: Vec<Address>,
}

impl Lent {
    /// Its words in the journal, behind the namespace's file.
    pub(crate) fn words(&self) -> Vec<Vec<u8>> {
        let names = [&self.names.name, &self.names.inside];
        let mut words = names.map(|name| name.as_bytes().to_vec()).to_vec();
        let mac = crate::network::mac(self.mac);
        let mut text = format!("{} {mac} {} {}", self.index, u8::from(self.was_up), self.master);
        for one in &self.addresses {
            let _ = write!(text, " {}/{}", one.address, one.prefix);
            for ip in [one.peer, one.broadcast] {
                let _ = match ip {
                    Some(ip) => write!(text, " {ip}"),
                    None => write!(text, " -"),
                };
            }
            let _ = write!(text, " {} {}", one.flags, one.scope);
        }
        for word in text.as_bytes().split(|byte| *byte == b' ') {
            words.push(word.to_vec());
        }
        words
    }

    /// From its words.
    pub(crate) fn parse(namespace: CString, words: &[Vec<u8>]) -> Option<Lent> {
        let [name, inside, rest @ ..] = words else { return None };
        let text = |word: &Vec<u8>| CString::new(word.as_slice()).ok();
        let names = Moved { name: text(name)?, inside: text(inside)? };
        let mut words = Words(rest);
        let index = words.number()?;
        let mut lent = Lent {
            namespace,
            names,
            index,
            mac: network::mac(words.next()?).unwrap_or_default(),
            was_up: words.number()? != 0,
            master: words.number()?,
            addresses: Vec::new(),
        };
        while let Some(cidr) = words.next() {
            let Cidr { address, prefix } = Cidr::parse(cidr).ok()?;
            lent.addresses.push(Address {
                peer: words.ip()?,
                broadcast: words.ip()?,
                flags: words.number()?,
                scope: u8::try_from(words.number()?).ok()?,
                ..Address::new(index, address, prefix)
            });
        }
        Some(lent)
    }
}

/// Words that are taken one after the other.
struct Words<'a>(&'a [Vec<u8>]);

impl Words<'_> {
    fn next(&mut self) -> Option<&str> {
        let (word, rest) = self.0.split_first()?;
        self.0 = rest;
        std::str::from_utf8(word).ok()
    }

    fn number(&mut self) -> Option<u32> {
        self.next()?.parse().ok()
    }

    fn ip(&mut self) -> Option<Option<IpAddr>> {
        match self.next()? {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        }
    }
}

/// Where the namespace is kept, in the instance's record.
fn kept_at(journal: &Journal) -> Result<CString, Failure> {
    Ok(journal.record().ok_or(Errno::NOENT)?.path_in("net"))
}

/// Parent: keeps the child's network namespace until the end.
pub(super) fn keep_namespace(pid: Pid, journal: &mut Journal) -> Result<(), Failure> {
    let file = kept_at(journal)?;
    journal.until_end(Undo::RemoveEmptyFile(file.clone()))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    drop(rustix::fs::open(file.as_c_str(), flags, Mode::RUSR)?);
    let source = format!("/proc/{pid}/ns/net");
    let (_, inode) = crate::files::identity(source.as_bytes())?;
    journal.until_end(Undo::UnmountNamespace { path: file.clone(), inode })?;
    Ok(rustix::mount::mount_bind(source.as_str(), file.as_c_str())?)
}

/// Parent: lends a link to the child's network namespace.
pub(super) fn move_link(
    links: &mut Links,
    names: &Moved,
    pid: Pid,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let socket = links.socket()?;
    let Some(found) = socket.find(names.name.as_bytes())? else {
        let problem = format!("there is no link {}", quote(names.name.as_bytes()));
        return Err(Failure::new(Errno::NODEV, problem));
    };
    let mut addresses = Vec::new();
    socket.addresses(&mut |address| {
        if address.index == found.index && !address.is_automatic() && !addresses.contains(&address)
        {
            addresses.push(Address { flags: address.flags & LIFELONG, ..address });
        }
    })?;
    journal.until_end(Undo::ReturnLink(Box::new(Lent {
        namespace: kept_at(journal)?,
        names: names.clone(),
        index: found.index,
        mac: found.mac.unwrap_or_default(),
        was_up: found.is_up,
        master: found.master.unwrap_or(0),
        addresses,
    })))?;
    let link = Link {
        index: found.index,
        name: Some(names.inside.as_bytes()),
        namespace: Some(namespace::namespace_of(pid)),
        ..Link::default()
    };
    links.socket()?.link(Verb::Change, link)
}

/// Undo: takes a link back, if it is where it was lent to.
pub(crate) fn return_link(lent: &Lent) {
    if let Err(failure) = try_return(lent) {
        let name = quote(lent.names.name.as_bytes());
        crate::say(&failure.of(format!("take link {name} back")).message());
    }
}

fn try_return(lent: &Lent) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(there) = rustix::fs::open(lent.namespace.as_c_str(), flags, Mode::empty()) else {
        return Ok(());
    };
    let here = rustix::fs::open(c"/proc/self/ns/net", flags, Mode::empty())?;
    let mut inside = match namespace::socket_in(&there) {
        // There is a file, but nothing was kept at it yet.
        Err(Errno::INVAL) => return Ok(()),
        socket => socket?,
    };
    let name = lent.names.name.as_bytes();
    let mut socket = Socket::open()?;
    let Some(index) = find_again(&mut inside, lent)? else {
        // It never left, or whoever took it back was killed before it was as it had been.
        return match socket.find(name)? {
            Some(found) if found.mac.unwrap_or_default() == lent.mac => restore(&mut socket, lent),
            Some(_) | None => Ok(()),
        };
    };
    let link = Link { index, namespace: Some(namespace::descriptor_of(&here)), ..Link::default() };
    if let Err(failure) = inside.link(Verb::Change, Link { name: Some(name), ..link }) {
        if socket.find(name)?.is_none() {
            return Err(failure);
        }
        // Somebody else is called so by now: better under another name than not at all. The kernel looks
        // at the name after the move, so it is here by now, or is moved without one.
        return match inside.link(Verb::Change, link) {
            Err(failure) if failure.errno() != Errno::NODEV => Err(failure),
            _ => Err(Failure::new(Errno::EXIST, "it is back, under another name")),
        };
    }
    restore(&mut socket, lent)
}

/// Makes the link what it was on the host, where it is again.
fn restore(socket: &mut Socket, lent: &Lent) -> Result<(), Failure> {
    let name = lent.names.name.as_bytes();
    let Some(Found { index, .. }) = socket.find(name)? else { return Ok(()) };
    if lent.master != 0 {
        let master = Some(lent.master);
        let _ = socket.link(Verb::Change, Link { index, master, ..Link::default() });
    }
    for address in &lent.addresses {
        socket.address(Verb::Replace, Address { index, ..*address })?;
    }
    if lent.was_up { socket.bring_up(index) } else { Ok(()) }
}

/// The link where it was lent to: by the name that it got or, if it was renamed, by its index.
fn find_again(inside: &mut Socket, lent: &Lent) -> Result<Option<u32>, Failure> {
    if let Some(found) = inside.find(lent.names.inside.as_bytes())? {
        return Ok(Some(found.index));
    }
    // 1 is `lo`'s.
    Ok(inside.find_index(lent.index)?.map(|found| found.index).filter(|index| *index > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        let address = Address::new(7, "10.0.0.2".parse().unwrap(), 24);
        let peer = Some("10.0.0.3".parse().unwrap());
        let lent = Lent {
            namespace: c"/run/unshared/a/net".to_owned(),
            names: Moved::parse(b"int3:eth1").unwrap(),
            index: 7,
            mac: [2, 0, 0, 0, 0, 255],
            was_up: true,
            master: 3,
            addresses: vec![
                address,
                Address { peer, flags: 0x200, scope: 253, ..address },
                Address::new(7, "fd00::2".parse().unwrap(), 64),
            ],
        };
        let namespace = || lent.namespace.clone();
        assert_eq!(Lent::parse(namespace(), &lent.words()), Some(lent.clone()));
        assert_eq!(Lent::parse(namespace(), &lent.words()[..9]), None);
        assert_eq!(Lent::parse(namespace(), &[]), None);
    }
}

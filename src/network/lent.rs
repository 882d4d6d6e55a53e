//! Links of the host's that are lent to an instance, and given back.
//!
//! A link that is no hardware dies with its network namespace. So the namespace is kept by a file
//! until the link is back, whoever is killed meanwhile.
use super::links::Links;
use super::namespace;
use crate::error::{Error, quote};
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::journal::Journal;
use crate::registry::undo::Undo;
use crate::spec::network::{self, Cidr, Moved};
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
    /// Its words in the journal.
    pub(crate) fn words(&self) -> Vec<Vec<u8>> {
        let number = |number: u32| number.to_string().into_bytes();
        let mut words = vec![
            self.namespace.as_bytes().to_vec(),
            self.names.name.as_bytes().to_vec(),
            self.names.inside.as_bytes().to_vec(),
            number(self.index),
            crate::network::mac(self.mac).into_bytes(),
            number(self.was_up.into()),
            number(self.master),
        ];
        for one in &self.addresses {
            let cidr = Cidr { address: one.address, prefix: one.prefix };
            let ip = |ip: Option<IpAddr>| ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string());
            words.extend(
                [cidr.to_string(), ip(one.peer), ip(one.broadcast)].map(String::into_bytes),
            );
            words.extend([number(one.flags), number(one.scope.into())]);
        }
        words
    }

    /// From its words.
    pub(crate) fn parse(words: &[Vec<u8>]) -> Option<Lent> {
        let (head, rest) = words.split_at_checked(7)?;
        let [namespace, name, inside, index, mac, was_up, master] = head else { return None };
        let text = |word: &Vec<u8>| CString::new(word.clone()).ok();
        let string = |word: &Vec<u8>| std::str::from_utf8(word).ok().map(str::to_owned);
        let number = |word: &Vec<u8>| string(word)?.parse::<u32>().ok();
        let ip = |word: &Vec<u8>| match string(word)?.as_str() {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let index = number(index)?;
        let address = |words: &[Vec<u8>]| {
            let [cidr, peer, broadcast, flags, scope] = words else { return None };
            let Cidr { address, prefix } = Cidr::parse(&string(cidr)?).ok()?;
            Some(Address {
                peer: ip(peer)?,
                broadcast: ip(broadcast)?,
                flags: number(flags)?,
                scope: u8::try_from(number(scope)?).ok()?,
                ..Address::new(index, address, prefix)
            })
        };
        Some(Lent {
            namespace: text(namespace)?,
            names: Moved { name: text(name)?, inside: text(inside)? },
            index,
            mac: network::mac(&string(mac)?).unwrap_or_default(),
            was_up: number(was_up)? != 0,
            master: number(master)?,
            addresses: rest.chunks(5).map(address).collect::<Option<_>>()?,
        })
    }
}

/// Where the namespace is kept, in the instance's record.
fn kept_at(journal: &Journal) -> Result<CString, Failure> {
    let record = journal.record().ok_or(Errno::NOENT)?;
    Ok(CString::new([record.path(), b"/net".to_vec()].concat()).map_err(|_| Errno::INVAL)?)
}

/// Parent: keeps the child's network namespace until the end.
pub(super) fn keep_namespace(pid: Pid, journal: &mut Journal) -> Result<(), Failure> {
    let file = kept_at(journal)?;
    journal.until_end(Undo::RemoveEmptyFile(file.clone()))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    drop(rustix::fs::open(file.as_c_str(), flags, Mode::RUSR)?);
    let source = format!("/proc/{pid}/ns/net");
    let inode = rustix::fs::stat(source.as_str())?.st_ino;
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
    journal.until_end(Undo::ReturnLink(Lent {
        namespace: kept_at(journal)?,
        names: names.clone(),
        index: found.index,
        mac: found.mac.unwrap_or_default(),
        was_up: found.is_up,
        master: found.master.unwrap_or(0),
        addresses,
    }))?;
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
        let error = Error::system(format!("take link {name} back"), failure.errno);
        crate::say(&error.maybe_hint(failure.reason).message());
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
    match inside.link(Verb::Change, Link { name: Some(name), ..link }) {
        // Somebody else is called so by now: better under another name than not at all.
        Err(Failure { errno: Errno::EXIST, .. }) => {
            inside.link(Verb::Change, link)?;
            return Err(Failure::new(Errno::EXIST, "it is back, under another name"));
        }
        result => result?,
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
        assert_eq!(Lent::parse(&lent.words()), Some(lent.clone()));
        assert_eq!(Lent::parse(&lent.words()[..10]), None);
        assert_eq!(Lent::parse(&[]), None);
    }
}

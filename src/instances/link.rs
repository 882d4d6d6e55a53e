//! `link`: a pair of links straight between two instances, and a line in the hosts file of each.
use super::{Found, join};
use crate::error::{Error, FAILED, quote};
use crate::files;
use crate::link::Socket;
use crate::mounts;
use crate::network::{links, names, namespace};
use crate::perform::Failure;
use crate::registry::process::Process;
use crate::spec::namespace::{Namespace, Namespaces};
use crate::spec::network::Cidr;
use crate::sys::{self, Cloned};
use core::net::{IpAddr, Ipv4Addr};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::WaitOptions;
use std::ffi::{CStr, CString};
use unshared_netlink::link::{Kind, Link, Peer};
use unshared_netlink::message::Verb;

const HOSTS: &CStr = c"/etc/hosts";

/// One of the two instances.
struct End {
    name: CString,
    init: Process,
    namespace: OwnedFd,
    socket: Socket,
}

impl End {
    fn open(name: &CStr) -> Result<Box<End>, Error> {
        let found = Found::named(name)?;
        let init = found.init()?;
        for namespace in [Namespace::Net, Namespace::Mount] {
            let own = format!("/proc/self/ns/{}", namespace.file());
            let path = format!("/proc/{}/ns/{}", init.pid, namespace.file());
            if files::identity(own.as_bytes()) == files::identity(path.as_bytes()) {
                let option = namespace.option();
                return Err(found.problem(&format!("has no {option} namespace of its own")));
            }
        }
        let attempt = format!("open the net namespace of instance {}", quote(name.to_bytes()));
        let open = || {
            let path = format!("/proc/{}/ns/net", init.pid);
            let namespace = files::open(path.as_bytes(), OFlags::RDONLY)?;
            let socket = namespace::socket_in(&namespace)?;
            Ok(Box::new(End { name: name.to_owned(), init, namespace, socket }))
        };
        open().map_err(|errno: Errno| {
            Error::system(attempt, errno)
                .maybe_hint((errno == Errno::PERM).then(|| "only root may link instances".into()))
        })
    }

    /// Gives the link that leads to the other its address, and brings it up.
    fn set_up(&mut self, link: &CStr, address: IpAddr) -> Result<(), Failure> {
        let index = self.socket.find(link.to_bytes())?.ok_or(Errno::NODEV)?.index;
        let address = links::address_of(index, Cidr { address, prefix: 30 });
        self.socket.address(Verb::Create, address)?;
        self.socket.bring_up(index)
    }
}

/// Links two running instances.
pub(super) fn run(one: &CStr, other: &CStr) -> Result<u8, Error> {
    let what = format!("link {} and {}", quote(one.to_bytes()), quote(other.to_bytes()));
    if one == other {
        return Err(Error::plain(format!("{what}: that is one instance")));
    }
    let (mut one, mut other) = (End::open(one)?, End::open(other)?);
    let failed = |failure: Failure| failure.of(what);
    let [first, second] = connect(&mut one, &mut other).map_err(failed)?;
    add_host(&one, &other.name, second)?;
    add_host(&other, &one.name, first)?;
    Ok(0)
}

/// Makes the pair; the addresses of both.
fn connect(one: &mut End, other: &mut End) -> Result<[IpAddr; 2], Failure> {
    // Each is called as the instance that it leads to.
    let to_other = names::host_side(&other.name, b"link");
    let to_one = names::host_side(&one.name, b"link");
    let [first, second] = free_network(one, other)?;
    let peer = Peer {
        name: Some(to_one.to_bytes()),
        namespace: Some(namespace::descriptor_of(&other.namespace)),
        queues: links::ONE_QUEUE,
        ..Peer::default()
    };
    let link = Link {
        name: Some(to_other.to_bytes()),
        queues: links::ONE_QUEUE,
        kind: Some(Kind::Veth(Some(peer))),
        ..Link::default()
    };
    one.socket.link(Verb::Create, link)?;
    let result = one.set_up(&to_other, first);
    if let Err(failure) = result.and_then(|()| other.set_up(&to_one, second)) {
        let _ = links::remove_link(&mut one.socket, &to_other);
        return Err(failure);
    }
    Ok([first, second])
}

/// The two addresses of a network of four that neither of them has an address in, from 169.254.1.0 to
/// 169.254.254.255, which are link-local (RFC 3927).
fn free_network(one: &mut End, other: &mut End) -> Result<[IpAddr; 2], Failure> {
    const FIRST: u16 = 1 << 8;
    const COUNT: u16 = 254 << 6;
    let mut taken = Vec::new();
    for end in [one, other] {
        end.socket.addresses(&mut |address| {
            if let IpAddr::V4(four) = address.address {
                taken.push(four.to_bits() & !3);
            }
        })?;
    }
    for number in 0..COUNT {
        let network = Ipv4Addr::new(169, 254, 0, 0).to_bits() + u32::from(FIRST + 4 * number);
        // A cloud's own service is at 169.254.169.254.
        if !taken.contains(&network) && network != 0xa9fe_a9fc {
            return Ok([1, 2].map(|host| Ipv4Addr::from_bits(network + host).into()));
        }
    }
    Err(Failure::new(Errno::ADDRNOTAVAIL, "every link-local network is taken"))
}

/// Adds a line to an instance's hosts file. Where that is not its own, it gets a copy.
fn add_host(end: &End, name: &CStr, address: IpAddr) -> Result<(), Error> {
    let attempt = format!("add to the hosts file of instance {}", quote(end.name.as_bytes()));
    let inside = join::open(end.init)?;
    let line = format!("{address} {}\n", name.to_string_lossy());
    let mut inside = Some(inside);
    let done = in_child(&mut || {
        // Child: goes there, but for the PID namespace, in which its own child is. That sees itself in
        // the instance's /proc.
        let entered = inside.take().map_or(Ok(()), join::Inside::enter);
        let result = entered.and_then(|()| {
            in_child(&mut || {
                said(append(&line).map_err(|errno| Error::system(attempt.as_str(), errno)))
            })
        });
        result.unwrap_or_else(|error| said(Err(error)))
    })?;
    match done {
        0 => Ok(()),
        _ => Err(Error::plain("the instances are linked, but not by name")),
    }
}

/// The exit status for a result, whose error is printed.
fn said(result: Result<(), Error>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(error) => {
            crate::say(&error.message());
            FAILED
        }
    }
}

/// Does something in a child, and returns its exit status.
fn in_child(work: &mut dyn FnMut() -> u8) -> Result<u8, Error> {
    // A plain fork, since the child has one of its own.
    let child = match sys::clone_into(Namespaces::default(), None) {
        Ok(Cloned::Child { .. }) => unshared_init::sys::exit(work()),
        Ok(Cloned::Parent(pid)) => pid,
        Err(errno) => return Err(Error::system("fork", errno)),
    };
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
                return Ok(code.unwrap_or(FAILED));
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("wait for a child", errno)),
        }
    }
}

fn append(line: &str) -> Result<(), Errno> {
    let mut text = files::read_file("/etc/hosts")?;
    if files::identity(HOSTS.to_bytes())?.0 != files::identity(b"/etc")?.0 {
        // It is mounted there, and so the instance's own.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
        let file = rustix::fs::open(HOSTS, flags, Mode::empty())?;
        return rustix::io::write(&file, line.as_bytes()).map(drop);
    }
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    text.extend(line.as_bytes());
    mounts::text(c"/", HOSTS, &text)
}

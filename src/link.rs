//! The netlink socket that carries the messages of the crate `unshared-netlink`.
use crate::error::escape;
use crate::perform::Failure;
use crate::sys;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use unshared_netlink::address::{self, Address};
use unshared_netlink::connection::{Answer, Connection, Refusal};
use unshared_netlink::explain;
use unshared_netlink::link::{self, LOOPBACK, Link, Mac};
use unshared_netlink::message::{Overflow, Verb};
use unshared_netlink::nftables::Batch;
use unshared_netlink::route::Route;

/// NETLINK_ROUTE is number 0, for which rustix says `None`.
const NETLINK_ROUTE: Option<Protocol> = None;

/// How often a dump is asked for that is interrupted by changes each time.
const DUMPS: u32 = 16;

/// Long enough for every request of ours.
const REQUEST: usize = 512;

/// Long enough for an answer that repeats it and explains.
const ANSWER: usize = 1024;

/// Long enough for all rules of an instance.
const BATCH: usize = 32 << 10;

/// A conversation with the kernel about the links of our network namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    connection: Connection,
    /// Whether the kernel has been asked to explain its refusals.
    explains: bool,
}

/// Writes a request with that sequence number.
type Emit<'a> = dyn Fn(&mut [u8], u32) -> Result<&[u8], Overflow> + 'a;

/// A link that was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) index: u32,
    /// The bridge that it is a port of.
    pub(crate) master: Option<u32>,
    pub(crate) is_bridge: bool,
    pub(crate) is_up: bool,
    pub(crate) mac: Option<Mac>,
}

impl Socket {
    /// A socket in the caller's network namespace.
    pub(crate) fn open() -> Result<Socket, Errno> {
        Socket::open_protocol(NETLINK_ROUTE)
    }

    fn open_protocol(protocol: Option<Protocol>) -> Result<Socket, Errno> {
        let descriptor = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        Ok(Socket { descriptor, connection: Connection::new(0), explains: false })
    }

    /// A socket for the packet filter of the caller's network namespace.
    pub(crate) fn open_filter() -> Result<Socket, Errno> {
        Socket::open_protocol(Some(rustix::net::netlink::NETFILTER))
    }

    /// Has a batch of the packet filter's done: as a whole, or not at all.
    #[cold]
    #[inline(never)]
    pub(crate) fn batch(&mut self, fill: &mut dyn FnMut(&mut Batch<'_>)) -> Result<(), Failure> {
        let mut buffer = vec![0; BATCH];
        // More numbers than any batch of ours has messages.
        let first = self.connection.next_sequences(BATCH as u32);
        let mut batch = Batch::new(&mut buffer, first);
        fill(&mut batch);
        // Neither the begin nor the end are acknowledged.
        let answers = batch.next_sequence().wrapping_sub(first).saturating_sub(1);
        let request = batch.finish().map_err(too_long)?;
        sys::explain_refusals(&self.descriptor);
        send(&self.descriptor, request)?;
        for _ in 0..answers {
            self.acknowledged(request)?;
        }
        Ok(())
    }

    /// Makes, changes or removes a link.
    pub(crate) fn link(&mut self, verb: Verb, link: Link<'_>) -> Result<(), Failure> {
        self.request(&|buffer, sequence| link.emit(verb, buffer, sequence))
    }

    /// Brings a link up.
    pub(crate) fn bring_up(&mut self, index: u32) -> Result<(), Failure> {
        self.link(Verb::Change, Link { index, ..Link::default() }.up())
    }

    /// Adds or removes an address.
    pub(crate) fn address(&mut self, verb: Verb, address: Address) -> Result<(), Failure> {
        self.request(&|buffer, sequence| address.emit(verb, buffer, sequence))
    }

    /// Adds or removes a route.
    pub(crate) fn route(&mut self, verb: Verb, route: Route) -> Result<(), Failure> {
        self.request(&|buffer, sequence| route.emit(verb, buffer, sequence))
    }

    /// The link that is called so.
    pub(crate) fn find(&mut self, name: &[u8]) -> Result<Option<Found>, Failure> {
        // Longer than that, the kernel finds none and says ERANGE.
        if !explain::is_link_name(name) {
            return Ok(None);
        }
        self.get(Link { name: Some(name), ..Link::default() })
    }

    /// The link of that index.
    pub(crate) fn find_index(&mut self, index: u32) -> Result<Option<Found>, Failure> {
        self.get(Link { index, ..Link::default() })
    }

    fn get(&mut self, wanted: Link<'_>) -> Result<Option<Found>, Failure> {
        let mut found = None;
        let mut buffer = [0; REQUEST];
        let sequence = self.connection.next_sequence();
        let request = wanted.emit(Verb::Get, &mut buffer, sequence).map_err(too_long)?;
        let result = self.ask(request, Expected::One, &mut |_, payload| {
            found = Link::parse(payload).map(|link| Found {
                index: link.index,
                master: link.master,
                is_bridge: link.kind == Some(link::Kind::Bridge),
                is_up: link.is_up(),
                mac: link.address,
            });
        });
        match result {
            Err(failure) if failure.errno() == Errno::NODEV => Ok(None),
            result => result.map(|()| found),
        }
    }

    /// Tells `each` about all addresses of all links.
    pub(crate) fn addresses(&mut self, each: &mut dyn FnMut(Address)) -> Result<(), Failure> {
        self.dump(&address::dump, &mut |kind, payload| {
            if kind == address::NEW
                && let Some(address) = Address::parse(payload)
            {
                each(address);
            }
        })
    }

    /// Sends a request that is acknowledged, and waits for that.
    fn request(&mut self, emit: &Emit) -> Result<(), Failure> {
        let mut buffer = [0; REQUEST];
        let request = emit(&mut buffer, self.connection.next_sequence()).map_err(too_long)?;
        let result = self.ask(request, Expected::Ack, &mut |_, _| {});
        match result {
            // Only now the kernel is asked to explain itself, and what it refused is asked for
            // again: that costs those nothing whose requests are granted.
            Err(_) if !self.explains => {
                self.explains = true;
                sys::explain_refusals(&self.descriptor);
                self.ask(request, Expected::Ack, &mut |_, _| {})
            }
            result => result,
        }
    }

    /// Waits for an acknowledgement.
    fn acknowledged(&mut self, request: &[u8]) -> Result<(), Failure> {
        let mut buffer = [0; ANSWER];
        loop {
            let (sender, length) = receive(&self.descriptor, &mut buffer)?;
            let datagram = buffer.get(..length).unwrap_or(&[]);
            for answer in self.connection.feed(sender, datagram) {
                match answer {
                    Answer::Ack => return Ok(()),
                    Answer::Refused(refusal) => return Err(failure(request, &refusal)),
                    Answer::Done { .. } | Answer::Item { .. } => {}
                }
            }
        }
    }

    /// Asks for all objects of a family. Where they changed meanwhile, some may be missing, and all
    /// are asked for again; so `each` may be told of an object more than once.
    fn dump(&mut self, emit: &Emit<'_>, each: &mut dyn FnMut(u16, &[u8])) -> Result<(), Failure> {
        for _ in 0..DUMPS {
            let mut buffer = [0; REQUEST];
            let request = emit(&mut buffer, self.connection.next_sequence()).map_err(too_long)?;
            match self.ask(request, Expected::All, each) {
                // What the kernel had to leave out for want of room is ENOBUFS.
                Err(failure) if matches!(failure.errno(), Errno::INTR | Errno::NOBUFS) => {}
                result => return result,
            }
        }
        Err(Failure::new(Errno::AGAIN, "the kernel's list changed each time that it was read"))
    }

    /// Sends a request and reads up to the end of what is answered. EINTR says that a dump was
    /// interrupted.
    fn ask(
        &mut self,
        request: &[u8],
        expected: Expected,
        each: &mut dyn FnMut(u16, &[u8]),
    ) -> Result<(), Failure> {
        send(&self.descriptor, request)?;
        let mut short = [0; ANSWER];
        let mut long = Vec::new();
        loop {
            let buffer = match expected {
                Expected::Ack => &mut short[..],
                Expected::One | Expected::All => {
                    let length = next_length(&self.descriptor)?;
                    if length > short.len() {
                        long.resize(length, 0);
                        &mut long[..]
                    } else {
                        &mut short[..]
                    }
                }
            };
            let (sender, length) = receive(&self.descriptor, buffer)?;
            let datagram = buffer.get(..length).unwrap_or(&[]);
            for answer in self.connection.feed(sender, datagram) {
                match answer {
                    Answer::Ack | Answer::Done { interrupted: false } => return Ok(()),
                    Answer::Done { interrupted: true } => return Err(Errno::INTR.into()),
                    Answer::Refused(refusal) => return Err(failure(request, &refusal)),
                    Answer::Item { kind, payload } => {
                        each(kind, payload);
                        if expected == Expected::One {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

/// What answers a request that is granted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// An acknowledgement.
    Ack,
    /// One object.
    One,
    /// Objects, and an end.
    All,
}

/// Why the kernel refused a request: in its own words, or else in ours.
#[cold]
#[inline(never)]
fn failure(request: &[u8], refusal: &Refusal<'_>) -> Failure {
    let number = refusal.errno.get();
    let errno = unshared_init::errno::of(number);
    let hint = || explain::hint(request, number).map(str::to_owned);
    // Of a kind that it does not know, the kernel does not say which.
    let text = refusal.text.filter(|_| errno != Errno::OPNOTSUPP);
    // What comes from a child is escaped once more.
    let text = text.map(|text| escape(text).replace("\\\"", "'"));
    let mut reason = text.or_else(hint);
    if let Some(offset) = refusal.offset
        && let Some(name) = explain::attribute_at(request, offset)
    {
        reason = Some(match reason {
            Some(reason) => format!("{name}: {reason}"),
            None => name.to_owned(),
        });
    }
    Failure::because(errno, reason)
}

fn too_long(_: Overflow) -> Failure {
    Errno::MSGSIZE.into()
}

/// Sends to the kernel, which is where an unconnected netlink socket sends.
fn send(socket: &OwnedFd, request: &[u8]) -> Result<(), Errno> {
    loop {
        match rustix::net::send(socket, request, SendFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return other.map(drop),
        }
    }
}

/// The length of the next datagram, which stays where it is.
fn next_length(socket: &OwnedFd) -> Result<usize, Errno> {
    loop {
        match rustix::net::recv(socket, &mut [0_u8; 0][..], RecvFlags::PEEK | RecvFlags::TRUNC) {
            Err(Errno::INTR) => {}
            other => return other.map(|(_, length)| length),
        }
    }
}

/// Receives a datagram: the port that it came from, 0 for the kernel's, and its length.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Result<(u32, usize), Errno> {
    loop {
        match rustix::net::recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok((length, _, sender)) => {
                let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
                return Ok((sender.map_or(u32::MAX, |sender| sender.pid()), length));
            }
        }
    }
}

/// Brings `lo` up in our network namespace.
pub(crate) fn set_loopback_up() -> Result<(), Errno> {
    Socket::open()?.bring_up(LOOPBACK).map_err(|failure| failure.errno())
}

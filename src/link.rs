//! The netlink socket that carries the messages of the crate `unshared-netlink`.
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::Protocol;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use unshared_netlink::link::{LOOPBACK, Up};
use unshared_netlink::message::Message;
use unshared_netlink::reply::Reply;

/// NETLINK_ROUTE is number 0, for which rustix says `None`.
const NETLINK_ROUTE: Option<Protocol> = None;

/// Brings `lo` up in our network namespace.
pub(crate) fn set_loopback_up() -> Result<(), Errno> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        NETLINK_ROUTE,
    )?;
    let mut buffer = [0; Up::LENGTH];
    let sequence = 1;
    let request = Up { index: LOOPBACK }
        .emit(Message::new(&mut buffer, sequence))
        .map_err(|_| Errno::NOBUFS)?;
    send(&socket, request)?;
    acknowledged(&socket, sequence)
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

/// Reads up to the answer to our request.
fn acknowledged(socket: &OwnedFd, sequence: u32) -> Result<(), Errno> {
    let mut buffer = [0; 512];
    loop {
        let length = match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        match Reply::parse(buffer.get(..length).unwrap_or(&[]), sequence) {
            Some(Reply::Acknowledged) => return Ok(()),
            Some(Reply::Refused(number)) => return Err(unshared_init::errno::of(number.get())),
            None => {}
        }
    }
}

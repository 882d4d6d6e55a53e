//! rtnetlink(7) messages, built and read in buffers of the caller's.
//!
//! No socket, no allocation, no unsafe code, and nothing panics. [`link`], [`address`], [`route`]
//! and [`neighbour`] know what is asked of the kernel and what it tells; each has a view of the
//! bytes, and a plain representation that is read from a view and written into a [`message`].
//! [`connection`] makes sense of what comes back, and [`explain`] of what was refused.
//!
//! A veth pair, one end of which is born in the network namespace of process 4711:
//!
//! ```
//! use unshared_netlink::connection::{Answer, Connection};
//! use unshared_netlink::link::{Kind, Link, Namespace, Peer};
//! use unshared_netlink::message::Verb;
//!
//! let namespace = Some(Namespace::OfProcess(4711));
//! let peer = Peer { name: Some(b"eth0"), namespace, ..Peer::default() };
//! let link = Link { name: Some(b"veth0"), kind: Some(Kind::Veth(Some(peer))), ..Link::default() };
//!
//! let mut connection = Connection::new(0);
//! let mut buffer = [0; 256];
//! let request = link.up().emit(Verb::Create, &mut buffer, connection.next_sequence()).unwrap();
//! assert_eq!(request.len(), 100);
//!
//! // Sent over a NETLINK_ROUTE socket, it is answered by an acknowledgement, such as this one,
//! // which comes from port 0, the kernel.
//! let mut answer = [0; 36];
//! answer[..6].copy_from_slice(&[36, 0, 0, 0, 2, 0]);
//! answer[8..12].copy_from_slice(&request[8..12]);
//! assert_eq!(connection.feed(0, &answer).next(), Some(Answer::Ack));
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(test)]
extern crate std;

/// The kernel's numbers of attributes, from a module of linux_raw_sys's, and their names for messages.
macro_rules! attributes {
    ($module:ident => $names:ident: $($name:ident),+ $(,)?) => {
        $(const $name: u16 = $module::$name as u16;)+
        pub(crate) const $names: &[(u16, &str)] = &[$(($name, stringify!($name))),+];
    };
}

pub mod address;
pub mod attribute;
#[cfg(test)]
mod captured;
pub mod connection;
pub mod explain;
pub mod link;
pub mod message;
pub mod neighbour;
pub mod nftables;
pub mod route;

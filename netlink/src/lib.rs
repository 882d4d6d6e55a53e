//! rtnetlink(7) messages, built and read in buffers of the caller's.
//!
//! No socket, no allocation, no unsafe code, and nothing panics: [`message`] writes a request,
//! [`link`] knows the requests about network interfaces, [`reply`] reads what the kernel answers.
//!
//! ```
//! use unshared_netlink::{link, message::Message, reply::Reply};
//!
//! let mut buffer = [0; 64];
//! let request = link::Up { index: link::LOOPBACK }.emit(Message::new(&mut buffer, 7)).unwrap();
//! assert_eq!(request.len(), 32);
//! // Sent over a NETLINK_ROUTE socket, this is answered by an acknowledgement, such as:
//! let answer = [36, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
//! assert_eq!(Reply::parse(&answer, 7), Some(Reply::Acknowledged));
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(test)]
extern crate std;

pub mod link;
pub mod message;
pub mod reply;

//! Network interfaces: the requests whose fixed part is `struct ifinfomsg` (rtnetlink(7)).
use crate::message::{Message, Overflow};
use linux_raw_sys::net::net_device_flags::IFF_UP;
use linux_raw_sys::netlink::RTM_NEWLINK;

/// The index of `lo`: the first interface of every network namespace.
pub const LOOPBACK: i32 = 1;

/// Brings an interface up, as `ip link set … up` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Up {
    /// The interface's index in its namespace, from 1.
    pub index: i32,
}

impl Up {
    /// The length of the message.
    pub const LENGTH: usize = crate::message::HEADER + 16;

    /// Writes the request into an empty message.
    pub fn emit(self, mut message: Message<'_>) -> Result<&[u8], Overflow> {
        let family_and_type = [0; 4];
        message.put(&family_and_type);
        message.put(&self.index.to_ne_bytes());
        let flags = IFF_UP as u32;
        let change = IFF_UP as u32;
        message.put(&flags.to_ne_bytes());
        message.put(&change.to_ne_bytes());
        message.request(RTM_NEWLINK as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `ip link set lo up` of iproute2 6.1 sends, by strace, with our sequence number.
    #[cfg(target_endian = "little")]
    #[test]
    fn bringing_lo_up_is_what_iproute2_sends() {
        let mut buffer = [0; Up::LENGTH];
        let bytes = Up { index: LOOPBACK }.emit(Message::new(&mut buffer, 1)).unwrap();
        assert_eq!(
            bytes,
            [
                32, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
                0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // ifinfomsg
            ]
        );
    }
}

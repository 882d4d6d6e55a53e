//! What the kernel answers to one request.
use crate::message::HEADER;
use core::num::NonZeroI32;
use linux_raw_sys::netlink::NLMSG_ERROR;

/// The kernel's answer to a request that asked for an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Done as asked.
    Acknowledged,
    /// Refused, with that (positive) error number.
    Refused(NonZeroI32),
}

impl Reply {
    /// Reads one datagram. `None` for what is not an answer to the request with that `sequence`
    /// number, or is cut short.
    #[must_use]
    pub fn parse(datagram: &[u8], sequence: u32) -> Option<Reply> {
        let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
        let answered = u32::from_ne_bytes(*datagram.get(8..)?.first_chunk()?);
        let error = i32::from_ne_bytes(*datagram.get(HEADER..)?.first_chunk()?);
        if u32::from(kind) != NLMSG_ERROR || answered != sequence {
            return None;
        }
        Some(match NonZeroI32::new(error.wrapping_neg()) {
            None => Reply::Acknowledged,
            Some(number) => Reply::Refused(number),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error: i32) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&36_u32.to_ne_bytes());
        bytes[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        bytes[8..12].copy_from_slice(&5_u32.to_ne_bytes());
        bytes[16..].copy_from_slice(&error.to_ne_bytes());
        bytes
    }

    #[test]
    fn an_error_of_zero_is_the_acknowledgement() {
        assert_eq!(Reply::parse(&answer(0), 5), Some(Reply::Acknowledged));
    }

    #[test]
    fn an_error_is_a_positive_number() {
        let refused = Reply::Refused(NonZeroI32::new(1).unwrap());
        assert_eq!(Reply::parse(&answer(-1), 5), Some(refused));
    }

    #[test]
    fn an_answer_to_somebody_else_is_none() {
        assert_eq!(Reply::parse(&answer(0), 6), None);
    }

    #[test]
    fn no_length_and_no_byte_makes_it_fail() {
        let whole = answer(i32::MIN);
        for length in 0..whole.len() {
            assert_eq!(Reply::parse(&whole[..length], 5), None, "{length}");
        }
        assert!(matches!(Reply::parse(&whole, 5), Some(Reply::Refused(_))));
    }
}

//! A request: the header of netlink(7), a fixed part, and attributes, which may hold others.
use core::net::IpAddr;
use linux_raw_sys::net::{AF_INET, AF_INET6};
use linux_raw_sys::netlink::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST,
};

/// The length of the header that begins every message (`struct nlmsghdr`).
pub const HEADER: usize = 16;

/// The address families (`AF_…`) as fixed parts have them.
pub(crate) const FOUR: u8 = AF_INET as u8;
pub(crate) const SIX: u8 = AF_INET6 as u8;

/// The family of an address.
pub(crate) fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => FOUR,
        IpAddr::V6(_) => SIX,
    }
}

/// What is asked of the kernel, about any kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Make it; refused where it is there already.
    Create,
    /// Make it, in the place of one that is there.
    Replace,
    /// Change the one that is there.
    Change,
    /// Remove it.
    Delete,
    /// Tell about that one.
    Get,
    /// Tell about all.
    Dump,
}

impl Verb {
    /// The flags of the header (`NLM_F_…`). Whatever is not answered by itself is to be
    /// acknowledged.
    #[must_use]
    pub fn flags(self) -> u16 {
        let more = match self {
            Verb::Create => NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
            Verb::Replace => NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
            Verb::Change | Verb::Delete => NLM_F_ACK,
            Verb::Get => 0,
            Verb::Dump => NLM_F_DUMP,
        };
        (NLM_F_REQUEST | more) as u16
    }

    /// The type of a message (`RTM_…`) about objects of which the one that makes some is `new`.
    #[must_use]
    pub fn kind(self, new: u16) -> u16 {
        new + match self {
            Verb::Create | Verb::Replace | Verb::Change => 0,
            Verb::Delete => 1,
            Verb::Get | Verb::Dump => 2,
        }
    }
}

/// The buffer was too short for the message, or an attribute too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overflow;

/// A message under construction. What does not fit is remembered, and reported at the end.
#[derive(Debug)]
pub struct Message<'a> {
    buffer: &'a mut [u8],
    length: usize,
    overflow: bool,
}

impl<'a> Message<'a> {
    /// A message in `buffer` that has nothing but its header: its type, its flags (`NLM_F_…`), and
    /// the sequence number that the kernel will answer with.
    pub fn new(buffer: &'a mut [u8], kind: u16, flags: u16, sequence: u32) -> Message<'a> {
        let mut message = Message { buffer, length: 0, overflow: false };
        message.put(&[0; 4]);
        message.put(&kind.to_ne_bytes());
        message.put(&flags.to_ne_bytes());
        message.put(&sequence.to_ne_bytes());
        message.put(&[0; 4]);
        message
    }

    /// Appends bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        match self.buffer.get_mut(self.length..end) {
            Some(place) if !self.overflow => {
                place.copy_from_slice(bytes);
                self.length = end;
            }
            _ => self.overflow = true,
        }
    }

    /// Appends an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.put(value);
        self.close(start);
    }

    /// Appends an attribute that holds a number.
    pub fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Appends an attribute that holds a text; the kernel wants a zero byte behind it.
    pub fn text(&mut self, kind: u16, value: &[u8]) {
        let start = self.open(kind);
        self.put(value);
        self.put(&[0]);
        self.close(start);
    }

    /// Appends an attribute that holds the bytes of an IP address.
    pub fn ip(&mut self, kind: u16, value: IpAddr) {
        match value {
            IpAddr::V4(ip) => self.attribute(kind, &ip.octets()),
            IpAddr::V6(ip) => self.attribute(kind, &ip.octets()),
        }
    }

    /// Appends an attribute that holds what `fill` appends.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Message<'a>)) {
        let start = self.open(kind);
        fill(self);
        self.close(start);
    }

    /// Begins an attribute; says where.
    fn open(&mut self, kind: u16) -> usize {
        let start = self.length;
        self.put(&[0; 2]);
        self.put(&kind.to_ne_bytes());
        start
    }

    /// Ends it. Its length is that without the padding behind it.
    fn close(&mut self, start: usize) {
        match u16::try_from(self.length.saturating_sub(start)) {
            Ok(length) => self.patch(start, length.to_ne_bytes()),
            Err(_) => self.overflow = true,
        }
        let padding = self.length.wrapping_neg() % 4;
        self.put([0; 3].get(..padding).unwrap_or(&[]));
    }

    /// Writes over bytes that are there already.
    fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        match self.buffer.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            Some(place) => *place = bytes,
            None => self.overflow = true,
        }
    }

    /// Fills in the length, and gives the message's bytes.
    pub fn finish(mut self) -> Result<&'a [u8], Overflow> {
        let length = u32::try_from(self.length).map_err(|_| Overflow)?;
        self.patch(0, length.to_ne_bytes());
        if self.overflow {
            return Err(Overflow);
        }
        let buffer: &'a [u8] = self.buffer;
        buffer.get(..self.length).ok_or(Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Attributes;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn the_header_holds_length_type_flags_and_sequence() {
        let mut buffer = [0xff; 20];
        let mut message = Message::new(&mut buffer, 16, Verb::Change.flags(), 0x0102_0304);
        message.put(&[9; 4]);
        let bytes = message.finish().unwrap();
        assert_eq!(bytes[..4], 20_u32.to_ne_bytes());
        assert_eq!(bytes[4..6], 16_u16.to_ne_bytes());
        assert_eq!(bytes[6..8], 5_u16.to_ne_bytes());
        assert_eq!(bytes[8..12], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(bytes[12..], [0, 0, 0, 0, 9, 9, 9, 9]);
    }

    fn nested(buffer: &mut [u8]) -> Result<&[u8], Overflow> {
        let mut message = Message::new(buffer, 16, 0, 1);
        message.nest(1, |message| {
            message.text(2, b"abc");
            message.nest(3, |message| message.attribute(4, &[5]));
        });
        message.number(6, 7);
        message.finish()
    }

    #[test]
    fn a_nested_attribute_has_the_length_of_what_is_in_it_and_all_are_padded() {
        let mut buffer = [0xff; 64];
        let bytes = nested(&mut buffer).unwrap();
        let expected = [
            24_u8, 0, 1, 0, 8, 0, 2, 0, b'a', b'b', b'c', 0, 12, 0, 3, 0, 5, 0, 4, 0, 5, 0, 0, 0,
            8, 0, 6, 0, 7, 0, 0, 0,
        ];
        if cfg!(target_endian = "little") {
            assert_eq!(bytes[HEADER..], expected);
        }
    }

    #[test]
    fn a_buffer_of_any_length_too_short_is_an_overflow() {
        for length in 0..48 {
            assert_eq!(nested(&mut vec![0; length]), Err(Overflow), "{length}");
        }
        assert!(nested(&mut [0; 48]).is_ok());
    }

    #[test]
    fn an_attribute_too_long_for_its_length_is_an_overflow() {
        let mut buffer = vec![0; 100_000];
        for (length, fits) in [(65_531, true), (65_532, false)] {
            let mut message = Message::new(&mut buffer, 16, 0, 1);
            message.attribute(1, &vec![0; length]);
            message.attribute(2, &[]);
            assert_eq!(message.finish().is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn what_overflowed_once_takes_nothing_more() {
        let mut buffer = [0; HEADER + 4];
        let mut message = Message::new(&mut buffer, 16, 0, 1);
        message.put(&[1; 5]);
        message.put(&[1; 4]);
        assert_eq!(message.finish(), Err(Overflow));
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(
            values in prop::collection::vec((1..0x3fff_u16, prop::collection::vec(any::<u8>(), 0..9)), 0..9)
        ) {
            let mut buffer = [0xaa; 512];
            let mut message = Message::new(&mut buffer, 16, 0, 1);
            for (kind, value) in &values {
                message.attribute(*kind, value);
            }
            let bytes = message.finish().unwrap();
            let found: Vec<_> = Attributes::new(&bytes[HEADER..])
                .map(|attribute| (attribute.kind, attribute.value.to_vec()))
                .collect();
            prop_assert_eq!(found, values);
        }
    }
}

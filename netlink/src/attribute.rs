//! Attributes, read one after the other: a length, a type, and a value (`struct nlattr`).
use core::net::IpAddr;

/// The length of what stands before a value.
pub(crate) const HEADER: usize = 4;

/// The two highest bits of a type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
const KIND_MASK: u16 = 0x3fff;

/// One attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Its type, without the flags.
    pub kind: u16,
    /// Its value, without the padding behind it.
    pub value: &'a [u8],
    /// Where it begins, from the beginning of all.
    pub offset: usize,
}

impl<'a> Attribute<'a> {
    /// A number of two bytes.
    #[must_use]
    pub fn u16(&self) -> Option<u16> {
        self.value.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
    }

    /// A number of four bytes.
    #[must_use]
    pub fn u32(&self) -> Option<u32> {
        self.value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }

    /// A text, without the zero byte that ends it.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.value.split(|byte| *byte == 0).next().unwrap_or(&[])
    }

    /// An IP address, by its length.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.value) {
            return Some(octets.into());
        }
        <[u8; 16]>::try_from(self.value).ok().map(IpAddr::from)
    }

    /// The attributes in it.
    #[must_use]
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }
}

/// Attributes, one after the other. What is cut short, or has a length that cannot be, ends them.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Attributes<'a> {
    /// Those in `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes, offset: 0 }
    }

    /// The first of that type.
    #[must_use]
    pub fn get(&self, kind: u16) -> Option<Attribute<'a>> {
        self.clone().find(|attribute| attribute.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let rest = core::mem::take(&mut self.rest);
        let [a, b, c, d] = *rest.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(HEADER..length)?;
        let kind = u16::from_ne_bytes([c, d]) & KIND_MASK;
        let attribute = Attribute { kind, value, offset: self.offset };
        // The last need not be padded.
        let padded = length.next_multiple_of(4);
        self.rest = rest.get(padded..).unwrap_or(&[]);
        self.offset += padded;
        Some(attribute)
    }
}

/// A number of two bytes in a fixed part, whose length has been checked.
pub(crate) fn u16_at(bytes: &[u8], field: core::ops::Range<usize>) -> u16 {
    let bytes = bytes.get(field).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u16::from_ne_bytes(*bytes))
}

/// The same, of four bytes.
pub(crate) fn u32_at(bytes: &[u8], field: core::ops::Range<usize>) -> u32 {
    let bytes = bytes.get(field).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// The same, of one byte.
pub(crate) fn u8_at(bytes: &[u8], field: usize) -> u8 {
    bytes.get(field).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn flags_of_a_type_are_not_part_of_it() {
        let mut bytes = [0; 4];
        bytes[..2].copy_from_slice(&4_u16.to_ne_bytes());
        bytes[2..].copy_from_slice(&0xc012_u16.to_ne_bytes());
        assert_eq!(Attributes::new(&bytes).next().unwrap().kind, 0x12);
    }

    #[test]
    fn the_last_need_not_be_padded() {
        let mut bytes = [7; 5];
        bytes[..2].copy_from_slice(&5_u16.to_ne_bytes());
        assert_eq!(Attributes::new(&bytes).map(|one| one.value).collect::<Vec<_>>(), [[7]]);
    }

    #[test]
    fn a_length_that_cannot_be_is_the_end() {
        for length in [0_u16, 1, 3, 9, u16::MAX] {
            let mut bytes = [0; 8];
            bytes[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Attributes::new(&bytes).count(), 0, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_end_and_values_within_them(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut length = 0;
            for attribute in Attributes::new(&bytes) {
                length += HEADER + attribute.value.len();
                prop_assert!(attribute.nested().count() <= attribute.value.len());
                let _ = (attribute.u16(), attribute.u32(), attribute.text(), attribute.ip());
            }
            prop_assert!(length <= bytes.len());
        }
    }
}

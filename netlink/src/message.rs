//! A request: the header of netlink(7), and what follows on it.
use linux_raw_sys::netlink::{NLM_F_ACK, NLM_F_REQUEST};

/// The length of the header that begins every message (`struct nlmsghdr`).
pub const HEADER: usize = 16;

/// The buffer was too short for the message.
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
    /// An empty message in `buffer`. The kernel answers it with the same `sequence` number.
    pub fn new(buffer: &'a mut [u8], sequence: u32) -> Message<'a> {
        let mut message = Message { buffer, length: 0, overflow: false };
        message.put(&[0; 8]);
        message.put(&sequence.to_ne_bytes());
        message.put(&[0; 4]);
        message
    }

    /// Appends bytes as they are.
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        match self.buffer.get_mut(self.length..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length = end;
            }
            None => self.overflow = true,
        }
    }

    /// Fills in the header: the type of the message (`RTM_…`), its length, and flags that ask the
    /// kernel to do it and to acknowledge it.
    pub fn request(self, kind: u16) -> Result<&'a [u8], Overflow> {
        let length = u32::try_from(self.length).map_err(|_| Overflow)?;
        let flags = (NLM_F_REQUEST | NLM_F_ACK) as u16;
        let [a, b, c, d] = length.to_ne_bytes();
        let [e, f] = kind.to_ne_bytes();
        let [g, h] = flags.to_ne_bytes();
        let (header, _) = self.buffer.split_first_chunk_mut::<8>().ok_or(Overflow)?;
        *header = [a, b, c, d, e, f, g, h];
        if self.overflow {
            return Err(Overflow);
        }
        self.buffer.get(..self.length).ok_or(Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_holds_length_type_flags_and_sequence() {
        let mut buffer = [0xff; 20];
        let mut message = Message::new(&mut buffer, 0x0102_0304);
        message.put(&[9; 4]);
        let bytes = message.request(16).unwrap();
        assert_eq!(bytes[..4], 20_u32.to_ne_bytes());
        assert_eq!(bytes[4..6], 16_u16.to_ne_bytes());
        assert_eq!(bytes[6..8], 5_u16.to_ne_bytes());
        assert_eq!(bytes[8..12], 0x0102_0304_u32.to_ne_bytes());
        assert_eq!(bytes[12..], [0, 0, 0, 0, 9, 9, 9, 9]);
    }

    #[test]
    fn a_buffer_of_any_length_too_short_is_an_overflow() {
        for length in 0..20 {
            let mut buffer = std::vec![0; length];
            let mut message = Message::new(&mut buffer, 1);
            message.put(&[9; 4]);
            assert_eq!(message.request(16), Err(Overflow), "{length}");
        }
    }
}

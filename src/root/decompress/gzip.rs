//! gzip (RFC 1952): header, deflate data, checksum and size.
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::{Source, Stream};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate};

/// The buffer that inflate(3) writes to in a circle: a power of 2, and at least the 32 kB that it may
/// look back.
const CIRCLE: usize = 128 << 10;

/// Unpacks one member.
pub(super) fn decompress(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    skip_header(source)?;
    let mut state = Box::<DecompressorOxide>::default();
    let mut circle = vec![0; CIRCLE];
    let mut position = 0;
    let mut sum = Sum::new();
    let mut size = 0_u32;
    loop {
        let input = source.fill()?;
        let flags = if input.is_empty() { 0 } else { TINFL_FLAG_HAS_MORE_INPUT };
        let (status, read, written) = inflate(&mut state, input, &mut circle, position, flags);
        source.consume(read);
        let output = circle.get(position..position + written).unwrap_or_default();
        sum.add(output);
        size = size.wrapping_add(written as u32);
        sink.write(output)?;
        position = (position + written) % CIRCLE;
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            TINFLStatus::FailedCannotMakeProgress => return Err(source.truncated("gzip data")),
            _ => return Err(source.fault("broken gzip data")),
        }
    }
    let mut end = [0; 8];
    source.read_exact(&mut end, "a gzip checksum")?;
    let expected = u64::from_le_bytes(end);
    if expected != u64::from(sum.value()) | u64::from(size) << 32 {
        return Err(source.fault("broken gzip data").hint("its checksum is another"));
    }
    Ok(())
}

/// Reads the header, with the optional parts that its flags announce.
fn skip_header(source: &mut Source) -> Result<(), Error> {
    let within = "a gzip header";
    let mut header = [0; 10];
    source.read_exact(&mut header, within)?;
    let [_, _, method, flags, ..] = header;
    if method != 8 || flags & 0xe0 != 0 {
        return Err(source.fault("an unknown kind of gzip data"));
    }
    if flags & 4 != 0 {
        let mut length = [0; 2];
        source.read_exact(&mut length, within)?;
        for _ in 0..u16::from_le_bytes(length) {
            source.read_exact(&mut [0], within)?;
        }
    }
    // The name of the file and a comment, each with a zero byte at its end.
    for flag in [8, 16] {
        let mut byte = [u8::from(flags & flag != 0)];
        while byte != [0] {
            source.read_exact(&mut byte, within)?;
        }
    }
    if flags & 2 != 0 {
        source.read_exact(&mut [0; 2], within)?;
    }
    Ok(())
}

/// The CRC-32 of gzip, eight bytes at a time.
pub(crate) struct Sum {
    tables: Box<[[u32; 256]; 8]>,
    sum: u32,
}

impl Sum {
    pub(crate) fn new() -> Sum {
        let mut tables = Box::new([[0; 256]; 8]);
        let mut before = [0_u32; 256];
        for (number, entry) in (0_u32..).zip(&mut before) {
            *entry =
                (0..8).fold(number, |sum, _| sum >> 1 ^ (sum & 1).wrapping_neg() & 0xedb8_8320);
        }
        let first = before;
        for table in tables.iter_mut() {
            *table = before;
            before = before.map(|sum| sum >> 8 ^ at(&first, sum));
        }
        Sum { tables, sum: !0 }
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.tables;
        let (words, rest) = bytes.as_chunks::<8>();
        let mut sum = self.sum;
        for word in words {
            let word = u64::from_le_bytes(*word) ^ u64::from(sum);
            let (low, high) = (word as u32, (word >> 32) as u32);
            sum = at(t7, low) ^ at(t6, low >> 8) ^ at(t5, low >> 16) ^ at(t4, low >> 24);
            sum ^= at(t3, high) ^ at(t2, high >> 8) ^ at(t1, high >> 16) ^ at(t0, high >> 24);
        }
        for byte in rest {
            sum = sum >> 8 ^ at(t0, sum ^ u32::from(*byte));
        }
        self.sum = sum;
    }

    pub(crate) fn value(&self) -> u32 {
        !self.sum
    }
}

/// The entry of the lowest byte. The compiler sees that it is in the table.
fn at(table: &[u32; 256], index: u32) -> u32 {
    table.get(usize::from(index as u8)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sum_is_the_known_one() {
        let mut sum = Sum::new();
        sum.add(b"123456789");
        assert_eq!(sum.value(), 0xcbf4_3926);
    }

    proptest! {
        #[test]
        fn a_sum_does_not_depend_on_how_the_bytes_come(
            bytes in proptest::collection::vec(any::<u8>(), 0..100), cut: usize
        ) {
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            let (mut whole, mut parts) = (Sum::new(), Sum::new());
            whole.add(&bytes);
            parts.add(head);
            parts.add(tail);
            prop_assert_eq!(whole.value(), parts.value());
        }
    }
}

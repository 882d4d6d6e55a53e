//! CRC-32 and CRC-64, as gzip and xz have them, eight bytes at a time.

/// Where both start, and what they are combined with at the end: all bits.
const CRC32: u64 = u32::MAX as u64;
const CRC64: u64 = u64::MAX;

/// A sum of the bytes so far.
pub(crate) struct Sum {
    tables: Box<[[u64; 256]; 8]>,
    start: u64,
    sum: u64,
}

impl Sum {
    pub(crate) fn crc32() -> Sum {
        Sum::new(0xedb8_8320, CRC32)
    }

    pub(crate) fn crc64() -> Sum {
        Sum::new(0xc96c_5795_d787_0f42, CRC64)
    }

    fn new(polynomial: u64, start: u64) -> Sum {
        let mut tables = Box::new([[0; 256]; 8]);
        let mut before = [0_u64; 256];
        for (number, entry) in (0_u64..).zip(&mut before) {
            *entry = (0..8).fold(number, |sum, _| sum >> 1 ^ (sum & 1).wrapping_neg() & polynomial);
        }
        let first = before;
        for table in tables.iter_mut() {
            *table = before;
            before = before.map(|sum| sum >> 8 ^ at(&first, sum));
        }
        Sum { tables, start, sum: start }
    }

    /// Begins anew.
    pub(crate) fn start(&mut self) {
        self.sum = self.start;
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &*self.tables;
        let (words, rest) = bytes.as_chunks::<8>();
        let mut sum = self.sum;
        for word in words {
            let word = u64::from_le_bytes(*word) ^ sum;
            sum = at(t7, word) ^ at(t6, word >> 8) ^ at(t5, word >> 16) ^ at(t4, word >> 24);
            sum ^=
                at(t3, word >> 32) ^ at(t2, word >> 40) ^ at(t1, word >> 48) ^ at(t0, word >> 56);
        }
        for byte in rest {
            sum = sum >> 8 ^ at(t0, sum ^ u64::from(*byte));
        }
        self.sum = sum;
    }

    pub(crate) fn value(&self) -> u64 {
        self.sum ^ self.start
    }

    /// The same as it is written: 4 or 8 bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.value().to_le_bytes().to_vec();
        bytes.truncate(if self.start == CRC32 { 4 } else { 8 });
        bytes
    }
}

/// The entry of the lowest byte. The compiler sees that it is in the table.
fn at(table: &[u64; 256], index: u64) -> u64 {
    table.get(usize::from(index as u8)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sums_are_the_known_ones() {
        let (mut short, mut long) = (Sum::crc32(), Sum::crc64());
        short.add(b"123456789");
        long.add(b"123456789");
        assert_eq!(short.value(), 0xcbf4_3926);
        assert_eq!(long.value(), 0x995d_c9bb_df19_39fa);
    }

    proptest! {
        #[test]
        fn a_sum_does_not_depend_on_how_the_bytes_come(
            bytes in proptest::collection::vec(any::<u8>(), 0..100), cut: usize
        ) {
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            let (mut whole, mut parts) = (Sum::crc64(), Sum::crc64());
            whole.add(&bytes);
            parts.add(head);
            parts.add(tail);
            prop_assert_eq!(whole.value(), parts.value());
        }
    }
}

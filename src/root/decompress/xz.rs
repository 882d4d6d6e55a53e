//! xz (xz-file-format): blocks of LZMA2 data, perhaps filtered, each with a checksum, and an index of
//! them.
use super::WINDOW;
use super::lzma::{Lzma, too_large};
use super::sum::Sum;
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::{Source, Stream};
use lzma_rust2::filter::StreamFilter;
use lzma_rust2::{FilterConfig, FilterType};
use sha2::{Digest, Sha256};

const WITHIN: &str = "xz data";
/// The filter that every chain ends in.
const LZMA2: u64 = 0x21;

/// Unpacks one stream.
pub(super) fn decompress(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    source.read_exact(&mut [0; 6], WITHIN)?;
    let (sum, of_blocks, lzma) = (Sum::crc32(), Sum::crc32(), Lzma::new(0));
    let mut xz = Xz { source, sink, sum, check: 0, read: 0, blocks: 0, of_blocks, lzma };
    let mut flags = [0; 2];
    xz.bytes(&mut flags)?;
    xz.expect_sum()?;
    let [0, check] = flags else { return Err(broken(xz.source)) };
    xz.check = check;
    loop {
        xz.sum.start();
        xz.read = 0;
        match xz.byte()? {
            0 => return xz.index(),
            size => xz.block(size)?,
        }
    }
}

fn broken(source: &Source) -> Error {
    source.fault("broken xz data")
}

/// A stream that is being read.
struct Xz<'a> {
    source: &'a mut Source,
    sink: &'a mut Sink,
    /// Of the header or the index that is being read.
    sum: Sum,
    /// Which checksum the blocks have.
    check: u8,
    /// How many bytes of a block or of the index were read.
    read: u64,
    /// How many blocks there were, and a sum of their sizes.
    blocks: u64,
    of_blocks: Sum,
    lzma: Lzma,
}

/// A checksum of unpacked data.
enum Check {
    None,
    Crc(Sum),
    Sha256(Box<Sha256>),
}

impl Check {
    fn new(kind: u8) -> Option<Check> {
        match kind {
            0 => Some(Check::None),
            1 => Some(Check::Crc(Sum::crc32())),
            4 => Some(Check::Crc(Sum::crc64())),
            10 => Some(Check::Sha256(Box::new(Sha256::new()))),
            _ => None,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Check::None => {}
            Check::Crc(sum) => sum.add(bytes),
            Check::Sha256(sum) => sum.update(bytes),
        }
    }

    fn value(self) -> Vec<u8> {
        match self {
            Check::None => Vec::new(),
            Check::Crc(sum) => sum.bytes(),
            Check::Sha256(sum) => sum.finalize().to_vec(),
        }
    }
}

/// A filter, and what it cannot decide on before it knows what follows.
struct Filter {
    filter: StreamFilter,
    held: Vec<u8>,
}

/// What becomes of the unpacked data of a block.
struct Output {
    /// The last one of the chain first.
    filters: Vec<Filter>,
    check: Check,
    size: u64,
}

impl Output {
    fn write(&mut self, bytes: &[u8], is_end: bool, sink: &mut Sink) -> Result<(), Error> {
        let mut filtered = Vec::new();
        for (index, Filter { filter, held }) in self.filters.iter_mut().enumerate() {
            held.extend_from_slice(if index == 0 { bytes } else { &filtered });
            let settled = filter.decode(held);
            let behind = if is_end { Vec::new() } else { held.split_off(settled) };
            filtered = std::mem::replace(held, behind);
        }
        let bytes = if self.filters.is_empty() { bytes } else { &filtered };
        self.check.add(bytes);
        self.size += bytes.len() as u64;
        sink.write(bytes)
    }
}

impl Xz<'_> {
    fn bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.source.read_exact(bytes, WITHIN)?;
        self.sum.add(bytes);
        self.read += bytes.len() as u64;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let mut byte = [0];
        self.bytes(&mut byte)?;
        Ok(byte[0])
    }

    /// A number: 7 bits a byte, the lowest first; the highest bit of all but the last byte is set.
    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(broken(self.source))
    }

    /// Zeros up to a multiple of 4, or to `end`.
    fn zeros(&mut self, end: u64) -> Result<(), Error> {
        while self.read < end || !self.read.is_multiple_of(4) {
            if self.byte()? != 0 {
                return Err(broken(self.source));
            }
        }
        Ok(())
    }

    /// Reads the sum of what was read.
    fn expect_sum(&mut self) -> Result<(), Error> {
        let sum = self.sum.bytes();
        let mut bytes = [0; 4];
        self.bytes(&mut bytes)?;
        if sum == bytes { Ok(()) } else { Err(broken(self.source)) }
    }

    fn block(&mut self, size: u8) -> Result<(), Error> {
        let end = u64::from(size) * 4;
        let flags = self.byte()?;
        let mut sizes = [None; 2];
        for (bit, size) in [0x40, 0x80].into_iter().zip(&mut sizes) {
            if flags & bit != 0 {
                *size = Some(self.number()?);
            }
        }
        let mut filters = Vec::new();
        for _ in 0..flags & 3 {
            filters.insert(0, self.filter()?);
        }
        self.lzma2()?;
        if flags & 0x3c != 0 || self.read > end {
            return Err(broken(self.source));
        }
        self.zeros(end)?;
        self.expect_sum()?;
        let Some(check) = Check::new(self.check) else {
            return Err(self.source.fault("xz data with an unknown kind of checksum"));
        };
        let header = self.read;
        let mut output = Output { filters, check, size: 0 };
        self.data(&mut output)?;
        let packed = self.read - header;
        self.zeros(0)?;
        let padding = self.read - header - packed;
        let expected = output.check.value();
        let mut sum = vec![0; expected.len()];
        self.bytes(&mut sum)?;
        let is_other = |size: Option<u64>, is: u64| size.is_some_and(|size| size != is);
        let [packed_size, unpacked_size] = sizes;
        if sum != expected || is_other(packed_size, packed) || is_other(unpacked_size, output.size)
        {
            return Err(broken(self.source));
        }
        self.blocks += 1;
        self.of_blocks.add(&(self.read - padding).to_le_bytes());
        self.of_blocks.add(&output.size.to_le_bytes());
        Ok(())
    }

    /// A filter before the last one.
    fn filter(&mut self) -> Result<Filter, Error> {
        let kind = FilterType::try_from(self.number()?);
        let size = self.number()?;
        let mut property = [0; 4];
        match property.get_mut(..size as usize) {
            Some(place) => self.bytes(place)?,
            None => return Err(broken(self.source)),
        }
        let property = u32::from_le_bytes(property);
        let (filter_type, property) = match (kind, size) {
            (Ok(kind @ FilterType::Delta), 1) => (kind, property + 1),
            (Ok(kind), 0 | 4) if kind != FilterType::Delta => (kind, property),
            _ => return Err(broken(self.source)),
        };
        match StreamFilter::new(&FilterConfig { filter_type, property }) {
            Ok(filter) => Ok(Filter { filter, held: Vec::new() }),
            Err(_) => Err(broken(self.source)),
        }
    }

    /// The last one: LZMA2, with the size of its window.
    fn lzma2(&mut self) -> Result<(), Error> {
        if (self.number()?, self.number()?) != (LZMA2, 1) {
            return Err(broken(self.source));
        }
        let size = match self.byte()? {
            bits @ 0..40 => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
            40 => u64::from(u32::MAX),
            _ => return Err(broken(self.source)),
        };
        if size > WINDOW as u64 {
            return Err(too_large(self.source, "xz"));
        }
        self.lzma = Lzma::new(size as usize);
        Ok(())
    }

    /// LZMA2 data: chunks, the first byte of which says what they are, and what is to be forgotten
    /// before.
    fn data(&mut self, output: &mut Output) -> Result<(), Error> {
        // What a chunk has to bring: a new window, and new properties.
        let (mut needs_window, mut needs_properties) = (true, true);
        loop {
            let kind = self.byte()?;
            if kind == 0 {
                return output.write(&[], true, self.sink);
            }
            if kind == 1 || kind >= 0xe0 {
                self.lzma.reset_window();
                needs_window = false;
            }
            let mut size = [0; 2];
            self.bytes(&mut size)?;
            let size = u64::from(u16::from_be_bytes(size)) + 1;
            match kind {
                _ if needs_window => return Err(broken(self.source)),
                1 | 2 => {
                    self.plain(size as usize, output)?;
                    continue;
                }
                0x80.. => {}
                _ => return Err(broken(self.source)),
            }
            let unpacked = size + (u64::from(kind & 0x1f) << 16);
            let mut size = [0; 2];
            self.bytes(&mut size)?;
            let packed = usize::from(u16::from_be_bytes(size)) + 1;
            let reset = match kind {
                0xc0.. => {
                    needs_properties = false;
                    self.byte().map(|properties| self.lzma.reset(properties))?
                }
                _ if needs_properties => None,
                0xa0.. => self.lzma.reset_state(),
                _ => Some(()),
            };
            reset.ok_or_else(|| broken(self.source))?;
            self.packed(packed, unpacked, output)?;
        }
    }

    /// A chunk that is not compressed.
    fn plain(&mut self, mut size: usize, output: &mut Output) -> Result<(), Error> {
        self.read += size as u64;
        while size > 0 {
            let bytes = self.source.peek(size)?;
            if bytes.is_empty() {
                return Err(self.source.truncated(WITHIN));
            }
            let bytes = self.lzma.copy(bytes);
            output.write(bytes, false, self.sink)?;
            let count = bytes.len();
            self.source.consume(count);
            size -= count;
        }
        Ok(())
    }

    /// A chunk that is.
    fn packed(&mut self, size: usize, unpacked: u64, output: &mut Output) -> Result<(), Error> {
        let mut first = [0; 5];
        self.bytes(&mut first)?;
        let Some(size) = size.checked_sub(5).filter(|_| self.lzma.begin(&first).is_some()) else {
            return Err(broken(self.source));
        };
        self.read += size as u64;
        let (mut at, mut left) = (0, unpacked);
        while left > 0 {
            let chunk = self.source.peek(size)?;
            if chunk.len() < size {
                return Err(self.source.truncated(WITHIN));
            }
            let rest = chunk.get(at..).unwrap_or_default();
            let Some((count, bytes, false)) = self.lzma.decode(rest, true, left) else {
                return Err(broken(self.source));
            };
            at += count;
            left -= bytes.len() as u64;
            output.write(bytes, false, self.sink)?;
        }
        self.source.consume(size);
        if at == size && self.lzma.may_end() { Ok(()) } else { Err(broken(self.source)) }
    }

    /// The index: how many blocks there were, and the sizes of each; and the end of the stream.
    fn index(&mut self) -> Result<(), Error> {
        let mut of_index = Sum::crc32();
        let is_right = self.number()? == self.blocks;
        for _ in 0..if is_right { self.blocks } else { 0 } {
            of_index.add(&self.number()?.to_le_bytes());
            of_index.add(&self.number()?.to_le_bytes());
        }
        if !is_right || of_index.bytes() != self.of_blocks.bytes() {
            return Err(broken(self.source));
        }
        self.zeros(0)?;
        self.expect_sum()?;
        let size = self.read;
        let (mut sum, mut footer, mut magic) = ([0; 4], [0; 6], [0; 2]);
        self.bytes(&mut sum)?;
        self.sum.start();
        self.bytes(&mut footer)?;
        let is_right = self.sum.bytes() == sum;
        self.bytes(&mut magic)?;
        let [a, b, c, d, flags @ ..] = footer;
        let index = (u64::from(u32::from_le_bytes([a, b, c, d])) + 1) * 4;
        if is_right && index == size && flags == [0, self.check] && magic == *b"YZ" {
            return Ok(());
        }
        Err(broken(self.source))
    }
}

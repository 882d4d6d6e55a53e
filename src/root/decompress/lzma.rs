//! LZMA: bytes, and repetitions of what came before, as bits of a range coder. How probable a bit is, it
//! learns from those before it at the same place. And .lzma, the oldest of the files that hold it.
use super::WINDOW;
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::{Source, Stream};

// Where the probabilities of each kind begin. Behind those of matches and repetitions come a byte's.
const IS_MATCH: usize = 0;
const IS_REPEATED: usize = IS_MATCH + (12 << 4);
const IS_NOT_LAST: usize = IS_REPEATED + 12;
const IS_NOT_SECOND: usize = IS_NOT_LAST + 12;
const IS_NOT_THIRD: usize = IS_NOT_SECOND + 12;
const IS_LONG: usize = IS_NOT_THIRD + 12;
const SLOT: usize = IS_LONG + (12 << 4);
const MIDDLE: usize = SLOT + (4 << 6);
const LOWEST: usize = MIDDLE + 128;
const LENGTH: usize = LOWEST + 16;
const LENGTH_OF_REPEATED: usize = LENGTH + LENGTHS;
const BYTES: usize = LENGTH_OF_REPEATED + LENGTHS;
/// Two choices, and trees for short, middle and long ones.
const LENGTHS: usize = 2 + (16 << 3) + (16 << 3) + 256;
/// Probabilities of one byte in one context.
const BYTE: usize = 0x300;

/// No symbol takes more bytes than this: 20, and those that the coder is ahead.
const SYMBOL: usize = 24;
/// How much is decoded at once.
pub(super) const PART: usize = 128 << 10;

/// What was decoded last, in a circle, since repetitions refer to it.
struct Window {
    bytes: Vec<u8>,
    size: usize,
    /// Where the next byte goes.
    at: usize,
    is_full: bool,
}

impl Window {
    /// The byte so many before the last one.
    #[inline(always)]
    fn back(&self, distance: usize) -> Option<u8> {
        let place = if distance < self.at {
            self.at - distance - 1
        } else if self.is_full {
            (self.at + self.size).checked_sub(distance + 1)?
        } else {
            return None;
        };
        self.bytes.get(place).copied()
    }

    #[inline(always)]
    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
            self.at += 1;
        }
    }

    /// Repeats `count` bytes from so far back; there is place for them.
    fn repeat(&mut self, distance: usize, count: usize) -> Option<()> {
        self.back(distance)?;
        match self.at.checked_sub(distance + 1) {
            Some(from) if count <= distance => {
                self.bytes.copy_within(from..from + count, self.at);
                self.at += count;
            }
            _ => {
                for _ in 0..count {
                    let byte = self.back(distance)?;
                    self.put(byte);
                }
            }
        }
        Some(())
    }
}

/// The range coder.
#[derive(Clone, Copy)]
struct Coder<'a> {
    input: &'a [u8],
    at: usize,
    range: u32,
    code: u32,
}

impl Coder<'_> {
    /// Behind the input there are zeros; that they were read is seen afterwards.
    #[inline(always)]
    fn normalize(&mut self) {
        if self.range < 1 << 24 {
            let byte = self.input.get(self.at).copied().unwrap_or(0);
            self.at += 1;
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(byte);
        }
    }

    #[inline(always)]
    fn bit(&mut self, probabilities: &mut [u16], place: usize) -> usize {
        self.normalize();
        let Some(probability) = probabilities.get_mut(place) else { return 0 };
        let before = u32::from(*probability);
        let bound = (self.range >> 11) * before;
        let bit = self.code >= bound;
        // Without branches, which nothing could predict: what is near 0 or 2048 comes nearer by a 32nd.
        self.range = if bit { self.range - bound } else { bound };
        self.code -= if bit { bound } else { 0 };
        let end = if bit { 31 } else { 2048 };
        *probability = (before as i32 + ((end - before as i32) >> 5)) as u16;
        usize::from(bit)
    }

    /// A number of so many bits, the highest first.
    #[inline(always)]
    fn tree(&mut self, probabilities: &mut [u16], place: usize, bits: u32) -> usize {
        let mut number = 1;
        for _ in 0..bits {
            number = number << 1 | self.bit(probabilities, place + number);
        }
        number - (1 << bits)
    }

    /// The same, the lowest first.
    #[inline(always)]
    fn reverse_tree(&mut self, probabilities: &mut [u16], place: usize, bits: u32) -> usize {
        let (mut node, mut number) = (1, 0);
        for index in 0..bits {
            let bit = self.bit(probabilities, place + node);
            node = node << 1 | bit;
            number |= bit << index;
        }
        number
    }

    /// The length of a repetition, less 2.
    #[inline(always)]
    fn length(&mut self, probabilities: &mut [u16], place: usize, position: usize) -> usize {
        let (first, tree, bits) = if self.bit(probabilities, place) == 0 {
            (0, 2 + (position << 3), 3)
        } else if self.bit(probabilities, place + 1) == 0 {
            (8, 2 + 128 + (position << 3), 3)
        } else {
            (16, 2 + 256, 8)
        };
        first + self.tree(probabilities, place + tree, bits)
    }

    /// How far back a repetition is, less 1.
    #[inline(always)]
    fn distance(&mut self, probabilities: &mut [u16], length: usize) -> usize {
        let slot = self.tree(probabilities, SLOT + (length.min(3) << 6), 6);
        if slot < 4 {
            return slot;
        }
        let bits = (slot >> 1) as u32 - 1;
        let first = (2 | slot & 1) << bits;
        if slot < 14 {
            return first + self.reverse_tree(probabilities, MIDDLE + first - slot, bits);
        }
        let mut middle = 0;
        for _ in 0..bits - 4 {
            self.normalize();
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            middle = middle << 1 | usize::from(bit);
        }
        first + (middle << 4) + self.reverse_tree(probabilities, LOWEST, 4)
    }

    /// A byte, where another than `other` is due if there is one.
    #[inline(always)]
    fn byte(&mut self, probabilities: &mut [u16], place: usize, other: Option<u8>) -> u8 {
        let mut number = 1;
        let (mut other, mut mask) = other.map_or((0, 0), |other| (usize::from(other), 0x100));
        while number < 0x100 {
            other <<= 1;
            let expected = other & mask;
            let bit = self.bit(probabilities, place + mask + expected + number);
            number = number << 1 | bit;
            // From the first bit that is another one on, it is as any byte.
            mask = if bit == 0 { mask & !other } else { expected };
        }
        number as u8
    }
}

/// A decoder between two pieces of input. What is wrong with the data is not said: `None`.
pub(super) struct Lzma {
    window: Window,
    probabilities: Vec<u16>,
    /// How many of the highest bits of the last byte count for the next one.
    context: u32,
    /// Masks of the position, for the next byte and for all else.
    byte_mask: usize,
    mask: usize,
    /// What the last symbols were.
    state: usize,
    /// The last distances, less 1.
    distances: [usize; 4],
    /// What is left of a repetition.
    left: usize,
    range: u32,
    code: u32,
}

impl Lzma {
    /// With a window of so many bytes.
    pub(super) fn new(size: usize) -> Lzma {
        // Positions count from the window's begin, and their lowest bits are looked at.
        let size = size.max(4096).next_multiple_of(16);
        Lzma {
            window: Window { bytes: Vec::new(), size, at: 0, is_full: false },
            probabilities: Vec::new(),
            context: 0,
            byte_mask: 0,
            mask: 0,
            state: 0,
            distances: [0; 4],
            left: 0,
            range: 0,
            code: 0,
        }
    }

    /// Forgets what the window has.
    pub(super) fn reset_window(&mut self) {
        (self.window.at, self.window.is_full) = (0, false);
    }

    /// Takes these properties, and forgets what was learnt.
    pub(super) fn reset(&mut self, properties: u8) -> Option<()> {
        let (context, rest) = (u32::from(properties) % 9, properties / 9);
        let (byte_bits, bits) = (u32::from(rest) % 5, rest / 5);
        if bits > 4 {
            return None;
        }
        (self.context, self.byte_mask, self.mask) =
            (context, (1 << byte_bits) - 1, (1 << bits) - 1);
        self.probabilities.resize(BYTES + (BYTE << (context + byte_bits)), 0);
        self.reset_state()
    }

    /// Forgets what was learnt. Fails if there are no properties yet.
    pub(super) fn reset_state(&mut self) -> Option<()> {
        self.probabilities.fill(1024);
        (self.state, self.distances) = (0, [0; 4]);
        (!self.probabilities.is_empty()).then_some(())
    }

    /// Begins with the first 5 bytes of the range coder.
    pub(super) fn begin(&mut self, bytes: &[u8]) -> Option<()> {
        let [0, a, b, c, d] = *bytes else { return None };
        (self.range, self.code) = (u32::MAX, u32::from_be_bytes([a, b, c, d]));
        (self.left == 0).then_some(())
    }

    /// Whether a range coder could end here.
    pub(super) fn may_end(&self) -> bool {
        self.code == 0 && self.left == 0
    }

    /// How much of `count` bytes can be decoded at once.
    fn space(&mut self, count: u64) -> usize {
        let window = &mut self.window;
        if window.at == window.size {
            (window.at, window.is_full) = (0, true);
        }
        let count = count.min(PART as u64).min((window.size - window.at) as u64) as usize;
        if window.bytes.len() < window.at + count {
            window.bytes.resize(window.at + count, 0);
        }
        count
    }

    /// Takes up to `count` bytes as they are, and returns them.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> &[u8] {
        let count = self.space(bytes.len() as u64);
        let start = self.window.at;
        bytes.iter().take(count).for_each(|byte| self.window.put(*byte));
        self.window.bytes.get(start..self.window.at).unwrap_or_default()
    }

    /// Decodes up to `count` bytes, fewer if `input` is empty before: with `is_all`, what comes behind
    /// it does not matter. Returns how much of it was read, what was decoded, and whether the mark of
    /// the end was there.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        is_all: bool,
        count: u64,
    ) -> Option<(usize, &[u8], bool)> {
        let start = self.window.at % self.window.size;
        let end = start + self.space(count);
        let enough = if is_all { input.len() } else { input.len().saturating_sub(SYMBOL) };
        let mut coder = Coder { input, at: 0, range: self.range, code: self.code };
        let is_marked = self.symbols(&mut coder, enough, end)?;
        coder.normalize();
        (self.range, self.code) = (coder.range, coder.code);
        let decoded = self.window.bytes.get(start..self.window.at)?;
        (coder.at <= input.len()).then_some((coder.at, decoded, is_marked))
    }

    /// Symbol after symbol, until the window is filled up to `end`, or more than `enough` was read.
    fn symbols(&mut self, outer: &mut Coder<'_>, enough: usize, end: usize) -> Option<bool> {
        // A copy that is in registers.
        let mut coder = *outer;
        let probabilities = &mut *self.probabilities;
        let window = &mut self.window;
        let mut state = self.state;
        let [mut last, mut second, mut third, mut fourth] = self.distances;
        let mut left = self.left;
        let mut is_marked = false;
        loop {
            let now = left.min(end - window.at);
            if now > 0 {
                window.repeat(last, now)?;
                left -= now;
            }
            if window.at >= end || coder.at > enough {
                break;
            }
            let position = window.at & self.mask;
            let place = (state << 4) + position;
            if coder.bit(probabilities, IS_MATCH + place) == 0 {
                let before = usize::from(window.back(0).unwrap_or(0));
                let context =
                    (window.at & self.byte_mask) << self.context | before << self.context >> 8;
                let other = if state < 7 { None } else { Some(window.back(last)?) };
                let byte = coder.byte(probabilities, BYTES + BYTE * context, other);
                window.put(byte);
                state = match state {
                    0..4 => 0,
                    4..10 => state - 3,
                    _ => state - 6,
                };
                continue;
            }
            let is_repeated = coder.bit(probabilities, IS_REPEATED + state) == 1;
            if !is_repeated {
                (second, third, fourth) = (last, second, third);
            } else if coder.bit(probabilities, IS_NOT_LAST + state) == 0 {
                if coder.bit(probabilities, IS_LONG + place) == 0 {
                    let byte = window.back(last)?;
                    window.put(byte);
                    state = if state < 7 { 9 } else { 11 };
                    continue;
                }
            } else if coder.bit(probabilities, IS_NOT_SECOND + state) == 0 {
                (last, second) = (second, last);
            } else if coder.bit(probabilities, IS_NOT_THIRD + state) == 0 {
                (last, second, third) = (third, last, second);
            } else {
                (last, second, third, fourth) = (fourth, last, second, third);
            }
            let lengths = if is_repeated { LENGTH_OF_REPEATED } else { LENGTH };
            let length = coder.length(probabilities, lengths, position);
            state = match (state < 7, is_repeated) {
                (true, true) => 8,
                (true, false) => 7,
                (false, true) => 11,
                (false, false) => 10,
            };
            if !is_repeated {
                last = coder.distance(probabilities, length);
                if last == u32::MAX as usize {
                    is_marked = true;
                    break;
                }
            }
            left = length + 2;
        }
        (self.state, self.distances, self.left) = (state, [last, second, third, fourth], left);
        *outer = coder;
        Some(is_marked)
    }
}

/// Unpacks one stream of .lzma: properties, size of the window, size of it all, data.
pub(super) fn decompress(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    let within = "lzma data";
    let mut header = [0; 13 + 5];
    source.read_exact(&mut header, within)?;
    let [properties, a, b, c, d, rest @ ..] = header;
    let window = u32::from_le_bytes([a, b, c, d]) as usize;
    let (size, first) = rest.split_at(8);
    // All bits: the mark of the end says where that is.
    let mut left = size.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
    let is_known = left != u64::MAX;
    if window > WINDOW {
        return Err(too_large(source, "lzma"));
    }
    let broken = |source: &Source| source.fault("broken lzma data");
    let mut lzma = Lzma::new(window);
    lzma.reset(properties).and_then(|()| lzma.begin(first)).ok_or_else(|| broken(source))?;
    while !(is_known && left == 0 && lzma.may_end()) {
        let is_all = source.peek(SYMBOL + 1)?.len() <= SYMBOL;
        let input = source.fill()?;
        // Behind the last byte there may be the mark all the same.
        let count = if left == 0 { 1 } else { left };
        let Some((read, bytes, is_marked)) = lzma.decode(input, is_all, count) else {
            return Err(if is_all { source.truncated(within) } else { broken(source) });
        };
        source.consume(read);
        let rest = left.checked_sub(bytes.len() as u64);
        sink.write(bytes)?;
        match rest {
            // The mark comes at the end, if it comes.
            Some(rest) if !is_marked => left = rest,
            Some(rest) if (rest == 0 || !is_known) && lzma.may_end() => return Ok(()),
            _ => return Err(broken(source)),
        }
    }
    Ok(())
}

/// The window is larger than we allow.
pub(super) fn too_large(source: &Source, name: &str) -> Error {
    source.fault(&format!("{name} data with a window of more than 64 MB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a banana, a banana";
    /// The same, behind a header: no mark is at its end.
    const DATA: &[u8] = b"\x00\x30\x88\x08\x46\x54\x42\x9d\x29\xb9\xc3\xe3\x12\xf8\x00\x00";

    fn decoder() -> Lzma {
        let mut lzma = Lzma::new(0);
        lzma.reset(0x5d).unwrap();
        lzma.begin(DATA.get(..5).unwrap()).unwrap();
        lzma
    }

    #[test]
    fn data_may_end_without_a_mark_and_only_where_it_ends() {
        let mut lzma = decoder();
        let mut text = Vec::new();
        let mut at = 5;
        while text.len() < TEXT.len() {
            assert!(!lzma.may_end());
            let (read, bytes, is_marked) = lzma.decode(&DATA[at..], true, 1).unwrap();
            text.extend_from_slice(bytes);
            at += read;
            assert!(bytes.len() == 1 && !is_marked);
        }
        assert!(lzma.may_end());
        assert_eq!(text, TEXT);
    }

    #[test]
    fn data_that_is_cut_off_or_refers_to_nothing_is_none() {
        let cut = DATA.get(5..10).unwrap();
        assert!(decoder().decode(cut, true, TEXT.len() as u64).is_none());
        let mut lzma = Lzma::new(0);
        lzma.reset(0x5d).unwrap();
        lzma.begin(&[0, 0xff, 0xff, 0xff, 0xff]).unwrap();
        assert!(lzma.decode(&[0xff; 32], true, 100).is_none());
        assert!(Lzma::new(0).reset_state().is_none() && Lzma::new(0).reset(225).is_none());
    }
}

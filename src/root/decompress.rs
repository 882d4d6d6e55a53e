//! Compressed parts of an image: which format one has, and one function each that unpacks it.
use super::pipe::Sink;
use super::source::Source;
use crate::error::Error;

mod gzip;
mod lz4;
mod lzma;
mod zstd;

pub(crate) use gzip::Sum;

/// A format that we unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Lz4,
    Lzma,
    Xz,
    Zstd,
}

/// The largest window that compressed data may ask for: what it refers back to is kept in memory.
const WINDOW: usize = 64 << 20;

/// What the first bytes of a part say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Compressed(Format),
    /// A format that we know by name only.
    Unsupported(&'static str),
    Unknown,
}

/// How many bytes [`look`] needs.
pub(crate) const LOOK: usize = 6;

/// Finds the format by its magic number.
pub(crate) fn look(bytes: &[u8]) -> Found {
    match bytes {
        [0x1f, 0x8b, ..] => Found::Compressed(Format::Gzip),
        [0x02, 0x21, 0x4c, 0x18, ..] => Found::Compressed(Format::Lz4),
        [0x5d, 0, 0, ..] => Found::Compressed(Format::Lzma),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Found::Compressed(Format::Xz),
        // The second is a frame that holds no data.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Found::Compressed(Format::Zstd)
        }
        [0x04, 0x22, 0x4d, 0x18, ..] => Found::Unsupported("lz4 other than by lz4 -l"),
        [b'B', b'Z', b'h', ..] => Found::Unsupported("bzip2"),
        [0x89, b'L', b'Z', b'O', ..] => Found::Unsupported("lzo"),
        _ => Found::Unknown,
    }
}

/// Unpacks one compressed part: streams of the same format that follow on each other without a gap
/// are one. Afterwards `source` is at what follows.
pub(crate) fn decompress(
    format: Format,
    source: &mut Source,
    sink: &mut Sink,
) -> Result<(), Error> {
    loop {
        match format {
            Format::Gzip => gzip::decompress(source, sink)?,
            Format::Lz4 => lz4::decompress(source, sink)?,
            Format::Lzma => lzma::decompress_lzma(source, sink)?,
            Format::Xz => lzma::decompress_xz(source, sink)?,
            Format::Zstd => zstd::decompress(source, sink)?,
        }
        if look(source.peek(LOOK)?) != Found::Compressed(format) {
            return Ok(());
        }
    }
}

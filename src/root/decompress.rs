//! Compressed parts of an image: which format one has, and one function each that unpacks it.
use super::pipe::Sink;
use super::source::Source;
use crate::error::Error;

mod gzip;

/// A format that we unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
}

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
        }
        if look(source.peek(LOOK)?) != Found::Compressed(format) {
            return Ok(());
        }
    }
}

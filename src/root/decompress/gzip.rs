//! gzip (RFC 1952): header, deflate data, checksum and size.
use super::sum::Sum;
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
    let mut sum = Sum::crc32();
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
    if expected != sum.value() | u64::from(size) << 32 {
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

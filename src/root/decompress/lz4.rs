//! lz4's legacy frame (`lz4 -l`), which kernels use: blocks of up to 8 MB, each with its size before
//! it. Nothing says where it ends.
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::Source;
use lz4_flex::block::decompress_into;

const MAGIC: u32 = 0x184c_2102;
/// The size of a block when it is decompressed; the last one may be smaller.
const BLOCK: usize = 8 << 20;
/// The largest that a block of that size can be compressed to.
const COMPRESSED: usize = BLOCK + BLOCK / 255 + 16;

/// Unpacks blocks until the image ends, or what follows is no size of a block: zeros, or something
/// else's magic number.
pub(super) fn decompress(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    source.read_exact(&mut [0; 4], "an lz4 header")?;
    let mut output = vec![0; BLOCK];
    let mut input = Vec::new();
    loop {
        let size = match source.peek(4)? {
            [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
            [] => return Ok(()),
            _ => return Err(source.truncated("the size of an lz4 block")),
        };
        if size == 0 || (size != MAGIC && size as usize > COMPRESSED) {
            return Ok(());
        }
        source.read_exact(&mut [0; 4], "an lz4 block")?;
        if size == MAGIC {
            continue;
        }
        input.resize(size as usize, 0);
        source.read_exact(&mut input, "an lz4 block")?;
        match decompress_into(&input, &mut output) {
            Ok(count) => sink.write(output.get(..count).unwrap_or_default())?,
            Err(_) => return Err(source.fault("broken lz4 data")),
        }
    }
}

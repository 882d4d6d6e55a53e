//! gzip (RFC 1952): the same bytes for the same data, since no time and no name is in it.
use super::archive::Write;
use crate::error::Error;
use crate::root::decompress::Sum;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output, create_comp_flags_from_zip_params,
};

/// zlib's middle.
const LEVEL: i32 = 6;
/// Without zlib's own header.
const WINDOW: i32 = -15;

/// One member that is being written.
pub(super) struct Gzip<'a> {
    out: &'a mut Write<'a>,
    state: Box<CompressorOxide>,
    sum: Sum,
    size: u32,
}

impl<'a> Gzip<'a> {
    pub(super) fn new(out: &'a mut Write<'a>) -> Result<Gzip<'a>, Error> {
        out(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])?;
        let flags = create_comp_flags_from_zip_params(LEVEL, WINDOW, 0);
        let state = Box::new(CompressorOxide::new(flags));
        Ok(Gzip { out, state, sum: Sum::new(), size: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sum.add(bytes);
        self.size = self.size.wrapping_add(bytes.len() as u32);
        self.compress(bytes, TDEFLFlush::None)
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.compress(&[], TDEFLFlush::Finish)?;
        let (sum, size) = (self.sum.value().to_le_bytes(), self.size.to_le_bytes());
        (self.out)(&[sum, size].concat())
    }

    fn compress(&mut self, bytes: &[u8], flush: TDEFLFlush) -> Result<(), Error> {
        let mut result = Ok(());
        let (status, _) = compress_to_output(&mut self.state, bytes, flush, |part| {
            result = (self.out)(part);
            result.is_ok()
        });
        match status {
            TDEFLStatus::Okay | TDEFLStatus::Done => result,
            TDEFLStatus::BadParam | TDEFLStatus::PutBufFailed => {
                result.and(Err(Error::plain("the image could not be compressed")))
            }
        }
    }
}

//! zstd (RFC 8878).
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::{Source, Stream};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::{ErrorKind, Read, Write};

/// The largest window: while the decoder's buffer grows to it, the smaller one is there too. It is
/// what `zstd --ultra -20` asks for.
const WINDOW: usize = super::WINDOW / 2;
/// How much is decoded before it goes on.
const PART: usize = 128 << 10;

/// Unpacks one frame.
pub(super) fn decompress(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW as u64);
    let mut input = Input { source, error: None, is_end: false };
    let mut output = Output { sink, error: None };
    match unpack(&mut decoder, &mut input, &mut output) {
        Ok(true) => Ok(()),
        Ok(false) => Err(input.source.fault("broken zstd data").hint("its checksum is another")),
        Err(wrong) => Err(input.explain(output.error, &wrong)),
    }
}

/// Unpacks one frame; says whether its checksum is right, or there is none.
fn unpack(
    decoder: &mut FrameDecoder,
    input: &mut Input<'_>,
    output: &mut Output<'_>,
) -> Result<bool, FrameDecoderError> {
    use FrameDecoderError::{FailedToDrainDecodebuffer, ReadFrameHeaderError as Header};
    match decoder.reset(&mut *input) {
        Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            input.skip(length).map_err(FailedToDrainDecodebuffer)?;
            return Ok(true);
        }
        other => other?,
    }
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut *input, BlockDecodingStrategy::UptoBytes(PART))?;
        decoder.collect_to_writer(&mut *output).map_err(FailedToDrainDecodebuffer)?;
    }
    let expected = decoder.get_checksum_from_data();
    Ok(expected.is_none() || expected == decoder.get_calculated_checksum())
}

/// The image as ruzstd reads. An error of ours is kept aside for the time after.
struct Input<'a> {
    source: &'a mut Source,
    error: Option<Error>,
    is_end: bool,
}

impl Input<'_> {
    fn skip(&mut self, length: u32) -> Result<(), ruzstd::io::Error> {
        let mut left = length as usize;
        while left > 0 {
            let count = match self.source.fill() {
                Ok(bytes) => bytes.len().min(left),
                Err(error) => return Err(self.keep(error)),
            };
            if count == 0 {
                self.is_end = true;
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.source.consume(count);
            left -= count;
        }
        Ok(())
    }

    fn keep(&mut self, error: Error) -> ruzstd::io::Error {
        self.error = Some(error);
        ErrorKind::Other.into()
    }

    /// What went wrong, in our words.
    fn explain(self, output: Option<Error>, wrong: &FrameDecoderError) -> Error {
        if let Some(error) = self.error.or(output) {
            return error;
        }
        match wrong {
            _ if self.is_end => self.source.truncated("zstd data"),
            FrameDecoderError::WindowSizeTooBig { requested, .. } => {
                let problem = format!("zstd data with a window of {} MB", requested >> 20);
                self.source.fault(&problem).hint("32 MB are allowed: zstd --ultra -20")
            }
            FrameDecoderError::DictNotProvided { .. } => {
                self.source.fault("zstd data that needs a dictionary")
            }
            _ => self.source.fault("broken zstd data"),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ruzstd::io::Error> {
        let count = self.source.copy(bytes).map_err(|error| self.keep(error))?;
        self.is_end |= count == 0 && !bytes.is_empty();
        Ok(count)
    }
}

struct Output<'a> {
    sink: &'a mut Sink,
    error: Option<Error>,
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ruzstd::io::Error> {
        match self.sink.write(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.error = Some(error);
                Err(ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> Result<(), ruzstd::io::Error> {
        Ok(())
    }
}

//! xz, and the older .lzma.
use super::WINDOW;
use crate::error::Error;
use crate::root::pipe::Sink;
use crate::root::source::{Source, Stream};
use lzma_rust2::{Action, LzmaStream, Status, StreamResult, XzStream};

/// What a decoder may use, in kB: the window, and 1 MB for its tables.
const MEMORY: u32 = (WINDOW as u32 >> 10) + 1024;

/// Unpacks one stream of xz.
pub(super) fn decompress_xz(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    let mut stream = Box::new(XzStream::new_mem_limit(false, MEMORY));
    run(source, sink, "xz", |input, output, action| stream.process(input, output, action))
}

/// Unpacks one stream of .lzma.
pub(super) fn decompress_lzma(source: &mut Source, sink: &mut Sink) -> Result<(), Error> {
    let mut stream = Box::new(LzmaStream::new_mem_limit(MEMORY, None));
    run(source, sink, "lzma", |input, output, action| stream.process(input, output, action))?;
    source.unread(stream.unused_input());
    Ok(())
}

/// Calls `process` until it has come to the end of its stream.
fn run(
    source: &mut Source,
    sink: &mut Sink,
    name: &str,
    mut process: impl FnMut(&[u8], &mut [u8], Action) -> lzma_rust2::Result<StreamResult>,
) -> Result<(), Error> {
    loop {
        let input = source.fill()?;
        let is_end = input.is_empty();
        let action = if is_end { Action::Finish } else { Action::Run };
        let result = match process(input, sink.space()?, action) {
            Ok(result) => result,
            Err(lzma_rust2::Error::OutOfMemory(_)) => {
                let problem = format!("{name} data with a window of more than 64 MB");
                return Err(source.fault(&problem));
            }
            Err(_) if is_end => return Err(source.truncated(&format!("{name} data"))),
            Err(_) => return Err(source.fault(&format!("broken {name} data"))),
        };
        source.consume(result.bytes_consumed);
        sink.produced(result.bytes_produced);
        if result.status == Status::StreamEnd {
            return Ok(());
        }
        if is_end && result.bytes_produced == 0 {
            return Err(source.truncated(&format!("{name} data")));
        }
    }
}

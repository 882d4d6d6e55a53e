//! An image as the kernel takes it (its unpack_to_rootfs): pieces one after the other, with zeros
//! between. A piece is a cpio archive, or compressed data that holds archives; which of them is found
//! by looking at its first bytes.
use super::decompress::{Format, Found, LOOK, decompress, look};
use super::interrupt::Interrupt;
use super::pipe::{Decoded, pipe};
use super::source::{Source, Stream};
use super::tree::Tree;
use super::unpack::Unpack;
use crate::error::Error;
use crate::sys::thread::{self, Thread};
use std::ffi::CStr;
use std::sync::Arc;

/// An image that is open.
pub(crate) struct Image {
    source: Source,
    interrupt: Arc<Interrupt>,
}

impl Image {
    /// Opens the file; `-` is standard input.
    pub(crate) fn open(path: &CStr, interrupt: Arc<Interrupt>) -> Result<Image, Error> {
        let source = Source::open(path, Arc::clone(&interrupt))?;
        Ok(Image { source, interrupt })
    }

    /// Unpacks it all into `tree`, up to `max_size` bytes; returns how much it was.
    pub(crate) fn unpack(self, tree: &mut Tree, max_size: u64) -> Result<String, Error> {
        let Image { mut source, interrupt } = self;
        let mut unpack = Unpack::new(tree, source.name().to_owned(), max_size, &interrupt);
        loop {
            unpack.skip_zeros(&mut source)?;
            let start = source.peek(LOOK)?;
            match (start, look(start)) {
                ([], _) => break,
                ([b'0', ..], _) => unpack.archive(&mut source)?,
                (_, Found::Compressed(format)) => source = piece(&mut unpack, source, format)?,
                (_, Found::Unsupported(name)) => {
                    return Err(
                        source.fault(&format!("compressed by {name}, which is not supported"))
                    );
                }
                (start, Found::Unknown) => {
                    let bytes: String = start.iter().map(|byte| format!(" {byte:02x}")).collect();
                    let hint = format!("its next part starts with{bytes}");
                    return Err(source.fault("neither a cpio archive nor compressed").hint(hint));
                }
            }
        }
        unpack.finish()
    }
}

/// One compressed piece: a second thread decompresses it while this one writes files. If this one
/// fails, the other is left alone; the process is about to end.
fn piece(unpack: &mut Unpack<'_>, source: Source, format: Format) -> Result<Source, Error> {
    let (thread, mut decoded) = start(source, format)?;
    loop {
        unpack.skip_zeros(&mut decoded)?;
        match decoded.fill()?.first() {
            None => break,
            Some(b'0') => unpack.archive(&mut decoded)?,
            Some(_) => {
                let problem = "compressed data that is no cpio archive";
                return Err(Error::plain(format!("unpack {}: {problem}", unpack.name())));
            }
        }
    }
    // The thread has closed its end, so it has nothing left to do.
    thread.join().ok_or_else(|| Error::plain("the thread that decompresses has failed"))
}

pub(super) fn start(
    mut source: Source,
    format: Format,
) -> Result<(Thread<Source>, Decoded), Error> {
    let (mut sink, decoded) = pipe();
    let work = move || {
        let result = decompress(format, &mut source, &mut sink);
        sink.finish(result);
        source
    };
    let thread = thread::start(work).map_err(|errno| Error::system("start a thread", errno))?;
    Ok((thread, decoded))
}

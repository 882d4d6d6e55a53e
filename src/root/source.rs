//! The image as bytes: large reads, and a look at what is next.
use super::interrupt::Interrupt;
use crate::error::{Error, quote};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::sync::Arc;

/// Bytes that are read from front to back.
pub(crate) trait Stream {
    /// The next bytes, one at least; none at the end.
    fn fill(&mut self) -> Result<&[u8], Error>;
    /// Goes on behind that many of them.
    fn consume(&mut self, count: usize);
}

/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// An image file, or standard input.
pub(crate) struct Source {
    file: OwnedFd,
    /// How messages call it.
    name: String,
    buffer: Vec<u8>,
    position: usize,
    end: usize,
    at_end: bool,
    interrupt: Arc<Interrupt>,
}

impl Source {
    /// Opens it; `-` is standard input.
    pub(crate) fn open(path: &CStr, interrupt: Arc<Interrupt>) -> Result<Source, Error> {
        let (file, name) = if path == c"-" {
            let file = rustix::io::fcntl_dupfd_cloexec(crate::sys::descriptor(0), 3);
            (file, "standard input".to_owned())
        } else {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
            (rustix::fs::open(path, flags, Mode::empty()), quote(path.to_bytes()))
        };
        let file = file.map_err(|errno| Error::system(format!("open {name}"), errno))?;
        let buffer = Vec::new();
        Ok(Source { file, name, buffer, position: 0, end: 0, at_end: false, interrupt })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Something is wrong with what the image holds.
    pub(crate) fn fault(&self, problem: &str) -> Error {
        Error::plain(format!("unpack {}: {problem}", self.name))
    }

    /// It ends too early.
    pub(crate) fn truncated(&self, within: &str) -> Error {
        self.fault("truncated").hint(format!("it ends within {within}"))
    }

    /// The next bytes without going on: `count` of them where there are as many. For small counts.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.end - self.position < count && !self.at_end {
            self.read()?;
        }
        let end = self.end.min(self.position + count);
        Ok(self.buffer.get(self.position..end).unwrap_or_default())
    }

    /// Fills `bytes`; `within` is what the image would end in.
    pub(crate) fn read_exact(&mut self, mut bytes: &mut [u8], within: &str) -> Result<(), Error> {
        while !bytes.is_empty() {
            let count = self.copy(bytes)?;
            if count == 0 {
                return Err(self.truncated(within));
            }
            bytes = bytes.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Copies what is there, at most as much as there is place for; 0 at the end.
    pub(crate) fn copy(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        let next = self.fill()?;
        let count = next.len().min(bytes.len());
        if let (Some(to), Some(from)) = (bytes.get_mut(..count), next.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }

    /// Takes back bytes that were consumed: they are next again.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        let next = self.buffer.get(self.position..self.end).unwrap_or_default();
        let mut buffer = [bytes, next].concat();
        (self.position, self.end) = (0, buffer.len());
        buffer.resize(self.end.max(BUFFER), 0);
        self.buffer = buffer;
    }

    /// One read(2) behind what is there.
    fn read(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            self.buffer.resize(BUFFER, 0);
        }
        self.buffer.copy_within(self.position..self.end, 0);
        self.end -= self.position;
        self.position = 0;
        self.interrupt.wait_for(&self.file)?;
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        match rustix::io::read(&self.file, space) {
            Ok(count) => {
                self.end += count;
                self.at_end = count == 0;
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(errno) => Err(Error::system(format!("read {}", self.name), errno)),
        }
    }
}

impl Stream for Source {
    fn fill(&mut self) -> Result<&[u8], Error> {
        while self.position == self.end && !self.at_end {
            self.read()?;
        }
        Ok(self.buffer.get(self.position..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.end.min(self.position + count);
    }
}

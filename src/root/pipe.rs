//! The way from the thread that decompresses to the one that writes files: a few large buffers, which
//! go back when they have been read.
use super::source::Stream;
use crate::error::Error;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

const BUFFERS: usize = 4;
/// The size of one.
const SIZE: usize = 256 << 10;

/// A buffer, and how many of its bytes count.
type Part = (Vec<u8>, usize);

/// Where decompressed bytes go in.
pub(crate) struct Sink {
    full: SyncSender<Result<Part, Error>>,
    empty: Receiver<Vec<u8>>,
    buffer: Vec<u8>,
    used: usize,
}

/// Where they come out.
pub(crate) struct Decoded {
    full: Receiver<Result<Part, Error>>,
    empty: Sender<Vec<u8>>,
    buffer: Vec<u8>,
    end: usize,
    position: usize,
}

/// Both ends.
pub(crate) fn pipe() -> (Sink, Decoded) {
    let (full, full_end) = sync_channel(BUFFERS);
    let (empty_end, empty) = channel();
    for _ in 1..BUFFERS {
        let _ = empty_end.send(vec![0; SIZE]);
    }
    let sink = Sink { full, empty, buffer: vec![0; SIZE], used: 0 };
    let decoded =
        Decoded { full: full_end, empty: empty_end, buffer: Vec::new(), end: 0, position: 0 };
    (sink, decoded)
}

impl Sink {
    /// Where the next bytes may be put; never empty.
    pub(crate) fn space(&mut self) -> Result<&mut [u8], Error> {
        if self.used == self.buffer.len() {
            self.flush()?;
        }
        Ok(self.buffer.get_mut(self.used..).unwrap_or_default())
    }

    /// So many bytes were put there.
    pub(crate) fn produced(&mut self, count: usize) {
        self.used = self.buffer.len().min(self.used + count);
    }

    /// Puts these bytes in.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let space = self.space()?;
            let (now, later) = bytes.split_at(bytes.len().min(space.len()));
            if let Some(place) = space.get_mut(..now.len()) {
                place.copy_from_slice(now);
            }
            self.produced(now.len());
            bytes = later;
        }
        Ok(())
    }

    /// Sends what is there.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        if self.used == 0 {
            return Ok(());
        }
        let part = (std::mem::take(&mut self.buffer), self.used);
        self.full.send(Ok(part)).map_err(|_| gone())?;
        self.buffer = self.empty.recv().map_err(|_| gone())?;
        self.used = 0;
        Ok(())
    }

    /// Sends what is there, and then the error if there is one.
    pub(crate) fn finish(mut self, result: Result<(), Error>) {
        if let Err(error) = result.and_then(|()| self.flush()) {
            let _ = self.full.send(Err(error));
        }
    }
}

/// The reader is no longer there. It has failed itself, so nobody sees this.
fn gone() -> Error {
    Error::plain("nobody reads")
}

impl Stream for Decoded {
    fn fill(&mut self) -> Result<&[u8], Error> {
        while self.position == self.end {
            let before = std::mem::take(&mut self.buffer);
            if !before.is_empty() {
                // The last buffers come back when nobody waits for them any more.
                let _ = self.empty.send(before);
            }
            (self.position, self.end) = (0, 0);
            match self.full.recv() {
                Ok(part) => (self.buffer, self.end) = part?,
                Err(_) => return Ok(&[]),
            }
        }
        Ok(self.buffer.get(self.position..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.end.min(self.position + count);
    }
}

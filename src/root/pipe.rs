//! The way from the thread that decompresses to the one that writes files: a few large buffers, which
//! go back when they have been read.
use super::source::Stream;
use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

const BUFFERS: usize = 4;
/// The size of one.
const SIZE: usize = 256 << 10;

/// A buffer, and how many of its bytes count.
type Part = (Vec<u8>, usize);

/// What both ends look at. The standard library's channels would do it with three times the code.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    full: VecDeque<Result<Part, Error>>,
    empty: Vec<Vec<u8>>,
    /// One of the ends is gone.
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// What is taken, as soon as it is there; `None` if the other end is gone and it is not.
    fn wait<T>(&self, take: impl Fn(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            let taken = take(&mut state);
            if taken.is_some() || state.is_over {
                return taken;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One end. That it is dropped is seen by the other.
struct Side(Arc<Shared>);

impl Drop for Side {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

/// Where decompressed bytes go in.
pub(crate) struct Sink {
    side: Side,
    buffer: Vec<u8>,
    used: usize,
}

/// Where they come out.
pub(crate) struct Decoded {
    side: Side,
    buffer: Vec<u8>,
    end: usize,
    position: usize,
}

/// Both ends.
pub(crate) fn pipe() -> (Sink, Decoded) {
    let empty = (1..BUFFERS).map(|_| vec![0; SIZE]).collect();
    let state = Mutex::new(State { empty, ..State::default() });
    let shared = Arc::new(Shared { state, changed: Condvar::new() });
    let sink = Sink { side: Side(shared.clone()), buffer: vec![0; SIZE], used: 0 };
    let decoded = Decoded { side: Side(shared), buffer: Vec::new(), end: 0, position: 0 };
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
        self.side.0.change(|state| state.full.push_back(Ok(part)));
        self.used = 0;
        // Who no longer reads has failed itself, so nobody sees this.
        let next = self.side.0.wait(|state| state.empty.pop());
        self.buffer = next.ok_or_else(|| Error::plain("nobody reads"))?;
        Ok(())
    }

    /// Sends what is there, and then the error if there is one.
    pub(crate) fn finish(mut self, result: Result<(), Error>) {
        if let Err(error) = result.and_then(|()| self.flush()) {
            self.side.0.change(|state| state.full.push_back(Err(error)));
        }
    }
}

impl Stream for Decoded {
    fn fill(&mut self) -> Result<&[u8], Error> {
        while self.position == self.end {
            let before = std::mem::take(&mut self.buffer);
            if !before.is_empty() {
                self.side.0.change(|state| state.empty.push(before));
            }
            (self.position, self.end) = (0, 0);
            match self.side.0.wait(|state| state.full.pop_front()) {
                Some(part) => (self.buffer, self.end) = part?,
                None => return Ok(&[]),
            }
        }
        Ok(self.buffer.get(self.position..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.end.min(self.position + count);
    }
}

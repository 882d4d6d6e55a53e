//! Lines for people, put together without allocation.
use crate::number::Digits;
use crate::signal::Signal;
use crate::sys::{self, Stream};

/// One line, up to the length that the longest reason needs; what does not fit is cut off.
pub struct Line {
    bytes: heapless::Vec<u8, 640>,
}

impl Line {
    /// A line that begins with who says it.
    #[must_use]
    pub fn new(name: &[u8]) -> Line {
        Line { bytes: heapless::Vec::new() }.text(name).text(b": ")
    }

    /// Adds text as it is, but for what a terminal would not show as it is: a name may hold
    /// anything, and a line is one line.
    #[must_use]
    pub fn text(mut self, text: &[u8]) -> Line {
        for byte in text {
            let byte = if byte.is_ascii_control() { b'?' } else { *byte };
            if self.bytes.len() + 1 < self.bytes.capacity() {
                let _ = self.bytes.push(byte);
            }
        }
        self
    }

    /// Adds text in quotation marks.
    #[must_use]
    pub fn quoted(self, text: &[u8]) -> Line {
        self.text(b"\"").text(text).text(b"\"")
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, number: u64) -> Line {
        self.text(Digits::of(number).as_bytes())
    }

    /// Adds a process id.
    #[must_use]
    pub fn pid(self, pid: rustix::process::Pid) -> Line {
        self.number(pid.as_raw_nonzero().get().unsigned_abs().into())
    }

    /// Adds a signal, by name or as `signal 40`.
    #[must_use]
    pub fn signal(self, signal: Signal) -> Line {
        match signal.name() {
            Some(name) => self.text(b"SIG").text(name.as_bytes()),
            None => self.text(b"signal ").number(signal.number().unsigned_abs().into()),
        }
    }

    /// Adds the name of an error.
    #[must_use]
    pub fn errno(self, errno: rustix::io::Errno) -> Line {
        self.text(b": ").text(crate::errno::name(errno).as_bytes())
    }

    /// Writes the line to standard error. There is nowhere to say that it is closed.
    pub fn say(mut self) {
        let _ = self.bytes.push(b'\n');
        let _ = sys::write(Stream::Error, &self.bytes);
    }
}

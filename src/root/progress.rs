//! One line that says how far it is, where standard error is a terminal, and the summary.
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use unshared_init::sys::{Stream, write};

/// How often the line is written anew.
const PAUSE: Duration = Duration::from_millis(100);

/// What has been done so far.
pub(crate) struct Progress {
    start: Instant,
    last: Instant,
    is_terminal: bool,
    is_shown: bool,
    /// Bytes of data in files.
    pub(crate) bytes: u64,
    /// Entries of all kinds.
    pub(crate) entries: u64,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        let now = Instant::now();
        let is_terminal = std::io::stderr().is_terminal();
        Progress { start: now, last: now, is_terminal, is_shown: false, bytes: 0, entries: 0 }
    }

    /// Writes the line, if it is time to.
    pub(crate) fn show(&mut self) {
        if self.is_terminal && self.last.elapsed() >= PAUSE {
            self.last = Instant::now();
            self.is_shown = true;
            let line = format!("\r\x1b[K{}", self.text());
            let _ = write(Stream::Error, line.as_bytes());
        }
    }

    /// Bytes, files and rate.
    pub(crate) fn text(&self) -> String {
        let time = self.start.elapsed();
        let rate = (self.bytes as f64 / time.as_secs_f64().max(0.001)) as u64;
        let entries = if self.entries == 1 { "entry" } else { "entries" };
        format!(
            "{} {entries}, {} in {}.{:02} s ({}/s)",
            self.entries,
            amount(self.bytes),
            time.as_secs(),
            time.subsec_millis() / 10,
            amount(rate)
        )
    }
}

/// The line goes before anything else is written, an error for one.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write(Stream::Error, b"\r\x1b[K");
        }
    }
}

/// A number of bytes with three digits or so: `1.2 MB`.
pub(crate) fn amount(bytes: u64) -> String {
    let mut unit = 1;
    for name in ["B", "kB", "MB", "GB"] {
        let next = unit * 1000;
        if bytes < next || name == "GB" {
            let whole = bytes / unit;
            let tenth = bytes % unit * 10 / unit;
            return if unit == 1 || whole >= 100 {
                format!("{whole} {name}")
            } else {
                format!("{whole}.{tenth} {name}")
            };
        }
        unit = next;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn an_amount_is_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1234, "1.2 kB"),
            (99_999_999, "99.9 MB"),
            (212_000_000, "212 MB"),
            (4_294_967_296, "4.2 GB"),
            (123_456_789_012_345, "123456 GB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }
}

//! A machine that has been started: what it says, and its end.
use super::kernel;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A boot takes three seconds where nothing else runs. So many are for a hang.
const LIMIT: Duration = Duration::from_secs(600);

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reboot,
    PowerOff,
    Halt,
    Panic,
    /// Without a word of the kernel's.
    Unsaid,
    TimeOver,
}

/// A boot that is over.
#[derive(Debug)]
pub(crate) struct Boot {
    end: End,
    /// What came over the serial line.
    pub(crate) out: String,
}

impl Boot {
    /// Fails unless the machine ended so.
    #[track_caller]
    pub(crate) fn ends(self, end: End) -> Boot {
        assert_eq!(self.end, end, "{}", self.out);
        self
    }

    /// Fails unless the console has said this, somewhere.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Boot {
        assert!(self.out.contains(text), "{text:?} is not in\n{}", self.out);
        self
    }

    /// Fails if the console has said this.
    #[track_caller]
    pub(crate) fn does_not_say(self, text: &str) -> Boot {
        assert!(!self.out.contains(text), "{text:?} is in\n{}", self.out);
        self
    }
}

/// Reads the serial line until the machine has ended, and types.
pub(super) fn watch(mut machine: Child, typed: Vec<(String, String)>) -> Boot {
    let (lines, mut input) = (read(machine.stdout.take().unwrap()), machine.stdin.take().unwrap());
    let mut typed = typed.into_iter().peekable();
    let (mut out, mut seen) = (String::new(), 0);
    let until = Instant::now() + LIMIT;
    let end = loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(text) => out.push_str(&text),
            Err(RecvTimeoutError::Timeout) => break End::TimeOver,
            Err(RecvTimeoutError::Disconnected) => break end(&out),
        }
        while let Some((prompt, text)) = typed.peek()
            && let Some(place) = out.get(seen..).unwrap().find(prompt.as_str())
        {
            seen += place + prompt.len();
            input.write_all(text.as_bytes()).unwrap();
            typed.next();
        }
        // A halted machine stays as it is.
        if out.contains("reboot: System halted") {
            break End::Halt;
        }
    };
    let _ = machine.kill();
    machine.wait().unwrap();
    Boot { end, out }
}

fn read(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            // What a person reads there is ASCII, so nothing is cut.
            let text = String::from_utf8_lossy(&bytes[..length]).replace('\r', "");
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    receiver
}

/// How it ended, from the kernel's last words: qemu ends with 0 in each case.
fn end(out: &str) -> End {
    if out.contains("Kernel panic") {
        End::Panic
    } else if out.contains("reboot: Power down") {
        End::PowerOff
    } else if out.contains("reboot: Restarting system") {
        End::Reboot
    } else {
        End::Unsaid
    }
}

/// No more than two boots at once, on the whole machine: each has a processor for itself. The two
/// files are locked, not written.
pub(super) struct Turn(#[allow(dead_code, reason = "its end is the end of the turn")] File);

impl Turn {
    pub(super) fn wait() -> Turn {
        let files = [kernel(), PathBuf::from("/bin/busybox")].map(|path| File::open(path).unwrap());
        loop {
            for file in &files {
                if file.try_lock().is_ok() {
                    return Turn(file.try_clone().unwrap());
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

//! A real interactive shell on a pseudo-terminal.
use super::{cli, dist};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A terminal with an interactive bash in it.
pub(crate) struct Terminal {
    pub(crate) master: File,
    shell: Child,
    pub(crate) seen: String,
}

impl Terminal {
    pub(crate) fn new() -> Terminal {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = || File::from(rustix::fs::open(&name, flags, Mode::empty()).unwrap());
        // Whoever runs the tests in the background has the shell ignore SIGINT, and it would pass that on.
        let shell = Command::new("env")
            .args(["--default-signal", "setsid", "--ctty", "--wait"])
            .args(["bash", "--norc", "--noprofile", "-i"])
            .env("CLI", cli())
            .env("INIT", dist().join("unshared-init"))
            .env("PS1", "READY> ")
            .env("TERM", "dumb")
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        let mut terminal = Terminal { master: master.into(), shell, seen: String::new() };
        terminal.expect("READY> ");
        terminal
    }

    pub(crate) fn write(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line and waits for what it prints.
    #[track_caller]
    pub(crate) fn line(&mut self, line: &str, expected: &str) {
        self.write(&format!("{line}\n"));
        self.expect(expected);
    }

    /// Waits until the terminal has shown this since the last time.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            assert!(Instant::now() < end, "no {text:?} in {:?}", self.seen);
            match self.master.read(&mut buffer) {
                Ok(length) => self.seen.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        let after = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..after);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.master.write_all(b"\x03\x03\nkill -KILL $(jobs -p); exit\n");
        for _ in 0..100 {
            if matches!(self.shell.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// A payload that prints `up2`, waits for an INT, prints how many came as `count1`, and ends with 6.
/// The C handler of Python writes a byte for each: none is lost as a bash's trap may be.
pub(crate) const COUNTS_INTERRUPTS: &str = "python3 -c 'import os, signal, time; r, w = os.pipe(); \
     os.set_blocking(w, False); signal.set_wakeup_fd(w); signal.signal(2, lambda *_: None); \
     print(\"up%d\" % 2, flush=True); n = len(os.read(r, 99)); time.sleep(0.5); os.set_blocking(r, False); \
     n += len(os.read(r, 99)) if __import__(\"select\").select([r], [], [], 0)[0] else 0; \
     print(\"count%d\" % n, flush=True); os._exit(6)'";

/// A payload that prints `up2`, and once it was stopped and is continued, `on2`; it ends with 5. No shell:
/// between its vfork(2) and the execve(2) of a command, a dash cannot be stopped.
pub(crate) const SLEEPS: &str = "python3 -c 'import os, signal; r, w = os.pipe(); os.set_blocking(w, False); \
     signal.set_wakeup_fd(w); signal.signal(18, lambda *_: None); \
     print(\"up%d\" % 2, flush=True); os.read(r, 1); print(\"on%d\" % 2); exit(5)'";

//! The hardware watchdog: it resets the machine when nobody has fed it for a while. An alarm reminds
//! PID 1 to feed it, so that it starves when PID 1 hangs.
use super::console::say;
use crate::sys::machine::{set_alarm, set_watchdog};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use std::cell::OnceCell;
use unshared_init::errno;
use unshared_init::number::SECOND;

/// The watchdog, once it is open.
#[derive(Default)]
pub(super) struct Watchdog(OnceCell<OwnedFd>);

impl Watchdog {
    /// Opens it, and feeds it from now on. Without one, the machine runs as it would.
    pub(super) fn start(&self, seconds: u32) {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let opened = open(c"/dev/watchdog", flags, Mode::empty()).and_then(|device| {
            set_watchdog(&device, seconds)?;
            // Twice in that time.
            set_alarm(u64::from(seconds) * SECOND / 2)?;
            Ok(device)
        });
        match opened {
            Ok(device) => drop(self.0.set(device)),
            Err(errno) => say(&format!("watchdog \"/dev/watchdog\": {}", errno::name(errno))),
        }
    }

    /// Once more.
    pub(super) fn feed(&self) {
        if let Some(device) = self.0.get() {
            let _ = rustix::io::write(device, b"\0");
        }
    }

    /// Is not fed any more: it resets a machine that does not end by itself.
    pub(super) fn starve(&self) {
        if self.0.get().is_some() {
            let _ = set_alarm(0);
        }
    }

    /// Has it stop watching, for a machine that stays as it is, or somebody else's turn as PID 1.
    pub(super) fn stop(&self) {
        if let Some(device) = self.0.get() {
            let _ = rustix::io::write(device, b"V");
            let _ = set_alarm(0);
        }
    }
}

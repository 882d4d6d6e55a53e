//! What a record says.
//!
//! A line is a key and words ([`super::words`]). Where a key that stands for one thing comes twice,
//! the last counts. A line without its line feed was not written to its end, and does not count.
use super::process::Process;
use super::undo::Undo;
use super::words;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::ffi::CString;
use unshared_init::number::decimal;

/// What a record says.
#[derive(Default, Debug)]
pub(crate) struct Facts {
    /// Which boot of the kernel its numbers belong to.
    pub(crate) boot: Vec<u8>,
    /// Who holds it, or held it.
    pub(crate) launcher: Option<Process>,
    /// Who heals it, or did not come to the end of that.
    pub(crate) healer: Option<Process>,
    /// The child: with `--pid`, PID 1.
    pub(crate) init: Option<Process>,
    /// When it was made, in seconds by CLOCK_BOOTTIME.
    pub(crate) created: u64,
    /// The payload has been executed.
    pub(crate) launched: bool,
    /// The exit status, once everything has been taken back.
    pub(crate) ended: Option<u8>,
    /// The command line, as it was given.
    pub(crate) words: Vec<Vec<u8>>,
    /// The namespaces, as the options are called.
    pub(crate) namespaces: Vec<Vec<u8>>,
    /// Where the root is.
    pub(crate) root: Option<CString>,
    /// Where its log is.
    pub(crate) log: Option<CString>,
    /// Its addresses.
    pub(crate) addresses: Vec<Vec<u8>>,
    /// What is run inside.
    pub(crate) command: Vec<Vec<u8>>,
    /// Where the hooks were run.
    pub(crate) directory: Option<CString>,
    /// Hooks that are to be run in the end.
    pub(crate) postexec: Vec<CString>,
    /// What is to be undone, and whether it stays once the payload has been executed.
    pub(crate) undo: Vec<(Undo, bool)>,
}

/// How far an instance is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The payload has not been executed yet.
    Starting,
    Running,
    /// With that status, and everything has been taken back.
    Ended(u8),
    /// Its launcher was killed.
    Lost,
}

/// In the place of a process number in another boot's record, it is somebody else's.
pub(crate) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Which boot this is; empty where there is no /proc.
pub(crate) fn boot_id() -> Vec<u8> {
    let mut id = crate::files::read_file(BOOT_ID).unwrap_or_default();
    id.retain(|byte| !byte.is_ascii_whitespace());
    id
}

impl Facts {
    /// Reads a record from its beginning.
    pub(crate) fn read(file: &OwnedFd) -> Result<Box<Facts>, Errno> {
        let mut text: Vec<u8> = Vec::new();
        loop {
            let end = text.len() as u64;
            text.reserve(4096);
            match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut text), end) {
                Ok(0) => return Ok(Facts::parse(&text)),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Box<Facts> {
        let mut facts = Box::<Facts>::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if let Some(line) = line.strip_suffix(b"\n") {
                facts.take_in(words::split(line));
            }
        }
        facts
    }

    fn take_in(&mut self, mut values: Vec<Vec<u8>>) {
        let key = values.remove(0);
        // A match on bytes would compare each by itself.
        let list = match str::from_utf8(&key).unwrap_or_default() {
            "words" => &mut self.words,
            "namespaces" => &mut self.namespaces,
            "addresses" => &mut self.addresses,
            "command" => &mut self.command,
            "undo" => return self.take_in_undo(&values, false),
            "undo-failure" => return self.take_in_undo(&values, true),
            key => return self.take_in_one(key, &values),
        };
        *list = values;
    }

    fn take_in_undo(&mut self, words: &[Vec<u8>], on_failure: bool) {
        if let Some(undo) = Undo::parse(words) {
            self.undo.push((undo, on_failure));
        }
    }

    /// What has one value, or for a process two. Another version of this program may know more.
    fn take_in_one(&mut self, key: &str, values: &[Vec<u8>]) {
        let first = values.first().map(Vec::as_slice).unwrap_or_default();
        let (text, process) = match key {
            "root" => (Some(&mut self.root), None),
            "log" => (Some(&mut self.log), None),
            "directory" => (Some(&mut self.directory), None),
            "launcher" => (None, Some(&mut self.launcher)),
            "healer" => (None, Some(&mut self.healer)),
            "init" => (None, Some(&mut self.init)),
            _ => (None, None),
        };
        if let Some(text) = text {
            *text = CString::new(first).ok();
        }
        if let Some(process) = process {
            *process = values.get(1).and_then(|start| Process::parse(first, start));
        }
        match key {
            "boot" => self.boot = first.to_vec(),
            "created" => self.created = decimal(first).unwrap_or(0),
            "launched" => self.launched = true,
            "ended" => self.ended = decimal(first).and_then(|status| u8::try_from(status).ok()),
            "postexec" => self.postexec.extend(CString::new(first)),
            _ => {}
        }
    }

    /// How far it is.
    pub(crate) fn stage(&self) -> Stage {
        match (self.ended, self.holder()) {
            (Some(status), _) => Stage::Ended(status),
            (None, holder) if holder == self.healer => Stage::Lost,
            (None, Some(_)) if self.launched => Stage::Running,
            (None, Some(_)) => Stage::Starting,
            (None, None) => Stage::Lost,
        }
    }

    /// Whether its numbers are this boot's.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot == boot_id()
    }

    /// Who holds it, if that runs.
    pub(crate) fn holder(&self) -> Option<Process> {
        let mut holders = self.healer.into_iter().chain(self.launcher);
        holders.find(|holder| self.is_of_this_boot() && holder.is_alive())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_not_written_to_its_end_does_not_count() {
        let facts = Facts::parse(b"boot x\nlauncher 5 77\nended 3\nended 12");
        assert_eq!(facts.ended, Some(3));
        assert_eq!(facts.launcher.unwrap().start, 77);
        assert_eq!(facts.boot, b"x");
    }

    #[test]
    fn what_means_nothing_is_passed_over() {
        let facts = Facts::parse(b"\n\n undo\nundo no-such x\nlauncher\nlauncher 0 0\nfuture 1\n");
        assert!(facts.undo.is_empty() && facts.launcher.is_none());
    }

    #[test]
    fn what_is_being_healed_is_held_and_does_not_run() {
        let own = Process::own();
        let dead = Some(Process { start: own.start + 1, ..own });
        let facts = Facts { boot: boot_id(), launcher: dead, launched: true, ..Facts::default() };
        assert_eq!(facts.stage(), Stage::Lost);
        let facts = Facts { healer: Some(own), ..facts };
        assert_eq!((facts.holder(), facts.stage()), (Some(own), Stage::Lost));
        let facts = Facts { launcher: Some(own), healer: dead, ..facts };
        assert_eq!((facts.holder(), facts.stage()), (Some(own), Stage::Running));
    }

    #[test]
    fn a_record_of_another_boot_has_no_holder() {
        let own = Process::own();
        let of = |boot| Facts { boot, launcher: Some(own), ..Facts::default() };
        assert_eq!(of(boot_id()).holder(), Some(own));
        assert_eq!(of(b"other".to_vec()).holder(), None);
    }
}

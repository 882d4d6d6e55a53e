//! A cgroup of its own for an instance (cgroups(7), version 2), with the limits that were asked for.
use crate::error::{Error, quote};
use crate::files::read_file;
use crate::registry::journal::Journal;
use crate::registry::undo::Undo;
use crate::sys::again;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use std::time::Duration;
use unshared_init::signal::Signal;

pub(crate) mod place;

/// What is written to one of its files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Limit {
    /// The name of the file, such as `memory.max`.
    pub(crate) file: CString,
    pub(crate) value: CString,
}

impl Limit {
    /// `FILE=VALUE`.
    pub(crate) fn parse(text: &[u8]) -> Result<Limit, &'static str> {
        const EXPECTED: &str = "FILE=VALUE is needed, such as memory.max=64M";
        let middle = text.iter().position(|byte| *byte == b'=').ok_or(EXPECTED)?;
        let (file, value) = text.split_at(middle);
        let value = value.get(1..).filter(|value| !value.is_empty()).ok_or(EXPECTED)?;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let has_controller = file.iter().position(|byte| *byte == b'.').is_some_and(|dot| dot > 0);
        if !has_controller || !file.iter().all(is_plain) {
            return Err(EXPECTED);
        }
        if matches!(file, b"cgroup.procs" | b"cgroup.threads" | b"cgroup.kill" | b"cgroup.type") {
            return Err("that file is no limit");
        }
        let text = |bytes| CString::new(bytes).map_err(|_| EXPECTED);
        Ok(Limit { file: text(file)?, value: text(value)? })
    }

    /// What has to be enabled for it; cgroup.* is there by itself.
    fn controller(&self) -> Option<&str> {
        let name = self.file.to_str().ok()?.split('.').next()?;
        (name != "cgroup").then_some(name)
    }
}

/// The cgroup of an instance that is about to begin, or runs.
pub(crate) struct Cgroup(OwnedFd);

impl Cgroup {
    /// Launcher, before there is a child: makes it, with all limits or not at all.
    #[cold]
    #[inline(never)]
    pub(crate) fn make(limits: &[Limit], journal: &mut Journal) -> Result<Cgroup, Error> {
        let parent = place::parent(limits)?;
        let number = std::process::id();
        let path = format!("{parent}/unshared-{number}-{}", unshared_init::sys::now());
        let attempt = format!("make cgroup {}", quote(&path));
        let path = CString::new(path).map_err(|_| Error::system(&attempt, Errno::INVAL))?;
        journal
            .until_end(Undo::RemoveCgroup(path.clone()))
            .map_err(|failure| failure.of(attempt.clone()))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &CStr| rustix::fs::open(path, flags, Mode::empty());
        let directory = rustix::fs::mkdir(path.as_c_str(), Mode::from_bits_truncate(0o755))
            .and_then(|()| open(&path))
            .map_err(|errno| Error::system(attempt, errno))?;
        for Limit { file, value } in limits {
            write(directory.as_fd(), file, value.as_bytes()).map_err(|errno| {
                let (file, value) = (file.to_string_lossy(), quote(value.as_bytes()));
                let hint = match errno {
                    Errno::NOENT => Some("this kernel has no such file for a cgroup".to_owned()),
                    _ => None,
                };
                Error::system(format!("write {file} {value}"), errno).maybe_hint(hint)
            })?;
        }
        Ok(Cgroup(directory))
    }

    /// Launcher: moves the child there, which may be there already.
    pub(crate) fn enter(&self, child: Pid) -> Result<(), Errno> {
        write(self.0.as_fd(), c"cgroup.procs", child.to_string().as_bytes())
    }

    /// How many processes in it the kernel has killed for want of memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn killed_for_memory(&self) -> u64 {
        let text = read(self.0.as_fd(), c"memory.events").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How long what has been killed may take to go, and how often that is looked at.
const PATIENCE: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(2);

/// Kills all that is in a cgroup, and removes it with those that were made in it.
pub(crate) fn remove(path: &CStr) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..PATIENCE {
        let directory = again(|| rustix::fs::open(path, flags, Mode::empty()));
        let Ok(directory) = directory else { return };
        kill(directory.as_fd());
        remove_below(directory.as_fd());
        let removed = again(|| rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR));
        if removed != Err(Errno::BUSY) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// cgroup.kill, which there is from Linux 5.14 on; before, one by one.
fn kill(cgroup: BorrowedFd<'_>) {
    if write(cgroup, c"cgroup.kill", b"1").is_ok() {
        return;
    }
    let processes = read(cgroup, c"cgroup.procs").unwrap_or_default();
    for number in processes.lines().filter_map(|line| line.parse().ok()) {
        if let Some(pid) = Pid::from_raw(number) {
            let _ = unshared_init::sys::send(pid, Signal::KILL);
        }
    }
}

/// Those that the payload made, the innermost first.
fn remove_below(cgroup: BorrowedFd<'_>) {
    let Ok(entries) = rustix::fs::Dir::read_from(cgroup) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if entry.file_type() != FileType::Directory || matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(below) = rustix::fs::openat(cgroup, name, flags, Mode::empty()) {
            kill(below.as_fd());
            remove_below(below.as_fd());
        }
        let _ = rustix::fs::unlinkat(cgroup, name, AtFlags::REMOVEDIR);
    }
}

fn write(cgroup: BorrowedFd<'_>, file: &CStr, value: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(cgroup, file, flags, Mode::empty())?;
    rustix::io::write(&file, value).map(drop)
}

fn read(cgroup: BorrowedFd<'_>, file: &CStr) -> Result<String, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(cgroup, file, flags, Mode::empty())?;
    Ok(String::from_utf8_lossy(&crate::files::read_open(&file)?).into_owned())
}

/// A file of the host's, as text.
fn text(path: &str) -> String {
    String::from_utf8_lossy(&read_file(path).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_file_and_its_value() {
        let limit = Limit::parse(b"io.max=8:0 rbps=1 wbps=max").unwrap();
        assert_eq!(limit.value.as_bytes(), b"8:0 rbps=1 wbps=max");
        assert_eq!(limit.controller(), Some("io"));
        assert_eq!(Limit::parse(b"cgroup.max.depth=1").unwrap().controller(), None);
        for bad in ["memory.max", "memory.max=", "=1", "memory=1", ".max=1", "../memory.max=1"] {
            assert!(Limit::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Limit::parse(b"cgroup.procs=1").is_err());
    }
}

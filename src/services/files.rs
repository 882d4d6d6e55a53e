//! The directory `supervise` of a service, or of its log: what runsv(8) keeps there, in the same form.
use super::status::{Status, stat};
use super::unit::Unit;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{self, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::number::Digits;

/// Which of the two programs of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// `run`.
    Main,
    /// `log/run`, which reads what `run` writes.
    Log,
}

/// What failed, and with which file.
pub(crate) type Failed = (&'static str, Errno);

/// The descriptors that are open as long as a program is watched over.
#[derive(Debug)]
pub(crate) struct Files {
    /// The FIFO of commands. Open for writing too: without a writer it would always be readable.
    pub(crate) control: OwnedFd,
    /// Whoever opens this FIFO for writing without waiting learns that somebody reads it.
    _ok: OwnedFd,
    /// Locked against a second supervisor.
    _lock: OwnedFd,
}

impl Files {
    /// Makes what is missing, in `directory` (of the service, or its log), and locks it.
    pub(crate) fn open(directory: BorrowedFd<'_>) -> Result<Files, Failed> {
        make_directory(directory).map_err(|errno| ("make supervise", errno))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK;
        let lock = open(directory, c"supervise/lock", flags)
            .map_err(|errno| ("open supervise/lock", errno))?;
        fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| ("lock supervise/lock", errno))?;
        let control = fifo(directory, c"supervise/control", OFlags::RDWR)
            .map_err(|errno| ("make supervise/control", errno))?;
        let ok = fifo(directory, c"supervise/ok", OFlags::RDONLY)
            .map_err(|errno| ("make supervise/ok", errno))?;
        Ok(Files { control, _ok: ok, _lock: lock })
    }
}

/// mkdir(2). Where it is a link, which leads to a place that can be written to, its target.
fn make_directory(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    match fs::mkdirat(directory, c"supervise", Mode::RWXU) {
        Err(Errno::EXIST) => {}
        result => return result,
    }
    let mut buffer = [0_u8; 256];
    let length = fs::readlinkat_raw(directory, c"supervise", &mut buffer[..]).unwrap_or(0);
    // Cut off where there is no room for the zero byte at its end.
    if length < buffer.len()
        && let Ok(target) = CStr::from_bytes_until_nul(&buffer)
        && length > 0
    {
        // Most often it is there.
        let _ = fs::mkdirat(directory, target, Mode::RWXU);
    }
    Ok(())
}

fn fifo(directory: BorrowedFd<'_>, path: &CStr, access: OFlags) -> Result<OwnedFd, Errno> {
    match fs::mknodat(directory, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let file = open(directory, path, access | OFlags::NONBLOCK)?;
    if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) != FileType::Fifo {
        return Err(Errno::EXIST);
    }
    Ok(file)
}

fn open(directory: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    fs::openat(directory, path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
}

/// Writes `pid`, `stat` and `status`, each whole or not at all.
pub(crate) fn report(directory: BorrowedFd<'_>, role: Role, unit: &Unit) -> Result<(), Failed> {
    let names = match role {
        Role::Main => [
            [c"supervise/pid.new", c"supervise/pid"],
            [c"supervise/stat.new", c"supervise/stat"],
            [c"supervise/status.new", c"supervise/status"],
        ],
        Role::Log => [
            [c"log/supervise/pid.new", c"log/supervise/pid"],
            [c"log/supervise/stat.new", c"log/supervise/stat"],
            [c"log/supervise/status.new", c"log/supervise/status"],
        ],
    };
    let [pid, stat_names, status] = names;
    let mut text = heapless::Vec::<u8, 12>::new();
    if let Some(pid) = unit.pid {
        let digits = Digits::of(pid.as_raw_nonzero().get().unsigned_abs().into());
        // A pid has fewer digits.
        let _ = text.extend_from_slice(digits.as_bytes());
        let _ = text.push(b'\n');
    }
    put(directory, pid, &text).map_err(|errno| ("write supervise/pid", errno))?;
    put(directory, stat_names, &stat(unit)).map_err(|errno| ("write supervise/stat", errno))?;
    put(directory, status, &Status::of(unit).to_bytes())
        .map_err(|errno| ("write supervise/status", errno))
}

fn put(directory: BorrowedFd<'_>, [new, name]: [&CStr; 2], bytes: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK;
    let readable = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let file = fs::openat(directory, new, flags | OFlags::CLOEXEC, readable)?;
    if rustix::io::write(&file, bytes)? < bytes.len() {
        return Err(Errno::NOSPC);
    }
    drop(file);
    fs::renameat(directory, new, directory, name)
}

/// Opens a directory, to be entered and looked into.
pub(crate) fn directory(inside: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat(inside, name, flags, Mode::empty())
}

/// Whether there is a file of that name.
pub(crate) fn exists(inside: BorrowedFd<'_>, name: &CStr) -> bool {
    fs::accessat(inside, name, fs::Access::EXISTS, fs::AtFlags::empty()).is_ok()
}

/// The beginning of a file; empty where it cannot be read.
pub(crate) fn read<'a>(inside: BorrowedFd<'_>, name: &CStr, buffer: &'a mut [u8]) -> &'a [u8] {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let length = fs::openat(inside, name, flags, Mode::empty())
        .and_then(|file| rustix::io::read(&file, &mut *buffer));
    buffer.get(..length.unwrap_or(0)).unwrap_or(&[])
}

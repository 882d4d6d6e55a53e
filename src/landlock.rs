//! landlock(7): which files a payload without a root of its own may open. What is below no path that was
//! named cannot be opened at all.
use crate::error::Error;
use crate::sys::landlock;
use rustix::fd::AsFd;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;

/// What may be done below a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Files are read and executed, directories are listed.
    ReadOnly,
    /// All.
    ReadWrite,
}

// LANDLOCK_ACCESS_FS_… of linux/landlock.h.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// What is for files; the kernel refuses the rest in a rule for one.
const FOR_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// The first version that keeps a file from being cut off by truncate(2).
const OLDEST: u32 = 3;
/// The first that knows ioctl(2) of devices.
const WITH_IOCTL: u32 = 5;

/// Launcher: whether the kernel can do it, all of it.
#[cold]
#[inline(never)]
pub(crate) fn check() -> Result<(), Error> {
    let problem = match landlock::version() {
        Ok(OLDEST..) => return Ok(()),
        Ok(version) => Error::plain(format!(
            "--ro-path, --rw-path: version {version} of Landlock cannot keep a file from being truncated"
        ))
        .hint("Linux 6.2 is needed"),
        Err(errno) => Error::system("--ro-path, --rw-path", errno).hint(match errno {
            Errno::OPNOTSUPP => "Landlock was left out when this kernel was booted: see lsm=",
            _ => "this kernel has no Landlock: Linux 6.2 with CONFIG_SECURITY_LANDLOCK is needed",
        }),
    };
    Err(problem)
}

/// Payload, with no_new_privs: takes from itself all but what is named.
#[cold]
#[inline(never)]
pub(crate) fn restrict(paths: &[(CString, Access)]) -> Result<(), Errno> {
    // All that the version knows: from the first bit to its newest.
    let newest = if landlock::version()? < WITH_IOCTL { TRUNCATE } else { IOCTL_DEV };
    let all = newest | (newest - 1);
    let ruleset = landlock::create_ruleset(all)?;
    for (path, access) in paths {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, path.as_c_str(), flags, Mode::empty())?;
        let mode = rustix::fs::fstat(&file)?.st_mode;
        let possible = match FileType::from_raw_mode(mode) {
            FileType::Directory => all,
            _ => all & FOR_FILES,
        };
        let wanted = match access {
            Access::ReadOnly => EXECUTE | READ_FILE | READ_DIR,
            Access::ReadWrite => all,
        };
        landlock::add_rule(ruleset.as_fd(), file.as_fd(), wanted & possible)?;
    }
    landlock::restrict_self(ruleset.as_fd())
}

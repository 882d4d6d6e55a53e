//! The way from the initramfs into another root: the one that is mounted at [`PLACE`].
//!
//! The initramfs cannot be left by pivot_root(2): it is what all mounts hang on. What it holds is
//! freed, and the new root is moved over it.
use super::console::say;
use crate::error::{Error, quote};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, statfs, unlinkat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_move, unmount};
use std::ffi::CStr;

/// Where the new root is mounted.
pub(super) const PLACE: &CStr = c"/.new-root";

/// What is taken along.
const MOUNTS: [&CStr; 4] = [c"/dev", c"/proc", c"/sys", c"/run"];

/// Whether we are in an initramfs: its filesystem is the kernel's own, a ramfs or a tmpfs.
pub(super) fn is_initramfs() -> bool {
    const RAMFS: u64 = 0x8584_58f6;
    const TMPFS: u64 = 0x0102_1994;
    statfs(c"/").is_ok_and(|root| [RAMFS, TMPFS].contains(&(root.f_type as u64)))
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// PID 1: takes the mounts along, frees what is in the initramfs, and makes the new root ours.
pub(super) fn switch() -> Result<(), Error> {
    let failed = |attempt: &str| {
        let attempt = attempt.to_owned();
        move |errno: Errno| Error::system(attempt, errno)
    };
    for mount in MOUNTS {
        let target = [PLACE.to_bytes(), mount.to_bytes()].concat();
        if let Err(errno) = mount_move(mount, target.as_slice()) {
            let name = quote(mount.to_bytes());
            let errno = unshared_init::errno::name(errno);
            say(&format!("take {name} along into the new root: {errno}"));
            let _ = unmount(mount, UnmountFlags::DETACH);
        }
    }
    rustix::process::chdir(PLACE).map_err(failed("enter the new root"))?;
    let old = open(c"/", DIRECTORY, Mode::empty()).map_err(failed("open the initramfs"))?;
    let new = open(c".", DIRECTORY, Mode::empty()).map_err(failed("open the new root"))?;
    let device = device(&old).map_err(failed("look at the initramfs"))?;
    // Anything else would be somebody's files.
    if is_initramfs() && device != self::device(&new).map_err(failed("look at the new root"))? {
        free(&old, device);
    }
    mount_move(c".", c"/").map_err(failed("move the new root to /"))?;
    rustix::process::chroot(c".").map_err(failed("change the root"))?;
    rustix::process::chdir(c"/").map_err(failed("enter the new root"))
}

fn device(file: &OwnedFd) -> Result<u64, Errno> {
    rustix::fs::fstat(file).map(|status| status.st_dev)
}

/// Removes everything below that directory on its own filesystem.
fn free(directory: &OwnedFd, device: u64) {
    let Ok(entries) = Dir::read_from(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if unlinkat(directory, name, AtFlags::empty()) != Err(Errno::ISDIR) {
            continue;
        }
        let below = openat(directory.as_fd(), name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        if let Ok(below) = below
            && self::device(&below) == Ok(device)
        {
            free(&below, device);
        }
        // The place of the new root stays.
        let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
    }
}

//! The way from the initramfs into another root: the one that is mounted at [`PLACE`].
//!
//! The initramfs cannot be left by pivot_root(2): it is what all mounts hang on. What it holds is
//! freed, and the new root is moved over it.
use super::console::say;
use crate::error::{Error, quote};
use crate::files::{entries, identity_of};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, open, openat, statfs, unlinkat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_move, unmount};
use std::ffi::{CStr, CString};

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
    for mount in MOUNTS {
        let target = CString::new([PLACE.to_bytes(), mount.to_bytes()].concat());
        if let Err(errno) = mount_move(mount, target.unwrap_or_default().as_c_str()) {
            let name = quote(mount.to_bytes());
            let errno = unshared_init::errno::name(errno);
            say(&format!("take {name} along into the new root: {errno}"));
            let _ = unmount(mount, UnmountFlags::DETACH);
        }
    }
    let mut what = "enter the new root";
    enter(&mut what).map_err(|errno| Error::system(what, errno))
}

/// `what` is what is done at the moment.
fn enter(what: &mut &str) -> Result<(), Errno> {
    rustix::process::chdir(PLACE)?;
    *what = "open the initramfs";
    let old = open(c"/", DIRECTORY, Mode::empty())?;
    *what = "open the new root";
    let new = open(c".", DIRECTORY, Mode::empty())?;
    *what = "look at the initramfs";
    let (device, _) = identity_of(&old)?;
    *what = "look at the new root";
    // Anything else would be somebody's files.
    if is_initramfs() && device != identity_of(&new)?.0 {
        free(&old, device);
    }
    *what = "move the new root to /";
    mount_move(c".", c"/")?;
    *what = "change the root";
    rustix::process::chroot(c".")?;
    *what = "enter the new root";
    rustix::process::chdir(c"/")
}

/// Removes everything below that directory on its own filesystem.
fn free(directory: &OwnedFd, device: u64) {
    let _ = entries(directory.as_fd(), &mut |name, _| {
        if unlinkat(directory, name, AtFlags::empty()) != Err(Errno::ISDIR) {
            return;
        }
        let below = openat(directory.as_fd(), name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        if let Ok(below) = below
            && identity_of(&below).is_ok_and(|(other, _)| other == device)
        {
            free(&below, device);
        }
        // The place of the new root stays.
        let _ = unlinkat(directory, name, AtFlags::REMOVEDIR);
    });
}

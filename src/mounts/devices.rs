//! Child, new mount namespace: the /dev of a root.
use super::{bind, find, mount_at};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::CStr;

/// The device nodes that every program may expect.
const DEVICES: [&CStr; 6] =
    [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom", c"/dev/tty"];

/// And the links.
const DEVICE_LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

/// Makes a minimal /dev: a tmpfs with the devices bound from ours (nobody may make device nodes in
/// a user namespace), new pseudo-terminals, and a tmpfs for shared memory.
#[cold]
#[inline(never)]
pub(crate) fn mount(root: &CStr) -> Result<(), Errno> {
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_at(
        c"tmpfs",
        find(root, c"/dev", true, true)?.as_fd(),
        flags,
        Some(c"mode=0755,size=64k"),
    )?;
    for device in DEVICES {
        match bind(root, device, device, false, true) {
            // What the host lacks we cannot have.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    let dev = find(root, c"/dev", true, true)?;
    for (name, target) in DEVICE_LINKS {
        rustix::fs::symlinkat(target, &dev, name)?;
    }
    let pts = find(root, c"/dev/pts", true, true)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    // Group 5 is tty (Debian and most others); in a user namespace it may not be mapped.
    let with_group = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    let without = c"newinstance,ptmxmode=0666,mode=0620";
    mount_at(c"devpts", pts.as_fd(), flags, Some(with_group))
        .or_else(|_| mount_at(c"devpts", pts.as_fd(), flags, Some(without)))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount_at(c"tmpfs", find(root, c"/dev/shm", true, true)?.as_fd(), flags, Some(c"mode=1777"))
}

//! What a root shows of the kernel: some files of /proc and /sys are hidden, others cannot be written
//! to. They are the host's whatever namespace asks, and the lists are those of container engines.
use super::{attach, file_type, find, mount_at};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use std::ffi::CStr;

/// Hardware, memory, keys and timers.
pub(crate) const HIDDEN: [(&CStr, &CStr); 12] = [
    (c"/proc", c"acpi"),
    (c"/proc", c"asound"),
    (c"/proc", c"interrupts"),
    (c"/proc", c"kcore"),
    (c"/proc", c"keys"),
    (c"/proc", c"latency_stats"),
    (c"/proc", c"sched_debug"),
    (c"/proc", c"scsi"),
    (c"/proc", c"timer_list"),
    (c"/proc", c"timer_stats"),
    (c"/sys", c"firmware"),
    (c"/sys", c"devices/virtual/powercap"),
];

/// What is set for the whole machine. /sys is read-only anyway.
pub(crate) const READ_ONLY: [(&CStr, &CStr); 5] = [
    (c"/proc", c"bus"),
    (c"/proc", c"fs"),
    (c"/proc", c"irq"),
    (c"/proc", c"sys"),
    (c"/proc", c"sysrq-trigger"),
];

/// Child: hides and protects what there is of these in the root.
pub(crate) fn protect(root: &CStr) -> Result<(), Errno> {
    for (filesystem, path) in READ_ONLY {
        if let Some(file) = look_up(root, filesystem, path)? {
            attach(file.as_fd(), file.as_fd(), true)?;
        }
    }
    for (filesystem, path) in HIDDEN {
        let Some(file) = look_up(root, filesystem, path)? else { continue };
        if file_type(file.as_fd())? == FileType::Directory {
            let flags =
                MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount_at(c"tmpfs", file.as_fd(), flags, Some(c"size=4k,mode=0555"))?;
        } else {
            // A host without it, such as a bare initramfs, has nothing that could stand for a file.
            let null = match rustix::fs::openat(CWD, c"/dev/null", PATH, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                other => other?,
            };
            attach(null.as_fd(), file.as_fd(), false)?;
        }
    }
    Ok(())
}

const PATH: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file below a filesystem that we have mounted in the root, if it is there.
fn look_up(root: &CStr, filesystem: &CStr, path: &CStr) -> Result<Option<OwnedFd>, Errno> {
    let directory = find(root, filesystem, true, true)?;
    match rustix::fs::openat(&directory, path, PATH, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

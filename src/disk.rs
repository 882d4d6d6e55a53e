//! Disks: block devices, and image files that hold what a block device may.
//!
//! The filesystem of one is mounted by the parent, who may, before there is a child, and belongs to
//! no mount namespace yet: a descriptor is all there is of it. The child attaches it where it is
//! wanted. If the launch fails, or anybody is killed, nothing has to be undone.
mod superblock;

pub(crate) use superblock::{Identity, identify};

use crate::error::{Error, quote};
use crate::sys::loop_device;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};
use std::ffi::CStr;

/// The filesystem that a device or an image file holds, as mount(2) calls it; `None` for a directory,
/// and for any other file.
#[cold]
#[inline(never)]
pub(crate) fn look(path: &CStr) -> Result<Option<&'static CStr>, Error> {
    let attempt = || format!("look at {}", quote(path.to_bytes()));
    let status = rustix::fs::stat(path).map_err(|errno| Error::system(attempt(), errno))?;
    let kind = FileType::from_raw_mode(status.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::BlockDevice) {
        return Ok(None);
    }
    let found = match rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    {
        Ok(file) => superblock::look(&file),
        // It can still be bound.
        Err(_) if kind == FileType::RegularFile => None,
        Err(errno) => return Err(Error::system(attempt(), errno)),
    };
    if kind == FileType::BlockDevice && found.is_none() {
        let problem = format!("no filesystem is known on {}", quote(path.to_bytes()));
        return Err(Error::plain(problem).hint(superblock::KNOWN));
    }
    Ok(found)
}

/// Mounts the filesystem of a device or an image file nowhere yet; the descriptor is its root. It is
/// read-only where that is wanted, and where the file is.
#[cold]
#[inline(never)]
pub(crate) fn mount(path: &CStr, kind: &CStr, read_only: bool) -> Result<OwnedFd, Error> {
    let failed = |errno| {
        let attempt = format!("open {} to mount it", quote(path.to_bytes()));
        Error::system(attempt, errno)
    };
    let status = rustix::fs::stat(path).map_err(failed)?;
    let read_only = read_only || status.st_mode & 0o222 == 0;
    if FileType::from_raw_mode(status.st_mode) == FileType::BlockDevice {
        return mount_device(path, path, kind, read_only);
    }
    let open = |access| rustix::fs::openat(CWD, path, access | OFlags::CLOEXEC, Mode::empty());
    let (file, read_only) = match open(if read_only { OFlags::RDONLY } else { OFlags::RDWR }) {
        Ok(file) => (file, read_only),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) if !read_only => {
            (open(OFlags::RDONLY).map_err(failed)?, true)
        }
        Err(errno) => return Err(failed(errno)),
    };
    let device = loop_device::attach(&file, read_only).map_err(|errno| {
        let error = Error::system(format!("loop device for {}", quote(path.to_bytes())), errno);
        match errno {
            Errno::ACCESS | Errno::PERM => error.hint(ROOT_ONLY),
            Errno::NOENT => error.hint("/dev/loop-control or the device's node is not there"),
            _ => error,
        }
    })?;
    // The device lives as long as somebody has it open, and once it is mounted, the kernel does.
    mount_device(path, &device.path, kind, read_only)
}

const ROOT_ONLY: &str = "only root mounts disks and images; an initramfs can be unpacked instead";

/// Not every filesystem tells who mounts it.
const LOG: &str = "the kernel's log may say why: dmesg";

/// `path` is what messages name.
fn mount_device(
    path: &CStr,
    device: &CStr,
    kind: &CStr,
    read_only: bool,
) -> Result<OwnedFd, Error> {
    let name = kind.to_string_lossy();
    let attempt = format!("mount {} as {name}", quote(path.to_bytes()));
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| {
        let error = Error::system(attempt.clone(), errno);
        match errno {
            Errno::NODEV => error.hint(format!("this kernel has no {name}, or not yet: modprobe")),
            Errno::NOSYS => error.hint("that needs Linux 5.2"),
            Errno::PERM => error.hint(ROOT_ONLY),
            _ => error,
        }
    })?;
    let configure = || {
        if read_only || superblock::is_never_written(kind) {
            fsconfig_set_flag(&context, c"ro")?;
        }
        fsconfig_set_string(&context, c"source", device)?;
        fsconfig_create(&context)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(read_only))
    };
    configure().map_err(|errno| {
        let other = if errno == Errno::PERM { ROOT_ONLY } else { LOG };
        Error::system(attempt, errno).hint(said(&context).unwrap_or_else(|| other.to_owned()))
    })
}

/// As for a bind of somebody else's files: their devices are none here.
fn attributes(read_only: bool) -> MountAttrFlags {
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    if read_only {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    attributes
}

/// What the kernel says about it: lines that begin with a letter for how bad it is.
fn said(context: &OwnedFd) -> Option<String> {
    let mut bytes = [0_u8; 512];
    let length = rustix::io::read(context, &mut bytes[..]).ok()?;
    // The first line will do.
    let bytes = bytes.get(..length)?.split(|byte| *byte == b'\n').next()?;
    let line = bytes.trim_ascii();
    let text = line.split_first_chunk::<2>().map_or(line, |(_, text)| text);
    Some(crate::error::escape(text))
}

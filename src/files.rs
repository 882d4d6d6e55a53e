//! Files by their paths, in as little code as it takes: each of these is in the program once.
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::number::decimal;

/// open(2) of a path that was put together here.
#[inline(never)]
pub(crate) fn open(path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Which file it is: its device and its inode.
#[inline(never)]
pub(crate) fn identity(path: &[u8]) -> Result<(u64, u64), Errno> {
    rustix::fs::stat(path).map(|status| (status.st_dev, status.st_ino))
}

/// The same of an open file.
#[inline(never)]
pub(crate) fn identity_of(file: &OwnedFd) -> Result<(u64, u64), Errno> {
    rustix::fs::fstat(file).map(|status| (status.st_dev, status.st_ino))
}

/// Tells of all that a directory holds, but for `.` and `..`, and of what kind it is.
#[inline(never)]
pub(crate) fn entries(
    directory: BorrowedFd<'_>,
    tell: &mut dyn FnMut(&CStr, FileType),
) -> Result<(), Errno> {
    for entry in rustix::fs::Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            tell(entry.file_name(), entry.file_type());
        }
    }
    Ok(())
}

/// unlink(2) of a file, if it is as empty as it was made.
#[inline(never)]
pub(crate) fn remove_empty(path: &CStr) {
    let status = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    if status.is_ok_and(|status| {
        FileType::from_raw_mode(status.st_mode) == FileType::RegularFile && status.st_size == 0
    }) {
        let _ = rustix::fs::unlink(path);
    }
}

/// The decimal number that is all of a file.
pub(crate) fn read_number(path: &str) -> Option<u64> {
    decimal(read_file(path).ok()?.trim_ascii())
}

/// Reads a whole file.
#[inline(never)]
pub(crate) fn read_file(path: &str) -> Result<Vec<u8>, Errno> {
    read_open(&open(path.as_bytes(), OFlags::RDONLY)?)
}

/// Reads what is left of an open file.
pub(crate) fn read_open(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    loop {
        // Files of /proc are short, and room for more would be asked of the kernel.
        text.reserve(512);
        match rustix::io::read(file, rustix::buffer::spare_capacity(&mut text)) {
            Ok(0) => return Ok(text),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

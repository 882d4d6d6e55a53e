//! Removes a tree, however deep it is, without leaving it: no link is followed, no mount entered.
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, ResolveFlags, chmodat, fchmod, fstat, openat, openat2, renameat,
    unlinkat,
};
use rustix::io::Errno;

/// Removes what `name` is in `parent`; nothing there is fine.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match delete(parent, name) {
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        other => return other,
    }
    let top = enter(parent, name)?;
    let mut number = 0_u64;
    while empty(&top, &top, &mut number)? {}
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Removes what is in `directory`. Directories that hold something are moved to `top`, whose turn
/// comes again: so the depth of the tree costs no descriptors. Says whether there was anything.
fn empty(directory: &OwnedFd, top: &OwnedFd, number: &mut u64) -> Result<bool, Errno> {
    let at_top = std::ptr::eq(directory, top);
    let mut found = false;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        found = true;
        match delete(directory.as_fd(), name) {
            Err(Errno::NOTEMPTY | Errno::EXIST) if at_top => {
                let inner = enter(top.as_fd(), name)?;
                empty(&inner, top, number)?;
                match unlinkat(top, name, AtFlags::REMOVEDIR) {
                    // A directory that was read while it shrank: there is another turn.
                    Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => lift(directory, name, top, number)?,
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

/// Moves a directory to `top`, under a name that nothing has there.
fn lift(from: &OwnedFd, name: &[u8], top: &OwnedFd, number: &mut u64) -> Result<(), Errno> {
    // To move a directory is to write to it.
    chmodat(from, name, Mode::RWXU, AtFlags::empty())?;
    loop {
        *number += 1;
        match renameat(from, name, top, format!(".{number}").as_bytes()) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            other => return other,
        }
    }
}

/// Removes a file, or a directory that is empty.
fn delete(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => unlinkat(parent, name, AtFlags::REMOVEDIR),
        other => other,
    }
}

/// Opens a directory, unless something is mounted there, and makes it one that we may empty.
fn enter(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let directory = match open(parent, name) {
        Err(Errno::ACCESS) => {
            chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            open(parent, name)?
        }
        other => other?,
    };
    fchmod(&directory, Mode::RWXU)?;
    Ok(directory)
}

fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(parent, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
        // Before Linux 5.6, a mount of the same filesystem cannot be told.
        Err(Errno::NOSYS | Errno::PERM) => {
            let directory = openat(parent, name, flags, Mode::empty())?;
            if fstat(&directory)?.st_dev == fstat(parent)?.st_dev {
                Ok(directory)
            } else {
                Err(Errno::XDEV)
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_tree_deeper_than_descriptors_and_paths_goes() {
        let folder = std::env::temp_dir().join(format!("unshared-remove-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("outside"), "").unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let parent = rustix::fs::open(&folder, flags, Mode::empty()).unwrap();
        let mut inner = parent.try_clone().unwrap();
        for depth in 0..3000 {
            let name = if depth == 0 { &b"top"[..] } else { b".1" };
            rustix::fs::mkdirat(&inner, name, Mode::RWXU).unwrap();
            inner = openat(&inner, name, flags, Mode::empty()).unwrap();
            if depth % 100 == 0 {
                rustix::fs::symlinkat("../outside", &inner, "link").unwrap();
                rustix::fs::mkdirat(&inner, ".2", Mode::empty()).unwrap();
                fchmod(&inner, Mode::RWXU).unwrap();
            }
        }
        symlink(&folder, folder.join("top/out")).unwrap();
        remove(parent.as_fd(), b"top").unwrap();
        remove(parent.as_fd(), b"nothing").unwrap();
        assert!(!folder.join("top").exists() && folder.join("outside").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}

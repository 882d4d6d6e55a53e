//! The place where a root is made, beside the one where it is to be: what the steps before and after
//! the unpacking do, and what undoes them.
use super::remove::remove;
use crate::error::{Error, quote};
use crate::files::{identity_of, read_file};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, fchmod, fchown, flock, mkdir,
    mkdirat, open, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use std::ffi::CString;

/// A root in the making.
pub(crate) struct Site {
    /// The directory that the root is to be in.
    parent: OwnedFd,
    /// The root's name there, and where it is made.
    name: Vec<u8>,
    work: Vec<u8>,
    /// The whole path of the root, and of where it is made.
    path: Vec<u8>,
    work_path: Vec<u8>,
    /// Open and locked for as long as the root is made.
    _lock: OwnedFd,
    /// The same of the tmpfs on it, which hides that one.
    tmpfs_lock: Option<OwnedFd>,
    force: bool,
    has_tmpfs: bool,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Site {
    /// Makes the directory to work in, and mounts a tmpfs there if one is wanted.
    pub(crate) fn prepare(
        path: &[u8],
        force: bool,
        tmpfs: Option<&Option<String>>,
    ) -> Result<Site, Error> {
        let mut path = path;
        while let Some(shorter) = path.strip_suffix(b"/") {
            path = shorter;
        }
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (above, name) = path.split_at((slash + 1).min(path.len()));
        if matches!(name, b"" | b"." | b"..") {
            let name = if path.is_empty() { "/".as_bytes() } else { path };
            return Err(Error::plain(format!("make root {}: not a place for one", quote(name))));
        }
        make_directories(above)?;
        let parent = open(above, DIRECTORY, Mode::empty())
            .map_err(|errno| Error::system(format!("open {}", quote(above)), errno))?;
        let there = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW);
        check(path, there.map(|stat| FileType::from_raw_mode(stat.st_mode)), force)?;
        if let Some(mount) = force.then(|| mounted_below(path)).flatten() {
            return Err(Error::system(format!("make root {}", quote(path)), Errno::BUSY)
                .hint(format!("something is mounted at {}", quote(mount))));
        }

        // From here on a mode is what it is said to be.
        rustix::process::umask(Mode::empty());
        let work = [b".", name, b".make-root"].concat();
        let work_path = [above, &work].concat();
        let lock = make_work(&parent, &work, &work_path, path)?;
        let mut site = Site {
            parent,
            name: name.to_vec(),
            work,
            path: path.to_vec(),
            work_path,
            _lock: lock,
            tmpfs_lock: None,
            force,
            has_tmpfs: tmpfs.is_some(),
        };
        if let Some(size) = tmpfs
            && let Err(error) = site.mount_tmpfs(size.as_deref())
        {
            site.abandon();
            return Err(error);
        }
        Ok(site)
    }

    fn mount_tmpfs(&mut self, size: Option<&str>) -> Result<(), Error> {
        let options = match size {
            None => "mode=0755".to_owned(),
            Some(size) => format!("mode=0755,size={size}"),
        };
        let options = CString::new(options).unwrap_or_default();
        let flags = MountFlags::empty();
        mount(c"tmpfs", self.work_path.as_slice(), c"tmpfs", flags, options.as_c_str()).map_err(
            |errno| {
                let error = Error::system(format!("mount tmpfs {}", quote(&self.work_path)), errno);
                if errno == Errno::PERM { error.hint("--tmpfs needs root") } else { error }
            },
        )?;
        let lock = self.open()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| Error::system(format!("lock {}", quote(&self.work_path)), errno))?;
        self.tmpfs_lock = Some(lock);
        Ok(())
    }

    /// Opens the root's directory.
    pub(crate) fn open(&self) -> Result<OwnedFd, Error> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let root = openat(&self.parent, self.work.as_slice(), flags, Mode::empty())
            .map_err(|errno| Error::system(format!("open {}", quote(&self.work_path)), errno))?;
        Ok(root)
    }

    /// The root is whole: it goes to its place. What was there before goes.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        // Nothing of the tmpfs is open any more: it is unmounted from where it was made.
        self.tmpfs_lock = None;
        let moved = if self.has_tmpfs { self.move_tmpfs() } else { self.rename() };
        if let Err(errno) = moved {
            let error = Error::system(format!("make root {}", quote(&self.path)), errno);
            let error = match errno {
                Errno::BUSY => error.hint("something is mounted there"),
                Errno::EXIST | Errno::NOTEMPTY => error.hint("it has come to be there meanwhile"),
                _ => error,
            };
            self.abandon();
            return Err(error);
        }
        // What was there before, or the directory that the tmpfs was mounted on.
        remove(self.parent.as_fd(), &self.work).map_err(|errno| {
            let error = Error::system(format!("remove {}", quote(&self.work_path)), errno);
            error.hint("the new root is in its place; this is the old one")
        })
    }

    /// renameat2(2): exchanges old and new, so that there is always one of them. Before Linux 3.15,
    /// and where the filesystem cannot, there is a moment with none.
    fn rename(&self) -> Result<(), Errno> {
        let (work, name) = (self.work.as_slice(), self.name.as_slice());
        let exists = statat(&self.parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let replace = exists && self.force;
        let flags = if replace { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        match renameat_with(&self.parent, work, &self.parent, name, flags) {
            Err(Errno::INVAL | Errno::NOSYS) if replace => {
                let old = [work, b".old"].concat();
                renameat(&self.parent, name, &self.parent, old.as_slice())?;
                renameat(&self.parent, work, &self.parent, name)?;
                remove(self.parent.as_fd(), &old)
            }
            Err(Errno::INVAL | Errno::NOSYS) => renameat(&self.parent, work, &self.parent, name),
            other => other,
        }
    }

    /// Shows the tmpfs at the root's place, and takes it from where it was made. It cannot be moved:
    /// that is refused below a mount that is shared, as most are.
    fn move_tmpfs(&self) -> Result<(), Errno> {
        let (path, name) = (self.path.as_slice(), self.name.as_slice());
        if self.force {
            match unmount(path, UnmountFlags::NOFOLLOW) {
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
            remove(self.parent.as_fd(), name)?;
        }
        mkdirat(&self.parent, name, Mode::from_bits_truncate(0o755))?;
        let shown = mount_bind(self.work_path.as_slice(), path)
            .and_then(|()| unmount(self.work_path.as_slice(), UnmountFlags::NOFOLLOW));
        if shown.is_err() {
            let _ = unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
            let _ = unlinkat(&self.parent, name, AtFlags::REMOVEDIR);
        }
        shown
    }

    /// Something has failed: nothing stays. That has been said, so nothing is said here.
    pub(crate) fn abandon(self) {
        if self.has_tmpfs {
            let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            let _ = unmount(self.work_path.as_slice(), flags);
        }
        let _ = remove(self.parent.as_fd(), &self.work);
    }
}

/// May a root be made where this is?
fn check(path: &[u8], there: Result<FileType, Errno>, force: bool) -> Result<(), Error> {
    let attempt = format!("make root {}", quote(path));
    match there {
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::system(attempt, errno)),
        Ok(FileType::Directory) if force => Ok(()),
        Ok(FileType::Directory) => {
            Err(Error::system(attempt, Errno::EXIST).hint("--force replaces it"))
        }
        Ok(_) => Err(Error::system(attempt, Errno::NOTDIR).hint("it is there and no directory")),
    }
}

/// Something that is mounted inside of a root: it would go with the root. Where that cannot be looked
/// up, or a link leads to the root, the removal stops at the mount, but the root is replaced by then.
fn mounted_below(path: &[u8]) -> Option<Vec<u8>> {
    let table = read_file("/proc/self/mountinfo").ok()?;
    let inside = [path, b"/"].concat();
    crate::proc::mount_points(&table).find(|point| point.starts_with(&inside))
}

/// mkdir(2) for each missing directory of a path that ends in a slash. The last one is for the
/// caller alone: a root has set-id programs and device nodes of its image, which are not for the
/// other users of this system.
fn make_directories(path: &[u8]) -> Result<(), Error> {
    let ends = path.iter().enumerate().filter(|(place, byte)| **byte == b'/' && *place > 0);
    for (end, _) in ends {
        let part = path.get(..end).unwrap_or_default();
        let mode = if end + 1 == path.len() { 0o700 } else { 0o755 };
        // What is there, on a read-only filesystem too, is found by looking.
        if rustix::fs::stat(part).is_ok() {
            continue;
        }
        match mkdir(part, Mode::from_bits_truncate(mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => {
                return Err(Error::system(format!("make directory {}", quote(part)), errno));
            }
        }
    }
    Ok(())
}

/// Makes the directory to work in, for nobody else to enter, and locks it. One that is there and not
/// locked is what a make-root that was killed has left.
fn make_work(
    parent: &OwnedFd,
    work: &[u8],
    work_path: &[u8],
    path: &[u8],
) -> Result<OwnedFd, Error> {
    let failed = |errno| Error::system(format!("make directory {}", quote(work_path)), errno);
    let in_use = || {
        Error::system(format!("make root {}", quote(path)), Errno::AGAIN)
            .hint("another make-root is making it")
    };
    let lock = || match openat(parent, work, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::NOENT) => Err(in_use()),
        Err(errno) => Err(failed(errno)),
        Ok(directory) => {
            let locked = flock(&directory, FlockOperation::NonBlockingLockExclusive);
            match locked.and_then(|()| is_still_there(&directory, parent, work)) {
                Ok(true) => Ok(directory),
                Ok(false) | Err(Errno::AGAIN) => Err(in_use()),
                Err(errno) => Err(failed(errno)),
            }
        }
    };
    let make = || mkdirat(parent, work, Mode::RWXU);
    let directory = match make() {
        Ok(()) => lock()?,
        Err(Errno::EXIST) => {
            // A tmpfs that it had is mounted still. Who works in one has locked that too.
            drop(lock()?);
            let _ = unmount(work_path, UnmountFlags::NOFOLLOW);
            // Ours until its successor is.
            let _left = lock()?;
            remove(parent.as_fd(), work).map_err(failed)?;
            make().map_err(|errno| if errno == Errno::EXIST { in_use() } else { failed(errno) })?;
            lock()?
        }
        Err(errno) => return Err(failed(errno)),
    };
    // Set-group-id and group come from the directory around it.
    let group = rustix::fs::Gid::from_raw(crate::sys::effective_gid());
    let own = fchown(&directory, None, Some(group)).and_then(|()| fchmod(&directory, Mode::RWXU));
    own.map_err(failed)?;
    Ok(directory)
}

/// Whether a directory that was opened by its name still has it. It has not if it was locked by
/// somebody else in between, who took it for a leftover and removed it.
fn is_still_there(directory: &OwnedFd, parent: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
        Ok(there) => identity_of(directory).map(|own| own == (there.st_dev, there.st_ino)),
    }
}

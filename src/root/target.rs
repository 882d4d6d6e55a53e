//! A root that is written to. Every path is resolved inside it: nothing is ever written through a link
//! that leads out of it, whoever changes what meanwhile.
use super::view::{inside, make_at, open_at, parts, read_link_at, split, stat_at, terminated};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::rc::Rc;

const MOST_LINKS: usize = 40;

/// The root, and what was written.
pub(crate) struct Target {
    root: Rc<OwnedFd>,
    /// The directory that was used last.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    pub(crate) files: u64,
    pub(crate) links: u64,
    pub(crate) bytes: u64,
}

/// What became of something that was to be put into the root.
#[derive(PartialEq, Eq)]
pub(crate) enum Put {
    Done,
    /// There is a directory of that name, or a link to one, which stays.
    Directory,
}

impl Target {
    /// The root at this path.
    pub(crate) fn open(path: &[u8]) -> Result<Target, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open_at(CWD, path, flags).map(Target::new)
    }

    /// The root that this is a descriptor of. It is open for reading.
    pub(crate) fn new(root: OwnedFd) -> Target {
        Target { root: Rc::new(root), last: None, files: 0, links: 0, bytes: 0 }
    }

    /// Device and inode of the root itself.
    pub(crate) fn identity(&self) -> Result<(u64, u64), Errno> {
        rustix::fs::fstat(&*self.root).map(|stat| (stat.st_dev, stat.st_ino))
    }

    /// The directory at this path, made with all above it where it is missing.
    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        if let Some((last, directory)) = &self.last
            && last == path
        {
            return Ok(directory.clone());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let opened = terminated(inside(path)).and_then(|path| {
            rustix::fs::openat2(&*self.root, &*path, flags, Mode::empty(), resolve)
        });
        // It fails where a part is missing, too, or before Linux 5.6.
        let directory = match opened {
            Ok(directory) => Rc::new(directory),
            Err(_) => self.walk(path, true)?,
        };
        self.last = Some((path.to_vec(), directory.clone()));
        Ok(directory)
    }

    /// The same part by part. A link is read, never followed by the kernel, and `..` takes back the
    /// step that was made, so this cannot leave the root.
    fn walk(&self, path: &[u8], make: bool) -> Result<Rc<OwnedFd>, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut way: Vec<OwnedFd> = Vec::new();
        let mut left = parts(path);
        let mut links = 0;
        let mut made = None;
        while let Some(part) = left.pop() {
            if part == b".." {
                way.pop();
                continue;
            }
            let here = way.last().unwrap_or(&self.root).as_fd();
            match open_at(here, &part, flags) {
                Ok(next) => way.push(next),
                // Made once; if it is gone again, somebody is playing.
                Err(Errno::NOENT) if make && made != Some(way.len()) => {
                    match make_at(here, &part) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno),
                    }
                    made = Some(way.len());
                    left.push(part);
                }
                Err(errno @ (Errno::NOTDIR | Errno::LOOP)) => {
                    let target = read_link_at(here, &part).map_err(|_| errno)?;
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP);
                    }
                    if target.starts_with(b"/") {
                        way.clear();
                    }
                    left.extend(parts(&target));
                    made = None;
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(way.pop().map_or_else(|| self.root.clone(), Rc::new))
    }

    /// What is there at this path, a link at the end not followed. Makes the directory above it.
    pub(crate) fn look(&mut self, path: &[u8]) -> Result<Option<Stat>, Errno> {
        let (directory, name) = split(path);
        let directory = self.directory(directory)?;
        match stat_at(directory.as_fd(), name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// A copy of an open file, with mode, times and, where that is allowed, owner. What is there is
    /// replaced in one step; a program that runs keeps the old one.
    pub(crate) fn file(&mut self, path: &[u8], from: &OwnedFd) -> Result<Put, Errno> {
        let stat = rustix::fs::fstat(from)?;
        if self.look(path)?.is_some_and(|there| kind(&there) == FileType::Directory) {
            return Ok(Put::Directory);
        }
        self.replace(path, |to| {
            let length = copy(from, to, stat.st_size as u64)?;
            dress(to, &stat)?;
            Ok(length)
        })?;
        Ok(Put::Done)
    }

    /// A file with this text.
    pub(crate) fn text(&mut self, path: &[u8], text: &[u8]) -> Result<(), Errno> {
        self.replace(path, |to| {
            write_all(to, text)?;
            rustix::fs::fchmod(to, Mode::from_raw_mode(0o644))?;
            Ok(text.len() as u64)
        })
    }

    /// A new file, filled under another name.
    fn replace(
        &mut self,
        path: &[u8],
        fill: impl FnOnce(&OwnedFd) -> Result<u64, Errno>,
    ) -> Result<(), Errno> {
        let (directory, name) = split(path);
        let directory = self.directory(directory)?;
        let name = terminated(name)?;
        let temporary = temporary();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(0o600);
        let to = rustix::fs::openat(&*directory, &*temporary, flags | OFlags::CLOEXEC, mode)?;
        let result = fill(&to).and_then(|length| {
            rustix::fs::renameat(&*directory, &*temporary, &*directory, &*name)?;
            Ok(length)
        });
        if result.is_err() {
            let _ = rustix::fs::unlinkat(&*directory, &*temporary, AtFlags::empty());
        }
        self.bytes += result?;
        self.files += 1;
        Ok(())
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &[u8], target: &[u8]) -> Result<Put, Errno> {
        let (directory, name) = split(path);
        let directory = self.directory(directory)?;
        match self.look(path)? {
            None => link_at(target, &directory, &terminated(name)?)?,
            Some(there) if kind(&there) == FileType::Directory => return Ok(Put::Directory),
            Some(_) => {
                if read_link_at(directory.as_fd(), name).is_ok_and(|there| there == target) {
                    return Ok(Put::Done);
                }
                // One that leads to a directory is as good as a directory: what was put into the
                // root through it must stay where it is.
                if self.walk(path, false).is_ok() {
                    return Ok(Put::Directory);
                }
                let (name, temporary) = (terminated(name)?, temporary());
                link_at(target, &directory, &temporary)?;
                let renamed = rustix::fs::renameat(&*directory, &*temporary, &*directory, &*name);
                if renamed.is_err() {
                    let _ = rustix::fs::unlinkat(&*directory, &*temporary, AtFlags::empty());
                }
                renamed?;
            }
        }
        // The directory that was used last may have been reached by what was here.
        self.last = None;
        self.links += 1;
        Ok(Put::Done)
    }

    /// A device or a named pipe, where there is nothing yet.
    pub(crate) fn node(&mut self, path: &[u8], stat: &Stat) -> Result<Put, Errno> {
        if self.look(path)?.is_some() {
            return Ok(Put::Done);
        }
        let (directory, name) = split(path);
        let directory = self.directory(directory)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        rustix::fs::mknodat(&*directory, &*terminated(name)?, kind(stat), mode, stat.st_rdev)?;
        self.files += 1;
        Ok(Put::Done)
    }

    /// Gives a directory the mode, the owner and the times of another.
    pub(crate) fn dress_directory(&mut self, path: &[u8], stat: &Stat) -> Result<(), Errno> {
        dress(&self.readable(path)?, stat)
    }

    /// Sets the mode of a directory.
    pub(crate) fn mode(&mut self, path: &[u8], mode: u32) -> Result<(), Errno> {
        rustix::fs::fchmod(self.readable(path)?, Mode::from_raw_mode(mode))
    }

    /// A directory for reading: by a path descriptor nothing of it can be changed.
    fn readable(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let directory = self.directory(path)?;
        open_at(directory.as_fd(), b".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
    }
}

/// A name that nothing in a root has.
fn temporary() -> CString {
    CString::new(format!(".unshared-{}", std::process::id())).unwrap_or_default()
}

fn link_at(target: &[u8], directory: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    rustix::fs::symlinkat(&*terminated(target)?, directory, name)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Mode, times and owner of another file. Without the owner, no set-user-ID bit either: it would be
/// another user's.
fn dress(to: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let mut mode = stat.st_mode & 0o7777;
    if rustix::fs::fchown(to, Some(uid), Some(gid)).is_err() {
        mode &= 0o1777;
    }
    // After the owner: changing that takes the bits away.
    rustix::fs::fchmod(to, Mode::from_raw_mode(mode))?;
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds as _, tv_nsec: nanoseconds as _ };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    rustix::fs::futimens(to, &times)
}

/// Copies a file's contents: in the kernel where it can (copy_file_range(2), then sendfile(2)), by
/// reading and writing where it cannot. Each goes on where the one before has stopped.
fn copy(from: &OwnedFd, to: &OwnedFd, size: u64) -> Result<u64, Errno> {
    const MOST: usize = 1 << 30;
    let mut length = 0;
    for attempt in 0..2 {
        while length < size || size == 0 {
            let moved = match attempt {
                0 => rustix::fs::copy_file_range(from, None, to, None, MOST),
                _ => rustix::fs::sendfile(to, from, None, MOST),
            };
            match moved {
                Ok(0) => break,
                Ok(moved) => length += moved as u64,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        buffer.clear();
        match rustix::io::read(from, rustix::buffer::spare_capacity(&mut buffer)) {
            Ok(0) => return Ok(length),
            Ok(_) => write_all(to, &buffer)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        length += buffer.len() as u64;
    }
}

fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "target/tests.rs"]
mod tests;

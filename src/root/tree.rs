//! Writes what an image holds below a root's directory, and nowhere else.
//!
//! Each entry is made by a call that takes its directory's descriptor and its last name, and follows
//! no link; [`Resolver`] finds the directory. What is in the way of an entry is removed, as the kernel
//! does it, and never written through.
mod links;

use super::resolve::Resolver;
use crate::error::{Error, quote};
use links::Link;
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown,
    futimens, makedev, mkdirat, mknodat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What an entry is to have besides its name and data.
#[derive(Clone, Copy)]
pub(crate) struct Meta {
    /// Permissions, with the set-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u32,
}

/// Tells which entries are the same file: device numbers, inode, type.
pub(crate) type Identity = (u32, u32, u32, u32);

/// A directory that is to be finished. One that comes again has more before it.
struct Directory {
    path: Vec<u8>,
    before: usize,
    meta: Meta,
}

/// How much may be kept in mind of directories and hard links, in bytes.
const MEMORY: usize = 24 << 20;
/// What one of them takes besides its path.
const OVERHEAD: usize = 96;

/// A root's directory while it is filled.
pub(crate) struct Tree {
    resolver: Resolver,
    /// The directory of the last entry, which is often the next one's as well.
    parent: Option<(Vec<u8>, Rc<OwnedFd>)>,
    /// Our own ids: a new file has them already.
    uid: u32,
    gid: u32,
    /// Directories get mode, owner and times when everything is in them.
    directories: Vec<Directory>,
    links: BTreeMap<Identity, Link>,
    memory: usize,
    /// Device nodes that we may not make.
    pub(crate) devices: u64,
    /// Entries whose owner we may not set.
    pub(crate) owners: u64,
}

impl Tree {
    /// `root` is open for reading, and nobody else writes below it. The umask is 0.
    pub(crate) fn new(root: OwnedFd) -> Tree {
        Tree {
            resolver: Resolver::new(root),
            parent: None,
            uid: crate::sys::effective_uid(),
            gid: crate::sys::effective_gid(),
            directories: Vec::new(),
            links: BTreeMap::new(),
            memory: 0,
            devices: 0,
            owners: 0,
        }
    }

    /// Makes a directory, or takes the one that is there.
    pub(crate) fn directory(&mut self, path: &[u8], meta: Meta) -> Result<(), Error> {
        if !path.is_empty() {
            self.make("directory", path, |parent, name| {
                let mode = Mode::from_bits_truncate(meta.mode & 0o777 | 0o700);
                match mkdirat(parent, name, mode) {
                    Err(Errno::EXIST) if file_type(parent, name)? == FileType::Directory => Ok(()),
                    other => other,
                }
            })?;
        }
        self.remember(path.len())?;
        let before = self.directories.len();
        self.directories.push(Directory { path: path.to_vec(), before, meta });
        Ok(())
    }

    /// Makes a file, and opens it for `size` bytes of data. A name that is a hard link to what was
    /// made before becomes that; if there is no data with it, there is nothing to open.
    pub(crate) fn file(
        &mut self,
        path: &[u8],
        meta: Meta,
        identity: Option<Identity>,
        size: u32,
    ) -> Result<Option<OwnedFd>, Error> {
        if self.is_linked(path, identity)? {
            return if size == 0 { Ok(None) } else { self.open_again(path, meta).map(Some) };
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_bits_truncate(meta.mode & 0o777);
        let file = self.make("file", path, |parent, name| {
            openat(parent, name, flags | OFlags::CLOEXEC, mode)
        })?;
        self.remember_link(path, identity)?;
        Ok(Some(file))
    }

    /// Sets what is left to set once a file has its data.
    pub(crate) fn finish_file(&mut self, file: &OwnedFd, meta: Meta) -> Result<(), Errno> {
        let mode = self.own(meta, |uid, gid| fchown(file, uid, gid))?;
        if meta.mode & 0o7000 != 0 {
            fchmod(file, mode)?;
        }
        futimens(file, &times(meta))
    }

    /// Makes a symbolic link.
    pub(crate) fn symlink(&mut self, path: &[u8], target: &[u8], meta: Meta) -> Result<(), Error> {
        self.make("link", path, |parent, name| symlinkat(target, parent, name))?;
        self.finish_node("link", path, meta)
    }

    /// Makes a device node, FIFO or socket. A device node that we may not make is left out, and
    /// counted.
    pub(crate) fn node(
        &mut self,
        path: &[u8],
        meta: Meta,
        identity: Option<Identity>,
        file_type: FileType,
        (major, minor): (u32, u32),
    ) -> Result<(), Error> {
        if self.is_linked(path, identity)? {
            return Ok(());
        }
        let mode = Mode::from_bits_truncate(meta.mode & 0o777);
        let is_device = matches!(file_type, FileType::CharacterDevice | FileType::BlockDevice);
        let made = self.make("node", path, |parent, name| {
            match mknodat(parent, name, file_type, mode, makedev(major, minor)) {
                Err(Errno::PERM) if is_device => Ok(false),
                other => other.map(|()| true),
            }
        })?;
        if !made {
            self.devices += 1;
            return Ok(());
        }
        self.remember_link(path, identity)?;
        self.finish_node("node", path, meta)
    }

    /// An archive has ended: hard links do not lead from one into another.
    pub(crate) fn end_archive(&mut self) {
        self.links.clear();
    }

    /// Gives directories what they are to have, the inner ones first: a directory may be one that
    /// nothing can be made in, and each change in it would change its time.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let mut directories = std::mem::take(&mut self.directories);
        directories.sort_unstable_by(|one, other| {
            one.path.cmp(&other.path).then(one.before.cmp(&other.before))
        });
        let mut last: Option<&[u8]> = None;
        for Directory { path, meta, .. } in directories.iter().rev() {
            // Of one that came several times, it is as the last one says.
            if last == Some(path) {
                continue;
            }
            last = Some(path);
            self.finish_directory(path, *meta)
                .map_err(|errno| Error::system(format!("finish {}", quote(path)), errno))?;
        }
        if last == Some(b"") {
            return Ok(());
        }
        // The image says nothing of the root itself.
        fchmod(&**self.resolver.root(), Mode::from_bits_truncate(0o755))
            .map_err(|errno| Error::system("finish the root's directory", errno))
    }

    fn finish_directory(&mut self, path: &[u8], meta: Meta) -> Result<(), Errno> {
        let (parent, name) = split(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = if name.is_empty() { b"." } else { name };
        let opened = self
            .directory_of(parent, false)
            .and_then(|parent| openat(&*parent, name, flags, Mode::empty()));
        let directory = match opened {
            Ok(directory) => directory,
            // Another entry has taken its place.
            Err(Errno::NOTDIR | Errno::NOENT | Errno::LOOP) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let mode = self.own(meta, |uid, gid| fchown(&directory, uid, gid))?;
        fchmod(&directory, mode)?;
        futimens(&directory, &times(meta))
    }

    /// Owner and time of something that cannot be opened.
    fn finish_node(&mut self, what: &str, path: &[u8], meta: Meta) -> Result<(), Error> {
        let (parent, name) = split(path);
        let finish = |tree: &mut Tree| {
            let parent = tree.directory_of(parent, true)?;
            tree.own(meta, |uid, gid| {
                chownat(&*parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
            })?;
            utimensat(&*parent, name, &times(meta), AtFlags::SYMLINK_NOFOLLOW)
        };
        finish(self).map_err(|errno| Error::system(format!("make {what} {}", quote(path)), errno))
    }

    /// Sets the owner, where it is not ours anyway and where we may. Returns the mode that goes with
    /// it: a file that does not belong to whom it should gets no set-id bits.
    fn own(
        &mut self,
        meta: Meta,
        set: impl FnOnce(Option<Uid>, Option<Gid>) -> Result<(), Errno>,
    ) -> Result<Mode, Errno> {
        let mut is_right = (meta.uid, meta.gid) == (self.uid, self.gid);
        if !is_right && self.uid == 0 {
            let id = |id| (id != u32::MAX).then_some(id);
            match set(id(meta.uid).map(Uid::from_raw), id(meta.gid).map(Gid::from_raw)) {
                Ok(()) => is_right = true,
                // In a user namespace that maps not all ids, or without the capability.
                Err(Errno::PERM | Errno::INVAL) => self.owners += 1,
                Err(errno) => return Err(errno),
            }
        }
        let mask = if is_right { 0o7777 } else { 0o1777 };
        Ok(Mode::from_bits_truncate(meta.mode & mask))
    }

    /// Makes something at `path`. What is in its way goes: a file, a link, an empty directory.
    fn make<T>(
        &mut self,
        what: &str,
        path: &[u8],
        make: impl Fn(&OwnedFd, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, Error> {
        let (parent, name) = split(path);
        let attempt = |tree: &mut Tree| {
            let parent = tree.directory_of(parent, true)?;
            match make(&parent, name) {
                Err(Errno::EXIST) => {
                    tree.parent = None;
                    clear(&parent, name)?;
                    make(&parent, name)
                }
                other => other,
            }
        };
        let result = if name.is_empty() { Err(Errno::ISDIR) } else { attempt(self) };
        result.map_err(|errno| Error::system(format!("make {what} {}", quote(path)), errno))
    }

    /// The directory at `path`, from memory if it is the last one's.
    fn directory_of(&mut self, path: &[u8], make: bool) -> Result<Rc<OwnedFd>, Errno> {
        if let Some((last, directory)) = &self.parent
            && last == path
        {
            return Ok(Rc::clone(directory));
        }
        let directory = self.resolver.directory(path, make)?;
        let mut place = self.parent.take().map_or_else(Vec::new, |(place, _)| place);
        place.clear();
        place.extend_from_slice(path);
        self.parent = Some((place, Rc::clone(&directory)));
        Ok(directory)
    }

    /// Accounts for one more path that is kept in mind.
    fn remember(&mut self, length: usize) -> Result<(), Error> {
        self.memory += length + OVERHEAD;
        if self.memory <= MEMORY {
            return Ok(());
        }
        Err(Error::plain(format!(
            "unpack: more directories and hard links than {} MB of memory hold",
            MEMORY >> 20
        )))
    }
}

/// A path's directory and its last name.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        None => (b"", path),
        Some(slash) => {
            let (parent, name) = path.split_at(slash);
            (parent, name.get(1..).unwrap_or_default())
        }
    }
}

fn file_type(parent: &OwnedFd, name: &[u8]) -> Result<FileType, Errno> {
    let found = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(found.st_mode))
}

/// Removes what is in the way.
fn clear(parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => unlinkat(parent, name, AtFlags::REMOVEDIR),
        other => other,
    }
}

fn times(meta: Meta) -> Timestamps {
    let time = Timespec { tv_sec: meta.mtime.into(), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

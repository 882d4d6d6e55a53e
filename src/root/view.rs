//! A root directory as the programs in it see it: every path begins there, and links are followed
//! inside it, by hand, so that each link on the way is known. The host's own root is one too.
use super::elf::Source;
use super::ldconf::{Files, join};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::CString;

/// As many as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A root directory.
pub(crate) struct View {
    directory: OwnedFd,
    /// Paths without links on which something else is mounted that is not to be seen from here.
    covered: Vec<Vec<u8>>,
    /// A path led to one of these, or to what we may not look at.
    is_blind: Cell<bool>,
}

/// A symbolic link: where it is, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) path: Vec<u8>,
    pub(crate) target: Vec<u8>,
}

/// What a path leads to.
pub(crate) struct Found {
    /// The same without links, absolute.
    pub(crate) path: Vec<u8>,
    /// Those that were followed, in order.
    pub(crate) links: Vec<Link>,
    pub(crate) stat: Stat,
}

impl Found {
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

/// Why a path leads nowhere.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) errno: Errno,
    /// The link that leads nowhere, if it is one.
    pub(crate) link: Option<Link>,
}

/// A file to read from.
pub(crate) struct File(OwnedFd);

impl Source for File {
    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            // The length may be what a broken file says: memory is taken for what is there.
            bytes.reserve((length - bytes.len()).min(1 << 16));
            let at = offset.saturating_add(bytes.len() as u64);
            match rustix::io::pread(&self.0, rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        bytes.truncate(length);
        bytes
    }
}

impl View {
    /// The root directory at this path.
    pub(crate) fn open(path: &[u8]) -> Result<View, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open_at(CWD, path, flags).map(View::new)
    }

    /// The root directory that this is a descriptor of; O_PATH will do.
    pub(crate) fn new(directory: OwnedFd) -> View {
        View { directory, covered: Vec::new(), is_blind: Cell::new(false) }
    }

    /// Leaves out what is at this path and below it (EXDEV), since programs will see something else
    /// there. Nothing, if what that would be cannot be said.
    pub(crate) fn cover(&mut self, path: &[u8]) -> Option<()> {
        let path = match self.resolve(path) {
            Ok(found) => found.path,
            // It will be made.
            Err(_) => {
                let (above, name) = split(path);
                join(&self.resolve(above).ok()?.path, name)
            }
        };
        (path != b"/").then(|| self.covered.push(path))
    }

    /// Whether each path that was followed so far led to what is there, or to nothing.
    pub(crate) fn has_seen_all(&self) -> bool {
        !self.is_blind.get()
    }

    fn note<T>(&self, result: Result<T, Errno>) -> Result<T, Errno> {
        if !matches!(result, Ok(_) | Err(Errno::NOENT | Errno::NOTDIR)) {
            self.is_blind.set(true);
        }
        result
    }

    /// Follows a path to its end. `..` leads no further up than the root.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<Found, Lost> {
        self.follow(path, true)
    }

    /// The same, but a link at the end is not followed.
    pub(crate) fn locate(&self, path: &[u8]) -> Result<Found, Lost> {
        self.follow(path, false)
    }

    fn follow(&self, path: &[u8], last_too: bool) -> Result<Found, Lost> {
        let mut links: Vec<Link> = Vec::new();
        // How much was left to walk behind each of them.
        let mut behind: Vec<usize> = Vec::new();
        let mut done = Vec::new();
        // What is still to be walked, the next last.
        let mut left = parts(path);
        loop {
            let part = left.pop();
            let rest = left.len();
            // A link whose target has been reached is not the one that leads nowhere.
            let fail = |errno, links: &[Link]| {
                let place = behind.iter().rposition(|behind| *behind <= rest);
                Lost { errno, link: place.and_then(|place| links.get(place)).cloned() }
            };
            let Some(part) = part else {
                if done.is_empty() {
                    done.push(b'/');
                }
                let stat = self.stat(&done).map_err(|errno| fail(errno, &links))?;
                return Ok(Found { path: done, links, stat });
            };
            if part == b".." {
                let end = done.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                done.truncate(end);
                continue;
            }
            let next = [&done[..], b"/", &part].concat();
            let stat = self.stat(&next).map_err(|errno| fail(errno, &links))?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink if last_too || !left.is_empty() => {
                    if links.len() == MOST_LINKS {
                        return Err(fail(Errno::LOOP, &links));
                    }
                    let target = self.read_link(&next);
                    let target = target.map_err(|errno| fail(errno, &links))?;
                    if target.starts_with(b"/") {
                        done.clear();
                    }
                    behind.push(rest);
                    left.extend(parts(&target));
                    links.push(Link { path: next, target });
                }
                FileType::Directory => done = next,
                _ if left.is_empty() => return Ok(Found { path: next, links, stat }),
                _ => return Err(fail(Errno::NOTDIR, &links)),
            }
        }
    }

    /// What a link says, by a path without other links.
    pub(crate) fn read_link(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        self.note(read_link_at(self.directory.as_fd(), inside(path)))
    }

    /// lstat(2) of a path without links.
    fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        self.note(match self.covered.iter().any(|covered| covered == path) {
            true => Err(Errno::XDEV),
            false => stat_at(self.directory.as_fd(), inside(path)),
        })
    }

    /// Opens a regular file for reading, by a path without links.
    pub(crate) fn open_file(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_as(path, OFlags::NONBLOCK)
    }

    fn open_as(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.note(open_at(self.directory.as_fd(), inside(path), flags))
    }

    /// A regular file to look into, by a path without links.
    pub(crate) fn file(&self, path: &[u8]) -> Result<File, Errno> {
        self.open_file(path).map(File)
    }

    /// The names in a directory, by a path without links.
    pub(crate) fn entries(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::new(self.open_as(path, OFlags::DIRECTORY)?)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// A file of settings is not larger.
const LONGEST_TEXT: usize = 1 << 20;

impl Files for View {
    fn contents(&self, path: &[u8]) -> Option<Vec<u8>> {
        let found = self.resolve(path).ok()?;
        if found.file_type() != FileType::RegularFile {
            return None;
        }
        Some(self.file(&found.path).ok()?.read(0, LONGEST_TEXT))
    }

    fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let found = self.resolve(directory).ok();
        found.and_then(|found| self.entries(&found.path).ok()).unwrap_or_default()
    }
}

// The calls for paths as bytes. One function each: rustix would make one for every type of path.

/// A path as the kernel takes it.
#[inline(never)]
pub(crate) fn terminated(path: &[u8]) -> Result<CString, Errno> {
    CString::new(path).map_err(|_| Errno::INVAL)
}

/// openat(2) of what is there.
#[inline(never)]
pub(crate) fn open_at(at: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(at, &*terminated(path)?, flags, Mode::empty())
}

/// lstat(2).
#[inline(never)]
pub(crate) fn stat_at(at: BorrowedFd<'_>, path: &[u8]) -> Result<Stat, Errno> {
    rustix::fs::statat(at, &*terminated(path)?, AtFlags::SYMLINK_NOFOLLOW)
}

/// readlink(2).
#[inline(never)]
pub(crate) fn read_link_at(at: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
    Ok(rustix::fs::readlinkat(at, &*terminated(path)?, Vec::new())?.into_bytes())
}

/// mkdir(2), for everybody to enter.
#[inline(never)]
pub(crate) fn make_at(at: BorrowedFd<'_>, path: &[u8]) -> Result<(), Errno> {
    rustix::fs::mkdirat(at, &*terminated(path)?, Mode::from_raw_mode(0o755))
}

/// The parts of a path, the last first.
pub(crate) fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/');
    parts.rev().filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

/// An absolute path as it is called from the root's directory.
pub(crate) fn inside(path: &[u8]) -> &[u8] {
    match path.strip_prefix(b"/") {
        None => path,
        Some([]) => b".",
        Some(rest) => rest,
    }
}

/// The directory that a path is in, and its last part.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (
            path.get(..slash.max(1)).unwrap_or_default(),
            path.get(slash + 1..).unwrap_or_default(),
        ),
        None => (b".", path),
    }
}

/// An absolute path without `.` and empty parts; `..` stays, since a link may come before it.
pub(crate) fn absolute(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let whole = if path.starts_with(b"/") {
        path.to_vec()
    } else {
        join(rustix::process::getcwd(Vec::new())?.to_bytes(), path)
    };
    let mut clean = Vec::new();
    for part in parts(&whole).into_iter().rev() {
        clean.push(b'/');
        clean.extend(part);
    }
    if clean.is_empty() {
        clean.push(b'/');
    }
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn made(test: impl Fn(&View)) {
        let root = std::env::temp_dir().join(format!("unshared-view-{}", std::process::id()));
        let root = root.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(root.join("usr/lib/file"), "text").unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("/lib/file", root.join("absolute")).unwrap();
        symlink("../../../../lib/../lib/file", root.join("usr/up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("/usr/lib/nothing", root.join("dangling")).unwrap();
        test(&View::open(root.as_os_str().as_encoded_bytes()).unwrap());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn links_are_followed_inside_the_root_and_each_is_known() {
        made(|view| {
            let found = view.resolve(b"/absolute").ok().unwrap();
            assert_eq!(found.path, b"/usr/lib/file");
            let links: Vec<_> = found.links.iter().map(|link| link.path.as_slice()).collect();
            assert_eq!(links, [&b"/absolute"[..], b"/lib"]);
            assert_eq!(view.resolve(b"usr/up").ok().unwrap().path, b"/usr/lib/file");
            assert_eq!(view.locate(b"/lib").ok().unwrap().path, b"/lib");
            assert_eq!(view.resolve(b"/../..").ok().unwrap().path, b"/");
            assert_eq!(view.contents(b"/lib/./file").as_deref(), Some(&b"text"[..]));
            assert_eq!(view.names(b"/lib"), [b"file"]);
        });
    }

    #[test]
    fn a_path_that_leads_nowhere_says_by_which_link() {
        made(|view| {
            let lost = view.resolve(b"/dangling").err().unwrap();
            assert_eq!(lost.errno, Errno::NOENT);
            assert_eq!(lost.link.unwrap().target, b"/usr/lib/nothing");
            assert_eq!(view.resolve(b"/loop").err().unwrap().errno, Errno::LOOP);
            assert_eq!(view.resolve(b"/lib/file/x").err().unwrap().errno, Errno::NOTDIR);
            assert!(view.resolve(b"/none").err().unwrap().link.is_none());
            assert!(view.resolve(b"/lib/none").err().unwrap().link.is_none());
            let lost = view.resolve(b"/dangling/deeper").err().unwrap();
            assert_eq!(lost.link.unwrap().path, b"/dangling");
        });
    }
}

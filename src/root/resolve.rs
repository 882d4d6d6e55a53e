//! Paths inside a root: links and `..` on the way lead to places inside of it, never out.
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat};
use rustix::io::Errno;
use std::rc::Rc;

/// How many links a path may lead through, as in the kernel.
const LINKS: u32 = 40;
/// How many directories deep the walk goes: each is an open descriptor.
const DEPTH: usize = 256;

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A root's directory, as where paths start and what they cannot leave.
pub(crate) struct Resolver {
    root: Rc<OwnedFd>,
    /// Whether the kernel has openat2(2): Linux 5.6, and no filter in the way.
    kernel: bool,
}

impl Resolver {
    pub(crate) fn new(root: OwnedFd) -> Resolver {
        Resolver { root: Rc::new(root), kernel: true }
    }

    pub(crate) fn root(&self) -> &Rc<OwnedFd> {
        &self.root
    }

    /// Opens the directory at `path`; with `make`, what is missing of it is made.
    pub(crate) fn directory(&mut self, path: &[u8], make: bool) -> Result<Rc<OwnedFd>, Errno> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if self.kernel {
            let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            match openat2(&self.root, path, DIRECTORY, Mode::empty(), inside) {
                Ok(directory) => return Ok(Rc::new(directory)),
                Err(Errno::NOENT) if make => {}
                // A rename elsewhere in the system, which the kernel cannot tell from one here.
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => self.kernel = false,
                Err(errno) => return Err(errno),
            }
        }
        walk(&self.root, path, make)
    }
}

/// The same component by component. No component is opened through a link; `..` goes back to the
/// directory that was opened before.
fn walk(root: &Rc<OwnedFd>, path: &[u8], make: bool) -> Result<Rc<OwnedFd>, Errno> {
    let mut way = vec![Rc::clone(root)];
    let mut rest = path.to_vec();
    let mut links = 0;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let name: Vec<u8> = rest.drain(..end).collect();
        if !rest.is_empty() {
            rest.remove(0);
        }
        let here = way.last().unwrap_or(root);
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                way.truncate(way.len().saturating_sub(1).max(1));
                continue;
            }
            _ if way.len() > DEPTH => return Err(Errno::NAMETOOLONG),
            _ => {}
        }
        match step(here, &name, make)? {
            Step::Into(directory) => way.push(Rc::new(directory)),
            Step::Link(target) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                if target.first() == Some(&b'/') {
                    way.truncate(1);
                }
                let behind = std::mem::replace(&mut rest, target);
                rest.push(b'/');
                rest.extend_from_slice(&behind);
            }
        }
    }
    Ok(way.pop().unwrap_or_else(|| Rc::clone(root)))
}

enum Step {
    Into(OwnedFd),
    Link(Vec<u8>),
}

/// One component.
fn step(here: &OwnedFd, name: &[u8], make: bool) -> Result<Step, Errno> {
    let open = || openat(here.as_fd(), name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
    let opened = match open() {
        Err(Errno::NOENT) if make => {
            mkdirat(here.as_fd(), name, Mode::from_bits_truncate(0o755))?;
            open()
        }
        other => other,
    };
    match opened {
        Ok(directory) => Ok(Step::Into(directory)),
        Err(Errno::NOTDIR | Errno::LOOP) => match readlinkat(here.as_fd(), name, Vec::new()) {
            Ok(target) => Ok(Step::Link(target.into_bytes())),
            Err(Errno::INVAL) => Err(Errno::NOTDIR),
            Err(errno) => Err(errno),
        },
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::{Path, PathBuf};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("unshared-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("root/usr/bin")).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// Both ways to the path, which must lead to the same.
    fn both(root: &Path, path: &str) -> Result<u64, Errno> {
        let [by_kernel, by_walk] = [true, false].map(|kernel| {
            let mut resolver = Resolver::new(open(root));
            resolver.kernel = kernel;
            let directory = resolver.directory(path.as_bytes(), false)?;
            Ok(rustix::fs::fstat(&*directory)?.st_ino)
        });
        assert_eq!(by_kernel, by_walk, "{path}");
        by_kernel
    }

    #[test]
    fn links_lead_to_places_inside_on_both_ways() {
        let folder = Folder::new("resolve");
        let root = folder.0.join("root");
        fs::create_dir(folder.0.join("outside")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        for (target, link) in [
            ("usr/bin", "bin"),
            ("/usr", "absolute"),
            ("../../../usr/bin", "up"),
            ("loop", "loop"),
            ("absolute/../absolute/bin", "long"),
            ("../outside", "usr/out"),
            ("nothing", "dangling"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let inode = |path: &str| Ok(fs::metadata(root.join(path)).unwrap().ino());
        for path in ["bin", "up", "long", "absolute/bin", "usr/../bin/.", "../../usr/bin"] {
            assert_eq!(both(&root, path), inode("usr/bin"), "{path}");
        }
        assert_eq!(both(&root, "bin/../.."), inode("."));
        assert_eq!(both(&root, "loop/x"), Err(Errno::LOOP));
        assert_eq!(both(&root, "usr/out"), Err(Errno::NOENT));
        assert_eq!(both(&root, "dangling"), Err(Errno::NOENT));
        assert_eq!(both(&root, "file"), Err(Errno::NOTDIR));
        assert_eq!(both(&root, "file/x"), Err(Errno::NOTDIR));
    }

    #[test]
    fn what_is_missing_is_made_inside() {
        let folder = Folder::new("make");
        let root = folder.0.join("root");
        symlink("../../made/deep", root.join("link")).unwrap();
        for kernel in [true, false] {
            let mut resolver = Resolver::new(open(&root));
            resolver.kernel = kernel;
            resolver.directory(b"link/x", true).unwrap();
            assert!(root.join("made/deep/x").is_dir());
            assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
            fs::remove_dir_all(root.join("made")).unwrap();
        }
    }
}

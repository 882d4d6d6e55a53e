//! Programs with all that they need, and folders, copied from the host into a root.
use super::closure::{Closure, Entry, Kind, Settings};
use super::target::{Put, Target};
use super::view::{Found, View, absolute, split};
use super::why;
use crate::error::{Error, quote};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

/// What is to be brought in.
#[derive(Default)]
pub(crate) struct Wanted {
    /// `--bin`: names or paths.
    pub(crate) programs: Vec<Vec<u8>>,
    /// `--add`: a path of the host, and where it goes.
    pub(crate) added: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Wanted {
    /// Whether that is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.added.is_empty()
    }
}

/// A file of a folder that is added.
struct Added {
    from: Vec<u8>,
    to: Vec<u8>,
    stat: Stat,
}

/// All that will be copied.
pub(crate) struct List<'a> {
    host: &'a View,
    closure: Closure<'a>,
    /// The programs' own paths.
    programs: Vec<Vec<u8>>,
    added: Vec<Added>,
}

impl<'a> List<'a> {
    /// Looks at the host for all that is wanted. `root` is left out where it is in what is added.
    pub(crate) fn look(
        host: &'a View,
        settings: &'a Settings,
        wanted: &Wanted,
        root: Option<(u64, u64)>,
    ) -> Result<List<'a>, Error> {
        let closure = Closure::new(host, settings);
        let mut list = List { host, closure, programs: Vec::new(), added: Vec::new() };
        for program in &wanted.programs {
            list.program(program)?;
        }
        for (path, to) in &wanted.added {
            list.add(path, to.as_deref(), root)?;
        }
        list.layout();
        Ok(list)
    }

    fn program(&mut self, name: &[u8]) -> Result<(), Error> {
        let path = if name.contains(&b'/') {
            absolute(name).map_err(|errno| cannot_find(name, errno))?
        } else {
            self.closure.in_path(name).ok_or_else(|| {
                cannot_find(name, Errno::NOENT).hint("it is in no directory of PATH")
            })?
        };
        if let Ok(found) = self.host.resolve(&path) {
            match found.file_type() {
                FileType::RegularFile => {}
                FileType::Directory => {
                    return Err(cannot_find(name, Errno::ISDIR).hint("--add takes folders"));
                }
                _ => return Err(cannot_find(name, Errno::INVAL).hint("it is no file")),
            }
        }
        self.closure.program(&path, "program", b"");
        self.programs.push(path);
        Ok(())
    }

    /// A file or a folder, to be at `to`, or where it is on the host, with the links that lead to it.
    fn add(
        &mut self,
        path: &[u8],
        to: Option<&[u8]>,
        root: Option<(u64, u64)>,
    ) -> Result<(), Error> {
        let whole = absolute(path).map_err(|errno| cannot_add(path, errno))?;
        let found = self.host.resolve(&whole).map_err(|lost| cannot_add(path, lost.errno))?;
        if to.is_none() && self.closure.take(&whole, b"").is_err() {
            return Err(cannot_add(path, Errno::NOENT));
        }
        let device = found.stat.st_dev;
        let to = to.map_or_else(|| found.path.clone(), |to| destination(to, &found.path));
        let mut left = vec![(found, to)];
        while let Some((Found { path, stat, .. }, to)) = left.pop() {
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    // What is mounted in a folder is not part of it; and a root in itself has no end.
                    if stat.st_dev != device || root == Some((stat.st_dev, stat.st_ino)) {
                        continue;
                    }
                    let names =
                        self.host.entries(&path).map_err(|errno| cannot_add(&path, errno))?;
                    for name in names.into_iter().rev() {
                        let child = super::ldconf::join(&path, &name);
                        // It may be gone since.
                        if let Ok(found) = self.host.locate(&child) {
                            left.push((found, super::ldconf::join(&to, &name)));
                        }
                    }
                }
                FileType::RegularFile => self.closure.needs_of_added(&path),
                _ => {}
            }
            self.added.push(Added { from: path, to, stat });
        }
        Ok(())
    }

    /// Adds the links by which old names lead to merged directories (`/bin` to `usr/bin`): scripts and
    /// people use those names.
    fn layout(&mut self) {
        for path in [&b"/bin"[..], b"/sbin", b"/lib", b"/lib32", b"/lib64", b"/libx32"] {
            let Ok(found) = self.host.resolve(path) else { continue };
            let below = |other: &[u8]| {
                other.strip_prefix(&*found.path).is_some_and(|rest| rest.starts_with(b"/"))
            };
            let entries = self.closure.entries.iter().map(|entry| &entry.path);
            if entries.chain(self.added.iter().map(|added| &added.to)).any(|path| below(path)) {
                let _ = self.closure.take(path, b"");
            }
        }
    }

    /// Fails if something is missing that a program does not run without.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut missing = self.closure.missing.iter().filter(|missing| !missing.optional);
        let Some(first) = missing.next() else { return Ok(()) };
        let error = first.error();
        Err(match missing.count() {
            0 => error,
            more => error.more(&format!("{more} more: see --list")),
        })
    }

    /// How much is missing that programs run without.
    pub(crate) fn left_out(&self) -> usize {
        self.closure.missing.len()
    }

    /// One path a line, and after a tab what needs it; what is missing says so.
    pub(crate) fn text(&self) -> String {
        let text = |path: &[u8]| crate::error::escape(path);
        let mut lines = String::new();
        for Entry { path, kind, by } in &self.closure.entries {
            lines.push_str(&text(path));
            if let Kind::Link(target) = kind {
                lines.push_str(" -> ");
                lines.push_str(&text(target));
            }
            if !by.is_empty() {
                lines.push_str("\tfor ");
                lines.push_str(&text(by));
            }
            lines.push('\n');
        }
        for added in &self.added {
            lines.push_str(&text(&added.to));
            lines.push_str("\tfrom ");
            lines.push_str(&text(&added.from));
            lines.push('\n');
        }
        for missing in &self.closure.missing {
            let degree = if missing.optional { "missing, not essential" } else { "missing" };
            lines.push_str(&format!("{}\t{degree}", text(&missing.name)));
            if !missing.by.is_empty() {
                lines.push_str(&format!(", for {}", text(&missing.by)));
            }
            if let Some(link) = &missing.link {
                lines.push_str(&format!(
                    ", {} is a link to {}",
                    text(&link.path),
                    text(&link.target)
                ));
            }
            lines.push('\n');
        }
        lines
    }

    /// Copies everything into the root.
    pub(crate) fn copy(&self, target: &mut Target) -> Result<(), Error> {
        let mut in_the_way = Vec::new();
        for Entry { path, kind, .. } in &self.closure.entries {
            let put = match kind {
                Kind::File => self.file(path, path, target),
                Kind::Link(to) => target.link(path, to),
            };
            match (put.map_err(|errno| failed(path, errno))?, kind) {
                (Put::Done, _) => {}
                (Put::Directory, Kind::File) => return Err(failed(path, Errno::ISDIR)),
                (Put::Directory, Kind::Link(_)) => in_the_way.push(path),
            }
        }
        self.copy_added(target)?;
        for path in in_the_way {
            self.stand_in(path, target)?;
        }
        Ok(())
    }

    fn file(&self, from: &[u8], to: &[u8], target: &mut Target) -> Result<Put, Errno> {
        target.file(to, &self.host.open_file(from)?)
    }

    fn copy_added(&self, target: &mut Target) -> Result<(), Error> {
        for Added { from, to, stat } in &self.added {
            let put = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => target.directory(to).map(|_| Put::Done),
                FileType::RegularFile => self.file(from, to, target),
                FileType::Symlink => {
                    self.host.read_link(from).and_then(|link| target.link(to, &link))
                }
                // Nobody listens at a copy of a socket.
                FileType::Socket | FileType::Unknown => Ok(Put::Done),
                FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice => {
                    target.node(to, stat)
                }
            };
            if put.map_err(|errno| failed(to, errno))? == Put::Directory {
                return Err(failed(to, Errno::ISDIR));
            }
        }
        // From the inside out: what is put into a directory changes its times.
        for Added { to, stat, .. } in self.added.iter().rev() {
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && to != b"/" {
                target.dress_directory(to, stat).map_err(|errno| failed(to, errno))?;
            }
        }
        Ok(())
    }

    /// The host has a link at `path` (`/lib` to `usr/lib`) where the root has a directory. Everything
    /// that was to be reached through that link gets a link of its own in the directory.
    fn stand_in(&self, path: &[u8], target: &mut Target) -> Result<(), Error> {
        let Ok(real) = self.host.resolve(path) else { return Ok(()) };
        for entry in &self.closure.entries {
            let Some(rest) = entry.path.strip_prefix(&real.path[..]) else { continue };
            if !rest.starts_with(b"/") {
                continue;
            }
            let there = [path, rest].concat();
            let mut identity = |path: &[u8]| {
                let (directory, name) = split(path);
                let directory = target.directory(directory)?;
                rustix::fs::fstat(&*directory).map(|stat| (stat.st_ino, name.to_vec()))
            };
            // In the root it may be the other way round, and the two be one.
            let (one, other) = (identity(&there), identity(&entry.path));
            if one.map_err(|errno| failed(&there, errno))?
                != other.map_err(|errno| failed(&entry.path, errno))?
            {
                target.link(&there, &entry.path).map_err(|errno| failed(&there, errno))?;
            }
        }
        Ok(())
    }

    /// Fails if a program would not run in the root all the same.
    pub(crate) fn verify(&self, root: &View, settings: &Settings) -> Result<(), Error> {
        for program in &self.programs {
            if let Some(why) = why::of(root, program, settings, |_| true) {
                let program = quote(program);
                return Err(
                    Error::plain(format!("{program} will not run in the root")).hint(why.text())
                );
            }
        }
        Ok(())
    }
}

/// Where in the root something goes: `..` leads no further up than the root, and a slash at the end
/// means that the name stays.
fn destination(to: &[u8], from: &[u8]) -> Vec<u8> {
    let mut left = super::view::parts(to);
    if to.ends_with(b"/") {
        left.insert(0, split(from).1.to_vec());
    }
    let mut way = Vec::new();
    for part in left.into_iter().rev() {
        match part == b".." {
            true => drop(way.pop()),
            false => way.push(part),
        }
    }
    [b"/", &*way.join(&b'/')].concat()
}

#[inline(never)]
fn cannot_add(path: &[u8], errno: Errno) -> Error {
    Error::system(format!("add {}", quote(path)), errno)
}

#[inline(never)]
fn cannot_find(name: &[u8], errno: Errno) -> Error {
    Error::system(format!("find program {}", quote(name)), errno)
}

#[inline(never)]
fn failed(path: &[u8], errno: Errno) -> Error {
    Error::system(format!("copy {} into the root", quote(path)), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_inside_the_root_and_keeps_the_name_after_a_slash() {
        for (to, expected) in [
            ("/a/b", "/a/b"),
            ("/a/", "/a/name"),
            ("/", "/name"),
            ("/../../a/./../b", "/b"),
            ("/..", "/"),
        ] {
            assert_eq!(destination(to.as_bytes(), b"/x/name"), expected.as_bytes(), "{to}");
        }
    }
}

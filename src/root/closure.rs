//! What programs need to run: from programs to the list of files. Files are looked at, never executed;
//! the loader is not asked either.
mod libraries;
mod modules;
mod script;

use super::elf::{self, Elf};
use super::view::{Found, Link, View};
use crate::error::{Error, quote};
#[cfg(fuzzing)]
pub(super) use modules::Uses;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::rc::Rc;

/// How an entry of the list comes into a root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file to copy.
    File,
    /// A symbolic link to this.
    Link(Vec<u8>),
}

/// One path of the list.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Absolute; no part but the last is a link.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// What needs it; empty for what was asked for.
    pub(crate) by: Vec<u8>,
}

/// What is needed and not there.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The name of a library, or the path of an interpreter, a loader or a program.
    pub(crate) name: Vec<u8>,
    /// What it is: `library`, `loader`, `interpreter`, `program`.
    pub(crate) what: &'static str,
    pub(crate) by: Vec<u8>,
    pub(crate) errno: Errno,
    /// The link that leads to it.
    pub(crate) link: Option<Link>,
    /// The program runs without it, perhaps doing less.
    pub(crate) optional: bool,
}

impl Missing {
    /// The error that it is.
    pub(crate) fn error(&self) -> Error {
        let attempt = format!("find {} {}", self.what, quote(&self.name));
        Error::system(attempt, self.errno).maybe_hint(self.why())
    }

    /// Who needs it, and the link that leads nowhere.
    fn why(&self) -> Option<String> {
        let lossy = |path: &[u8]| crate::error::escape(path);
        let by = (!self.by.is_empty()).then(|| format!("{} needs it", lossy(&self.by)));
        let link = self.link.as_ref().map(|link| {
            let (path, target) = (lossy(&link.path), lossy(&link.target));
            format!("{path} is a link to {target}, which is not there")
        });
        match (by, link) {
            (Some(by), Some(link)) => Some(format!("{by}; {link}")),
            (by, link) => by.or(link),
        }
    }
}

/// What of the caller's environment and settings the list depends on.
#[derive(Default)]
pub(crate) struct Settings {
    /// The directories of PATH.
    pub(crate) path: Vec<u8>,
    /// The terminal's name.
    pub(crate) term: Vec<u8>,
    /// The text of nsswitch.conf(5) that names the modules.
    pub(crate) nsswitch: Vec<u8>,
}

/// An ELF file that was looked at.
struct Object {
    elf: Elf,
    uses: modules::Uses,
}

/// The list as it grows.
pub(crate) struct Closure<'a> {
    view: &'a View,
    settings: &'a Settings,
    pub(crate) entries: Vec<Entry>,
    pub(crate) missing: Vec<Missing>,
    /// The paths of all entries, sorted.
    known: Vec<Vec<u8>>,
    /// The objects that were looked at, sorted by path; nothing for what is no ELF file.
    objects: Vec<(Vec<u8>, Option<Rc<Object>>)>,
    /// The directories of ld.so.conf, once they were read.
    configured: Option<Vec<Vec<u8>>>,
    /// How many scripts' interpreters deep we are.
    depth: u32,
}

/// The kernel gives up earlier (ELOOP).
const MOST_INTERPRETERS: u32 = 8;

impl<'a> Closure<'a> {
    /// An empty list of what is in this root.
    pub(crate) fn new(view: &'a View, settings: &'a Settings) -> Closure<'a> {
        Closure {
            view,
            settings,
            entries: Vec::new(),
            missing: Vec::new(),
            known: Vec::new(),
            objects: Vec::new(),
            configured: None,
            depth: 0,
        }
    }

    /// Adds a program by its absolute path, with all that it needs.
    pub(crate) fn program(&mut self, path: &[u8], what: &'static str, by: &[u8]) {
        let found = match self.take(path, by) {
            Ok(found) => found,
            Err(missing) => return self.miss(Missing { what, ..missing }),
        };
        let Some((found, true)) = found else { return };
        if let Err(errno) = self.view.file(&found.path) {
            // It may be executed, perhaps, but neither looked into nor copied.
            return self.lacks(path, what, by, false, errno);
        }
        match self.object(&found.path) {
            Some(object) => self.libraries(&found.path, object),
            None if self.depth < MOST_INTERPRETERS => {
                self.depth += 1;
                self.interpreter(&found.path);
                self.depth -= 1;
            }
            None => {}
        }
    }

    /// Adds what a file needs that is in the root already, or gets there in another way. What is
    /// missing is no failure: who adds a whole folder need not want to run all that is in it.
    pub(crate) fn needs_of_added(&mut self, path: &[u8]) {
        if let Some(object) = self.object(path) {
            let first = self.missing.len();
            self.libraries(path, object);
            let new = self.missing.iter_mut().skip(first);
            new.for_each(|missing| missing.optional = true);
        }
    }

    /// Adds a file and each link that leads to it. Says whether it is new; nothing, if the path leads
    /// to a directory, of which only the links are taken.
    pub(super) fn take(
        &mut self,
        path: &[u8],
        by: &[u8],
    ) -> Result<Option<(Found, bool)>, Missing> {
        match self.view.resolve(path) {
            Ok(found) => {
                let new = self.record(&found, by);
                Ok((found.file_type() != FileType::Directory).then_some((found, new)))
            }
            Err(lost) => Err(Missing {
                name: path.to_vec(),
                what: "file",
                by: by.to_vec(),
                errno: lost.errno,
                link: lost.link,
                optional: false,
            }),
        }
    }

    /// Enters what was found, and the links on the way to it. Whether it is new.
    fn record(&mut self, found: &Found, by: &[u8]) -> bool {
        for link in &found.links {
            self.enter(&link.path, Kind::Link(link.target.clone()), by);
        }
        found.file_type() == FileType::RegularFile && self.enter(&found.path, Kind::File, by)
    }

    fn enter(&mut self, path: &[u8], kind: Kind, by: &[u8]) -> bool {
        let Err(place) = self.known.binary_search_by(|known| known.as_slice().cmp(path)) else {
            return false;
        };
        self.known.insert(place, path.to_vec());
        self.entries.push(Entry { path: path.to_vec(), kind, by: by.to_vec() });
        true
    }

    /// Enters that something cannot be had.
    fn lacks(&mut self, name: &[u8], what: &'static str, by: &[u8], optional: bool, errno: Errno) {
        self.miss(Missing {
            name: name.to_vec(),
            what,
            by: by.to_vec(),
            errno,
            link: None,
            optional,
        });
    }

    #[inline(never)]
    fn miss(&mut self, missing: Missing) {
        let same = |other: &Missing| other.name == missing.name && other.by == missing.by;
        if !self.missing.iter().any(same) {
            self.missing.push(missing);
        }
    }

    /// The ELF file at a path without links, looked at once.
    fn object(&mut self, path: &[u8]) -> Option<Rc<Object>> {
        match self.objects.binary_search_by(|(known, _)| known.as_slice().cmp(path)) {
            Ok(place) => self.objects.get(place).and_then(|(_, object)| object.clone()),
            Err(place) => {
                let object = self.view.file(path).ok().and_then(|file| {
                    let elf = elf::read(&file).ok()?;
                    let uses = modules::Uses::of(&elf, &file);
                    Some(Rc::new(Object { elf, uses }))
                });
                self.objects.insert(place, (path.to_vec(), object.clone()));
                object
            }
        }
    }

    /// A program by its name: as execvp(3) finds it.
    pub(crate) fn in_path(&self, name: &[u8]) -> Option<Vec<u8>> {
        let directories = self.settings.path.split(|byte| *byte == b':');
        directories.filter(|directory| directory.starts_with(b"/")).find_map(|directory| {
            let path = super::ldconf::join(directory, name);
            let found = self.view.resolve(&path).ok()?;
            let executable = found.stat.st_mode & 0o111 != 0;
            (found.file_type() == FileType::RegularFile && executable).then_some(path)
        })
    }
}

/// What a script needs.
pub(crate) const INTERPRETER: &str = "interpreter";
/// What the loader looks for, and not execve(2).
pub(crate) const LIBRARY: &str = "library";

/// Reads the first bytes of a script.
#[cfg(fuzzing)]
pub(super) fn fuzz_script(head: &[u8]) {
    script::fuzz(head);
}

/// Reads nsswitch.conf(5).
#[cfg(fuzzing)]
pub(super) fn fuzz_nsswitch(text: &[u8]) {
    for name in modules::opened(Uses::all(), text) {
        assert!(!name.contains(&b'/'), "a module that is somewhere else");
    }
}

#[cfg(test)]
mod tests;

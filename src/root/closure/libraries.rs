//! Libraries as the loader searches them (ld.so(8)), breadth first as it does.
use super::{Closure, Kind, Missing, Object};
use crate::root::elf;
use crate::root::ldconf::{self, join};
use crate::root::view::{Found, split};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::rc::Rc;

/// An object in the memory of a process that there is not.
struct Loaded {
    /// As it was found: `$ORIGIN` is its directory.
    path: Vec<u8>,
    object: Rc<Object>,
    /// What it was asked for as.
    name: Vec<u8>,
    /// Which one needed it first.
    loader: Option<usize>,
}

/// One such process.
struct Process {
    kind: elf::Kind,
    loaded: Vec<Loaded>,
    /// The directories of musl's loader, if that is the loader.
    musl: Option<Vec<Vec<u8>>>,
    /// Libraries that ld.so.conf led to, in directories that are not built in: name, path, and who
    /// needs it.
    configured: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
}

/// How a library was found.
struct Hit {
    /// Its path with links.
    path: Vec<u8>,
    found: Found,
    object: Rc<Object>,
    /// By ld.so.conf, in a directory that is not built in.
    configured: bool,
}

/// No process has more.
const MOST_LOADED: usize = 4096;

impl Closure<'_> {
    /// Adds the loader and all libraries of the object at `path`, which has no links.
    pub(super) fn libraries(&mut self, path: &[u8], object: Rc<Object>) {
        let kind = object.elf.kind;
        let interpreter = object.elf.interpreter.clone();
        let main = Loaded { path: path.to_vec(), object, name: path.to_vec(), loader: None };
        let mut process = Process { kind, loaded: vec![main], musl: None, configured: Vec::new() };
        if let Some(interpreter) = interpreter {
            self.loader(path, &interpreter, &mut process);
        }
        let mut asked = super::modules::Uses::default();
        let mut index = 0;
        while let Some(loaded) = process.loaded.get(index) {
            let (object, by) = (loaded.object.clone(), loaded.path.clone());
            for name in &object.elf.needed {
                if !self.library(name, index, &mut process) {
                    self.lacks(name, super::LIBRARY, &by, false, Errno::NOENT);
                }
                super::modules::named(self, name, &by);
            }
            // What the C library opens by itself, for those that call certain functions of it.
            let new = object.uses.without(asked);
            asked = asked.with(object.uses);
            if process.musl.is_none() {
                for name in super::modules::opened(new, &self.settings.nsswitch) {
                    if !self.library(&name, index, &mut process) {
                        self.lacks(&name, super::LIBRARY, &by, true, Errno::NOENT);
                    }
                }
            }
            index += 1;
        }
        self.stand_ins(&process);
    }

    /// A root need not have the ld.so.cache that leads to what ld.so.conf names. A link in a directory
    /// that the loader searches by itself does as well.
    fn stand_ins(&mut self, process: &Process) {
        let Some(directory) = process.home() else { return };
        // Without links, as all paths of the list.
        let Ok(directory) = self.view.resolve(&directory) else { return };
        for (name, path, by) in &process.configured {
            let link = join(&directory.path, name);
            if self.view.locate(&link).is_err() {
                self.enter(&link, Kind::Link(path.clone()), by);
            }
        }
    }

    /// Adds the loader. It is in memory like a library, and musl's is the C library too.
    fn loader(&mut self, by: &[u8], loader: &[u8], process: &mut Process) {
        let found = match self.take(loader, by) {
            Ok(Some((found, _))) => found,
            Ok(None) => return,
            Err(missing) => return self.miss(Missing { what: "loader", ..missing }),
        };
        if let Some(file) = ldconf::musl_file(loader) {
            let list = ldconf::Files::contents(self.view, &file);
            if list.is_some() {
                let _ = self.take(&file, loader);
            }
            process.musl = Some(ldconf::musl_directories(list.as_deref()));
        }
        if let Some(object) = self.object(&found.path) {
            let name = loader.to_vec();
            process.loaded.push(Loaded { path: name.clone(), object, name, loader: Some(0) });
        }
    }

    /// Adds the library that the object `by` of the process calls `name`. False if it is not there.
    #[inline(never)]
    fn library(&mut self, name: &[u8], by: usize, process: &mut Process) -> bool {
        let same = |loaded: &Loaded| {
            loaded.name == name || loaded.object.elf.soname.as_deref() == Some(name)
        };
        if process.loaded.iter().any(same) || process.musl.is_some() && own_of_musl(name) {
            return true;
        }
        let Some(hit) = self.search(name, by, process) else { return false };
        let needed_by = process.loaded.get(by).map_or(&b""[..], |loaded| &loaded.path).to_vec();
        self.record(&hit.found, &needed_by);
        if hit.configured {
            process.configured.push((name.to_vec(), hit.path.clone(), needed_by));
        }
        if process.loaded.len() < MOST_LOADED {
            let (path, object, name) = (hit.path, hit.object, name.to_vec());
            process.loaded.push(Loaded { path, object, name, loader: Some(by) });
        }
        true
    }

    fn search(&mut self, name: &[u8], by: usize, process: &Process) -> Option<Hit> {
        if name.contains(&b'/') {
            // A relative one depends on the working directory of the program.
            let mut paths = process.expand(name, by).into_iter();
            return paths.find_map(|path| match path.starts_with(b"/") {
                true => self.candidate(path, process.kind),
                false => None,
            });
        }
        for directory in process.own_directories(by) {
            if let Some(hit) = self.candidate(join(&directory, name), process.kind) {
                return Some(hit);
            }
        }
        if let Some(directories) = &process.musl {
            let mut paths = directories.iter().map(|directory| join(directory, name));
            return paths.find_map(|path| self.candidate(path, process.kind));
        }
        let view = self.view;
        let configured = self.configured.get_or_insert_with(|| ldconf::configured(view)).clone();
        let built_in = ldconf::built_in(process.kind);
        let no_default = process.loaded.get(by).is_some_and(|loaded| loaded.object.elf.no_default);
        for directory in configured.iter().chain(&built_in) {
            if no_default && built_in.contains(directory) {
                continue;
            }
            if let Some(mut hit) = self.candidate(join(directory, name), process.kind) {
                hit.configured = !built_in.contains(directory);
                return Some(hit);
            }
        }
        None
    }

    /// A library, if there is one here for programs of this kind: the loader passes over others.
    #[inline(never)]
    fn candidate(&mut self, path: Vec<u8>, kind: elf::Kind) -> Option<Hit> {
        let found = self.view.resolve(&path).ok()?;
        if found.file_type() != FileType::RegularFile {
            return None;
        }
        let object = self.object(&found.path)?;
        (object.elf.kind == kind).then_some(Hit { path, found, object, configured: false })
    }
}

impl Process {
    /// The directory of the C library, which the loader searches by itself.
    fn home(&self) -> Option<Vec<u8>> {
        let libc = self.loaded.iter().find(|loaded| loaded.name == b"libc.so.6")?;
        Some(split(&libc.path).0.to_vec())
    }

    /// The directories that the objects themselves name for what the object `by` needs.
    fn own_directories(&self, by: usize) -> Vec<Vec<u8>> {
        let mut directories = Vec::new();
        let Some(needing) = self.loaded.get(by) else { return directories };
        let musl = self.musl.is_some();
        if musl || needing.object.elf.runpath.is_none() {
            // The RPATH of the object, of who loaded it, and so on; and that of the program. musl
            // takes RUNPATH for the same thing.
            let mut next = Some(by);
            while let Some(index) = next
                && let Some(loaded) = self.loaded.get(index)
            {
                let elf = &loaded.object.elf;
                let list = match (&elf.rpath, &elf.runpath) {
                    (_, Some(runpath)) => musl.then_some(runpath),
                    (rpath, None) => rpath.as_ref(),
                };
                if let Some(list) = list {
                    directories.extend(self.list(list, index));
                }
                // Who loaded it comes before it in the list, so this has an end.
                next = loaded.loader.filter(|loader| *loader < index);
            }
        } else if let Some(runpath) = &needing.object.elf.runpath {
            directories.extend(self.list(runpath, by));
        }
        directories
    }

    /// The directories of an RPATH or a RUNPATH of the object `of`. An empty or relative one depends on
    /// the working directory of the program, which nobody knows.
    fn list(&self, list: &[u8], of: usize) -> Vec<Vec<u8>> {
        let parts = list.split(|byte| *byte == b':');
        let expanded = parts.flat_map(|part| self.expand(part, of));
        expanded.filter(|path| path.starts_with(b"/")).collect()
    }

    /// A path of the object `of` with `$ORIGIN`, `$LIB` and `$PLATFORM` replaced. What `$LIB` is
    /// depends on the loader's maker, so there may be several.
    fn expand(&self, path: &[u8], of: usize) -> Vec<Vec<u8>> {
        let origin = self.loaded.get(of).map_or(&b""[..], |loaded| split(&loaded.path).0);
        let platform = ldconf::platform(self.kind).as_bytes();
        let mut paths = Vec::new();
        for lib in ldconf::dst_lib(self.kind) {
            let words = [
                (&b"ORIGIN"[..], origin),
                (&b"LIB"[..], lib.as_bytes()),
                (&b"PLATFORM"[..], platform),
            ];
            let expanded = replace(path, &words);
            if !paths.contains(&expanded) {
                paths.push(expanded);
            }
        }
        paths
    }
}

/// Replaces `$WORD` and `${WORD}`.
fn replace(text: &[u8], words: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let word = (*byte == b'$').then(|| {
            words.iter().find_map(|(word, value)| {
                let braced = after.strip_prefix(b"{").and_then(|after| after.strip_prefix(*word));
                let behind = braced.and_then(|after| after.strip_prefix(b"}"));
                behind.or_else(|| after.strip_prefix(*word)).map(|behind| (*value, behind))
            })
        });
        if let Some(Some((value, behind))) = word {
            result.extend(value);
            rest = behind;
        } else {
            result.push(*byte);
            rest = after;
        }
    }
    result
}

/// musl's loader is also these libraries, whatever follows on the dot.
fn own_of_musl(name: &[u8]) -> bool {
    let Some(name) = name.strip_prefix(b"lib") else { return false };
    let name = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    matches!(name, b"c" | b"pthread" | b"rt" | b"m" | b"dl" | b"util" | b"xnet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_with_and_without_braces() {
        let words = [(&b"ORIGIN"[..], &b"/here"[..]), (&b"LIB"[..], &b"lib64"[..])];
        assert_eq!(replace(b"$ORIGIN/../$LIB", &words), b"/here/../lib64");
        assert_eq!(replace(b"${ORIGIN}x:${LIB", &words), b"/herex:${LIB");
        assert_eq!(replace(b"$", &words), b"$");
        assert_eq!(replace(b"/plain", &words), b"/plain");
    }

    #[test]
    fn musl_is_its_own_libraries() {
        assert!(own_of_musl(b"libc.so") && own_of_musl(b"libc.musl-x86_64.so.1"));
        assert!(own_of_musl(b"libpthread.so.0"));
        assert!(!own_of_musl(b"libcap.so.2") && !own_of_musl(b"libz.so.1"));
    }
}

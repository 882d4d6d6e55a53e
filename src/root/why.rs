//! Why a command cannot be executed in a root: what is missing there, and what would bring it in.
use super::closure::{Closure, INTERPRETER, LIBRARY, Missing, Settings};
use super::ldconf::{Files, join};
use super::view::View;
use crate::error::escape;
use crate::step::word;

/// The first thing that a program in a root lacks there.
pub(crate) struct Why {
    program: Vec<u8>,
    missing: Missing,
}

/// Looks for it, among what `counts`.
pub(super) fn of(
    root: &View,
    program: &[u8],
    settings: &Settings,
    counts: impl Fn(&Missing) -> bool,
) -> Option<Why> {
    let mut closure = Closure::new(root, settings);
    closure.program(program, "program", b"");
    let missing = closure.missing.into_iter().find(|missing| !missing.optional && counts(missing));
    missing.map(|missing| Why { program: program.to_vec(), missing })
}

impl Why {
    /// What is missing, and who needs it.
    pub(crate) fn text(&self) -> String {
        let Missing { name, what, by, link, .. } = &self.missing;
        match link {
            Some(link) => format!(
                "{} is a link to {}, which is not in the root",
                escape(&link.path),
                escape(&link.target)
            ),
            None if by.is_empty() => format!("{} is not in the root", escape(name)),
            None => format!(
                "the {what} {}, which {} needs, is not in the root",
                escape(name),
                escape(by)
            ),
        }
    }

    /// The command that would put it right, where the host has what is missing.
    fn remedy(&self, root: &[u8]) -> Option<String> {
        // A program brings its libraries with it, but a script of the root's own is nowhere else.
        let is_of_script = self.missing.what == INTERPRETER;
        remedy(root, if is_of_script { &self.missing.name } else { &self.program })
    }
}

/// The command that would bring this program in, where the host has all of it. `root` is how the root
/// is called on the command line.
fn remedy(root: &[u8], program: &[u8]) -> Option<String> {
    let host = View::open(b"/").ok()?;
    let settings = super::settings(&host, None);
    let mut closure = Closure::new(&host, &settings);
    let path = match program.contains(&b'/') {
        true => program.to_vec(),
        false => closure.in_path(program)?,
    };
    closure.program(&path, "program", b"");
    if closure.missing.iter().any(|missing| !missing.optional) {
        return None;
    }
    let line = format!("unshared-cli make-root {} --bin {}", word(root), word(program));
    Some(format!("{} brings it in", escape(line)))
}

/// A command that was to be executed in a root, as its first one.
pub(crate) struct Attempt<'a> {
    /// How the root is called on the command line, and where it is.
    pub(crate) root: &'a [u8],
    pub(crate) directory: &'a [u8],
    /// What something else is mounted on, inside the root.
    pub(crate) covered: Vec<&'a [u8]>,
    pub(crate) command: &'a [u8],
    pub(crate) cwd: &'a [u8],
    /// PATH of the command's environment.
    pub(crate) path: &'a [u8],
}

impl Attempt<'_> {
    /// execve(2) said ENOENT: what it did not find. Nothing, if that is not to be seen from here.
    pub(crate) fn not_found(&self) -> Option<String> {
        let (root, settings) = self.root()?;
        let (text, remedy) = match self.program(&root) {
            None => {
                let text = format!("not found in PATH {}", escape(self.path));
                (text, remedy(self.root, self.command))
            }
            Some(program) => {
                let why = of(&root, &program, &settings, |missing| missing.what != LIBRARY)?;
                (why.text(), why.remedy(self.root))
            }
        };
        told(&root, text, remedy)
    }

    /// It was executed and ended with 127, as loaders and env(1) do that do not find what it needs.
    pub(crate) fn not_loaded(&self) -> Option<String> {
        let (root, settings) = self.root()?;
        let program = self.program(&root)?;
        let cache = root.contents(b"/etc/ld.so.cache").unwrap_or_default();
        let why = of(&root, &program, &settings, |missing| {
            let Missing { what, name, by, .. } = missing;
            // What the cache leads to may be anywhere.
            let is_cached =
                *what == LIBRARY && cache.windows(name.len().max(1)).any(|at| at == name);
            !by.is_empty() && !is_cached
        })?;
        told(&root, why.text(), why.remedy(self.root))
    }

    /// The root as the command saw it, as far as that is to be seen.
    fn root(&self) -> Option<(View, Settings)> {
        let mut root = View::open(self.directory).ok()?;
        for path in &self.covered {
            root.cover(path)?;
        }
        Some((root, Settings { path: self.path.to_vec(), ..Settings::default() }))
    }

    /// The path that the command was looked for at. Of those that PATH makes, it is the first at which
    /// there is something, be it a link that leads nowhere.
    fn program(&self, root: &View) -> Option<Vec<u8>> {
        if self.command.contains(&b'/') {
            return Some(self.in_cwd(self.command));
        }
        let directories = self.path.split(|byte| *byte == b':');
        let mut paths = directories.map(|directory| join(&self.in_cwd(directory), self.command));
        paths.find(|path| root.locate(path).is_ok())
    }

    fn in_cwd(&self, path: &[u8]) -> Vec<u8> {
        if path.starts_with(b"/") { path.to_vec() } else { join(self.cwd, path) }
    }
}

/// What was found out, if all that was looked at was to be seen.
fn told(root: &View, text: String, remedy: Option<String>) -> Option<String> {
    if !root.has_seen_all() {
        return None;
    }
    Some(match remedy {
        Some(remedy) => format!("{text}; {remedy}"),
        None => text,
    })
}

#[cfg(test)]
mod tests;

//! Kernel modules: those that are named, and those that the devices that are there ask for.
mod glob;
mod index;

use super::console::say;
use crate::error::{Error, quote};
pub(crate) use index::{FILES, Index};
use index::{is_same, stem};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Loads a module, or those that stand for an alias, with all that they need.
pub(crate) fn load(index: &Index, name: &[u8]) -> Result<(), Error> {
    if let Some(files) = index.files(name) {
        for file in files {
            insert(index, file)?;
        }
        return Ok(());
    }
    let modules = index.by_alias(name);
    if modules.is_empty() {
        let problem = format!("there is no module {} in {}", quote(name), index.folder);
        return Err(Error::plain(problem));
    }
    for file in modules.into_iter().filter_map(|module| index.files(module)).flatten() {
        insert(index, file)?;
    }
    Ok(())
}

/// Loads what the modalias files of devices ask for, until no new module brings new devices. What
/// cannot be loaded is told: another module may do for its device.
pub(super) fn coldplug(index: &Index) {
    let mut seen = BTreeSet::new();
    loop {
        let mut aliases = Vec::new();
        find_aliases(Path::new("/sys/devices"), &mut aliases);
        let before = seen.len();
        for alias in aliases {
            if !seen.insert(alias.clone()) {
                continue;
            }
            for module in index.by_alias(&alias) {
                if index.is_here(module)
                    && let Err(error) = load(index, module)
                {
                    say(&error.message());
                }
            }
        }
        if seen.len() == before {
            return;
        }
    }
}

/// The contents of all files called modalias; links lead to what is seen anyway.
fn find_aliases(folder: &Path, aliases: &mut Vec<Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_aliases(&entry.path(), aliases);
        } else if entry.file_name().as_bytes() == b"modalias"
            && let Ok(alias) = std::fs::read(entry.path())
        {
            let alias = alias.trim_ascii().to_vec();
            if !alias.is_empty() {
                aliases.push(alias);
            }
        }
    }
}

/// finit_module(2), or init_module(2) for a file that the kernel may not be able to decompress.
fn insert(index: &Index, file: &[u8]) -> Result<(), Error> {
    let name: Vec<u8> =
        stem(file).iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect();
    let state = [b"/sys/module/", &name[..], b"/initstate"].concat();
    if rustix::fs::stat(state.as_slice()).is_ok() {
        return Ok(());
    }
    let path = PathBuf::from(&index.folder).join(std::ffi::OsStr::from_bytes(file));
    let parameters = parameters(&super::command_line(), &name);
    let inserted = if file.ends_with(b".ko") {
        rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| rustix::system::finit_module(file, &parameters, 0))
    } else {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        rustix::system::init_module(&crate::root::decompressed(&path)?, &parameters)
    };
    match inserted {
        // Somebody else was faster.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Error::system(format!("load module {}", quote(&name)), errno)),
    }
}

/// What the kernel's command line says to a module: `NAME.PARAMETER=VALUE`.
pub(super) fn parameters(words: &super::words::Words, module: &[u8]) -> CString {
    let mut text = Vec::new();
    for word in &words.words {
        let name = word.name.split(|byte| *byte == b'.').next().unwrap_or_default();
        if !is_same(name, module) {
            continue;
        }
        let Some(parameter) = word.name.get(name.len() + 1..) else {
            continue;
        };
        text.extend_from_slice(parameter);
        if let Some(value) = &word.value {
            let quoted = value.iter().any(u8::is_ascii_whitespace);
            let mark = if quoted { &b"\""[..] } else { b"" };
            text.extend_from_slice(&[b"=", mark, value, mark].concat());
        }
        text.push(b' ');
    }
    CString::new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::words::parse;
    use super::*;

    #[test]
    fn a_module_gets_its_parameters_from_the_command_line() {
        let words = parse(b"quiet soft-dog.margin=5 other.x=1 soft_dog.y=\"a b\" soft_dog.flag");
        assert_eq!(parameters(&words, b"soft_dog").as_bytes(), b"margin=5 y=\"a b\" flag ");
        assert_eq!(parameters(&words, b"none").as_bytes(), b"");
    }
}

//! Kernel modules: those that are named, and those that the devices that are there ask for.
mod glob;
mod index;

use super::console::say;
use crate::error::{Error, quote};
use crate::files;
pub(crate) use index::{FILES, Index};
use index::{is_same, stem};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

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
    for module in modules {
        for file in index.files(module).unwrap_or_default() {
            insert(index, file)?;
        }
    }
    Ok(())
}

/// Loads what the modalias files of devices ask for, until no new module brings new devices. What
/// cannot be loaded is told: another module may do for its device.
pub(super) fn coldplug(index: &Index) {
    // Sorted.
    let mut seen: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut aliases = Vec::new();
        if let Ok(devices) = open(CWD, c"/sys/devices", true) {
            find_aliases(&devices, &mut aliases);
        }
        let before = seen.len();
        for alias in aliases {
            match seen.binary_search(&alias) {
                Ok(_) => continue,
                Err(place) => seen.insert(place, alias.clone()),
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
fn find_aliases(folder: &OwnedFd, aliases: &mut Vec<Vec<u8>>) {
    let _ = files::entries(folder.as_fd(), &mut |name, kind| {
        let is_folder = kind == FileType::Directory;
        if !is_folder && name != c"modalias" {
            return;
        }
        let Ok(file) = open(folder, name, is_folder) else { return };
        if is_folder {
            find_aliases(&file, aliases);
        } else {
            let alias = files::read_open(&file).unwrap_or_default().trim_ascii().to_vec();
            if !alias.is_empty() {
                aliases.push(alias);
            }
        }
    });
}

fn open(folder: impl AsFd, name: &CStr, is_folder: bool) -> Result<OwnedFd, Errno> {
    let kind = if is_folder { OFlags::DIRECTORY } else { OFlags::empty() };
    rustix::fs::openat(folder, name, kind | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// finit_module(2), or init_module(2) for a file that the kernel may not be able to decompress.
fn insert(index: &Index, file: &[u8]) -> Result<(), Error> {
    let mut name = stem(file).to_vec();
    for byte in &mut name {
        if *byte == b'-' {
            *byte = b'_';
        }
    }
    if files::identity(&[b"/sys/module/", &name[..], b"/initstate"].concat()).is_ok() {
        return Ok(());
    }
    let path = [index.folder.as_bytes(), b"/", file].concat();
    let parameters = parameters(&super::command_line(), &name);
    let inserted = if file.ends_with(b".ko") {
        files::open(&path, OFlags::RDONLY)
            .and_then(|file| rustix::system::finit_module(file, &parameters, 0))
    } else {
        let path = CString::new(path).unwrap_or_default();
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
            for part in [b"=", mark, value, mark] {
                text.extend_from_slice(part);
            }
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

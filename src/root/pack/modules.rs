//! Kernel modules in an image, with the lists that init and the kernel find them by.
use super::{Data, Entries, FILE, LINK, Pack, add as put};
use crate::error::{Error, quote};
use crate::machine::modules::{FILES, Index};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Adds those that are wanted, and what they need or do better with.
pub(super) fn add(request: &Pack, entries: &mut Entries) -> Result<(), Error> {
    let index = match &request.kernel {
        Some(release) => Index::open(release)?,
        None => Index::of_this_kernel()?,
    };
    let mut files: Vec<&[u8]> = Vec::new();
    let mut wanted = request.modules.clone();
    let mut next = 0;
    while let Some(name) = wanted.get(next).cloned() {
        next += 1;
        let modules = if index.files(&name).is_some() {
            vec![name.as_slice()]
        } else {
            index.by_alias(&name)
        };
        if modules.is_empty() && request.modules.contains(&name) {
            let problem = format!("there is no module {} in {}", quote(&name), index.folder);
            return Err(Error::plain(problem));
        }
        for module in modules {
            for file in index.files(module).unwrap_or_default() {
                if !files.contains(&file) {
                    files.push(file);
                }
            }
            for wish in index.wishes(module) {
                if !wanted.iter().any(|name| name == wish) {
                    wanted.push(wish.to_vec());
                }
            }
        }
    }
    let lists = FILES.map(str::as_bytes);
    for file in files.into_iter().chain(lists) {
        let path = [index.folder.as_bytes(), b"/", file].concat();
        let source = PathBuf::from(OsStr::from_bytes(&path));
        if source.exists() {
            put(entries, path.strip_prefix(b"/").unwrap_or(&path), FILE, Data::File(source))?;
        }
    }
    // The kernel calls it when it needs a module.
    put(entries, b"sbin/modprobe", LINK, Data::Bytes(b"/init".to_vec()))
}

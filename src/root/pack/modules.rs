//! Kernel modules in an image, with the lists that init and the kernel find them by.
use super::{Data, Entries, FILE, LINK, Pack, add as put, new_ones};
use crate::error::{Error, quote};
use crate::machine::modules::{FILES, Index};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Adds those that are wanted, and what they need or do better with.
pub(super) fn add(request: &Pack, entries: &mut Entries) -> Result<(), Error> {
    let index = match &request.kernel {
        Some(release) => Index::open(release)?,
        None => Index::of_this_kernel()?,
    };
    let mut known = BTreeSet::new();
    let mut files = BTreeSet::new();
    let mut wanted = new_ones(request.modules.clone(), &mut known);
    while let Some(name) = wanted.pop() {
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
            files.extend(index.files(module).unwrap_or_default());
            let wishes = index.wishes(module).into_iter().map(<[u8]>::to_vec).collect();
            wanted.extend(new_ones(wishes, &mut known));
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

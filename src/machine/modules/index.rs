//! What depmod(8) has written beside the modules: which needs which, and which is for what.
use super::glob;
use crate::error::{Error, quote};
use crate::files::{identity, read_file};

/// The files that list them, for one release of the kernel.
pub(crate) struct Index {
    /// Where they are: `/lib/modules/RELEASE`.
    pub(crate) folder: String,
    dep: Vec<u8>,
    alias: Vec<u8>,
    softdep: Vec<u8>,
    builtin: Vec<u8>,
}

/// The files, where `pack` finds them too.
pub(crate) const FILES: [&str; 4] =
    ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];

impl Index {
    /// Reads them.
    pub(crate) fn open(release: &str) -> Result<Index, Error> {
        let folder = format!("/lib/modules/{release}");
        let read = |name: &str| read_file(&format!("{folder}/{name}"));
        let dep = read("modules.dep").map_err(|errno| {
            Error::system(format!("read {}", quote(format!("{folder}/modules.dep"))), errno)
        })?;
        let read = |name| read(name).unwrap_or_default();
        let (alias, softdep) = (read("modules.alias"), read("modules.softdep"));
        let builtin = read("modules.builtin");
        Ok(Index { folder, dep, alias, softdep, builtin })
    }

    /// Those of the kernel that runs.
    pub(crate) fn of_this_kernel() -> Result<Index, Error> {
        Index::open(&rustix::system::uname().release().to_string_lossy())
    }

    /// One of these texts: what is needed, aliases, wishes, what is built in.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(texts: [&[u8]; 4]) -> Index {
        let [dep, alias, softdep, builtin] = texts.map(<[u8]>::to_vec);
        Index { folder: "/lib/modules/1".to_owned(), dep, alias, softdep, builtin }
    }

    /// The files of a module and of all that it needs, by their paths in the folder; what is needed
    /// first is first. `None` where there is no such module; none where it is built in.
    pub(crate) fn files(&self, name: &[u8]) -> Option<Vec<&[u8]>> {
        for line in lines(&self.dep) {
            let mut paths =
                line.split(|byte| matches!(byte, b':' | b' ')).filter(|path| !path.is_empty());
            if let Some(path) = paths.next()
                && is_same(stem(path), name)
            {
                let mut files = vec![path];
                for path in paths {
                    files.insert(0, path);
                }
                return Some(files);
            }
        }
        lines(&self.builtin).any(|path| is_same(stem(path), name)).then(Vec::new)
    }

    /// Whether the module itself is here; an image has only some.
    pub(crate) fn is_here(&self, name: &[u8]) -> bool {
        self.files(name).and_then(|files| files.last().copied()).is_some_and(|file| {
            let path = [self.folder.as_bytes(), b"/", file].concat();
            identity(&path).is_ok()
        })
    }

    /// The modules that stand for an alias: a device's, or a name that the kernel asks for.
    pub(crate) fn by_alias(&self, alias: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        for line in lines(&self.alias) {
            let mut words = line.split(|byte| *byte == b' ').skip(1);
            if let (Some(pattern), Some(module)) = (words.next(), words.next())
                && (glob::matches(pattern, alias) || is_same(pattern, alias))
                && !found.contains(&module)
            {
                found.push(module);
            }
        }
        found
    }

    /// What a module does better with: names or aliases.
    pub(crate) fn wishes(&self, name: &[u8]) -> Vec<&[u8]> {
        let mut wishes = Vec::new();
        for line in lines(&self.softdep) {
            let mut words = line.split(|byte| *byte == b' ');
            if words.next() == Some(b"softdep")
                && words.next().is_some_and(|module| is_same(module, name))
            {
                wishes.extend(words.filter(|word| !word.ends_with(b":") && !word.is_empty()));
            }
        }
        wishes
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Whether two names are the same to the kernel, which does not tell `-` from `_`.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    one.len() == other.len() && one.iter().map(plain).eq(other.iter().map(plain))
}

/// The name of the module in a file.
pub(crate) fn stem(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let end = name.windows(3).position(|part| part == b".ko").unwrap_or(name.len());
    name.get(..end).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::of([
            b"kernel/a-b.ko.xz: kernel/c.ko kernel/d.ko\nkernel/c.ko: kernel/d.ko\nkernel/d.ko:\n",
            b"# Aliases\nalias virtio:d00000002v* virtio_blk\nalias fs-squashfs squashfs\nalias crypto-md5 md5\n",
            b"# Soft\nsoftdep a_b pre: crypto-md5 post: d\n",
            b"kernel/fs/ext4/ext4.ko\n",
        ])
    }

    #[test]
    fn what_is_needed_first_is_first() {
        let index = index();
        let files: [&[u8]; 3] = [b"kernel/d.ko", b"kernel/c.ko", b"kernel/a-b.ko.xz"];
        assert_eq!(index.files(b"a_b"), Some(files.to_vec()));
        assert_eq!(index.files(b"a-b"), Some(files.to_vec()));
        assert_eq!(index.files(b"ext4"), Some(Vec::new()));
        assert_eq!(index.files(b"x"), None);
    }

    #[test]
    fn an_alias_is_a_pattern_and_a_wish_is_none_of_its_labels() {
        let index = index();
        assert_eq!(index.by_alias(b"virtio:d00000002v00001AF4"), [b"virtio_blk"]);
        assert_eq!(index.by_alias(b"fs-squashfs"), [b"squashfs"]);
        assert!(index.by_alias(b"fs-xfs").is_empty());
        assert_eq!(index.wishes(b"a-b"), [&b"crypto-md5"[..], b"d"]);
    }
}

//! An archive of the kind newc, as the kernel unpacks it.
use super::{Entries, errno};
use crate::error::{Error, quote};
use crate::root::cpio::TRAILER;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What an entry holds.
pub(super) enum Data {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// One file, directory, link or node.
pub(super) struct Entry {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: u32,
    pub(super) rdev: u64,
    /// Device and inode of a file that may have other names.
    pub(super) identity: Option<(u64, u64)>,
    pub(super) data: Data,
}

impl Entry {
    /// One of root's, that is older than all others.
    pub(super) fn new(mode: u32, data: Data) -> Entry {
        Entry { mode, uid: 0, gid: 0, mtime: 0, rdev: 0, identity: None, data }
    }
}

/// Where the bytes go.
pub(super) type Write<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

/// An archive that is to be written.
pub(super) struct Archive<'a> {
    entries: &'a Entries,
    newest: u32,
    /// The identity of each file that may have several names, once for each that it has here; sorted.
    names: Vec<(u64, u64)>,
}

impl<'a> Archive<'a> {
    pub(super) fn new(entries: &'a Entries, newest: u32) -> Archive<'a> {
        let mut names = Vec::new();
        for entry in entries.values() {
            names.extend(entry.identity);
        }
        names.sort_unstable();
        Archive { entries, newest, names }
    }

    pub(super) fn write(&self, out: &mut Write<'_>) -> Result<(), Error> {
        // The number of each file that had a name already, at the place of its identity.
        let mut numbers = vec![0; self.names.len()];
        let mut next = 0_u32;
        for (path, entry) in self.entries {
            next += 1;
            let (mut names, mut number) = (1, next);
            if let Some(identity) = entry.identity {
                let place = self.names.partition_point(|other| *other < identity);
                let end = self.names.partition_point(|other| *other <= identity);
                names = (end - place) as u32;
                if let Some(first) = numbers.get_mut(place) {
                    number = if *first == 0 { next } else { *first };
                    *first = number;
                }
            }
            let is_first = number == next;
            let path = if path.is_empty() { &b"."[..] } else { path };
            self.entry(path, entry, number, names, is_first, out)?;
        }
        let end = Entry::new(0, Data::Bytes(Vec::new()));
        header(TRAILER, &end, 0, 1, 0, 0).and_then(|bytes| out(&bytes))
    }

    /// The data of a file with several names comes with its first one.
    fn entry(
        &self,
        path: &[u8],
        entry: &Entry,
        number: u32,
        names: u32,
        is_first: bool,
        out: &mut Write<'_>,
    ) -> Result<(), Error> {
        let mtime = entry.mtime.min(self.newest);
        let names = if entry.mode & libc::S_IFMT == libc::S_IFDIR { 2 } else { names };
        match &entry.data {
            _ if !is_first => out(&header(path, entry, number, names, mtime, 0)?),
            Data::Bytes(bytes) => {
                let size = size(path, bytes.len() as u64)?;
                out(&header(path, entry, number, names, mtime, size)?)?;
                out(bytes)?;
                pad(size, out)
            }
            Data::File(source) => {
                let failed = |error: std::io::Error| {
                    let attempt = format!("read {}", quote(source.as_os_str().as_bytes()));
                    Error::system(attempt, errno(&error))
                };
                let mut file = std::fs::File::open(source).map_err(failed)?;
                let size = size(path, file.metadata().map_err(failed)?.len())?;
                out(&header(path, entry, number, names, mtime, size)?)?;
                let mut left = u64::from(size);
                let mut buffer = vec![0; 64 << 10];
                while left > 0 {
                    let count = file.read(&mut buffer).map_err(failed)? as u64;
                    if count == 0 {
                        let problem = format!("{} has become shorter meanwhile", quote(path));
                        return Err(Error::plain(problem));
                    }
                    let count = count.min(left);
                    out(buffer.get(..count as usize).unwrap_or_default())?;
                    left -= count;
                }
                pad(size, out)
            }
        }
    }
}

/// A field has 32 bits.
fn size(path: &[u8], size: u64) -> Result<u32, Error> {
    let problem = || Error::plain(format!("{} is too large for an initramfs", quote(path)));
    u32::try_from(size).map_err(|_| problem())
}

fn header(
    path: &[u8],
    entry: &Entry,
    number: u32,
    names: u32,
    mtime: u32,
    size: u32,
) -> Result<Vec<u8>, Error> {
    let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
    if name_size > 4096 {
        return Err(Error::plain(format!("{} is too long for an initramfs", quote(path))));
    }
    let (major, minor) = (rustix::fs::major(entry.rdev), rustix::fs::minor(entry.rdev));
    let mut bytes = b"070701".to_vec();
    for field in [
        number, entry.mode, entry.uid, entry.gid, names, mtime, size, 0, 0, major, minor,
        name_size, 0,
    ] {
        bytes.extend(format!("{field:08x}").into_bytes());
    }
    bytes.extend_from_slice(path);
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(bytes)
}

fn pad(size: u32, out: &mut Write<'_>) -> Result<(), Error> {
    let zeros = [0; 3];
    let count = (size as usize).next_multiple_of(4) - size as usize;
    out(zeros.get(..count).unwrap_or_default())
}

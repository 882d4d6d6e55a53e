//! `pack`: a root as an initramfs, with this program as its /init.
mod archive;
mod gzip;
mod modules;

use super::place;
use crate::error::{Error, quote};
use crate::machine;
use archive::{Archive, Data, Entry};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use unshared_init::number::decimal;
use unshared_init::sys::Environment;

/// What is wanted of `pack`.
#[derive(Default)]
pub(crate) struct Pack {
    /// The type of root, or an absolute path.
    pub(crate) root: CString,
    pub(crate) output: CString,
    /// Words for init.
    pub(crate) words: Vec<Vec<u8>>,
    /// More of them, as on a command line.
    pub(crate) cmdline: Vec<u8>,
    pub(crate) modules: Vec<Vec<u8>>,
    pub(crate) kernel: Option<String>,
    pub(crate) gzip: bool,
}

/// What the image has, by path: sorted, so that a directory is there before what is in it.
type Entries = BTreeMap<Vec<u8>, Entry>;

const DIRECTORY: u32 = libc::S_IFDIR | 0o755;
const PROGRAM: u32 = libc::S_IFREG | 0o755;
const FILE: u32 = libc::S_IFREG | 0o644;
const LINK: u32 = libc::S_IFLNK | 0o777;

/// Writes the image, and returns the line that says so.
pub(crate) fn pack(request: &Pack) -> Result<String, Error> {
    let root = place::path_of(request.root.to_bytes())?;
    let newest = newest()?;
    let mut entries = Entries::new();
    look(&root, &root, &mut entries)?;
    add(&mut entries, b"init", PROGRAM, Data::File("/proc/self/exe".into()))?;
    let words = words(request);
    if !words.is_empty() {
        let path = machine::WORDS.strip_prefix('/').unwrap_or(machine::WORDS);
        add(&mut entries, path.as_bytes(), FILE, Data::Bytes(words))?;
    }
    if !request.modules.is_empty() {
        modules::add(request, &mut entries)?;
    }
    let path = PathBuf::from(OsStr::from_bytes(request.output.to_bytes()));
    let output = Output::new(&path)?;
    let bytes = write(&entries, newest, request.gzip, &output.file)?;
    output.finish()?;
    let (name, count) = (crate::error::escape(request.output.to_bytes()), entries.len());
    Ok(format!("{name}: {count} entries, {bytes} bytes\n"))
}

fn write(entries: &Entries, newest: u32, gzip: bool, file: &File) -> Result<u64, Error> {
    let mut bytes = 0;
    let failed = |error: std::io::Error| Error::system("write the image", errno(&error));
    let mut plain = |part: &[u8]| {
        bytes += part.len() as u64;
        let mut file = file;
        file.write_all(part).map_err(failed)
    };
    if gzip {
        let mut gzip = gzip::Gzip::new(&mut plain)?;
        Archive::new(entries, newest).write(&mut |part| gzip.write(part))?;
        gzip.finish()?;
    } else {
        Archive::new(entries, newest).write(&mut plain)?;
    }
    Ok(bytes)
}

/// One word a line, as `machine` reads them.
fn words(request: &Pack) -> Vec<u8> {
    let mut words = machine::split(&request.cmdline);
    words.splice(0..0, request.words.iter().cloned());
    words.iter().flat_map(|word| [word.as_slice(), b"\n"].concat()).collect()
}

/// No file of an image is newer than this: SOURCE_DATE_EPOCH.
fn newest() -> Result<u32, Error> {
    match Environment::inherited().get(b"SOURCE_DATE_EPOCH") {
        None => Ok(u32::MAX),
        Some(text) => {
            let seconds = decimal(text).and_then(|seconds| u32::try_from(seconds).ok());
            seconds.ok_or_else(|| {
                let text = quote(text);
                Error::plain(format!("SOURCE_DATE_EPOCH is {text}: no number of seconds"))
            })
        }
    }
}

/// Adds a directory and all that is in it, on its own filesystem.
fn look(root: &Path, path: &Path, entries: &mut Entries) -> Result<(), Error> {
    let failed = |attempt: &str, error: std::io::Error| {
        let attempt = format!("{attempt} {}", quote(path.as_os_str().as_bytes()));
        Error::system(attempt, errno(&error))
    };
    let status = std::fs::symlink_metadata(path).map_err(|error| failed("look at", error))?;
    let name = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes().to_vec();
    if name.is_empty() && !status.is_dir() {
        return Err(Error::plain(format!(
            "{} is no directory",
            quote(path.as_os_str().as_bytes())
        )));
    }
    entries.insert(name, entry(path, &status).map_err(|error| failed("read", error))?);
    let device = std::fs::symlink_metadata(root).map_err(|error| failed("look at", error))?.dev();
    if status.is_dir() && status.dev() == device {
        for below in std::fs::read_dir(path).map_err(|error| failed("read", error))? {
            look(root, &below.map_err(|error| failed("read", error))?.path(), entries)?;
        }
    }
    Ok(())
}

fn entry(path: &Path, status: &Metadata) -> std::io::Result<Entry> {
    let kind = status.file_type();
    let data = if kind.is_file() {
        Data::File(path.to_owned())
    } else if kind.is_symlink() {
        Data::Bytes(std::fs::read_link(path)?.into_os_string().into_vec())
    } else {
        Data::Bytes(Vec::new())
    };
    let is_device = kind.is_block_device() || kind.is_char_device();
    // What an ordinary user has made is root's in a machine.
    let own = |id: u32, own: u32| if id == own { 0 } else { id };
    Ok(Entry {
        mode: status.permissions().mode(),
        uid: own(status.uid(), crate::sys::effective_uid()),
        gid: own(status.gid(), crate::sys::effective_gid()),
        mtime: u32::try_from(status.mtime()).unwrap_or(0),
        rdev: if is_device { status.rdev() } else { 0 },
        identity: (kind.is_file() && status.nlink() > 1).then(|| (status.dev(), status.ino())),
        data,
    })
}

/// Adds something of root's, with the directories that are missing. Links on the way are followed,
/// since they may not lead anywhere yet while the kernel unpacks.
fn add(entries: &mut Entries, path: &[u8], mode: u32, data: Data) -> Result<(), Error> {
    let mut path = path.to_vec();
    let mut links = 0;
    let mut end = 0;
    while let Some(next) = path.get(end..).and_then(|rest| rest.iter().position(|one| *one == b'/'))
    {
        let place = end + next;
        let (above, rest) = path.split_at_checked(place).unwrap_or_default();
        match entries.get(above) {
            Some(Entry { mode, data: Data::Bytes(target), .. })
                if mode & libc::S_IFMT == libc::S_IFLNK =>
            {
                links += 1;
                if links > 40 {
                    let attempt = format!("add {} to the image", quote(&path));
                    return Err(Error::system(attempt, Errno::LOOP));
                }
                path = [&follow(above, target), rest].concat();
                end = 0;
            }
            Some(_) => end = place + 1,
            None => {
                entries.insert(above.to_vec(), Entry::new(DIRECTORY, Data::Bytes(Vec::new())));
                end = place + 1;
            }
        }
    }
    entries.insert(path, Entry::new(mode, data));
    Ok(())
}

/// Where a link leads to, as a path in the image.
fn follow(link: &[u8], target: &[u8]) -> Vec<u8> {
    let mut way: Vec<&[u8]> = Vec::new();
    if target.first() != Some(&b'/') {
        way.extend(link.split(|byte| *byte == b'/'));
        way.pop();
    }
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                way.pop();
            }
            _ => way.push(part),
        }
    }
    way.join(&b"/"[..])
}

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, unshared_init::errno::of)
}

/// A file that gets its name when it is whole.
struct Output<'a> {
    file: File,
    place: &'a Path,
    draft: PathBuf,
}

impl<'a> Output<'a> {
    fn new(place: &'a Path) -> Result<Output<'a>, Error> {
        let mut name = b".".to_vec();
        name.extend(place.file_name().unwrap_or_default().as_bytes());
        name.extend(format!(".{}", std::process::id()).into_bytes());
        let draft = place.with_file_name(OsStr::from_bytes(&name));
        let file = File::create(&draft).map_err(|error| {
            let attempt = format!("make {}", quote(draft.as_os_str().as_bytes()));
            Error::system(attempt, errno(&error))
        })?;
        Ok(Output { file, place, draft })
    }

    fn finish(mut self) -> Result<(), Error> {
        let draft = std::mem::take(&mut self.draft);
        std::fs::rename(&draft, self.place).map_err(|error| {
            self.draft = draft;
            let attempt = format!("rename to {}", quote(self.place.as_os_str().as_bytes()));
            Error::system(attempt, errno(&error))
        })
    }
}

impl Drop for Output<'_> {
    fn drop(&mut self) {
        if !self.draft.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_goes_where_links_lead() {
        let mut entries = Entries::new();
        entries.insert(b"lib".to_vec(), Entry::new(LINK, Data::Bytes(b"usr/lib".to_vec())));
        entries.insert(b"usr".to_vec(), Entry::new(DIRECTORY, Data::Bytes(Vec::new())));
        add(&mut entries, b"lib/modules/x", FILE, Data::Bytes(Vec::new())).unwrap();
        let names: Vec<&[u8]> = entries.keys().map(Vec::as_slice).collect();
        let expected: [&[u8]; 5] =
            [b"lib", b"usr", b"usr/lib", b"usr/lib/modules", b"usr/lib/modules/x"];
        assert_eq!(names, expected);
        entries.insert(b"loop".to_vec(), Entry::new(LINK, Data::Bytes(b"/loop".to_vec())));
        assert!(add(&mut entries, b"loop/x", FILE, Data::Bytes(Vec::new())).is_err());
    }
}

//! From the bytes of archives to the calls that make what is in them.
use super::cpio::{HEADER, Header, TRAILER, Wrong, clean, name};
use super::interrupt::Interrupt;
use super::progress::{Progress, amount};
use super::source::Stream;
use super::tree::{Meta, Tree};
use crate::error::{Error, quote};
use rustix::fd::OwnedFd;
use rustix::fs::FileType;
use rustix::io::Errno;

/// What an entry counts besides its bytes: about what the kernel needs for an empty file.
const ENTRY: u64 = 1024;
/// The longest target of a symbolic link (PATH_MAX without its zero byte).
const LONGEST_TARGET: u32 = 4095;

/// The work on one image.
pub(crate) struct Unpack<'a> {
    tree: &'a mut Tree,
    image: String,
    interrupt: &'a Interrupt,
    progress: Progress,
    /// What has been unpacked, padding and headers included, and how much it may be.
    used: u64,
    max: u64,
    name: Vec<u8>,
    path: Vec<u8>,
}

impl<'a> Unpack<'a> {
    pub(crate) fn new(
        tree: &'a mut Tree,
        image: String,
        max: u64,
        interrupt: &'a Interrupt,
    ) -> Unpack<'a> {
        let (name, path) = (Vec::new(), Vec::new());
        Unpack { tree, image, interrupt, progress: Progress::new(), used: 0, max, name, path }
    }

    /// The image as messages call it.
    pub(crate) fn name(&self) -> &str {
        &self.image
    }

    /// Everything has been read: how much it was.
    pub(crate) fn finish(self) -> Result<String, Error> {
        if self.progress.entries == 0 {
            return Err(Error::plain(format!("unpack {}: there is nothing in it", self.image)));
        }
        Ok(self.progress.text())
    }

    /// Zeros between archives.
    pub(crate) fn skip_zeros(&mut self, stream: &mut dyn Stream) -> Result<(), Error> {
        loop {
            let bytes = stream.fill()?;
            let zeros = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
            if zeros == 0 {
                return Ok(());
            }
            stream.consume(zeros);
            self.count(zeros as u64)?;
            self.interrupt.check()?;
        }
    }

    /// One archive, from its first header to its trailer.
    pub(crate) fn archive(&mut self, stream: &mut dyn Stream) -> Result<(), Error> {
        while self.entry(stream)? {}
        self.tree.end_archive();
        Ok(())
    }

    /// One entry; says whether it was not the trailer.
    fn entry(&mut self, stream: &mut dyn Stream) -> Result<bool, Error> {
        let mut bytes = [0; HEADER];
        self.read_exact(stream, &mut bytes, "a header")?;
        let header = Header::parse(&bytes).map_err(|wrong| self.wrong(wrong))?;
        self.read_name(stream, &header)?;
        let name = name(&self.name).map_err(|wrong| self.wrong(wrong))?;
        if name == TRAILER {
            self.skip(stream, u64::from(header.size) + header.data_padding() as u64)?;
            return Ok(false);
        }
        let mut path = std::mem::take(&mut self.path);
        let result = clean(name, &mut path);
        self.path = path;
        result.map_err(|wrong| self.wrong(wrong))?;
        self.progress.entries += 1;
        self.count(ENTRY)?;
        self.make(stream, &header)?;
        self.skip(stream, header.data_padding() as u64)?;
        Ok(true)
    }

    fn read_name(&mut self, stream: &mut dyn Stream, header: &Header) -> Result<(), Error> {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        name.resize(header.name_size, 0);
        let result = self.read_exact(stream, &mut name, "a name");
        self.name = name;
        result?;
        self.skip(stream, header.name_padding() as u64)
    }

    /// Makes what the entry is, with the data that follows.
    fn make(&mut self, stream: &mut dyn Stream, header: &Header) -> Result<(), Error> {
        let Header { mode, uid, gid, mtime, size, .. } = *header;
        let meta = Meta { mode: mode & 0o7777, uid, gid, mtime };
        let kind = header.file_type().map_err(|wrong| self.wrong(wrong))?;
        let (major, minor, inode) = header.identity;
        let identity = (header.nlink > 1).then_some((major, minor, inode, mode & 0o170_000));
        match kind {
            FileType::RegularFile => {
                if u64::from(size) > self.max.saturating_sub(self.used) {
                    return Err(self.too_much());
                }
                if let Some(file) = self.tree.file(&self.path, meta, identity, size)? {
                    self.fill(stream, header, &file)?;
                    let finished = self.tree.finish_file(&file, meta);
                    finished.map_err(|errno| self.failed("finish", errno))?;
                }
                return Ok(());
            }
            FileType::Symlink => return self.symlink(stream, size, meta),
            FileType::Directory => self.tree.directory(&self.path, meta)?,
            _ => self.tree.node(&self.path, meta, identity, kind, header.rdev)?,
        }
        self.skip(stream, size.into())
    }

    /// Writes the data of a file: each piece as it came in, without a copy.
    fn fill(
        &mut self,
        stream: &mut dyn Stream,
        header: &Header,
        file: &OwnedFd,
    ) -> Result<(), Error> {
        let mut left = header.size as usize;
        let mut sum = 0_u32;
        while left > 0 {
            let bytes = stream.fill()?;
            let bytes = bytes.get(..left).unwrap_or(bytes);
            if bytes.is_empty() {
                return Err(self.truncated(&quote(&self.path)));
            }
            if header.checksum.is_some() {
                sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_add((*byte).into()));
            }
            write_all(file, bytes).map_err(|errno| self.failed("write", errno))?;
            let count = bytes.len();
            stream.consume(count);
            left -= count;
            self.progress.bytes += count as u64;
            self.count(count as u64)?;
            if left > 0 {
                // A buffer is empty: it is time to look up.
                self.pause()?;
            }
        }
        match header.checksum {
            Some(expected) if expected != sum => {
                let problem = format!("{}: broken data", quote(&self.path));
                Err(self.fault(&problem).hint("its checksum is another"))
            }
            _ => Ok(()),
        }
    }

    fn symlink(&mut self, stream: &mut dyn Stream, size: u32, meta: Meta) -> Result<(), Error> {
        if size > LONGEST_TARGET {
            let path = quote(&self.path);
            return Err(self.fault(&format!("{path} is a link to a name of {size} bytes")));
        }
        let mut target = vec![0; size as usize];
        self.read_exact(stream, &mut target, "the target of a link")?;
        let target = target.split(|byte| *byte == 0).next().unwrap_or_default();
        self.tree.symlink(&self.path, target, meta)
    }

    fn read_exact(
        &mut self,
        stream: &mut dyn Stream,
        mut place: &mut [u8],
        within: &str,
    ) -> Result<(), Error> {
        self.count(place.len() as u64)?;
        while !place.is_empty() {
            let bytes = stream.fill()?;
            let count = bytes.len().min(place.len());
            if count == 0 {
                return Err(self.truncated(within));
            }
            let (now, later) = place.split_at_mut(count);
            now.copy_from_slice(bytes.get(..count).unwrap_or_default());
            place = later;
            stream.consume(count);
        }
        Ok(())
    }

    /// Goes on behind `left` bytes.
    fn skip(&mut self, stream: &mut dyn Stream, mut left: u64) -> Result<(), Error> {
        self.count(left)?;
        while left > 0 {
            let count = (stream.fill()?.len() as u64).min(left);
            if count == 0 {
                return Err(self.truncated("an archive"));
            }
            stream.consume(count as usize);
            left -= count;
            self.pause()?;
        }
        Ok(())
    }

    /// Between two pieces of work: is there a signal, and who watches?
    fn pause(&mut self) -> Result<(), Error> {
        self.progress.show();
        self.interrupt.check()
    }

    /// So many bytes more.
    fn count(&mut self, bytes: u64) -> Result<(), Error> {
        self.used += bytes;
        if self.used > self.max { Err(self.too_much()) } else { Ok(()) }
    }

    fn too_much(&self) -> Error {
        let max = amount(self.max);
        self.fault(&format!("it is more than {max}")).hint("make-root --max-size allows more")
    }

    fn fault(&self, problem: &str) -> Error {
        Error::plain(format!("unpack {}: {problem}", self.image))
    }

    fn truncated(&self, within: &str) -> Error {
        self.fault("truncated").hint(format!("it ends within {within}"))
    }

    fn failed(&self, attempt: &str, errno: Errno) -> Error {
        Error::system(format!("{attempt} {}", quote(&self.path)), errno)
    }

    /// What is wrong, and with which entry.
    fn wrong(&self, wrong: Wrong) -> Error {
        let place = match wrong {
            Wrong::DotDot | Wrong::Type(_) => {
                quote(self.name.strip_suffix(b"\0").unwrap_or(&self.name))
            }
            _ => format!("entry {}", self.progress.entries + 1),
        };
        self.fault(&format!("{place}: {}", wrong.text()))
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

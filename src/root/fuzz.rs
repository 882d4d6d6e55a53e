//! What fuzz/ calls of what makes roots.
use super::closure::{self, Uses};
use super::decompress::{Format, LOOK, look};
use super::elf::{self, Kind};
use super::image::{self, Image};
use super::interrupt::Interrupt;
use super::ldconf::{self, Files};
use super::source::{Source, Stream};
use super::tree::Tree;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use std::ffi::CString;
use std::sync::{Arc, OnceLock};

/// No input is worth more time.
const MOST: u64 = 1 << 22;

fn interrupt() -> Arc<Interrupt> {
    static INTERRUPT: OnceLock<Arc<Interrupt>> = OnceLock::new();
    Arc::clone(INTERRUPT.get_or_init(|| Arc::new(Interrupt::new().expect("signalfd"))))
}

/// A file that holds these bytes, and its path.
pub(crate) fn file(bytes: &[u8]) -> (OwnedFd, CString) {
    let file = rustix::fs::memfd_create(c"image", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
    let mut left = bytes;
    while let Ok(count @ 1..) = rustix::io::write(&file, left) {
        left = left.get(count..).unwrap_or_default();
    }
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("no zero byte");
    (file, path)
}

/// Unpacks an image into a new directory, and looks whether something came to be beside it.
pub fn cpio(bytes: &[u8]) {
    let mut beside = std::env::temp_dir();
    beside.push(format!("unshared-fuzz-{}", std::process::id()));
    let root = beside.join("a/b");
    std::fs::create_dir_all(&root).expect("make the root");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(&root, flags, Mode::empty()).expect("open the root");
    let (file, path) = file(bytes);
    let mut tree = Tree::new(directory);
    let image = Image::open(&path, interrupt()).expect("open the image");
    if image.unpack(&mut tree, MOST).is_ok() {
        let _ = tree.finish();
    }
    drop(file);
    let names = |path| std::fs::read_dir(path).expect("list").count();
    assert_eq!((names(&beside), names(&beside.join("a"))), (1, 1), "something came out");
    let above = rustix::fs::open(&beside, flags, Mode::empty()).expect("open what is above");
    super::remove::remove(above.as_fd(), b"a").expect("remove the root");
    rustix::fs::unlinkat(CWD, &beside, rustix::fs::AtFlags::REMOVEDIR).expect("remove");
}

/// Decompresses; whatever comes out is right.
fn decompress(format: Format, bytes: &[u8]) {
    let (file, path) = file(bytes);
    let mut source = Source::open(&path, interrupt()).expect("open the image");
    drop(file);
    let _ = source.peek(LOOK).map(look);
    let (thread, mut decoded) = image::start(source, format).expect("a thread");
    let mut left = MOST;
    while let Ok(part @ [_, ..]) = decoded.fill() {
        let count = part.len();
        decoded.consume(count);
        left = left.saturating_sub(count as u64);
        if left == 0 {
            break;
        }
    }
    drop(decoded);
    thread.join().expect("the thread has panicked");
}

/// [`decompress`] of each format.
pub fn gzip(bytes: &[u8]) {
    decompress(Format::Gzip, bytes);
}
#[allow(missing_docs)]
pub fn lz4(bytes: &[u8]) {
    decompress(Format::Lz4, bytes);
}
#[allow(missing_docs)]
pub fn lzma(bytes: &[u8]) {
    decompress(Format::Lzma, bytes);
}
#[allow(missing_docs)]
pub fn xz(bytes: &[u8]) {
    decompress(Format::Xz, bytes);
}
#[allow(missing_docs)]
pub fn zstd(bytes: &[u8]) {
    decompress(Format::Zstd, bytes);
}

/// Reads an ELF file, and the symbols that it imports.
pub fn elf(bytes: &[u8]) {
    if let Ok(elf) = elf::read(&bytes) {
        let _ = Uses::of(&elf, &bytes);
        let _ = (ldconf::built_in(elf.kind), ldconf::dst_lib(elf.kind), ldconf::platform(elf.kind));
    }
}

/// Files of ld.so.conf(5), with zero bytes between them. They are those that an include leads to,
/// whatever it names; and the directories have these names.
struct Texts<'a>(Vec<&'a [u8]>);

impl Files for Texts<'_> {
    fn contents(&self, path: &[u8]) -> Option<Vec<u8>> {
        let sum = path.iter().map(|byte| usize::from(*byte)).sum::<usize>();
        let first = path == b"/etc/ld.so.conf";
        let text = if first { self.0.first() } else { self.0.get(sum % (self.0.len() + 1)) };
        text.map(|text| text.to_vec())
    }

    fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let parts = self.0.iter().flat_map(|text| text.split(|byte| !byte.is_ascii_alphanumeric()));
        parts
            .take(directory.len() + 8)
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    }
}

/// Reads the files of ld.so.conf, and musl's.
pub fn ld_so_conf(bytes: &[u8]) {
    let texts = Texts(bytes.split(|byte| *byte == 0).collect());
    for directory in ldconf::configured(&texts) {
        assert!(directory.starts_with(b"/"), "a directory that is not absolute");
    }
    let _ = ldconf::musl_directories(Some(bytes));
    let _ = ldconf::musl_file(bytes);
    let kind = Kind { wide: bytes.len() % 2 == 0, big: false, machine: bytes.len() as u16 };
    let _ = ldconf::built_in(kind);
}

/// Reads the first bytes of a script.
pub(crate) fn script(bytes: &[u8]) {
    closure::fuzz_script(bytes);
}

/// Reads nsswitch.conf(5).
pub(crate) fn nsswitch(bytes: &[u8]) {
    closure::fuzz_nsswitch(bytes);
}

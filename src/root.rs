//! Roots: directories that programs run in. Where they are, how they are made, and how paths lead
//! through them.
//!
//! A root is made in a directory beside its place, `.NAME.make-root`, and renamed when it is whole.
//! No root has a name that begins with a dot, so that directory is nobody's root. To a root that is
//! there, programs are added in place.
mod closure;
mod cpio;
mod decompress;
mod elf;
mod etc_files;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod image;
mod interrupt;
mod ldconf;
#[cfg(feature = "machine")]
mod pack;
mod pipe;
pub(crate) mod place;
mod programs;
mod progress;
mod remove;
pub(crate) mod resolve;
mod site;
mod source;
mod target;
mod tree;
mod unpack;
mod view;
pub(crate) mod why;

use crate::error::{Error, quote};
use closure::Settings;
use image::Image;
use interrupt::Interrupt;
#[cfg(feature = "machine")]
pub(crate) use pack::{Pack, pack};
use programs::List;
pub(crate) use programs::Wanted;
use rustix::fd::OwnedFd;
use rustix::fs::Mode;
use rustix::io::Errno;
use site::Site;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use target::Target;
use tree::Tree;
use view::View;

/// What is wanted of `make-root`.
#[derive(Default)]
pub(crate) struct MakeRoot {
    /// The type of root, or an absolute path.
    pub(crate) root: CString,
    /// The image to unpack; `-` is standard input.
    pub(crate) image: Option<CString>,
    /// Mount a tmpfs for it; what mount(2) is to be told of its size.
    pub(crate) tmpfs: Option<Option<String>>,
    /// How many bytes the image may come to.
    pub(crate) max_size: Option<u64>,
    /// What is copied from the host.
    pub(crate) wanted: Wanted,
    /// Only say what would be copied.
    pub(crate) list: bool,
    /// Replace a root that is there, and go on although something is missing.
    pub(crate) force: bool,
}

/// How many bytes an image may come to if nothing else is said.
const MAX_SIZE: u64 = 4 << 30;

/// Makes a root, or adds to one. Returns the line that says what was done, or the list.
pub(crate) fn make(request: &MakeRoot) -> Result<String, Error> {
    let path = place::path_of(request.root.to_bytes())?.into_os_string().into_vec();
    let host = View::open(b"/").map_err(|errno| failed("open", b"/", errno))?;
    let settings = settings(&host, View::open(&path).ok().as_ref());
    let root = Target::open(&path).and_then(|root| root.identity()).ok();
    let list = List::look(&host, &settings, &request.wanted, root)?;
    let programs = Programs { host: &host, settings: &settings, list };
    if request.list {
        return Ok(programs.list.text());
    }
    if !request.force {
        programs.list.check()?;
    }
    let is_from_host = request.image.is_none() && request.tmpfs.is_none();
    if is_from_host
        && !request.wanted.is_empty()
        && let Ok(mut target) = Target::open(&path)
    {
        let root = View::open(&path).map_err(|errno| failed("open root", &path, errno))?;
        let done = programs.put(request, &mut target, &root)?;
        return Ok(format!("{}: {done}\n", crate::error::escape(&path)));
    }
    let interrupt = Arc::new(Interrupt::new()?);
    let image = match &request.image {
        None => None,
        Some(image) => Some(Image::open(image, Arc::clone(&interrupt))?),
    };
    let site = Site::prepare(&path, request.force, request.tmpfs.as_ref())?;
    let filled =
        fill(request, &site, image, &programs).and_then(|done| interrupt.check().map(|()| done));
    match filled {
        Ok(done) => {
            site.finish()?;
            Ok(format!("{}: {done}\n", crate::error::escape(&path)))
        }
        Err(error) => {
            site.abandon();
            Err(error)
        }
    }
}

/// Unpacks an image into an empty directory.
pub(crate) fn unpack(image: &CStr, directory: OwnedFd) -> Result<(), Error> {
    let interrupt = Arc::new(Interrupt::new()?);
    let image = Image::open(image, Arc::clone(&interrupt))?;
    let mut tree = Tree::new(directory);
    image.unpack(&mut tree, MAX_SIZE)?;
    tree.finish()?;
    interrupt.check()
}

/// A whole file, decompressed if it is compressed.
pub(crate) fn decompressed(path: &CStr) -> Result<Vec<u8>, Error> {
    use decompress::{Found, LOOK, look};
    use source::Stream;
    fn all(stream: &mut impl Stream) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        loop {
            let part = stream.fill()?;
            if part.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(part);
            let count = part.len();
            stream.consume(count);
        }
    }
    let mut source = source::Source::open(path, Arc::new(Interrupt::new()?))?;
    match look(source.peek(LOOK)?) {
        Found::Compressed(format) => all(&mut image::start(source, format)?.1),
        Found::Unsupported(_) | Found::Unknown => all(&mut source),
    }
}

/// Puts everything into a new root.
fn fill(
    request: &MakeRoot,
    site: &Site,
    image: Option<Image>,
    programs: &Programs<'_>,
) -> Result<String, Error> {
    let mut tree = Tree::new(site.open()?);
    let mut text = match image {
        None => "empty".to_owned(),
        Some(image) => image.unpack(&mut tree, request.max_size.unwrap_or(MAX_SIZE))?,
    };
    tree.finish()?;
    if tree.devices > 0 {
        text.push_str(&format!("; left out: {}, which only root may make", devices(tree.devices)));
    }
    if tree.owners > 0 {
        text.push_str(&format!("; {} with an owner that is not to be had here", tree.owners));
    }
    if request.wanted.is_empty() {
        return Ok(text);
    }
    let done = programs.put(request, &mut Target::new(site.open()?), &View::new(site.open()?))?;
    Ok(if request.image.is_some() { format!("{text}; {done}") } else { done })
}

fn devices(count: u64) -> String {
    format!("{count} device node{}", if count == 1 { "" } else { "s" })
}

/// What is copied from the host.
struct Programs<'a> {
    host: &'a View,
    settings: &'a Settings,
    list: List<'a>,
}

impl Programs<'_> {
    /// Copies it, and what programs expect besides; says what that was.
    fn put(&self, request: &MakeRoot, target: &mut Target, root: &View) -> Result<String, Error> {
        // What is made on the way is for everybody to enter, whatever the caller's mask.
        rustix::process::umask(Mode::from_raw_mode(0o022));
        self.list.copy(target)?;
        expected(self.host, target)?;
        if !request.force {
            self.list.verify(root, self.settings)?;
        }
        let mut line =
            format!("{} files, {} links, {} bytes", target.files, target.links, target.bytes);
        match self.list.left_out() {
            0 => {}
            count => line.push_str(&format!("; {count} missing (see --list)")),
        }
        Ok(line)
    }
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<Vec<u8>> {
    crate::host::variable(name).map(<[u8]>::to_vec)
}

/// What the list of files depends on. The root's own nsswitch.conf comes first, then the host's.
fn settings(host: &View, root: Option<&View>) -> Settings {
    use ldconf::Files;
    let file = b"/etc/nsswitch.conf";
    Settings {
        path: variable("PATH").unwrap_or_else(|| b"/usr/local/bin:/usr/bin:/bin".to_vec()),
        term: variable("TERM").unwrap_or_default(),
        nsswitch: root
            .and_then(|root| root.contents(file))
            .or_else(|| host.contents(file))
            .unwrap_or_else(|| b"passwd: files\ngroup: files\nhosts: files dns\n".to_vec()),
    }
}

/// What programs expect, where it is missing.
fn expected(host: &View, target: &mut Target) -> Result<(), Error> {
    for (path, mode) in etc_files::DIRECTORIES {
        let there = target.look(path).map_err(|errno| failed("make in the root", path, errno))?;
        if there.is_none() {
            target.mode(path, mode).map_err(|errno| failed("make in the root", path, errno))?;
        }
    }
    for (path, text) in etc_files::FILES {
        if target.look(path).map_err(|errno| failed("make in the root", path, errno))?.is_some() {
            continue;
        }
        let own =
            (path == etc_files::RESOLV_CONF).then(|| ldconf::Files::contents(host, path)).flatten();
        let text = own.as_deref().unwrap_or(text);
        target.text(path, text).map_err(|errno| failed("make in the root", path, errno))?;
    }
    Ok(())
}

#[inline(never)]
fn failed(attempt: &str, path: &[u8], errno: Errno) -> Error {
    Error::system(format!("{attempt} {}", quote(path)), errno)
}

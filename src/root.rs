//! Roots: directories that programs run in. Where they are, and how they are made.
mod closure;
mod elf;
mod etc_files;
mod ldconf;
pub(crate) mod place;
mod programs;
pub(crate) mod resolve;
mod target;
mod view;

use crate::error::{Error, quote};
use closure::Settings;
use programs::List;
pub(crate) use programs::Wanted;
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use std::os::unix::ffi::OsStringExt;
use target::Target;
use view::View;

/// What `make-root` was asked for.
pub(crate) struct MakeRoot {
    /// A name, or an absolute path.
    pub(crate) name: Vec<u8>,
    pub(crate) wanted: Wanted,
    /// Only say what would be copied.
    pub(crate) list: bool,
    /// Go on although something is missing.
    pub(crate) force: bool,
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsStringExt::into_vec).filter(|value| !value.is_empty())
}

/// Makes a root, or adds to one. Returns the line that says what was done, or the list.
pub(crate) fn make(request: &MakeRoot) -> Result<String, Error> {
    let path = place::path_of(&request.name)?.into_os_string().into_vec();
    let host = View::open(b"/").map_err(|errno| failed("open", b"/", errno))?;
    let there = View::open(&path).ok();
    let settings = settings(&host, there.as_ref());
    let root = Target::open(&path).and_then(|root| root.identity()).ok();
    let list = List::look(&host, &settings, &request.wanted, root)?;
    if request.list {
        return Ok(list.text());
    }
    if !request.force {
        list.check()?;
    }
    // What is made on the way is for everybody to enter, whatever the caller's mask.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let new = make_directories(&path)?;
    let mut target = Target::open(&path).map_err(|errno| failed("open root", &path, errno))?;
    let result = fill(&host, &settings, &list, request, &path, &mut target);
    if result.is_err() && new {
        target.clear();
        if let Ok(path) = view::terminated(&path) {
            let _ = rustix::fs::unlinkat(CWD, &*path, rustix::fs::AtFlags::REMOVEDIR);
        }
    }
    result
}

fn fill(
    host: &View,
    settings: &Settings,
    list: &List<'_>,
    request: &MakeRoot,
    path: &[u8],
    target: &mut Target,
) -> Result<String, Error> {
    list.copy(target)?;
    expected(host, target)?;
    let name = crate::error::escape(&request.name);
    if !request.force {
        let root = View::open(path).map_err(|errno| failed("open root", path, errno))?;
        list.verify(&root, settings, &name)?;
    }
    let mut line = format!(
        "{}: {} files, {} links, {} bytes",
        crate::error::escape(path),
        target.files,
        target.links,
        target.bytes
    );
    match list.left_out() {
        0 => {}
        count => line.push_str(&format!("; {count} missing (see --list)")),
    }
    line.push('\n');
    Ok(line)
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

/// mkdir -p. Whether the last one is new.
fn make_directories(path: &[u8]) -> Result<bool, Error> {
    let mut new = false;
    for end in (1..=path.len()).filter(|end| matches!(path.get(*end), None | Some(b'/'))) {
        let part = path.get(..end).unwrap_or_default();
        new = match view::make_at(CWD, part) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            // Another one further down may be there all the same.
            Err(_) if end < path.len() => false,
            Err(errno) => {
                return Err(failed("make", part, errno));
            }
        };
    }
    Ok(new)
}

#[inline(never)]
fn failed(attempt: &str, path: &[u8], errno: Errno) -> Error {
    Error::system(format!("{attempt} {}", quote(path)), errno)
}

//! Named instances: where their records are, who holds one, and what undoes a launch.
//!
//! A record is a directory in the state directory, called as the instance. In it is a file `record` of
//! lines ([`facts`]), which the launcher holds by flock(2) for as long as it lives, and to which it
//! appends what undoes a step before the step is done ([`journal`]). So somebody always cleans up
//! behind an instance: its launcher or, if that was killed, whoever takes the record next ([`heal`]).
use crate::error::{Error, quote};
use crate::host::variable;
use crate::sys::{self, again};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

pub(crate) mod facts;
pub(crate) mod heal;
pub(crate) mod journal;
pub(crate) mod process;
pub(crate) mod record;
pub(crate) mod shared;
pub(crate) mod undo;
pub(crate) mod words;

/// The state directory, open.
pub(crate) struct State {
    path: CString,
    /// Nobody chose it: then it goes when it is empty.
    is_default: bool,
    directory: OwnedFd,
}

impl State {
    /// The state directory, made if it is missing.
    pub(crate) fn make() -> Result<State, Error> {
        let (path, is_default) = place()?;
        make_directory(&path).map_err(|errno| cannot("make", &path, errno))?;
        let directory = again(|| open(&path)).map_err(|errno| cannot("open", &path, errno))?;
        State { path, is_default, directory }.check()
    }

    /// The state directory; `None` if there is none.
    pub(crate) fn look() -> Result<Option<State>, Error> {
        let (path, is_default) = place()?;
        match open(&path) {
            Ok(directory) => State { path, is_default, directory }.check().map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(cannot("open", &path, errno)),
        }
    }

    /// Whether there is a place for it: root has one, others may have.
    pub(crate) fn has_place() -> bool {
        sys::effective_uid() == 0 || place().is_ok()
    }

    /// What is written there is done by whoever heals it. So it has to be ours alone.
    fn check(self) -> Result<State, Error> {
        let path = quote(self.path.as_bytes());
        let status = again(|| rustix::fs::fstat(&self.directory))
            .map_err(|errno| cannot("look at", &self.path, errno))?;
        if status.st_uid != sys::effective_uid() {
            let owner = status.st_uid;
            return Err(Error::plain(format!("the state directory {path} is user {owner}'s"))
                .hint("UNSHARED_STATE names another"));
        }
        if status.st_mode & 0o022 != 0 {
            return Err(Error::plain(format!("others may write to the state directory {path}"))
                .hint("chmod go-w it"));
        }
        Ok(self)
    }

    /// The names of all records, sorted.
    pub(crate) fn names(&self) -> Result<Vec<CString>, Error> {
        self.list(&|name| crate::root::place::is_name(name).then_some(name))
    }

    /// What of that kind is shared or held, sorted ([`shared`]).
    pub(crate) fn objects(&self, kind: &str) -> Result<Vec<CString>, Error> {
        let before = [b".", kind.as_bytes(), b"-"].concat();
        self.list(&|name| name.strip_prefix(before.as_slice()))
    }

    /// What `of` makes of the names of entries, sorted.
    fn list(&self, of: &dyn Fn(&[u8]) -> Option<&[u8]>) -> Result<Vec<CString>, Error> {
        let mut names = Vec::new();
        let listed = crate::files::entries(self.directory.as_fd(), &mut |name, _| {
            if let Some(name) = of(name.to_bytes()) {
                names.extend(CString::new(name));
            }
        });
        listed.map_err(|errno| cannot("read", &self.path, errno))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The path of something in it.
    pub(crate) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        [self.path.as_bytes(), b"/", name].concat()
    }

    /// Leaves nothing behind where nobody asked for a directory.
    pub(crate) fn remove_if_empty(&self) {
        if self.is_default {
            let _ = again(|| rustix::fs::rmdir(self.path.as_c_str()));
        }
    }

    /// Nothing could be begun there; passes on why.
    fn left(&self, record: Option<&CStr>, errno: Errno) -> Errno {
        if let Some(record) = record {
            let _ = rustix::fs::unlinkat(&self.directory, record, AtFlags::REMOVEDIR);
        }
        self.remove_if_empty();
        errno
    }
}

impl AsFd for State {
    fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Between two looks at a lock that is about to be let go.
pub(crate) fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(2));
}

fn cannot(what: &str, path: &CString, errno: Errno) -> Error {
    let hint = match errno {
        Errno::ROFS => Some("UNSHARED_STATE names another"),
        Errno::ACCESS => Some("it is another user's"),
        _ => None,
    };
    Error::system(format!("{what} the state directory {}", quote(path.as_bytes())), errno)
        .maybe_hint(hint.map(ToOwned::to_owned))
}

/// Where the state directory is, and whether that is the default.
fn place() -> Result<(CString, bool), Error> {
    let (path, is_default) = if let Some(state) = variable("UNSHARED_STATE") {
        if !state.starts_with(b"/") {
            let value = quote(state);
            return Err(Error::plain(format!("UNSHARED_STATE is {value}: no absolute path")));
        }
        (state.to_vec(), false)
    } else if sys::effective_uid() == 0 {
        (b"/run/unshared".to_vec(), true)
    } else {
        match variable("XDG_RUNTIME_DIR").filter(|runtime| runtime.starts_with(b"/")) {
            Some(runtime) => ([runtime, b"/unshared"].concat(), true),
            None => {
                return Err(Error::plain("there is no directory for the record of an instance")
                    .hint("set XDG_RUNTIME_DIR or UNSHARED_STATE"));
            }
        }
    };
    match CString::new(path) {
        Ok(path) => Ok((path, is_default)),
        Err(_) => Err(Error::plain("a zero byte")),
    }
}

fn open(path: &CString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path.as_c_str(), flags, Mode::empty())
}

/// mkdir(2), with what is missing above it, where others may look.
fn make_directory(path: &CString) -> Result<(), Errno> {
    match rustix::fs::mkdir(path.as_c_str(), Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => {
            let bytes = path.as_bytes();
            let above = bytes.iter().enumerate().filter(|(at, byte)| *at > 0 && **byte == b'/');
            for (at, _) in above {
                let parent = bytes.get(..at).unwrap_or_default();
                match rustix::fs::mkdir(parent, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno),
                }
            }
            match rustix::fs::mkdir(path.as_c_str(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(errno),
            }
        }
        // A file system that is read-only says so before it looks whether the directory is there.
        Err(Errno::ROFS) if open(path).is_ok() => Ok(()),
        Err(errno) => Err(errno),
    }
}

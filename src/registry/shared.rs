//! What several instances use, and the last of them takes away: a bridge, say.
//!
//! Its users are the files of a directory `.KIND-OBJECT` in the state directory, one a user. To use
//! something: enter an [`super::undo::Undo`] whose `perform` calls [`leave`]; then [`join`], and while
//! the [`Users`] are held, which keeps everybody else out, make what is missing. How many instances
//! run makes no difference to the time that it takes. What has no users but one at a time is only
//! held ([`hold`]).
use super::State;
use super::record::Missing;
use crate::sys::again;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

/// The users of something, locked by flock(2) until this is dropped.
pub(crate) struct Users {
    directory: OwnedFd,
    name: CString,
}

impl Drop for Users {
    /// Not left to the end of the descriptor: a child may have a copy of it.
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.directory, FlockOperation::Unlock);
    }
}

/// Whether somebody who is in is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wait {
    Yes,
    No,
}

/// The file that says that we made it. No user is called so.
const MADE: &CStr = c".made";

/// Makes an instance, or whoever else is called so, a user of that object. Doing so again changes nothing.
pub(crate) fn join(state: &State, user: &CStr, kind: &str, object: &[u8]) -> Result<Users, Errno> {
    loop {
        if let Some(users) = Users::lock(state, kind, object, Missing::Make, Wait::Yes)? {
            users.put(user)?;
            return Ok(users);
        }
    }
}

/// Keeps everybody else out of that object. EAGAIN if somebody is in already who is not to be waited for.
pub(crate) fn hold(state: &State, kind: &str, object: &[u8], wait: Wait) -> Result<Users, Errno> {
    loop {
        if let Some(users) = Users::lock(state, kind, object, Missing::Make, wait)? {
            return Ok(users);
        }
    }
}

/// Who uses an object at this moment. What is left of one that nobody came to use is removed.
pub(crate) fn users(state: &State, kind: &str, object: &CStr) -> Result<Vec<CString>, Errno> {
    let mut found = Vec::new();
    let users = Users::lock(state, kind, object.to_bytes(), Missing::Leave, Wait::Yes)?;
    if let Some(users) = users {
        users.each(&mut |user| found.push(user.to_owned()))?;
        if found.is_empty() {
            users.let_go(state)?;
        }
    }
    Ok(found)
}

/// `user` uses it no more. If it was the last user, `remove` is called with whether the
/// object was made by us ([`Users::note_made`]), while nobody can join. Leaving again changes nothing.
///
/// What fails is done once more: nobody else would do it.
pub(crate) fn leave(
    state: &State,
    user: &CStr,
    kind: &str,
    object: &[u8],
    remove: &mut dyn FnMut(bool) -> Result<(), Errno>,
) -> Result<(), Errno> {
    again(|| leave_once(state, user, kind, object, remove))
}

fn leave_once(
    state: &State,
    user: &CStr,
    kind: &str,
    object: &[u8],
    remove: &mut dyn FnMut(bool) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let users = Users::lock(state, kind, object, Missing::Leave, Wait::Yes)?;
    let Some(users) = users else { return Ok(()) };
    let mut is_last = true;
    users.each(&mut |other| is_last &= other == user)?;
    if is_last {
        let made = users.is_made();
        let _ = again(|| remove(made));
        users.take(MADE)?;
    }
    users.take(user)?;
    users.let_go(state)
}

impl Users {
    /// `None` if there are none, or if the last left while we waited for the lock.
    fn lock(
        state: &State,
        kind: &str,
        object: &[u8],
        missing: Missing,
        wait: Wait,
    ) -> Result<Option<Users>, Errno> {
        let name = [b".", kind.as_bytes(), b"-", object].concat();
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        if missing == Missing::Make {
            match rustix::fs::mkdirat(state, &name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let directory = match rustix::fs::openat(state, &name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            directory => directory?,
        };
        let operation = match wait {
            Wait::Yes => FlockOperation::LockExclusive,
            Wait::No => FlockOperation::NonBlockingLockExclusive,
        };
        while let Err(errno) = rustix::fs::flock(&directory, operation) {
            if errno != Errno::INTR {
                return Err(errno);
            }
        }
        if rustix::fs::fstat(&directory)?.st_nlink == 0 {
            return Ok(None);
        }
        Ok(Some(Users { directory, name }))
    }

    /// Says that the object is about to be made by us, and so is ours to remove.
    pub(crate) fn note_made(&self) -> Result<(), Errno> {
        self.put(MADE)
    }

    /// Whether it was.
    pub(crate) fn is_made(&self) -> bool {
        again(|| rustix::fs::statat(&self.directory, MADE, AtFlags::SYMLINK_NOFOLLOW)).is_ok()
    }

    /// Tells of all users.
    fn each(&self, tell: &mut dyn FnMut(&CStr)) -> Result<(), Errno> {
        crate::files::entries(self.directory.as_fd(), &mut |name, _| {
            if !name.to_bytes().starts_with(b".") {
                tell(name);
            }
        })
    }

    /// Lets go of it; without users, nothing is left of it.
    pub(crate) fn let_go(self, state: &State) -> Result<(), Errno> {
        match rustix::fs::unlinkat(state, &self.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn put(&self, name: &CStr) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        rustix::fs::openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR).map(drop)
    }

    fn take(&self, name: &CStr) -> Result<(), Errno> {
        match rustix::fs::unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::super::record::{Record, Taken};
    use super::*;

    fn record(path: &CStr, name: &CStr) -> Record {
        let directory = super::super::open(&path.to_owned()).unwrap();
        let state = State { path: path.to_owned(), is_default: false, directory };
        match Record::take(state, name, Missing::Make).unwrap() {
            Taken::Ours(record) => record,
            Taken::Held(_) | Taken::Gone => panic!("{name:?} is taken"),
        }
    }

    #[test]
    fn the_last_user_removes_what_was_made() {
        let path = std::env::temp_dir().join(format!("unshared-shared.{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        let text = CString::new(path.to_str().unwrap()).unwrap();
        let (one, other) = (record(&text, c"one"), record(&text, c"other"));
        let users = join(&one.state, &one.name, "bridge", b"br0").unwrap();
        assert!(!users.is_made());
        users.note_made().unwrap();
        drop(users);
        assert!(join(&other.state, &other.name, "bridge", b"br0").unwrap().is_made());
        let mut removed = Vec::new();
        for record in [&one, &one, &other, &other] {
            leave(&record.state, &record.name, "bridge", b"br0", &mut |made| {
                removed.push(made);
                Ok(())
            })
            .unwrap();
        }
        assert_eq!(removed, [true]);
        one.remove().unwrap();
        other.remove().unwrap();
        std::fs::remove_dir(&path).unwrap();
    }
}

//! What several instances use, and the last of them takes away: a bridge, say.
//!
//! Its users are the files of a directory `.KIND-OBJECT` in the state directory, one a user. To use
//! something: enter an [`super::undo::Undo`] whose `perform` calls [`leave`]; then [`join`], and while
//! the [`Users`] are held, which keeps everybody else out, make what is missing. How many instances
//! run makes no difference to the time that it takes.
use super::State;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

/// The users of something, locked by flock(2) until this is dropped.
pub(crate) struct Users {
    directory: OwnedFd,
    name: CString,
}

/// The file that says that we made it. No user is called so.
const MADE: &CStr = c".made";

/// Makes an instance, or whoever else is called so, a user of that object. Doing so again changes nothing.
pub(crate) fn join(state: &State, user: &CStr, kind: &str, object: &[u8]) -> Result<Users, Errno> {
    loop {
        let users = match Users::lock(state, kind, object, true)? {
            Some(users) => users,
            None => continue,
        };
        users.put(user)?;
        return Ok(users);
    }
}

/// `user` uses it no more. If it was the last user, `remove` is called with whether the
/// object was made by us ([`Users::note_made`]), while nobody can join. Leaving again changes nothing.
pub(crate) fn leave(
    state: &State,
    user: &CStr,
    kind: &str,
    object: &[u8],
    remove: impl FnOnce(bool),
) -> Result<(), Errno> {
    let Some(users) = Users::lock(state, kind, object, false)? else {
        return Ok(());
    };
    if !users.others(user)? {
        remove(users.is_made());
        users.take(MADE)?;
    }
    users.take(user)?;
    match rustix::fs::unlinkat(state, &users.name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

impl Users {
    /// `None` if there are none, or if the last left while we waited for the lock.
    fn lock(state: &State, kind: &str, object: &[u8], make: bool) -> Result<Option<Users>, Errno> {
        let name = [b".", kind.as_bytes(), b"-", object].concat();
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        if make {
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
        while let Err(errno) = rustix::fs::flock(&directory, FlockOperation::LockExclusive) {
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
        rustix::fs::statat(&self.directory, MADE, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether somebody uses it besides that instance.
    fn others(&self, name: &CStr) -> Result<bool, Errno> {
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let other = entry.file_name();
            if other != name && !other.to_bytes().starts_with(b".") {
                return Ok(true);
            }
        }
        Ok(false)
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
    use super::super::record::{Missing, Record, Taken};
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
            leave(&record.state, &record.name, "bridge", b"br0", |made| removed.push(made))
                .unwrap();
        }
        assert_eq!(removed, [true]);
        one.remove().unwrap();
        other.remove().unwrap();
        std::fs::remove_dir(&path).unwrap();
    }
}

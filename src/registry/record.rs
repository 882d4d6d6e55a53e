//! One record: taken, written, removed.
use super::facts::{Facts, boot_id};
use super::process::Process;
use super::{State, pause};
use super::{heal, words};
use crate::error::{Error, quote};
use crate::spec::Spec;
use crate::sys::again;
use crate::walk::channel::above_standard;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::number::SECOND;
use unshared_init::sys::{SignalState, now};

/// How long a lock is waited for whose holder is not among the living. A child has a copy of its
/// launcher's descriptor until it closes it; and whoever heals a record is soon done.
pub(crate) const PATIENCE: u64 = 2 * SECOND;

/// A record that we hold.
pub(crate) struct Record {
    pub(crate) state: State,
    pub(crate) name: CString,
    /// Open for appending; with its lock.
    file: OwnedFd,
}

/// What became of an attempt to take a record.
pub(crate) enum Taken {
    /// It is ours.
    Ours(Record),
    /// Somebody else holds it.
    Held(OwnedFd),
    /// There is none, or no more.
    Gone,
}

/// Whether a record is made where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missing {
    Make,
    Leave,
}

impl Record {
    /// The record of a new instance, held by us. What a dead launcher left under that name is healed
    /// first. `made_up` says that the name may be another as well.
    /// All signals are blocked by now; `signals` is what the hooks of a dead launcher get back.
    #[cold]
    #[inline(never)]
    pub(crate) fn create(
        spec: &mut Spec,
        root: Option<&CString>,
        signals: SignalState,
    ) -> Result<Record, Error> {
        let made_up = spec.name.is_none();
        let network = &spec.network;
        let changes_host = network.bridge.is_some() || !network.moved.is_empty();
        if changes_host && !State::has_place() {
            // A place for the record would not help.
            return Err(Error::system("change the host's links", Errno::PERM)
                .hint("only root may; an ordinary user has --pasta"));
        }
        let own = std::process::id();
        for attempt in 1_u32.. {
            let name = match &spec.name {
                Some(name) if !made_up => name.clone(),
                _ if attempt == 1 => text(format!("unshared-{own}")),
                _ => text(format!("unshared-{own}-{attempt}")),
            };
            match take_new(&name)? {
                Ok(record) => {
                    spec.name = Some(name);
                    heal::heal(&record, Some(signals));
                    if let Err(error) = record.begin(spec, root) {
                        let _ = record.remove();
                        return Err(error);
                    }
                    return Ok(record);
                }
                Err(error) if !made_up => return Err(error),
                Err(_) => {}
            }
        }
        Err(Error::plain("every name is taken"))
    }

    /// Takes the lock of a record.
    pub(crate) fn take(state: State, name: &CStr, missing: Missing) -> Result<Taken, Errno> {
        if missing == Missing::Make {
            match rustix::fs::mkdirat(&state, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(state.left(None, errno)),
            }
        }
        let file = match open(&state, name, missing) {
            Ok(file) => file,
            // An empty directory is what is left where a launcher was killed in between.
            Err(errno) => match state.left(Some(name), errno) {
                Errno::NOENT | Errno::NOTDIR => return Ok(Taken::Gone),
                errno => return Err(errno),
            },
        };
        match again(|| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Taken::Held(file)),
            Err(errno) => return Err(errno),
        }
        // Whoever held it may have removed it meanwhile.
        if again(|| rustix::fs::fstat(&file))?.st_nlink == 0 {
            return Ok(Taken::Gone);
        }
        Ok(Taken::Ours(Record { state, name: name.to_owned(), file }))
    }

    /// Writes what is known at the beginning.
    fn begin(&self, spec: &Spec, root: Option<&CString>) -> Result<(), Error> {
        self.remove_log();
        let mut text = words::line(&[b"boot", &boot_id()]);
        text.extend_from_slice(Process::own().line("launcher").as_bytes());
        text.extend_from_slice(format!("created {}\nwords", seconds_since_boot()).as_bytes());
        for word in spec.words.into_iter().flatten() {
            words::add(&mut text, word.to_bytes());
        }
        text.extend_from_slice(b"\nnamespaces");
        for namespace in spec.namespaces.iter() {
            words::add(&mut text, namespace.option().as_bytes());
        }
        text.extend_from_slice(b"\naddresses");
        for address in &spec.network.addresses {
            words::add(&mut text, address.to_string().as_bytes());
        }
        text.push(b'\n');
        let mut line = |key: &[u8], word: &[u8]| text.extend_from_slice(&words::line(&[key, word]));
        if let Some(root) = root {
            line(b"root", root.as_bytes());
        }
        if !spec.postexec.is_empty() {
            let directory = rustix::process::getcwd(Vec::new()).unwrap_or_default();
            line(b"directory", directory.as_bytes());
        }
        // From here on they are run whatever happens, even if a preexec hook did not come to its end.
        for expression in &spec.postexec {
            line(b"postexec", expression.as_bytes());
        }
        match (spec.command, spec.expressions.last()) {
            (Some(command), _) => {
                text.extend_from_slice(b"command");
                for word in command {
                    words::add(&mut text, word.to_bytes());
                }
                text.push(b'\n');
            }
            (None, Some(expression)) => line(b"command", expression.as_bytes()),
            (None, None) => {}
        }
        rustix::fs::ftruncate(&self.file, 0)
            .and_then(|()| self.append(&text))
            .map_err(|errno| self.error("write", errno))
    }

    /// Says who the child is, which waits until that has been done.
    pub(crate) fn note_init(&self, pid: Pid) -> Result<(), Error> {
        self.note_process("init", Process::now(pid)).map_err(|errno| self.error("write", errno))
    }

    /// Says which process that is.
    pub(crate) fn note_process(&self, key: &str, process: Process) -> Result<(), Errno> {
        self.append(process.line(key).as_bytes())
    }

    /// Appends a line. It is there as a whole or does not count.
    pub(crate) fn note(&self, key: &str, words: &[Vec<u8>]) -> Result<(), Errno> {
        let mut text = key.as_bytes().to_vec();
        for word in words {
            words::add(&mut text, word);
        }
        text.push(b'\n');
        self.append(&text)
    }

    fn append(&self, text: &[u8]) -> Result<(), Errno> {
        match rustix::io::write(&self.file, text)? {
            length if length == text.len() => Ok(()),
            // A disk that is full takes a part.
            _ => Err(Errno::NOSPC),
        }
    }

    /// What it says.
    pub(crate) fn facts(&self) -> Result<Box<Facts>, Errno> {
        Facts::read(&self.file)
    }

    /// Removes it, and gives the name free.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        self.try_remove().map_err(|errno| self.error("remove", errno))
    }

    fn try_remove(&self) -> Result<(), Errno> {
        let (record, nothing) = (file_of(&self.name, "record"), AtFlags::empty());
        self.remove_log();
        again(|| rustix::fs::unlinkat(&self.state, &record, nothing))?;
        match again(|| rustix::fs::unlinkat(&self.state, &self.name, AtFlags::REMOVEDIR)) {
            // Somebody has begun with that name already.
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        self.state.remove_if_empty();
        Ok(())
    }

    /// Removes the log that is kept with it, if there is one. Whoever is killed while a half becomes the
    /// older one leaves that alone.
    fn remove_log(&self) {
        for file in ["log", "log.1"] {
            let _ = rustix::fs::unlinkat(&self.state, file_of(&self.name, file), AtFlags::empty());
        }
    }

    /// The path of a file that is kept with it.
    pub(crate) fn path_in(&self, file: &str) -> CString {
        let path = file_of(&self.name, file);
        CString::new(self.state.path_of(path.as_bytes())).unwrap_or_default()
    }

    /// Its path, for messages.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.state.path_of(self.name.as_bytes())
    }

    fn error(&self, what: &str, errno: Errno) -> Error {
        Error::system(format!("{what} the record {}", quote(self.path())), errno)
    }
}

impl AsFd for Record {
    fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(state: &State, name: &CStr, missing: Missing) -> Result<OwnedFd, Errno> {
    let path = file_of(name, "record");
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let flags = if missing == Missing::Make { flags | OFlags::CREATE } else { flags };
    let open = |flags| rustix::fs::openat(state, &path, flags, Mode::RUSR | Mode::WUSR);
    let file = match open(flags) {
        // To be looked at, where nothing can be changed.
        Err(Errno::ROFS) => open(OFlags::RDONLY | OFlags::CLOEXEC)?,
        file => file?,
    };
    above_standard(file)
}

/// Takes a record for a new instance. The inner error says that somebody else has that name.
fn take_new(name: &CStr) -> Result<Result<Record, Error>, Error> {
    let end = now() + PATIENCE;
    loop {
        let state = State::make()?;
        let path = state.path_of(name.to_bytes());
        let is_late = now() > end;
        match Record::take(state, name, Missing::Make) {
            Ok(Taken::Ours(record)) => return Ok(Ok(record)),
            Ok(Taken::Held(file)) => {
                let holder = Facts::read(&file).ok().and_then(|facts| facts.holder());
                let name = quote(name.to_bytes());
                if let Some(holder) = holder {
                    let problem =
                        format!("instance {name} runs already: pid {} holds it", holder.pid);
                    return Ok(Err(Error::plain(problem)));
                }
                if is_late {
                    let problem = format!("instance {name} is held by somebody who is not known");
                    return Ok(Err(Error::plain(problem)));
                }
            }
            // Removed between two calls of ours, the directory itself perhaps.
            Ok(Taken::Gone) | Err(Errno::NOENT) if !is_late => {}
            Ok(Taken::Gone) => {
                return Err(Error::plain(format!("the record {} vanishes", quote(path))));
            }
            Err(errno) => {
                return Err(Error::system(format!("make the record {}", quote(path)), errno));
            }
        }
        pause();
    }
}

/// The path of a file of a record, from the state directory.
pub(crate) fn file_of(name: &CStr, file: &str) -> CString {
    CString::new([name.to_bytes(), b"/", file.as_bytes()].concat()).unwrap_or_default()
}

fn text(name: String) -> CString {
    CString::new(name).unwrap_or_default()
}

/// CLOCK_BOOTTIME, which no setting of the clock changes.
pub(crate) fn seconds_since_boot() -> u64 {
    u64::try_from(rustix::system::sysinfo().uptime).unwrap_or(0)
}

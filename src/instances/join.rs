//! The namespaces of a process, entered by setns(2).
use crate::error::{Error, quote};
use crate::registry::process::Process;
use crate::root::resolve::Resolver;
use crate::spec::namespace::Namespace;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// What is open of a process that is to be joined: it stays that process's, whoever gets the number.
pub(super) struct Inside {
    namespaces: Vec<(Namespace, OwnedFd)>,
    root: OwnedFd,
    /// Its cgroup in the unified hierarchy.
    cgroup: Option<String>,
}

/// Opens what there is of a process: its namespaces that are not ours, and its root.
pub(super) fn open(process: Process) -> Result<Inside, Error> {
    let pid = process.pid;
    let cannot = |what: &str, errno: Errno| {
        let hint = match errno {
            Errno::NOENT => "it has ended, or /proc is not mounted here",
            _ => "it is another user's, or has more capabilities than we have",
        };
        Error::system(format!("open {what} of pid {pid}"), errno).hint(hint)
    };
    let mut namespaces = Vec::new();
    for namespace in Namespace::ALL {
        let what = format!("namespace {}", namespace.option());
        let path = |who: &str| format!("/proc/{who}/ns/{}", namespace.file());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let theirs = match rustix::fs::open(path(&pid.to_string()), flags, Mode::empty()) {
            Ok(theirs) => theirs,
            // A kind that this kernel has not.
            Err(Errno::NOENT) if rustix::fs::lstat(path("self")).is_err() => continue,
            Err(errno) => return Err(cannot(&what, errno)),
        };
        let inode = |status: rustix::fs::Stat| (status.st_dev, status.st_ino);
        let own = rustix::fs::stat(path("self")).map(inode);
        let other = rustix::fs::fstat(&theirs).map(inode);
        if own.ok() != other.ok() {
            namespaces.push((namespace, theirs));
        }
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty())
        .map_err(|errno| cannot("root", errno))?;
    let cgroup =
        cgroup_of(&pid.to_string()).filter(|theirs| Some(theirs) != cgroup_of("self").as_ref());
    if process.is_alive() {
        Ok(Inside { namespaces, root, cgroup })
    } else {
        Err(cannot("root", Errno::NOENT))
    }
}

/// The path of a process in the unified hierarchy of cgroups(7).
fn cgroup_of(process: &str) -> Option<String> {
    let text = crate::host::read_file(&format!("/proc/{process}/cgroup")).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| line.strip_prefix("0::")).map(ToOwned::to_owned)
}

impl Inside {
    /// Its passwd(5), found inside its root.
    pub(super) fn passwd(&self) -> Result<Vec<u8>, Errno> {
        let root = rustix::io::fcntl_dupfd_cloexec(&self.root, 3)?;
        let directory = Resolver::new(root).directory(b"etc", false)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*directory, c"passwd", flags, Mode::empty())?;
        crate::host::read_open(&file)
    }

    /// Goes there: we ourselves, but for the PID namespace, in which our children will be.
    ///
    /// First what may be entered from here, which with a namespace of the host's user namespace among
    /// them is only now; then the user namespace, and with its capabilities the rest.
    pub(super) fn enter(self) -> Result<(), Error> {
        if let Some(cgroup) = &self.cgroup {
            enter_cgroup(cgroup)?;
        }
        let (user, others): (Vec<_>, Vec<_>) =
            self.namespaces.into_iter().partition(|(namespace, _)| *namespace == Namespace::User);
        let mut rest = Vec::new();
        for (namespace, descriptor) in others {
            match enter(&descriptor) {
                Ok(()) => {}
                Err(Errno::PERM) if !user.is_empty() => rest.push((namespace, descriptor)),
                Err(errno) => return Err(cannot(namespace, errno)),
            }
        }
        for (namespace, descriptor) in user.into_iter().chain(rest) {
            enter(&descriptor).map_err(|errno| cannot(namespace, errno))?;
        }
        enter_root(&self.root).map_err(|errno| Error::system("enter the root", errno))
    }
}

fn enter(namespace: &OwnedFd) -> Result<(), Errno> {
    // What kind it is, the descriptor knows.
    rustix::thread::move_into_link_name_space(namespace.as_fd(), None)
}

fn cannot(namespace: Namespace, errno: Errno) -> Error {
    let hint = (errno == Errno::PERM).then(|| "CAP_SYS_ADMIN is needed there".to_owned());
    Error::system(format!("join the {} namespace", namespace.option()), errno).maybe_hint(hint)
}

/// setns(2) of a mount namespace leads to its topmost root, which after pivot_root(2) is the
/// process's. Where that was entered by chroot(2), it is not.
fn enter_root(root: &OwnedFd) -> Result<(), Errno> {
    let inode = |status: rustix::fs::Stat| (status.st_dev, status.st_ino);
    let theirs = rustix::fs::fstat(root).map(inode)?;
    if rustix::fs::stat(c"/").map(inode).is_ok_and(|ours| ours == theirs) {
        return rustix::process::chdir(c"/");
    }
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")
}

/// Before the cgroup namespace is entered: what is above it is not seen from inside.
fn enter_cgroup(path: &str) -> Result<(), Error> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    for hierarchy in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let file = format!("{hierarchy}{path}/cgroup.procs");
        let attempt = || {
            let file = rustix::fs::open(&file, flags, Mode::empty())?;
            rustix::io::write(&file, b"0").map(drop)
        };
        match attempt() {
            Ok(()) => return Ok(()),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Error::system(format!("join cgroup {}", quote(path)), errno)),
        }
    }
    Err(Error::system(format!("join cgroup {}", quote(path)), Errno::NOENT)
        .hint("the cgroup2 filesystem is not mounted at /sys/fs/cgroup"))
}

//! The namespaces of a process, entered by setns(2).
use crate::error::{Error, quote};
use crate::files;
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
    cgroup: Option<Vec<u8>>,
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
        let path = format!("/proc/{pid}/ns/{}", namespace.file());
        let own = files::identity(format!("/proc/self/ns/{}", namespace.file()).as_bytes());
        let theirs = match files::open(path.as_bytes(), OFlags::RDONLY) {
            Ok(theirs) => theirs,
            // A kind that this kernel has not.
            Err(Errno::NOENT) if own.is_err() => continue,
            Err(errno) => {
                return Err(cannot(&format!("namespace {}", namespace.option()), errno));
            }
        };
        if own != files::identity_of(&theirs) {
            namespaces.push((namespace, theirs));
        }
    }
    let root = format!("/proc/{pid}/root");
    let root = files::open(root.as_bytes(), OFlags::PATH | OFlags::DIRECTORY)
        .map_err(|errno| cannot("root", errno))?;
    let mut cgroup = cgroup_of(&format!("/proc/{pid}/cgroup"));
    if cgroup == cgroup_of("/proc/self/cgroup") {
        cgroup = None;
    }
    if process.is_alive() {
        Ok(Inside { namespaces, root, cgroup })
    } else {
        Err(cannot("root", Errno::NOENT))
    }
}

/// The path of a process in the unified hierarchy of cgroups(7).
fn cgroup_of(file: &str) -> Option<Vec<u8>> {
    let text = files::read_file(file).ok()?;
    for line in text.split(|byte| *byte == b'\n') {
        if let Some(path) = line.strip_prefix(b"0::") {
            return Some(path.to_vec());
        }
    }
    None
}

impl Inside {
    /// Its passwd(5), found inside its root.
    pub(super) fn passwd(&self) -> Result<Vec<u8>, Errno> {
        let root = rustix::io::fcntl_dupfd_cloexec(&self.root, 3)?;
        let directory = Resolver::new(root).directory(b"etc", false)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&*directory, c"passwd", flags, Mode::empty())?;
        files::read_open(&file)
    }

    /// Goes there: we ourselves, but for the PID namespace, in which our children will be.
    ///
    /// First what may be entered from here, which with a namespace of the host's user namespace among
    /// them is only now; then the user namespace, and with its capabilities the rest.
    pub(super) fn enter(self) -> Result<(), Error> {
        if let Some(cgroup) = &self.cgroup {
            enter_cgroup(cgroup)?;
        }
        let user = self.namespaces.iter().find(|(namespace, _)| *namespace == Namespace::User);
        let mut rest = Vec::new();
        rest.extend(user);
        for one in &self.namespaces {
            if one.0 == Namespace::User {
                continue;
            }
            match enter(&one.1) {
                Ok(()) => {}
                Err(Errno::PERM) if user.is_some() => rest.push(one),
                Err(errno) => return Err(cannot(one.0, errno)),
            }
        }
        for (namespace, descriptor) in rest {
            enter(descriptor).map_err(|errno| cannot(*namespace, errno))?;
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
    if files::identity(b"/") == Ok(files::identity_of(root)?) {
        return rustix::process::chdir(c"/");
    }
    rustix::process::fchdir(root)?;
    rustix::process::chroot(c".")
}

/// Before the cgroup namespace is entered: what is above it is not seen from inside.
fn enter_cgroup(path: &[u8]) -> Result<(), Error> {
    for hierarchy in [&b"/sys/fs/cgroup"[..], b"/sys/fs/cgroup/unified"] {
        let file = files::open(&[hierarchy, path, b"/cgroup.procs"].concat(), OFlags::WRONLY);
        match file.and_then(|file| rustix::io::write(&file, b"0")) {
            Ok(_) => return Ok(()),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Error::system(format!("join cgroup {}", quote(path)), errno)),
        }
    }
    Err(Error::system(format!("join cgroup {}", quote(path)), Errno::NOENT)
        .hint("the cgroup2 filesystem is not mounted at /sys/fs/cgroup"))
}

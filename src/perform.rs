//! Steps become system calls.
use crate::error::{Error, escape};
use crate::mounts;
use crate::network::links::Links;
use crate::privileges;
use crate::registry::journal::Journal;
use crate::registry::undo::Undo;
use crate::spec::idmap::IdMap;
use crate::spec::mount::Mount;
use crate::step::Step;
use crate::walk::channel::Channel;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::LinkNameSpaceType;
use std::ffi::{CStr, CString};
use unshared_init::exec;
use unshared_init::sys::{Memory, SignalState};

/// Why a step failed; behind a pointer, as an [`Error`] is.
pub(crate) struct Failure(Box<Why>);

struct Why {
    errno: Errno,
    /// The cause where it is known.
    reason: Option<String>,
}

impl Failure {
    /// A failure with its cause.
    pub(crate) fn new(errno: Errno, reason: impl Into<String>) -> Failure {
        Failure::because(errno, Some(reason.into()))
    }

    /// A failure with its cause, if that is known.
    #[cold]
    #[inline(never)]
    pub(crate) fn because(errno: Errno, reason: Option<String>) -> Failure {
        Failure(Box::new(Why { errno, reason }))
    }

    pub(crate) fn errno(&self) -> Errno {
        self.0.errno
    }

    /// The cause where it is known.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Says what was attempted.
    #[cold]
    #[inline(never)]
    pub(crate) fn of(self, attempt: String) -> Error {
        Error::system(attempt, self.0.errno).maybe_hint(self.0.reason)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::because(errno, None)
    }
}

/// Parent, the caller's namespaces: performs one of its steps for the child `pid`.
///
/// What undoes what the step leaves on the host is entered in `journal` before it is done.
pub(crate) fn in_parent(
    step: &Step,
    pid: Pid,
    signals: SignalState,
    journal: &mut Journal,
    links: &mut Links,
) -> Result<(), Failure> {
    let proc = |file: &str| format!("/proc/{pid}/{file}");
    match step {
        Step::DenySetgroups => Ok(deny_setgroups(&proc("setgroups"))?),
        Step::WriteUidMap(map) => Ok(write_map(&proc("uid_map"), map)?),
        Step::WriteGidMap(map) => match write_map(&proc("gid_map"), map) {
            // Root without CAP_SETGID needs it denied as anybody else does.
            Err(Errno::PERM) => {
                deny_setgroups(&proc("setgroups"))?;
                Ok(write_map(&proc("gid_map"), map)?)
            }
            other => Ok(other?),
        },
        Step::RunNewuidmap(map) => run_helper(c"newuidmap", pid, map, signals),
        Step::RunNewgidmap(map) => run_helper(c"newgidmap", pid, map, signals),
        Step::Net(step) => links.on_host(step, pid, signals, journal),
        Step::BindNamespace(namespace, file) => {
            bind_namespace(&proc(&format!("ns/{}", namespace.file())), file, journal)
        }
        Step::EnterCgroup(_)
        | Step::UnshareCgroup
        | Step::SetTimeOffsets { .. }
        | Step::SetIds { .. }
        | Step::SetCapabilities { .. }
        | Step::SetParentDeathSignal
        | Step::MakeMountsPrivate
        | Step::MountProc
        | Step::RunPreMount(_)
        | Step::BindRoot { .. }
        | Step::OverlayRoot { .. }
        | Step::UnpackRoot { .. }
        | Step::MountProcIn { .. }
        | Step::MountSysIn { .. }
        | Step::ProtectKernelFiles { .. }
        | Step::MountDevIn { .. }
        | Step::MountIn { .. }
        | Step::MountDisk { .. }
        | Step::MountFile { .. }
        | Step::ProtectRoot { .. }
        | Step::PivotRoot { .. }
        | Step::SetLoopbackUp
        | Step::SetHostname(_)
        | Step::SetDomainname(_)
        | Step::SetResourceLimit(_)
        | Step::ChangeDirectory(_)
        | Step::SetNoNewPrivs
        | Step::RestrictPaths(_)
        | Step::SetSeccomp { .. }
        | Step::Execute => Err(Errno::INVAL.into()),
    }
}

/// Child or payload, new namespaces: performs one of its steps. [`Step::Execute`] is not among
/// them; whoever comes to it does not come back. Nor are [`Step::RunPreMount`] and
/// [`Step::UnpackRoot`], which can fail by more than an errno, and [`Step::MountDisk`], for which something has been opened before.
pub(crate) fn inside(step: &Step, parent: &Channel) -> Result<(), Errno> {
    match step {
        Step::SetTimeOffsets { monotonic, boottime } => {
            enter_time_namespace(Some((*monotonic, *boottime)))
        }
        Step::UnshareCgroup => crate::sys::unshare_cgroup(),
        Step::SetIds { uid, gid, clear_groups, keeps_capabilities } => {
            privileges::set_ids(*uid, *gid, *clear_groups, *keeps_capabilities)
        }
        Step::SetCapabilities { kept, added, locks_root } => {
            privileges::limit(*kept, *added, *locks_root)
        }
        Step::SetParentDeathSignal => {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // A parent that died before the call sends nothing any more, but its socket is closed.
            if parent.is_closed() { Err(Errno::SRCH) } else { Ok(()) }
        }
        Step::MakeMountsPrivate => rustix::mount::mount_change(
            c"/",
            MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
        ),
        Step::MountProc => {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            rustix::mount::mount(c"proc", c"/proc", c"proc", flags, None)
        }
        Step::BindRoot { root, read_only } => mounts::bind_root(root, *read_only),
        Step::OverlayRoot { root, in_user_namespace } => {
            mounts::overlay_root(root, *in_user_namespace)
        }
        Step::MountProcIn { root, is_new } => mounts::proc(root, *is_new),
        Step::MountSysIn { root, is_new } => mounts::sys(root, *is_new),
        Step::ProtectKernelFiles { root } => mounts::kernel_files::protect(root),
        Step::MountDevIn { root } => mounts::devices::mount(root),
        Step::MountIn { root, mount: Mount::Bind { source, target, read_only }, makes }
        | Step::MountIn { root, mount: Mount::Data { source, target, read_only }, makes } => {
            mounts::bind(root, source, target, *read_only, *makes)
        }
        Step::MountIn { root, mount: Mount::Tmpfs { target, size }, makes } => {
            mounts::tmpfs(root, target, size.as_ref(), *makes)
        }
        Step::MountFile { root, target, text } => mounts::text(root, target, text.as_bytes()),
        Step::ProtectRoot { root } => mounts::protect_root(root),
        Step::PivotRoot { root } => mounts::pivot(root),
        Step::SetHostname(name) => rustix::system::sethostname(name.as_bytes()),
        Step::SetDomainname(name) => rustix::system::setdomainname(name.as_bytes()),
        Step::SetResourceLimit(limit) => rustix::process::setrlimit(limit.resource, limit.values()),
        Step::ChangeDirectory(path) => change_directory(path),
        Step::SetNoNewPrivs => rustix::thread::set_no_new_privs(true),
        Step::RestrictPaths(paths) => crate::landlock::restrict(paths),
        Step::SetSeccomp { filter, log, .. } => crate::sys::set_seccomp(filter, *log),
        Step::DenySetgroups
        | Step::WriteUidMap(_)
        | Step::WriteGidMap(_)
        | Step::RunNewuidmap(_)
        | Step::RunNewgidmap(_)
        | Step::EnterCgroup(_)
        | Step::BindNamespace(..)
        | Step::SetLoopbackUp
        | Step::Net(_)
        | Step::RunPreMount(_)
        | Step::UnpackRoot { .. }
        | Step::MountDisk { .. }
        | Step::Execute => Err(Errno::INVAL),
    }
}

/// Writes a file of /proc with a single write(2), as id maps demand.
fn write_file(path: &str, text: &str) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes()).map(drop)
}

/// Parent: takes setgroups(2) from the child. Before Linux 3.19 there is no such file, and nothing to deny.
#[cold]
#[inline(never)]
fn deny_setgroups(path: &str) -> Result<(), Errno> {
    match write_file(path, "deny") {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Parent: writes an id map.
fn write_map(path: &str, map: &IdMap) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, map.lines().as_bytes()).map(drop)?;
    // Left to the end of the launcher, which nobody inside can look into: a system call less for
    // each map.
    core::mem::forget(file);
    Ok(())
}

/// Child: unshares the time namespace, sets its offsets if there are any, and enters it. Until
/// setns(2) only future children would be in it, and their offsets could no longer be set.
#[cold]
#[inline(never)]
pub(crate) fn enter_time_namespace(offsets: Option<(i64, i64)>) -> Result<(), Errno> {
    crate::sys::unshare_time()?;
    if let Some((monotonic, boottime)) = offsets {
        let text = format!("monotonic {monotonic} 0\nboottime {boottime} 0\n");
        write_file("/proc/self/timens_offsets", &text)?;
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(c"/proc/self/ns/time_for_children", flags, Mode::empty())?;
    rustix::thread::move_into_link_name_space(
        rustix::fd::AsFd::as_fd(&namespace),
        Some(LinkNameSpaceType::Time),
    )
}

/// chdir(2), but not to what is outside of the root: a link in /proc may lead there (EXDEV).
#[cold]
#[inline(never)]
fn change_directory(path: &CStr) -> Result<(), Errno> {
    rustix::process::chdir(path)?;
    match rustix::process::getcwd(Vec::new())?.to_bytes().starts_with(b"/") {
        true => Ok(()),
        false => Err(Errno::XDEV),
    }
}

/// Parent: runs newuidmap(1) or newgidmap(1), which are set-user-ID and know the subordinate ids.
/// What they complain of becomes the reason in our own message.
#[cold]
#[inline(never)]
fn run_helper(
    program: &'static core::ffi::CStr,
    pid: Pid,
    map: &IdMap,
    signals: SignalState,
) -> Result<(), Failure> {
    let mut words = vec![program.to_owned()];
    let lines = map.lines();
    for word in [pid.to_string().as_str()].into_iter().chain(lines.split_ascii_whitespace()) {
        words.push(CString::new(word).map_err(|_| Errno::INVAL)?);
    }
    run_program(words, signals, "uidmap").map_err(|failure| match failure.reason() {
        Some(reason) if failure.errno() == Errno::PERM && has_no_new_privs() => Failure::new(
            Errno::PERM,
            format!("{reason}; no_new_privs is set here, so that it gains no privileges"),
        ),
        Some(_) | None => failure,
    })
}

fn has_no_new_privs() -> bool {
    rustix::thread::no_new_privs() == Ok(true)
}

/// Parent: runs a program and waits for its end. What it complains of becomes the reason in our own
/// message; where it is not to be found, that names the Debian package which has it.
pub(crate) fn run_program(
    words: Vec<CString>,
    signals: SignalState,
    package: &str,
) -> Result<(), Failure> {
    let arguments = crate::sys::arguments(words);
    let environment = unshared_init::sys::Environment::inherited();
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let helper = unshared_init::sys::start(Memory::Copied, &mut || {
        // Child of the parent, not executed yet.
        crate::sys::become_standard(&theirs, 2);
        unshared_init::sys::give_back_signals(signals);
        let failure = exec::execute(arguments, environment);
        let _ = unshared_init::sys::write(unshared_init::sys::Stream::Error, &failure.reason);
        failure.code
    })?;
    drop(theirs);
    let complaint = read_all(&ours);
    let status = loop {
        match rustix::process::waitpid(Some(helper), WaitOptions::empty()) {
            Ok(Some((_, status))) => break status,
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let complaint = escape(String::from_utf8_lossy(&complaint).trim().as_bytes());
    let (errno, reason) = match status.exit_status() {
        Some(0) => return Ok(()),
        // Our own word for a program that is not there (exec::execute).
        Some(127) if complaint.starts_with("not found") => {
            (Errno::NOENT, format!("{complaint}; Debian's package {package} has it"))
        }
        Some(code) if complaint.is_empty() => (Errno::PERM, format!("it ended with status {code}")),
        Some(_) => (Errno::PERM, complaint),
        None => (Errno::INTR, String::from("a signal ended it")),
    };
    Err(Failure::new(errno, reason))
}

/// Reads to the end, or as far as it can be read.
pub(crate) fn read_all(file: &rustix::fd::OwnedFd) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        all.reserve(512);
        match rustix::io::read(file, rustix::buffer::spare_capacity(&mut all)) {
            Ok(0) => return all,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return all,
        }
    }
}

/// Parent: keeps a namespace alive at a file, which is made if it is missing.
#[cold]
#[inline(never)]
fn bind_namespace(source: &str, file: &CString, journal: &mut Journal) -> Result<(), Failure> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    if matches!(rustix::fs::lstat(file.as_c_str()), Err(Errno::NOENT)) {
        journal.until_launched(Undo::RemoveEmptyFile(file.clone()))?;
        match rustix::fs::open(file.as_c_str(), flags, Mode::RUSR | Mode::WUSR) {
            Ok(_) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let (_, inode) = crate::files::identity(source.as_bytes())?;
    journal.until_launched(Undo::UnmountNamespace { path: file.clone(), inode })?;
    Ok(rustix::mount::mount_bind(source, file.as_c_str())?)
}

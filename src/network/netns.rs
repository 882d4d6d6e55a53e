//! Named network namespaces, as `ip netns` has them: initnetns and destroynetns.
use super::links::{self, Links};
use super::names;
use crate::error::{Error, quote};
use crate::perform::Failure;
use crate::registry::{State, pause};
use crate::spec::network::Cidr;
use crate::sys;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::process::{Pid, Signal};
use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};
use unshared_netlink::link::LOOPBACK;
use unshared_netlink::message::Verb;

/// What was asked for.
pub(crate) enum Request {
    /// Makes the namespace, if there is none of that name, and connects it to the bridge.
    Init { bridge: CString, name: CString, address: Cidr },
    /// Ends what runs in it, and takes it away.
    Destroy { bridge: CString, name: CString },
}

/// Where ip(8) keeps them.
const DIRECTORY: &CStr = c"/run/netns";

/// The link inside.
const LINK: &CStr = c"eth0";

/// From TERM to KILL, and then to giving up.
const GRACE: Duration = Duration::from_secs(5);

/// Does what was asked for.
pub(crate) fn run(request: &Request) -> Result<u8, Error> {
    match request {
        Request::Init { bridge, name, address } => init(bridge, name, *address)?,
        Request::Destroy { bridge, name } => destroy(bridge, name)?,
    }
    Ok(0)
}

fn path_of(name: &CStr) -> CString {
    let path = [DIRECTORY.to_bytes(), b"/", name.to_bytes()].concat();
    CString::new(path).unwrap_or_default()
}

/// Who uses a bridge, among its users. An instance cannot be called so.
fn user(name: &CStr) -> CString {
    CString::new([b"netns:", name.to_bytes()].concat()).unwrap_or_default()
}

fn failed(attempt: String) -> impl FnOnce(Failure) -> Error {
    move |failure| Error::system(attempt, failure.errno).maybe_hint(failure.reason)
}

fn init(bridge: &CStr, name: &CStr, address: Cidr) -> Result<(), Error> {
    let path = path_of(name);
    let quoted = quote(name.to_bytes());
    let attempt = format!("make net namespace {quoted}");
    let is_new = make(&path).map_err(|errno| Error::system(attempt, errno))?;
    let attempt = format!("connect net namespace {quoted} to bridge {}", quote(bridge.to_bytes()));
    let state = State::make()?;
    let result = connect(&state, bridge, name, &path, address).map_err(failed(attempt));
    if result.is_err() && is_new {
        let _ = remove(&path);
        links::leave_bridge(&state, &user(name), bridge);
    }
    state.remove_if_empty();
    result
}

/// Makes a network namespace that is kept at `path`; `false` if there is one already.
fn make(path: &CStr) -> Result<bool, Errno> {
    match rustix::fs::mkdir(DIRECTORY, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    // As ip(8) does, so that what is unmounted here goes everywhere.
    let shared = || {
        let flags = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
        rustix::mount::mount_change(DIRECTORY, flags)
    };
    match shared() {
        Err(Errno::INVAL) => {
            rustix::mount::mount_bind_recursive(DIRECTORY, DIRECTORY)?;
            shared()?;
        }
        result => result?,
    }
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => drop(file),
        // A file that is no namespace, whoever has left it, is made one.
        Err(Errno::EXIST) if open(path).is_ok() => return Ok(false),
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let here = open(c"/proc/self/ns/net")?;
    sys::unshare_net()?;
    let result = rustix::mount::mount_bind(c"/proc/self/ns/net", path);
    links::go_home(&here);
    if result.is_err() {
        let _ = rustix::fs::unlink(path);
    }
    result.map(|()| true)
}

/// Opens a network namespace. EINVAL if the file is none.
fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let is_namespace = rustix::fs::fstatfs(&file)?.f_type as u64 == NSFS_MAGIC;
    // Of kernels before 3.19, which have them in proc.
    let is_proc = rustix::fs::fstatfs(&file)?.f_type as u64 == rustix::fs::PROC_SUPER_MAGIC as u64;
    if is_namespace || is_proc { Ok(file) } else { Err(Errno::INVAL) }
}

/// Makes the bridge and the pair, and gives the link inside its address, as far as they are missing.
fn connect(
    state: &State,
    bridge: &CStr,
    name: &CStr,
    path: &CStr,
    address: Cidr,
) -> Result<(), Failure> {
    let there = open(path)?;
    let mut host = Links::default();
    host.join_bridge(state, &user(name), bridge)?;
    let mut inside = links::socket_in(&there)?;
    inside.bring_up(LOOPBACK)?;
    let index = match inside.find(LINK.to_bytes())? {
        Some(found) => found.index,
        None => {
            let namespace = links::descriptor_of(&there);
            let pair = names::host_side(name, DIRECTORY.to_bytes());
            let inner = super::Inner { name: LINK.to_owned(), mac: None, mtu: None };
            host.add_veth(&pair, bridge, &inner, namespace)?;
            inside.find(LINK.to_bytes())?.ok_or(Errno::NODEV)?.index
        }
    };
    match inside.address(Verb::Create, links::address_of(index, address)) {
        Err(Failure { errno: Errno::EXIST, .. }) => {}
        result => result?,
    }
    inside.bring_up(index)
}

fn remove(path: &CStr) -> Result<(), Errno> {
    match rustix::mount::unmount(path, UnmountFlags::DETACH) {
        Ok(()) | Err(Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    rustix::fs::unlink(path)
}

fn destroy(bridge: &CStr, name: &CStr) -> Result<(), Error> {
    let path = path_of(name);
    let quoted = quote(name.to_bytes());
    let result = match rustix::fs::stat(path.as_c_str()) {
        Ok(status) => {
            end_all(status.st_ino);
            let attempt = format!("remove net namespace {quoted}");
            remove(&path).map_err(|errno| Error::system(attempt, errno))
        }
        Err(errno) => Err(Error::system(format!("destroy net namespace {quoted}"), errno)
            .maybe_hint((errno == Errno::NOENT).then(|| "there is none of that name".to_owned()))),
    };
    if let Some(state) = State::look()? {
        links::leave_bridge(&state, &user(name), bridge);
        state.remove_if_empty();
    }
    result
}

/// Ends what runs in a network namespace: TERM, then KILL.
fn end_all(inode: u64) {
    let mut signal = Signal::TERM;
    let mut told: Vec<Pid> = Vec::new();
    let mut since = Instant::now();
    loop {
        let processes = processes_in(inode);
        if processes.is_empty() {
            return;
        }
        for pid in processes {
            if !told.contains(&pid) {
                let _ = rustix::process::kill_process(pid, signal);
                // One that is stopped takes no notice before it goes on.
                let _ = rustix::process::kill_process(pid, Signal::CONT);
                told.push(pid);
            }
        }
        if since.elapsed() > GRACE {
            if signal == Signal::KILL {
                return;
            }
            (signal, since) = (Signal::KILL, Instant::now());
            told.clear();
        }
        pause();
    }
}

/// The processes in a network namespace, but for ourselves.
fn processes_in(inode: u64) -> Vec<Pid> {
    let Ok(proc) = rustix::fs::open(c"/proc", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return Vec::new();
    };
    let Ok(entries) = Dir::read_from(proc) else { return Vec::new() };
    let own = rustix::process::getpid();
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let text = entry.file_name().to_str().unwrap_or_default();
        let Some(pid) = text.parse().ok().and_then(Pid::from_raw) else { continue };
        let status = rustix::fs::stat(format!("/proc/{pid}/ns/net"));
        if pid != own && status.is_ok_and(|status| status.st_ino == inode) {
            found.push(pid);
        }
    }
    found
}

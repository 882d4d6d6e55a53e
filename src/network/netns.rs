//! Named network namespaces, as `ip netns` has them: initnetns and destroynetns.
//!
//! A namespace gets its name when all is done in it: whoever is killed before leaves one that goes with
//! him. What may stay is a user of the bridge that is no more, which the next run of that name finds,
//! and `gc`. While one works on a name he has its lock, so that no other takes that for such a leftover.
use super::bridge::{self, BRIDGE};
use super::links::{self, Links};
use super::{names, namespace};
use crate::error::{Error, quote};
use crate::files::remove_empty;
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::registry::State;
use crate::registry::shared::{self, Users, Wait};
use crate::spec::network::Cidr;
use crate::sys;
use core::net::IpAddr;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use std::ffi::{CStr, CString};
use unshared_netlink::link::LOOPBACK;
use unshared_netlink::message::Verb;
use unshared_netlink::route::Route;

mod processes;

/// What was asked for.
pub(crate) enum Request {
    /// Makes the namespace, if there is none of that name, and connects it to the bridge.
    Init(Init),
    /// Ends what runs in it, and takes it away.
    Destroy { bridge: CString, name: CString },
}

/// What a namespace is to have.
pub(crate) struct Init {
    pub(crate) bridge: CString,
    pub(crate) name: CString,
    pub(crate) addresses: Vec<Cidr>,
    pub(crate) gateways: Vec<IpAddr>,
}

/// Where ip(8) keeps them.
const DIRECTORY: &CStr = c"/run/netns";

/// The link inside.
const LINK: &CStr = c"eth0";

/// Our own network namespace.
const OWN: &CStr = c"/proc/self/ns/net";

/// What the lock of a name is kept by (registry::shared).
const LOCK: &str = "netns";

/// Does what was asked for.
pub(crate) fn run(request: &Request) -> Result<u8, Error> {
    match request {
        Request::Init(wanted) => init(wanted)?,
        Request::Destroy { bridge, name } => destroy(bridge, name)?,
    }
    Ok(0)
}

fn path_of(name: &CStr) -> CString {
    let path = [DIRECTORY.to_bytes(), b"/", name.to_bytes()].concat();
    CString::new(path).unwrap_or_default()
}

/// Who uses a bridge, among its users. An instance cannot be called so.
const USER: &[u8] = b"netns:";

fn user(name: &CStr) -> CString {
    CString::new([USER, name.to_bytes()].concat()).unwrap_or_default()
}

#[cold]
#[inline(never)]
fn failed(attempt: String, failure: Failure) -> Error {
    match failure.errno() {
        errno @ (Errno::PERM | Errno::ACCESS) => Error::system(attempt, errno)
            .hint("only root may: an ordinary user has spawn --user --pasta"),
        _ => failure.of(attempt),
    }
}

/// The state directory, and the lock of that name.
fn begin(name: &CStr, attempt: &str) -> Result<(State, Users), Error> {
    let state = State::make().map_err(|error| match sys::effective_uid() {
        0 => error,
        _ => failed(attempt.to_owned(), Errno::PERM.into()),
    })?;
    let lock = shared::hold(&state, LOCK, name.to_bytes(), Wait::Yes)
        .map_err(|errno| failed(format!("{attempt}: lock its name"), errno.into()))?;
    Ok((state, lock))
}

fn end(state: &State, lock: Users) {
    let _ = lock.let_go(state);
    state.remove_if_empty();
}

fn init(wanted: &Init) -> Result<(), Error> {
    let Init { bridge, name, .. } = wanted;
    let quoted = quote(name.to_bytes());
    let (state, lock) = begin(name, &format!("make net namespace {quoted}"))?;
    let path = path_of(name);
    let attempt = format!("connect net namespace {quoted} to bridge {}", quote(bridge.to_bytes()));
    let mut host = Links::default();
    let result = match host.join_bridge(&state, &user(name), bridge) {
        Err(failure) => Err(failed(attempt, failure)),
        Ok(()) => match open(&path) {
            Ok(there) => {
                complete(&mut host, &there, wanted).map_err(|failure| failed(attempt, failure))
            }
            // A file that is no namespace, whoever has left it, is made one.
            Err(_) => make(&mut host, &path, wanted, attempt),
        },
    };
    if result.is_err() && !is_connected(&path) {
        bridge::leave_bridge(&state, &user(name), bridge);
    }
    end(&state, lock);
    result
}

/// Makes a namespace with all that it is to have, and then gives it its name.
fn make(host: &mut Links, path: &CStr, wanted: &Init, attempt: String) -> Result<(), Error> {
    let cannot_make = |errno: Errno| {
        let attempt = format!("make net namespace {}", quote(wanted.name.to_bytes()));
        failed(attempt, errno.into())
    };
    let here = open(OWN).and_then(|here| sys::unshare_net().map(|()| here)).map_err(cannot_make)?;
    // In the new namespace, up to the way home; the host's socket stays where it was opened.
    let mut connected = || {
        let there = open(OWN)?;
        connect(host, &mut Socket::open()?, &there, wanted)
    };
    let result = match connected() {
        Ok(()) => keep(path).map_err(cannot_make),
        Err(failure) => Err(failed(attempt, failure)),
    };
    namespace::go_home(&here);
    result
}

/// Keeps our network namespace at `path`.
fn keep(path: &CStr) -> Result<(), Errno> {
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
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC;
    drop(rustix::fs::open(path, flags, Mode::empty())?);
    rustix::mount::mount_bind(OWN, path).inspect_err(|_| remove_empty(path))
}

/// Opens a network namespace. EINVAL if the file is none.
fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    const NSFS_MAGIC: u64 = 0x6e73_6673;
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    // Kernels before 3.19 have them in proc.
    match rustix::fs::fstatfs(&file)?.f_type as u64 {
        NSFS_MAGIC => Ok(file),
        kind if kind == rustix::fs::PROC_SUPER_MAGIC as u64 => Ok(file),
        _ => Err(Errno::INVAL),
    }
}

/// Connects a namespace that is there, as far as that is missing.
fn complete(host: &mut Links, there: &OwnedFd, wanted: &Init) -> Result<(), Failure> {
    let mut inside = namespace::socket_in(there)?;
    let had_link = inside.find(LINK.to_bytes())?.is_some();
    let result = connect(host, &mut inside, there, wanted);
    if result.is_err() && !had_link {
        // The namespace stays, and would keep it.
        links::remove_link(host.socket()?, &pair_of(&wanted.name))?;
    }
    result
}

/// Whether there is a namespace at that path, with a link of ours in it.
fn is_connected(path: &CStr) -> bool {
    let find = || namespace::socket_in(&open(path)?)?.find(LINK.to_bytes());
    find().is_ok_and(|found: Option<Found>| found.is_some())
}

/// The name of the host's end of the pair.
fn pair_of(name: &CStr) -> CString {
    names::host_side(name, DIRECTORY.to_bytes())
}

/// Makes the pair, and gives the link inside what it is to have, as far as it is missing.
fn connect(
    host: &mut Links,
    inside: &mut Socket,
    there: &OwnedFd,
    wanted: &Init,
) -> Result<(), Failure> {
    inside.bring_up(LOOPBACK)?;
    let index = match inside.find(LINK.to_bytes())? {
        Some(found) => found.index,
        None => {
            let inner = super::Inner { name: LINK.to_owned(), mac: None, mtu: None };
            host.add_veth(
                &pair_of(&wanted.name),
                &wanted.bridge,
                &inner,
                namespace::descriptor_of(there),
            )?;
            inside.find(LINK.to_bytes())?.ok_or(Errno::NODEV)?.index
        }
    };
    let unless_there = |result: Result<(), Failure>| match result {
        Err(failure) if failure.errno() == Errno::EXIST => Ok(()),
        result => result,
    };
    for address in &wanted.addresses {
        unless_there(inside.address(Verb::Create, links::address_of(index, *address)))?;
    }
    inside.bring_up(index)?;
    for gateway in &wanted.gateways {
        unless_there(inside.route(Verb::Create, Route::default_through(*gateway)))?;
    }
    Ok(())
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
    let attempt = format!("remove net namespace {quoted}");
    let (state, lock) = begin(name, &attempt)?;
    let result = match rustix::fs::stat(path.as_c_str()) {
        Ok(status) => {
            processes::end_all(status.st_ino);
            remove(&path).map_err(|errno| failed(attempt, errno.into()))
        }
        Err(Errno::NOENT) => {
            Err(Error::system(attempt, Errno::NOENT).hint("there is none of that name"))
        }
        Err(errno) => Err(Error::system(attempt, errno)),
    };
    if result.is_ok() || !is_connected(&path) {
        bridge::leave_bridge(&state, &user(name), bridge);
    }
    end(&state, lock);
    result
}

/// Takes away what killed runs of both commands have left, and what is left of namespaces that
/// somebody else has removed; the names of those.
pub(crate) fn collect(state: &State) -> Result<Vec<CString>, Error> {
    let mut names = state.objects(LOCK)?;
    let mut uses = Vec::new();
    for bridge in state.objects(BRIDGE)? {
        for one in shared::users(state, BRIDGE, &bridge).unwrap_or_default() {
            if let Some(name) = one.to_bytes().strip_prefix(USER) {
                names.extend(CString::new(name));
                uses.push((one, bridge.clone()));
            }
        }
    }
    names.sort_unstable();
    let mut gone: Vec<CString> = Vec::new();
    for name in names {
        if gone.last() == Some(&name) {
            continue;
        }
        // Somebody works on it just now.
        let Ok(lock) = shared::hold(state, LOCK, name.to_bytes(), Wait::No) else { continue };
        let path = path_of(&name);
        let is_gone = matches!(open(&path), Err(Errno::NOENT | Errno::INVAL));
        if is_gone {
            remove_empty(&path);
            let user = user(&name);
            for (one, bridge) in &uses {
                if *one == user {
                    bridge::leave_bridge(state, one, bridge);
                }
            }
        }
        let _ = lock.let_go(state);
        if is_gone {
            gone.push(name);
        }
    }
    Ok(gone)
}

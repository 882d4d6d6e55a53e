//! Network namespaces other than our own.
use crate::error::{Error, FAILED};
use crate::link::Socket;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::LinkNameSpaceType;
use unshared_netlink::link::Namespace;

/// The namespace of a process.
pub(super) fn namespace_of(pid: Pid) -> Namespace {
    Namespace::OfProcess(pid.as_raw_nonzero().get().cast_unsigned())
}

/// That of an open file.
pub(crate) fn descriptor_of(file: &OwnedFd) -> Namespace {
    Namespace::OfDescriptor(file.as_raw_fd())
}

/// A socket of another network namespace. EINVAL if the file is none.
pub(crate) fn socket_in(there: &OwnedFd) -> Result<Socket, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let here = rustix::fs::open(c"/proc/self/ns/net", flags, Mode::empty())?;
    enter(there)?;
    let socket = Socket::open();
    go_home(&here);
    socket
}

/// Back to our own network namespace. Whatever was done after a failure, would be done to the wrong
/// links.
pub(super) fn go_home(here: &OwnedFd) {
    if let Err(errno) = enter(here) {
        crate::say(&Error::system("enter our own net namespace again", errno).message());
        unshared_init::sys::exit(FAILED);
    }
}

/// setns(2).
fn enter(namespace: &OwnedFd) -> Result<(), Errno> {
    let kind = Some(LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)
}

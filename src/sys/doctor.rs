//! What only `doctor` asks the kernel.
#![allow(unsafe_code)]
use super::last_error;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::CStr;

/// Makes `descriptor` standard output and standard error, for a child that says why something fails.
pub(crate) fn become_standard_streams(descriptor: &OwnedFd) {
    // SAFETY: both are replaced on purpose; nothing of ours owns them.
    unsafe {
        libc::dup2(descriptor.as_raw_fd(), 1);
        libc::dup2(descriptor.as_raw_fd(), 2);
    }
}

/// The path that we were executed by, from the auxiliary vector (getauxval(3)).
pub(crate) fn own_path() -> &'static CStr {
    // SAFETY: the kernel puts a string there that stays until the process ends.
    unsafe {
        let path = core::ptr::with_exposed_provenance(libc::getauxval(libc::AT_EXECFN) as usize);
        CStr::from_ptr(path)
    }
}

/// fork(2) as the C library does it, so that the child knows its own number. `None` in the child.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: we have one thread, so no lock stays taken.
    match unsafe { libc::fork() } {
        -1 => Err(last_error()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// clone3(2) without arguments, and so without a child: what the kernel says about that.
pub(crate) fn clone3_of_nothing() -> Errno {
    let nothing = core::ptr::null::<linux_raw_sys::general::clone_args>();
    // SAFETY: of no bytes the kernel reads none.
    unsafe {
        libc::syscall(libc::SYS_clone3, nothing, 0);
    }
    last_error()
}

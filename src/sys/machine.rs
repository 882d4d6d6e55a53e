//! Calls that only the machine's init makes.
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::CStr;

/// TIOCGDEV: major and minor number of the terminal that is behind /dev/console.
pub(crate) fn terminal_of(console: &OwnedFd) -> Result<(u32, u32), Errno> {
    let mut device = 0_u32;
    // SAFETY: the kernel writes one unsigned int.
    if unsafe { libc::ioctl(console.as_raw_fd(), libc::TIOCGDEV as _, &raw mut device) } != 0 {
        return Err(super::last_error());
    }
    let device = u64::from(device);
    Ok((rustix::fs::major(device), rustix::fs::minor(device)))
}

/// swapoff(2).
pub(crate) fn swap_off(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path is null-terminated.
    if unsafe { libc::swapoff(path.as_ptr()) } == 0 { Ok(()) } else { Err(super::last_error()) }
}

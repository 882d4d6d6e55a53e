//! The calls of landlock(7), which neither rustix nor the C library has.
#![allow(unsafe_code)]
use super::last_error;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// landlock_create_ruleset(2) that asks which version of Landlock the kernel has, counted from 1.
pub(crate) fn version() -> Result<u32, Errno> {
    const VERSION: u32 = 1;
    let nothing = core::ptr::null::<u8>();
    // SAFETY: with this flag the call reads nothing.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    u32::try_from(version).map_err(|_| last_error())
}

/// landlock_create_ruleset(2): what is to be refused unless a rule allows it.
pub(crate) fn create_ruleset(access: u64) -> Result<OwnedFd, Errno> {
    // SAFETY: the kernel reads as many bytes as there are; the new descriptor is ours.
    unsafe {
        let size = size_of_val(&access);
        let ruleset =
            libc::syscall(libc::SYS_landlock_create_ruleset, &raw const access, size, 0_u32);
        if ruleset < 0 { Err(last_error()) } else { Ok(OwnedFd::from_raw_fd(ruleset as i32)) }
    }
}

/// landlock_add_rule(2): what is allowed to that file, or to that directory and all below it.
pub(crate) fn add_rule(
    ruleset: BorrowedFd<'_>,
    path: BorrowedFd<'_>,
    access: u64,
) -> Result<(), Errno> {
    const PATH_BENEATH: u32 = 1;
    /// `struct landlock_path_beneath_attr`.
    #[repr(C, packed)]
    struct PathBeneath {
        access: u64,
        parent: i32,
    }
    let rule = PathBeneath { access, parent: path.as_raw_fd() };
    // SAFETY: the structure is laid out as the kernel's, and lives through the call.
    let result = unsafe {
        let call = libc::SYS_landlock_add_rule;
        libc::syscall(call, ruleset.as_raw_fd(), PATH_BENEATH, &raw const rule, 0_u32)
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// landlock_restrict_self(2): this task, and all that it starts, have no more than the rules allow.
pub(crate) fn restrict_self(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

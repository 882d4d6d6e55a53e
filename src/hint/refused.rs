//! Why the kernel makes no new namespaces though it has them: EPERM of clone(2), which has several
//! causes and names none.
use super::sysctl;
use crate::files::{entries, identity, read_file};
use crate::proc;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::process::WaitOptions;
use rustix::thread::CapabilitySet;
use std::ffi::CString;
use unshared_init::sys::Memory;

pub(super) const NEEDS_ADMIN: &str = "CAP_SYS_ADMIN is needed: run as root, or add --user";

/// The cause, as far as looking finds it. A user namespace is for everybody, but for those whom the
/// first three keep from it (clone(2)).
pub(super) fn cause(wants_user: bool) -> Option<&'static str> {
    if !wants_user && !has(CapabilitySet::SYS_ADMIN) {
        return Some(NEEDS_ADMIN);
    }
    if wants_user && sysctl("kernel/unprivileged_userns_clone") == Some(0) {
        return Some("kernel.unprivileged_userns_clone is 0: set it to 1, or run as root");
    }
    if wants_user && is_unmapped() {
        return Some("our user or group id is not mapped in the user namespace that we are in");
    }
    if wants_user && in_chroot() {
        return Some(
            "in a chroot the kernel makes no user namespace; enter the root by pivot_root",
        );
    }
    if is_filtered() {
        return Some("we run under a seccomp filter, and it may forbid that");
    }
    // An ordinary user cannot look above his root, nor ask a security module.
    (wants_user && !has(CapabilitySet::SYS_CHROOT)).then_some(
        "this is a chroot that is a mount, in which the kernel makes no user namespace, or a \
         security module (AppArmor, SELinux) forbids it",
    )
}

pub(super) fn has(capability: CapabilitySet) -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(capability))
}

/// Whether our effective user or group id is one that our user namespace does not map.
fn is_unmapped() -> bool {
    let is_missing =
        |path: &str, id: u32| read_file(path).is_ok_and(|map| !proc::is_mapped(&map, id));
    is_missing("/proc/self/uid_map", crate::sys::effective_uid())
        || is_missing("/proc/self/gid_map", crate::sys::effective_gid())
}

/// Whether a filter of seccomp(2) is in force for us.
fn is_filtered() -> bool {
    let status = read_file("/proc/self/status").unwrap_or_default();
    proc::status(&status, b"Seccomp") == Some(b"2")
}

/// Whether our root is no mount, none of the mounts that we see, another than that of PID 1, or one
/// that there is a way out of.
fn in_chroot() -> bool {
    // Without /proc, from Linux 5.8 on.
    if let Ok(status) = rustix::fs::statx(CWD, c"/", AtFlags::empty(), StatxFlags::empty())
        && status.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT)
        && !status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
    {
        return true;
    }
    let mounts = read_file("/proc/self/mountinfo").unwrap_or_default();
    if !mounts.is_empty() && !proc::mount_points(&mounts).any(|point| point == b"/") {
        return true;
    }
    // In a mount namespace of our own the root is another one anyway.
    let is_shared = !are_different("/proc/self/ns/mnt", "/proc/1/ns/mnt");
    (is_shared && are_different("/", "/proc/1/root/"))
        || (has(CapabilitySet::SYS_CHROOT) && has_way_out())
}

fn are_different(one: &str, other: &str) -> bool {
    match (identity(one.as_bytes()), identity(other.as_bytes())) {
        (Ok(one), Ok(other)) => one != other,
        (_, _) => false,
    }
}

/// Whether `..` of our root leads on for somebody whose root is below it, as it does in a chroot that
/// is itself a mount. A child finds out, since nobody gets his root back.
fn has_way_out() -> bool {
    const LEADS_ON: u8 = 1;
    let Some(below) = directory_in_root() else { return false };
    let child = unshared_init::sys::start(Memory::Copied, &mut || {
        // Child of the launcher, all capabilities; it executes nothing.
        let moved = rustix::process::chdir(c"/").and_then(|()| rustix::process::chroot(&below));
        if moved.is_ok() && are_different(".", "..") { LEADS_ON } else { 0 }
    });
    let Ok(child) = child else { return false };
    let ended = rustix::process::waitpid(Some(child), WaitOptions::empty());
    let status = ended.ok().flatten().and_then(|(_, status)| status.exit_status());
    status == Some(LEADS_ON.into())
}

/// Any directory in `/`.
fn directory_in_root() -> Option<CString> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(c"/", flags, Mode::empty()).ok()?;
    let mut found = None;
    let _ = entries(root.as_fd(), &mut |name, _| {
        let status = rustix::fs::statat(&root, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_directory = status
            .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Directory);
        if found.is_none() && is_directory {
            found = Some(name.to_owned());
        }
    });
    found
}

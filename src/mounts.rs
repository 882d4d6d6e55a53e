//! Child, new mount namespace: the mounts that make a root, and the way into it.
//!
//! Everything is mounted while the old root is still there, so that sources are found and proc can
//! be mounted in a user namespace (which the kernel allows where one is already to be seen). What is
//! mounted on is found inside the new root, by file descriptor: no link in it leads out.
pub(crate) mod devices;
pub(crate) mod kernel_files;
pub(crate) mod read_only;

use crate::root::resolve::Resolver;
use crate::sys::{self, ReadOnly};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use std::ffi::{CStr, CString};

/// Makes the directory at `root` a mount of its own, which the new root has to be, with all that is
/// mounted below it. With `read_only`, what is mounted below is; the root itself will be once
/// everything else is mounted in it ([`protect_root`]).
#[cold]
#[inline(never)]
pub(crate) fn bind_root(root: &CStr, read_only: bool) -> Result<(), Errno> {
    let directory = open_directory(root)?;
    attach(directory.as_fd(), directory.as_fd(), read_only)?;
    if read_only {
        // What is missing to be mounted on can still be made in the top one.
        let top = open_directory(root)?;
        let _ = read_only::set(top.as_fd(), ReadOnly::NoLonger);
    }
    Ok(())
}

/// Makes the root at `root` the lower layer of an overlay whose upper layer is a tmpfs: what is
/// changed vanishes with the namespace.
///
/// In a user namespace the overlay keeps its notes in user.* attributes (Linux 5.11).
#[cold]
#[inline(never)]
pub(crate) fn overlay_root(root: &CStr, in_user_namespace: bool) -> Result<(), Errno> {
    let lower = open_directory(root)?;
    mount_at(c"tmpfs", lower.as_fd(), MountFlags::NODEV, Some(c"mode=0755"))?;
    let layers = open_directory(root)?;
    for name in [c"upper", c"work", c"merged"] {
        rustix::fs::mkdirat(&layers, name, Mode::from_bits_truncate(0o755))?;
    }
    // The new root has the permissions of the old one.
    let status = rustix::fs::fstat(&lower)?;
    let mode = Mode::from_raw_mode(status.st_mode);
    rustix::fs::chmodat(&layers, c"upper", mode, rustix::fs::AtFlags::empty())?;
    let merged = rustix::fs::openat(&layers, c"merged", DIRECTORY, Mode::empty())?;
    let path = |descriptor: &OwnedFd| format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let (below, above) = (path(&lower), path(&layers));
    let notes = if in_user_namespace { ",userxattr" } else { "" };
    let options = format!("lowerdir={below},upperdir={above}/upper,workdir={above}/work{notes}");
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount_at(c"overlay", merged.as_fd(), MountFlags::empty(), Some(&options))?;
    // Where the root is looked for from here on.
    let merged = rustix::fs::openat(&layers, c"merged", DIRECTORY, Mode::empty())?;
    attach(merged.as_fd(), open_directory(root)?.as_fd(), false)
}

/// Mounts a tmpfs for a root on the directory at `root`, and opens it.
pub(crate) fn tmpfs_root(root: &CStr) -> Result<OwnedFd, Errno> {
    mount_at(c"tmpfs", open_directory(root)?.as_fd(), MountFlags::NODEV, Some(c"mode=0755"))?;
    open_directory(root)
}

/// Binds a directory or file of the caller's, with what is mounted below it. With `makes`, what it is
/// mounted on is made where it is missing.
#[cold]
#[inline(never)]
pub(crate) fn bind(
    root: &CStr,
    source: &CStr,
    target: &CStr,
    read_only: bool,
    makes: bool,
) -> Result<(), Errno> {
    let source = rustix::fs::openat(CWD, source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let is_directory = file_type(source.as_fd())? == FileType::Directory;
    let target = find(root, target, is_directory, makes)?;
    attach(source.as_fd(), target.as_fd(), read_only)
}

/// Puts a file of its own, which holds `text`, in the place of a file. Where that is a link, it is what
/// the link leads to.
///
/// A file can be bound only from where it is mounted: from a tmpfs, which for that moment is on the
/// directory of the target.
#[cold]
#[inline(never)]
pub(crate) fn text(root: &CStr, target: &CStr, text: &[u8]) -> Result<(), Errno> {
    // On the host itself, nothing is made that is missing.
    let place = find(root, target, false, root != c"/")?;
    let end = target.to_bytes().iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let above = CString::new(target.to_bytes().get(..=end).unwrap_or(b"/"));
    let above = above.map_err(|_| Errno::INVAL)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = Some(c"mode=0755,size=1m");
    mount_at(c"tmpfs", find(root, &above, true, true)?.as_fd(), flags, options)?;
    let above = find(root, &above, true, true)?;
    let make = || {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&above, c"file", flags, Mode::from_raw_mode(0o644))?;
        // Whatever the umask is.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
        match rustix::io::write(&file, text)? {
            length if length == text.len() => attach(file.as_fd(), place.as_fd(), false),
            _ => Err(Errno::NOSPC),
        }
    };
    let result = make();
    rustix::mount::unmount(path_of(above.as_fd()), UnmountFlags::DETACH)?;
    result
}

/// Attaches a filesystem that is mounted nowhere yet. Nothing of ours keeps it busy afterwards.
pub(crate) fn disk(
    root: &CStr,
    target: &CStr,
    filesystem: OwnedFd,
    makes: bool,
) -> Result<(), Errno> {
    let target = find(root, target, true, makes)?;
    rustix::mount::move_mount(&filesystem, c"", &target, c"", BY_DESCRIPTOR)
}

/// Mounts a new tmpfs.
#[cold]
#[inline(never)]
pub(crate) fn tmpfs(
    root: &CStr,
    target: &CStr,
    size: Option<&CString>,
    makes: bool,
) -> Result<(), Errno> {
    let mut options = b"mode=0755".to_vec();
    if let Some(size) = size {
        options.extend_from_slice(b",size=");
        options.extend_from_slice(size.as_bytes());
    }
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount_at(c"tmpfs", find(root, target, true, makes)?.as_fd(), flags, Some(&options))
}

/// Mounts proc at /proc of the root, for our PID namespace if it is new; otherwise what is mounted at
/// our /proc.
#[cold]
#[inline(never)]
pub(crate) fn proc(root: &CStr, is_new: bool) -> Result<(), Errno> {
    if !is_new {
        return bind(root, c"/proc", c"/proc", false, true);
    }
    let target = find(root, c"/proc", true, true)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_at(c"proc", target.as_fd(), flags, None)
}

/// Mounts sysfs read-only at /sys of the root; without a network namespace of our own, which sysfs
/// shows, what is mounted at ours.
#[cold]
#[inline(never)]
pub(crate) fn sys(root: &CStr, is_new: bool) -> Result<(), Errno> {
    if !is_new {
        return bind(root, c"/sys", c"/sys", true, true);
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount_at(c"sysfs", find(root, c"/sys", true, true)?.as_fd(), flags, None)
}

/// Makes the root itself read-only, now that everything is mounted in it.
#[cold]
#[inline(never)]
pub(crate) fn protect_root(root: &CStr) -> Result<(), Errno> {
    read_only::set(open_directory(root)?.as_fd(), ReadOnly::Alone)
}

/// pivot_root(2), and unmounts the old root with all that is below it. Every process that was rooted
/// in the old one is in the new one then, and nothing leads back.
#[cold]
#[inline(never)]
pub(crate) fn pivot(root: &CStr) -> Result<(), Errno> {
    match exchange(root) {
        Err(Errno::INVAL) => {
            leave_initramfs()?;
            exchange(root)?;
        }
        other => other?,
    }
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

/// The old root is put on top of the new one, to come off again.
fn exchange(root: &CStr) -> Result<(), Errno> {
    rustix::process::chdir(topmost(root))?;
    rustix::process::pivot_root(c".", c".")
}

/// The root of an initramfs is the first mount of all, and no other can take its place. A copy of it,
/// with all that is mounted below, is mounted over it and becomes our root: that one can be replaced.
/// What stays below the new root has no path. It is no chroot for the kernel, since the root is what
/// is topmost: user namespaces can still be made.
fn leave_initramfs() -> Result<(), Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let put = || -> Result<(), Errno> {
        let copy = rustix::mount::open_tree(CWD, c"/", flags)?;
        let from = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&copy, c"", CWD, c"/", from)?;
        rustix::process::fchdir(copy)
    };
    match put() {
        // Before Linux 5.2. The way up from a root ends in what is topmost over it.
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::mount::mount_bind_recursive(c"/", c"/")?;
            rustix::process::chdir(c"/..")?;
        }
        other => other?,
    }
    rustix::process::chroot(c".")
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What is mounted on our own root is found by the way up from it.
fn topmost(path: &CStr) -> &CStr {
    if path == c"/" { c"/.." } else { path }
}

fn open_directory(path: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, topmost(path), DIRECTORY, Mode::empty())
}

fn file_type(file: BorrowedFd<'_>) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}

/// How many links the name of a file may lead through, as in the kernel.
const LINKS: u32 = 40;

/// What is to be mounted on: a directory, or a file, inside the root. With `makes`, what is missing of
/// it is made.
fn find(root: &CStr, path: &CStr, is_directory: bool, makes: bool) -> Result<OwnedFd, Errno> {
    let mut resolver = Resolver::new(open_directory(root)?);
    if is_directory {
        let directory = resolver.directory(path.to_bytes(), makes)?;
        return rustix::io::fcntl_dupfd_cloexec(&*directory, 3);
    }
    let mut path = path.to_bytes().to_vec();
    for _ in 0..LINKS {
        let end = path.iter().rposition(|byte| *byte == b'/').map_or(0, |place| place + 1);
        let (above, name) = path.split_at_checked(end).unwrap_or((b"", &path));
        let parent = resolver.directory(above, makes)?;
        let file = open_or_make_file(parent.as_fd(), name, makes)?;
        if file_type(file.as_fd())? != FileType::Symlink {
            return Ok(file);
        }
        let target = rustix::fs::readlinkat(&*parent, name, Vec::new())?.into_bytes();
        // An absolute target begins at the root, which is what the resolver takes it to do.
        path = if target.first() == Some(&b'/') { target } else { [above, &target].concat() };
    }
    Err(Errno::LOOP)
}

/// What has that name in the directory, be it a link; with `makes`, an empty file where there is nothing.
fn open_or_make_file(parent: BorrowedFd<'_>, name: &[u8], makes: bool) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    match open() {
        Err(Errno::NOENT) if makes => {
            let make = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            drop(rustix::fs::openat(parent, name, make, Mode::from_bits_truncate(0o644))?);
            open()
        }
        other => other,
    }
}

/// A path to what is open, for the calls that take paths only. It needs a /proc.
fn path_of(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// mount(2) of a new filesystem on what is open.
fn mount_at(
    kind: &CStr,
    target: BorrowedFd<'_>,
    flags: MountFlags,
    options: Option<&CStr>,
) -> Result<(), Errno> {
    rustix::mount::mount(kind, path_of(target), kind, flags, options)
}

/// Mounts a copy of what is mounted at `source`, and below it, at `target`.
///
/// Recursive, since in a user namespace no mount can be taken out of those that it came with.
fn attach(source: BorrowedFd<'_>, target: BorrowedFd<'_>, read_only: bool) -> Result<(), Errno> {
    match attach_copy(source, target, read_only) {
        // Before Linux 5.2, or 5.12; EPERM may be a filter's word for a call that it does not know.
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::mount::mount_bind_recursive(path_of(source), path_of(target))?;
            if read_only { read_only::remount(target, ReadOnly::WithAllBelow) } else { Ok(()) }
        }
        other => other,
    }
}

/// What is to be read-only is so before it is to be seen.
fn attach_copy(
    source: BorrowedFd<'_>,
    target: BorrowedFd<'_>,
    read_only: bool,
) -> Result<(), Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let copy = rustix::mount::open_tree(source, c"", flags)?;
    if read_only {
        sys::set_read_only(copy.as_fd(), ReadOnly::WithAllBelow)?;
    }
    rustix::mount::move_mount(&copy, c"", target, c"", BY_DESCRIPTOR)
}

/// Both ends of a move are open, and have no path.
const BY_DESCRIPTOR: MoveMountFlags =
    MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH);

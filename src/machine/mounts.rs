//! The filesystems that a machine needs: mounted where nothing is mounted yet.
use super::console::{self, say};
use crate::error::quote;
use rustix::fs::{CWD, FileType, Mode, RawMode, makedev, stat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use std::ffi::CStr;
use unshared_init::errno;

const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);

/// What is mounted where, in this order.
const MOUNTS: [(&CStr, &CStr, MountFlags, Option<&CStr>); 7] = [
    (c"proc", c"/proc", QUIET.union(MountFlags::NODEV), None),
    (c"sysfs", c"/sys", QUIET.union(MountFlags::NODEV), None),
    (c"devtmpfs", c"/dev", QUIET, Some(c"mode=0755")),
    (c"devpts", c"/dev/pts", QUIET, Some(c"gid=5,mode=0620,ptmxmode=0666")),
    (c"tmpfs", c"/dev/shm", QUIET.union(MountFlags::NODEV), Some(c"mode=1777")),
    (c"tmpfs", c"/run", MountFlags::NOSUID.union(MountFlags::NODEV), Some(c"mode=0755")),
    (c"cgroup2", c"/sys/fs/cgroup", QUIET.union(MountFlags::NODEV), None),
];

/// The device nodes of a kernel without devtmpfs: name, permissions, major and minor number.
const NODES: [(&CStr, RawMode, u32, u32); 8] = [
    (c"/dev/console", 0o600, 5, 1),
    (c"/dev/null", 0o666, 1, 3),
    (c"/dev/zero", 0o666, 1, 5),
    (c"/dev/full", 0o666, 1, 7),
    (c"/dev/random", 0o666, 1, 8),
    (c"/dev/urandom", 0o666, 1, 9),
    (c"/dev/kmsg", 0o644, 1, 11),
    (c"/dev/tty", 0o666, 5, 0),
];

/// What devtmpfs does not make.
const LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

/// Mounts them. What the kernel does not have is left out; what fails otherwise is told once there is
/// a /dev to tell it by.
pub(super) fn mount_all() {
    let mut failures = Vec::new();
    for (kind, target, flags, options) in MOUNTS {
        if is_mounted(target) {
            continue;
        }
        match rustix::fs::mkdir(target, Mode::from_raw_mode(0o755)) {
            // A read-only root that has it.
            Ok(()) | Err(Errno::EXIST | Errno::ROFS) => {}
            // sysfs makes the place itself, if the kernel has what is mounted there.
            Err(Errno::PERM) => continue,
            Err(errno) => failures.push((target, errno)),
        }
        match mount(kind, target, kind, flags, options) {
            Ok(()) => {}
            Err(Errno::NODEV) if kind == c"devtmpfs" => make_nodes(),
            Err(Errno::NODEV) => {}
            Err(errno) => failures.push((target, errno)),
        }
    }
    for (target, link) in LINKS {
        // Who mounted /dev before us may have made them.
        let _ = rustix::fs::symlink(target, link);
    }
    for (target, errno) in failures {
        say(&format!("mount {}: {}", quote(target.to_bytes()), errno::name(errno)));
    }
}

/// Whether something is mounted there already: another init was here before us, or we ourselves.
fn is_mounted(target: &CStr) -> bool {
    let above = [target.to_bytes(), b"/.."].concat();
    match (stat(target), stat(above.as_slice())) {
        (Ok(here), Ok(above)) => here.st_dev != above.st_dev,
        _ => false,
    }
}

/// Makes the fewest device nodes that a payload can do with, in a tmpfs, and the console's terminal.
fn make_nodes() {
    let _ = mount(c"tmpfs", c"/dev", c"tmpfs", QUIET, c"mode=0755");
    let mask = rustix::process::umask(Mode::empty());
    let make = |path: &[u8], mode, device| {
        let mode = Mode::from_raw_mode(mode);
        // Where there is one already, or nobody may make one, that is told by who opens it.
        let _ = rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, mode, device);
    };
    for (path, mode, major, minor) in NODES {
        make(path.to_bytes(), mode, makedev(major, minor));
    }
    if let Some((path, device)) = console::terminal() {
        make(&path, 0o600, device);
    }
    let _ = rustix::fs::symlink(c"pts/ptmx", c"/dev/ptmx");
    rustix::process::umask(mask);
}

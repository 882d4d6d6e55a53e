//! Child, new mount namespace: mounts become read-only, by mount_setattr(2), or by one mount(2) each
//! before Linux 5.12.
use super::path_of;
use crate::files::read_file;
use crate::proc::unescape;
use crate::sys::{self, ReadOnly};
use rustix::fd::BorrowedFd;
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::mount::MountFlags;

/// Makes the mount that is open read-only, or no longer.
pub(super) fn set(mount: BorrowedFd<'_>, how: ReadOnly) -> Result<(), Errno> {
    match sys::set_read_only(mount, how) {
        // EPERM may be a filter's word for a call that it does not know.
        Err(Errno::NOSYS | Errno::PERM) => remount(mount, how),
        other => other,
    }
}

/// Does so for what is topmost at the place that is open.
///
/// A mount that another one hides, with no path to it any more, is left alone. That all others are
/// read-only is looked up, since they are found by their paths.
pub(super) fn remount(place: BorrowedFd<'_>, how: ReadOnly) -> Result<(), Errno> {
    let place = rustix::fs::readlink(path_of(place), Vec::new())?.into_bytes();
    let table = read_file("/proc/self/mountinfo")?;
    let all: Vec<Entry> = table.split(|byte| *byte == b'\n').filter_map(Entry::parse).collect();
    let entries = chosen(&all, &place, how == ReadOnly::WithAllBelow);
    for entry in &entries {
        let read_only =
            if how == ReadOnly::NoLonger { MountFlags::empty() } else { MountFlags::RDONLY };
        let flags = MountFlags::BIND | entry.flags() | read_only;
        match rustix::mount::mount_remount(entry.path().as_slice(), flags, c"") {
            Ok(()) | Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    let is_writable = |entry: &&Entry| {
        let status = rustix::fs::statvfs(entry.path().as_slice());
        status.is_ok_and(|status| !status.f_flag.contains(StatVfsMountFlags::RDONLY))
    };
    if entries.is_empty() || how != ReadOnly::NoLonger && entries.iter().any(is_writable) {
        return Err(Errno::INVAL);
    }
    Ok(())
}

/// The mount that came last to that place, and those below it. In the table, what is below another
/// comes after it.
fn chosen<'a>(all: &'a [Entry<'a>], place: &[u8], with_below: bool) -> Vec<&'a Entry<'a>> {
    let top = all.iter().rev().find(|entry| entry.point == place);
    let mut chosen: Vec<&Entry> = top.into_iter().collect();
    for entry in all.iter().filter(|_| with_below) {
        if chosen.iter().any(|above| above.id == entry.parent && above.id != entry.id) {
            chosen.push(entry);
        }
    }
    chosen
}

/// What a line of /proc/PID/mountinfo says, as far as it is needed.
struct Entry<'a> {
    id: &'a [u8],
    parent: &'a [u8],
    point: Vec<u8>,
    options: &'a [u8],
}

/// Reads a table, and finds what is below each of its places.
#[cfg(fuzzing)]
pub(crate) fn fuzz(table: &[u8]) {
    let all: Vec<Entry> = table.split(|byte| *byte == b'\n').filter_map(Entry::parse).collect();
    for entry in &all {
        let _ = entry.flags();
        assert!(!chosen(&all, &entry.point, true).is_empty());
    }
}

impl Entry<'_> {
    fn parse(line: &[u8]) -> Option<Entry<'_>> {
        let mut words = line.split(|byte| *byte == b' ');
        let (id, parent) = (words.next()?, words.next()?);
        let (point, options) = (words.nth(2)?, words.next()?);
        Some(Entry { id, parent, point: unescape(point), options })
    }

    /// The way up from our root leads to what is mounted on it.
    fn path(&self) -> Vec<u8> {
        [b"/..", self.point.as_slice()].concat()
    }

    /// What else holds for it, and is to stay: in a user namespace it may be locked.
    fn flags(&self) -> MountFlags {
        let mut flags = MountFlags::empty();
        for option in self.options.split(|byte| *byte == b',') {
            flags |= flag(option).unwrap_or(MountFlags::empty());
        }
        if !flags.intersects(MountFlags::NOATIME | MountFlags::RELATIME) {
            flags |= MountFlags::STRICTATIME;
        }
        flags
    }
}

/// The flag of mount(2) for an option that is called so.
pub(crate) fn flag(option: &[u8]) -> Option<MountFlags> {
    Some(match str::from_utf8(option).ok()? {
        "nosuid" => MountFlags::NOSUID,
        "nodev" => MountFlags::NODEV,
        "noexec" => MountFlags::NOEXEC,
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        "sync" => MountFlags::SYNCHRONOUS,
        "nosymfollow" => MountFlags::NOSYMFOLLOW,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_the_topmost_mount_of_a_place_is_found_by_its_parents() {
        let table = "20 1 0:1 / / rw - a a rw\n21 20 0:2 / /r rw - a a rw\n22 21 0:3 / /r/old rw - a a rw\n\
                     23 21 0:4 / /r rw,noatime - a a rw\n24 23 0:5 / /r/a\\040b rw - a a rw\n25 24 0:6 / /r/a\\040b/c rw - a a rw\n\
                     26 20 0:7 / /rest rw - a a rw\n";
        let all: Vec<Entry> =
            table.as_bytes().split(|b| *b == b'\n').filter_map(Entry::parse).collect();
        let ids = |place: &[u8], below| -> Vec<&[u8]> {
            chosen(&all, place, below).iter().map(|entry| entry.id).collect()
        };
        assert_eq!(ids(b"/r", true), [b"23", b"24", b"25"]);
        assert_eq!(ids(b"/r", false), [b"23"]);
        assert_eq!(ids(b"/r/a b", true), [b"24", b"25"]);
        assert!(ids(b"/no", true).is_empty());
        assert_eq!(chosen(&all, b"/r/a b/c", false)[0].path(), b"/../r/a b/c");
    }

    #[test]
    fn what_holds_for_a_mount_stays() {
        let flags = |options: &str| {
            let line = format!("1 1 0:1 / / {options} - a a rw");
            Entry::parse(line.as_bytes()).unwrap().flags()
        };
        assert_eq!(flags("rw"), MountFlags::STRICTATIME);
        assert_eq!(
            flags("ro,nosuid,nodev,noexec,relatime"),
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RELATIME
        );
        assert_eq!(flags("rw,noatime,nodiratime"), MountFlags::NOATIME | MountFlags::NODIRATIME);
    }
}

//! What the host has: facts that a plan depends on, looked up only where the spec needs them.
use crate::error::{Error, quote};
use crate::files::{self, read_file};
use crate::landlock;
use crate::seccomp::{self, Instruction, Seccomp};
use crate::spec::idmap::{Extent, parse_id};
use crate::spec::mount::Mount;
use crate::spec::namespace::Namespace;
use crate::spec::{MapChoice, Spec};
use crate::sys;
use rustix::fd::AsRawFd;
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStringExt;
use unshared_init::sys::Environment;

/// Facts about the caller.
#[derive(Clone, Default)]
pub(crate) struct Host {
    /// Effective user id.
    pub(crate) uid: u32,
    /// Effective group id.
    pub(crate) gid: u32,
    /// Whether the caller may map any id: it has CAP_SETUID and CAP_SETGID. Taken for granted of a root
    /// that maps its own alone, where the step that writes a group map finds out.
    pub(crate) may_map: bool,
    /// The caller's subordinate ids (subuid(5), subgid(5)): first id and count.
    pub(crate) subordinate_uids: Vec<(u32, u32)>,
    pub(crate) subordinate_gids: Vec<(u32, u32)>,
    /// Where the root is.
    pub(crate) root: Option<CString>,
    /// What filesystem each of the spec's mounts holds, where it is a disk.
    pub(crate) filesystems: Vec<Option<&'static CStr>>,
    /// The filter of the payload's system calls.
    pub(crate) filter: Vec<Instruction>,
}

impl Host {
    /// Looks up what `spec` needs.
    pub(crate) fn look(spec: &Spec) -> Result<Host, Error> {
        let mut root = spec.root.as_ref().map(|root| root_at(root.as_bytes())).transpose()?;
        // mount(8) of a dry run would take the path for another.
        let above = spec.unpack.is_some() && !spec.dry_run;
        if above && !root.as_deref().is_some_and(is_directory) {
            root = Some(ABOVE.to_owned());
        }
        let filesystems = spec.mounts.iter().map(filesystem).collect::<Result<_, _>>()?;
        if !spec.paths.is_empty() {
            landlock::check()?;
        }
        let filter = match spec.seccomp() {
            Seccomp::None => Vec::new(),
            #[cfg(feature = "seccomp")]
            Seccomp::Default => seccomp::default(has_old_ptrace()),
            #[cfg(feature = "seccomp")]
            Seccomp::File(path) => seccomp::read(path)?,
        };
        if !spec.namespaces.has(Namespace::User) {
            return Ok(Host { root, filesystems, filter, ..Host::default() });
        }
        let mut host = Host {
            uid: sys::effective_uid(),
            gid: sys::effective_gid(),
            may_map: may_map(spec),
            root,
            filesystems,
            filter,
            ..Host::default()
        };
        if spec.map == Some(MapChoice::Auto) {
            let name = user_name(host.uid);
            host.subordinate_uids =
                subordinate("/etc/subuid", "usermod --add-subuids", &name, host.uid)?;
            host.subordinate_gids =
                subordinate("/etc/subgid", "usermod --add-subgids", &name, host.uid)?;
        }
        Ok(host)
    }
}

fn may_map(spec: &Spec) -> bool {
    let maps_own = spec.map != Some(MapChoice::Auto)
        && spec.map_users.is_empty()
        && spec.map_groups.is_empty();
    if maps_own && !spec.dry_run && sys::effective_uid() == 0 {
        return true;
    }
    let wanted = CapabilitySet::SETUID | CapabilitySet::SETGID;
    rustix::thread::capabilities(None).is_ok_and(|own| own.effective.contains(wanted))
}

#[cold]
#[inline(never)]
fn filesystem(mount: &Mount) -> Result<Option<&'static CStr>, Error> {
    match mount {
        Mount::Data { source, .. } => crate::disk::look(source),
        Mount::Bind { .. } | Mount::Tmpfs { .. } => Ok(None),
    }
}

/// Whether a traced process may change its system call behind the filter's back: before Linux 4.8
/// (seccomp(2)). A release that cannot be read counts as old.
fn has_old_ptrace() -> bool {
    is_before_4_8(rustix::system::uname().release().to_bytes())
}

pub(crate) fn is_before_4_8(release: &[u8]) -> bool {
    let mut parts = release.split(|byte| !byte.is_ascii_digit());
    let mut number = || std::str::from_utf8(parts.next()?).ok().and_then(parse_id);
    number().zip(number()).is_none_or(|version| version < (4, 8))
}

/// Where a root is mounted that has no directory: on our own. A path from `/` begins below what is
/// mounted on it, but `..` of it leads to the topmost (path_resolution(7)).
const ABOVE: &CStr = c"/..";

fn is_directory(path: &CStr) -> bool {
    let kind = rustix::fs::stat(path).map(|status| FileType::from_raw_mode(status.st_mode));
    kind == Ok(FileType::Directory)
}

/// The path of the root that is called so.
#[cold]
#[inline(never)]
fn root_at(name: &[u8]) -> Result<CString, Error> {
    let path = crate::root::place::path_of(name)?.into_os_string().into_vec();
    if is_own_root(&path) {
        return Ok(c"/".to_owned());
    }
    CString::new(path).map_err(|_| Error::plain("a zero byte"))
}

/// Whether a path, such as `/.` or a link, leads to our own root directory. Elsewhere that may be mounted
/// once more: then it has another path, and less below it.
fn is_own_root(path: &[u8]) -> bool {
    let Ok(directory) = files::open(path, OFlags::PATH) else { return false };
    if files::identity_of(&directory) != files::identity(b"/") {
        return false;
    }
    let mut target = [0_u8; 2];
    let own = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let length = rustix::fs::readlinkat_raw(rustix::fs::CWD, own, &mut target[..]);
    length.is_ok_and(|length| target.get(..length) == Some(b"/"))
}

/// The user's name, or its number where it has none.
#[cold]
#[inline(never)]
fn user_name(uid: u32) -> Vec<u8> {
    name_in(&read_file("/etc/passwd").unwrap_or_default(), uid)
}

/// The same, in that passwd(5).
pub(crate) fn name_in(passwd: &[u8], uid: u32) -> Vec<u8> {
    let number = uid.to_string();
    let name = passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next()?;
        (fields.nth(1)? == number.as_bytes()).then(|| name.to_vec())
    });
    name.unwrap_or_else(|| number.into_bytes())
}

/// A user's ranges in a file of lines `NAME-OR-UID:FIRST:COUNT`.
#[cold]
#[inline(never)]
fn subordinate(path: &str, remedy: &str, name: &[u8], uid: u32) -> Result<Vec<(u32, u32)>, Error> {
    let ranges = match read_file(path) {
        Ok(text) => subordinate_ranges(&text, name, uid),
        Err(Errno::NOENT) => Vec::new(),
        Err(errno) => return Err(Error::system(format!("read {path}"), errno)),
    };
    if ranges.is_empty() {
        let name = String::from_utf8_lossy(name);
        return Err(Error::plain(format!(
            "--map-auto: no subordinate ids of {} in {path}",
            quote(name.as_bytes())
        ))
        .hint(format!("add some: {remedy} 100000-165535 {name}")));
    }
    Ok(ranges)
}

pub(crate) fn subordinate_ranges(text: &[u8], name: &[u8], uid: u32) -> Vec<(u32, u32)> {
    let number = uid.to_string();
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let owner = fields.next()?;
            if owner != name && owner != number.as_bytes() {
                return None;
            }
            let mut id = || std::str::from_utf8(fields.next()?).ok().and_then(parse_id);
            let (first, count) = (id()?, id()?);
            Extent::parse(&format!("0:{first}:{count}"))
                .ok()
                .map(|extent| (extent.outer, extent.count))
        })
        .collect()
}

/// A variable of our environment that is not empty.
pub(crate) fn variable(name: &str) -> Option<&'static [u8]> {
    Environment::inherited().get(name.as_bytes()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_and_by_number() {
        let text = b"other:1:2\nme:100000:65536\n1000:200000:10\nme:bad:1\nme\nme:5:0\n";
        assert_eq!(subordinate_ranges(text, b"me", 1000), [(100_000, 65536), (200_000, 10)]);
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        for old in ["3.8.0", "4.7.10-x", "4.4", "nonsense", "4"] {
            assert!(is_before_4_8(old.as_bytes()), "{old}");
        }
        for new in ["4.8.0", "4.19.0-27-amd64", "5.4.0", "6.18.44-fc", "10.0"] {
            assert!(!is_before_4_8(new.as_bytes()), "{new}");
        }
    }

    #[test]
    fn root_has_a_name() {
        assert_eq!(user_name(0), b"root");
        assert_eq!(user_name(4_000_000_000), b"4000000000");
    }
}

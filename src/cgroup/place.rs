//! Where the cgroup of an instance is made: below the caller's own, or below one that it is in.
use super::{Limit, text, write};
use crate::error::{Error, quote};
use rustix::fd::AsFd;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// The directory to make it in: the nearest that has the controllers for the limits, or lets us enable
/// them for those below it, and in which we may make one.
///
/// A cgroup that has processes of its own cannot enable any (the root aside), so that it is most often
/// the one above the caller's. What was enabled stays so: others may need it by then.
pub(super) fn parent(limits: &[Limit]) -> Result<String, Error> {
    let own = text("/proc/self/cgroup");
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Err(Error::plain("--limit: there is no cgroup v2 on this host")
            .hint("boot it with cgroup_no_v1=all, or systemd.unified_cgroup_hierarchy=1"));
    };
    let table = text("/proc/self/mountinfo");
    let Some((mount, below)) = mounted(&table, path, |kind| kind.starts_with("cgroup2 ")) else {
        return Err(Error::plain("--limit: the cgroup2 filesystem is mounted nowhere")
            .hint("mount -t cgroup2 cgroup2 /sys/fs/cgroup"));
    };
    let mut controllers: Vec<&str> = limits.iter().filter_map(Limit::controller).collect();
    controllers.sort_unstable();
    controllers.dedup();
    let there = text(&format!("{mount}/cgroup.controllers"));
    for controller in &controllers {
        if !has(&there, controller) {
            return Err(missing(controller, limits, &own));
        }
    }
    let mut below = below;
    let errno = loop {
        let directory = format!("{mount}{below}");
        let Err(errno) = enable(&directory, &controllers) else { return Ok(directory) };
        match below.rsplit_once('/') {
            Some((above, _)) => below = above.to_owned(),
            None => break errno,
        }
    };
    let path = quote(format!("{mount}{}", path.trim_end_matches('/')));
    Err(Error::system(format!("--limit: make a cgroup near {path}"), errno).hint(
        "run as root, or in a subtree that is yours: systemd-run --user --scope -p Delegate=yes",
    ))
}

/// Where a hierarchy is mounted, and the path of our cgroup below it, without a `/` at its end. `is_it`
/// is asked about the last fields of the line: type, source, options.
pub(crate) fn mounted(
    mounts: &str,
    path: &str,
    is_it: impl Fn(&str) -> bool,
) -> Option<(String, String)> {
    mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        is_it(back).then_some(())?;
        let mut fields = front.split(' ').skip(3);
        let path_of = |field: &str| {
            String::from_utf8_lossy(&crate::proc::unescape(field.as_bytes())).into_owned()
        };
        let (root, point) = (path_of(fields.next()?), path_of(fields.next()?));
        // What is mounted may begin at a cgroup below the root.
        let below = if root == "/" { path } else { path.strip_prefix(root.as_str())? };
        Some((point.trim_end_matches('/').to_owned(), below.trim_end_matches('/').to_owned()))
    })
}

fn has(list: &str, controller: &str) -> bool {
    list.split_ascii_whitespace().any(|one| one == controller)
}

/// No cgroup v2 has that controller, and so no limit is set at all.
fn missing(controller: &str, limits: &[Limit], own: &str) -> Error {
    let limit = limits.iter().find(|limit| limit.controller() == Some(controller));
    let file = limit.map(|limit| limit.file.to_string_lossy()).unwrap_or_default();
    let is_v1 = own.lines().any(|line| {
        let mut names = line.split(':').nth(1).unwrap_or_default().split(',');
        names.any(|name| name == controller)
    });
    let hint = if is_v1 {
        "it is mounted as cgroup v1: boot this host with cgroup_no_v1=all, or \
         systemd.unified_cgroup_hierarchy=1"
    } else {
        "this kernel does not have it, or it was not delegated to us"
    };
    Error::plain(format!("--limit {file}: cgroup v2 has no controller {} here", quote(controller)))
        .hint(hint)
}

/// Sees to it that a cgroup below that directory will have the controllers, and can be made.
fn enable(directory: &str, controllers: &[&str]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = rustix::fs::open(directory, flags, Mode::empty())?;
    // To come from a cgroup below, the file of the one above both must be ours to write.
    let procs = format!("{directory}/cgroup.procs");
    for path in [directory, &procs] {
        rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?;
    }
    let enabled = text(&format!("{directory}/cgroup.subtree_control"));
    let words: Vec<String> = controllers
        .iter()
        .filter(|controller| !has(&enabled, controller))
        .map(|controller| format!("+{controller}"))
        .collect();
    if words.is_empty() {
        return Ok(());
    }
    write(open.as_fd(), c"cgroup.subtree_control", words.join(" ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_cgroup_is_found_below_what_is_mounted() {
        let line = |root: &str, point: &str| {
            format!(
                "25 24 0:22 / /proc rw - proc proc rw\n30 24 0:26 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
            )
        };
        let is_it = |kind: &str| kind == "cgroup2 cgroup2 rw";
        let found = |root: &str, point: &str, path: &str| mounted(&line(root, point), path, is_it);
        let answer = |mount: &str, below: &str| Some((mount.to_owned(), below.to_owned()));
        assert_eq!(found("/", "/sys/fs/cgroup", "/a/b"), answer("/sys/fs/cgroup", "/a/b"));
        assert_eq!(found("/", "/sys/fs/cgroup", "/"), answer("/sys/fs/cgroup", ""));
        assert_eq!(found("/a", "/c", "/a/b"), answer("/c", "/b"));
        assert_eq!(found("/x", "/c", "/a/b"), None);
        assert_eq!(found("/", "/c\\040d", "/"), answer("/c d", ""));
        assert_eq!(mounted("", "/", is_it), None);
    }
}

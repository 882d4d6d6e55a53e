//! Why there is no new process: EAGAIN of clone(2), which has several causes and names none.
use crate::cgroup::place;
use crate::files::{entries, open, read_file, read_number};
use crate::proc;
use crate::spec::Spec;
use rustix::fd::AsFd;
use rustix::fs::OFlags;
use rustix::process::{Resource, getrlimit, getuid};
use unshared_init::number::decimal;

/// The cause, as far as looking finds it.
pub(super) fn cause(spec: &Spec) -> Option<String> {
    if spec.limits.iter().any(|limit| limit.file.as_c_str() == c"pids.max") {
        return Some("it would be one more than pids.max of --limit".to_owned());
    }
    full_cgroup().or_else(full_user)
}

/// A cgroup that we are in, of whichever version, in which there may be no more.
fn full_cgroup() -> Option<String> {
    let (own, mounts) = (text("/proc/self/cgroup"), text("/proc/self/mountinfo"));
    own.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (mount, mut below) = place::mounted(&mounts, path, |kind| match controllers {
            "" => kind.starts_with("cgroup2 "),
            _ => kind.starts_with("cgroup ") && has_pids(kind),
        })?;
        if !controllers.is_empty() && !has_pids(controllers) {
            return None;
        }
        loop {
            let number = |file| read_number(&format!("{mount}{below}/{file}"));
            if let (Some(most), Some(count)) = (number("pids.max"), number("pids.current"))
                && count >= most
            {
                return Some(format!("pids.max of cgroup {mount}{below} is {most}: raise it"));
            }
            below = below.rsplit_once('/')?.0.to_owned();
        }
    })
}

/// Whether that controller is among the words of a list.
fn has_pids(list: &str) -> bool {
    list.as_bytes().split(|byte| matches!(byte, b',' | b' ')).any(|one| one == b"pids")
}

/// Whether our user has as many processes, threads among them, as RLIMIT_NPROC lets him have.
fn full_user() -> Option<String> {
    let most = getrlimit(Resource::Nproc).current?;
    let own = getuid().as_raw();
    let processes = open(b"/proc", OFlags::RDONLY | OFlags::DIRECTORY).ok()?;
    let mut count = 0;
    let threads = |name: &str| {
        let status = read_file(&format!("/proc/{name}/status")).ok()?;
        let user = number(proc::status(&status, b"Uid")?)?;
        if user == own.into() { number(proc::status(&status, b"Threads")?) } else { None }
    };
    let listed = entries(processes.as_fd(), &mut |name, _| {
        // Neither "self" nor "thread-self", which are one more time ourselves.
        if let Ok(name) = name.to_str()
            && name.starts_with(|first: char| first.is_ascii_digit())
        {
            count += threads(name).unwrap_or(0);
        }
    });
    listed.ok()?;
    (count >= most).then(|| {
        format!("user {own} has {count} processes, and RLIMIT_NPROC (ulimit -u) is {most}")
    })
}

/// The number that a text begins with.
fn number(text: &[u8]) -> Option<u64> {
    decimal(text.split(u8::is_ascii_whitespace).next()?)
}

fn text(path: &str) -> String {
    String::from_utf8_lossy(&read_file(path).unwrap_or_default()).into_owned()
}

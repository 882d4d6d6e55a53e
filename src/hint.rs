//! Why a step failed: what errno alone does not say, found by looking at the host.
use crate::error::{Error, quote};
use crate::files::{identity, read_file, read_number};
use crate::perform::Failure;
use crate::plan::Plan;
use crate::spec::Spec;
use crate::spec::capability::Capabilities;
use crate::spec::mount::Mount;
use crate::spec::namespace::{Namespace, Namespaces};
use crate::step::Step;
use crate::walk::channel::{CLONE, FORK, Failed};
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::CapabilitySet;
use std::ffi::CStr;
use unshared_init::sys::Arguments;

mod exhausted;
mod refused;

use refused::NEEDS_ADMIN;

/// The clone with all namespaces failed.
#[cold]
#[inline(never)]
pub(crate) fn for_clone(spec: &Spec, namespaces: Namespaces, errno: Errno) -> Error {
    let mut names = String::new();
    for namespace in namespaces.iter() {
        add(&mut names, ", ", namespace.option());
    }
    let attempt = match names.as_str() {
        "" => "fork".to_owned(),
        _ if names.contains(',') => format!("make new {names} namespaces"),
        _ => format!("make new {names} namespace"),
    };
    Error::system(attempt, errno).maybe_hint(clone_hint(spec, namespaces, errno))
}

/// Adds to a list, with something between.
fn add(list: &mut String, between: &str, one: &str) {
    if !list.is_empty() {
        list.push_str(between);
    }
    list.push_str(one);
}

fn clone_hint(spec: &Spec, namespaces: Namespaces, errno: Errno) -> Option<String> {
    match errno {
        Errno::PERM => refused::cause(spec.namespaces.has(Namespace::User)).map(ToOwned::to_owned),
        // USERS before Linux 4.9; 32 is the kernel's depth of user and PID namespaces.
        Errno::NOSPC | Errno::USERS => Some(limit(namespaces)),
        Errno::INVAL => namespaces
            .iter()
            .find(|namespace| crate::sys::lacks(*namespace))
            .map(|namespace| format!("this kernel has no {} namespaces", namespace.option())),
        Errno::AGAIN => exhausted::cause(spec),
        _ => None,
    }
}

/// Which limit of namespaces(7) is used up: a user's, here or in a namespace around us.
fn limit(namespaces: Namespaces) -> String {
    let mut names = String::new();
    for namespace in namespaces.iter() {
        let name = format!("max_{}_namespaces", namespace.file());
        if sysctl(&format!("user/{name}")) == Some(0) {
            return format!("user.{name} is 0: raise it");
        }
        add(&mut names, " or user.", &name);
    }
    format!("used up, here or in a namespace around this one: user.{names}; or nested 32 deep")
}

/// A number below /proc/sys.
fn sysctl(name: &str) -> Option<u64> {
    read_number(&format!("/proc/sys/{name}"))
}

/// A step of the parent's failed.
#[cold]
#[inline(never)]
pub(crate) fn for_step(step: &Step, spec: &Spec, pid: Pid, failure: Failure) -> Error {
    let hint = match failure.reason() {
        Some(_) => None,
        None => step_hint(step, spec, failure.errno()),
    };
    failure.of(step.attempt(pid.as_raw_nonzero().get())).maybe_hint(hint)
}

/// The child said that something failed. `missing` is what the command lacks in its root.
#[cold]
#[inline(never)]
pub(crate) fn for_failed(
    spec: &Spec,
    plan: &Plan,
    commands: &[Arguments],
    pid: Pid,
    failed: &Failed,
    missing: Option<String>,
) -> Error {
    let Failed { step, errno, command, code, reason } = failed;
    let reason = (!reason.is_empty()).then(|| crate::error::escape(reason));
    let error = match (*step, plan.steps.get(*step)) {
        (CLONE, _) => for_clone(spec, plan.namespaces, *errno),
        (FORK, _) => {
            let hint = if *errno == Errno::AGAIN { exhausted::cause(spec) } else { None };
            Error::system("fork", *errno).maybe_hint(hint)
        }
        (_, Some((_, Step::Execute))) => {
            let name = commands.get(usize::from(*command)).and_then(Arguments::first);
            let name = quote(name.map_or(&[][..], |name| name.to_bytes()));
            let place = spec.root.as_ref().map_or_else(String::new, |root| {
                format!(" inside root {}", quote(root.as_bytes()))
            });
            let hidden = (*errno == Errno::ACCESS && !spec.paths.is_empty()).then(|| {
                "it, its interpreter or its loader is perhaps below no --ro-path or --rw-path"
                    .into()
            });
            Error::system(format!("execute {name}{place}"), *errno)
                .maybe_hint(missing)
                .maybe_hint(hidden)
        }
        (_, Some((_, Step::RunPreMount(expression)))) if *errno == Errno::CANCELED => Error::plain(
            format!("pre-mount {} ended with status {command}", quote(expression.as_bytes())),
        ),
        // The child has said all of it.
        (_, Some((_, Step::UnpackRoot { .. }))) if *errno == Errno::CANCELED => {
            return Error::plain(String::from_utf8_lossy(&failed.reason)).with_code(*code);
        }
        (_, Some((_, step))) => Error::system(step.attempt(pid.as_raw_nonzero().get()), *errno)
            .maybe_hint(step_hint(step, spec, *errno)),
        (_, None) => Error::system("an unknown step", *errno),
    };
    error.maybe_hint(reason).with_code(*code)
}

fn step_hint(step: &Step, spec: &Spec, errno: Errno) -> Option<String> {
    let hint = match (step, errno) {
        (Step::DenySetgroups | Step::WriteUidMap(_) | Step::WriteGidMap(_), Errno::NOENT) => {
            "an id map is written through /proc, and it is not mounted here, or not for this PID \
             namespace"
        }
        (
            Step::DenySetgroups | Step::WriteUidMap(_) | Step::WriteGidMap(_),
            Errno::PERM | Errno::ACCESS,
        ) if is_restricted() => RESTRICTED,
        // The namespace was made, and its capabilities are worth nothing.
        (
            Step::MakeMountsPrivate
            | Step::MountProc
            | Step::MountProcIn { .. }
            | Step::SetHostname(_)
            | Step::SetDomainname(_)
            | Step::SetLoopbackUp,
            Errno::PERM | Errno::ACCESS,
        ) if spec.namespaces.has(Namespace::User) && is_restricted() => RESTRICTED,
        (Step::WriteUidMap(map), Errno::PERM)
            if map.has_outer(0) && !refused::has(CapabilitySet::SETFCAP) =>
        {
            "to map root, CAP_SETFCAP is needed (user_namespaces(7))"
        }
        (Step::SetTimeOffsets { .. } | Step::BindNamespace(..), Errno::NOENT) if no_proc() => {
            "/proc is not mounted here"
        }
        (Step::SetTimeOffsets { .. }, Errno::PERM) if !spec.namespaces.has(Namespace::User) => {
            NEEDS_ADMIN
        }
        (Step::ChangeDirectory(_), Errno::XDEV) => "it is outside of the root directory",
        (Step::MakeMountsPrivate, Errno::INVAL) => {
            "\"/\" is a chroot and not a mount; bind the directory onto itself before chroot"
        }
        (Step::MountProc | Step::MountProcIn { is_new: true, .. }, Errno::PERM) => {
            return masked_proc();
        }
        (Step::BindRoot { .. } | Step::OverlayRoot { .. }, Errno::NOENT)
            if spec.root.as_ref().is_some_and(|root| !root.as_bytes().starts_with(b"/")) =>
        {
            "a name stands for a directory in $UNSHARED_ROOT or, without it, /var/unshared for \
             root; a path begins with \"/\""
        }
        (
            Step::OverlayRoot { .. }
            | Step::UnpackRoot { .. }
            | Step::MountProcIn { .. }
            | Step::MountSysIn { .. }
            | Step::MountDevIn { .. }
            | Step::MountIn { .. }
            | Step::MountFile { .. }
            | Step::MountDisk { .. },
            Errno::NOENT,
        ) if no_proc() => "/proc is not mounted here",
        (Step::OverlayRoot { .. }, Errno::PERM) => {
            "in a user namespace an overlay needs Linux 5.11"
        }
        (Step::MountIn { mount: Mount::Bind { source, .. }, .. }, Errno::INVAL | Errno::NOTDIR)
            if rustix::fs::stat(source)
                .is_ok_and(|is| FileType::from_raw_mode(is.st_mode) != FileType::Directory) =>
        {
            "a file in which no filesystem is known is bound to a file only"
        }
        (Step::OverlayRoot { root, in_user_namespace: true }, Errno::INVAL) => {
            return Some(format!(
                "a mount at {} hides part of it, which no overlay in a user namespace may lay bare",
                quote(mount_below(root.to_bytes())?)
            ));
        }
        (Step::OverlayRoot { .. }, Errno::NODEV) => "this kernel has no overlay filesystem",
        (
            Step::MountProcIn { .. }
            | Step::MountSysIn { .. }
            | Step::MountDevIn { .. }
            | Step::MountIn { .. }
            | Step::MountFile { .. }
            | Step::MountDisk { .. },
            Errno::ROFS | Errno::ACCESS,
        ) => "what is mounted on is missing, and cannot be made in this root",
        (
            Step::MountIn {
                mount: Mount::Bind { target, .. } | Mount::Tmpfs { target, .. },
                makes,
                ..
            }
            | Step::MountDisk { target, makes, .. },
            Errno::NOENT,
        ) if !makes && identity(target.to_bytes()).is_err() => {
            "there is none here, and on the host none is made: make it, or have it below a --tmpfs"
        }
        (Step::MountFile { root, .. }, Errno::NOENT) if root.as_c_str() == c"/" => {
            "there is none here, and without a --root none is made"
        }
        (Step::MountProc, Errno::NOENT) => "there is no directory /proc; make it, or --no-proc",
        (Step::MountProc, Errno::NODEV) => "this kernel has no proc filesystem",
        (Step::SetIds { uid, gid, .. }, Errno::PERM)
            if uid.is_none_or(|uid| uid == crate::sys::effective_uid())
                && gid.is_none_or(|gid| gid == crate::sys::effective_gid()) =>
        {
            "only root can drop supplementary groups, which --uid and --gid do"
        }
        (Step::SetIds { .. }, Errno::PERM)
            if !spec.namespaces.has(Namespace::User) && crate::sys::effective_uid() == 0 =>
        {
            let ids = [CapabilitySet::SETUID, CapabilitySet::SETGID];
            if ids.into_iter().all(refused::has) {
                return None;
            }
            "root needs CAP_SETUID and CAP_SETGID for it, and one of them was taken from us"
        }
        (Step::SetIds { .. }, Errno::PERM) if !spec.namespaces.has(Namespace::User) => {
            "an ordinary user takes on other ids only in a user namespace: --user with a map"
        }
        (Step::SetResourceLimit(_), Errno::PERM) => {
            "only CAP_SYS_RESOURCE on the host raises a limit beyond what is its hard one here"
        }
        (Step::SetCapabilities { added, .. }, Errno::PERM) => {
            if *added == Capabilities::default() || !may_limit(spec) {
                "CAP_SETPCAP is needed: run as root, or add --user"
            } else {
                "nobody can add a capability that he does not have"
            }
        }
        (Step::SetSeccomp { .. } | Step::RestrictPaths(_), Errno::ACCESS | Errno::PERM)
            if !spec.no_new_privs() =>
        {
            "with --new-privs CAP_SYS_ADMIN is needed"
        }
        (Step::SetIds { .. }, Errno::INVAL) => "that id is not mapped in this user namespace",
        (Step::BindNamespace(namespace, _), Errno::INVAL) if *namespace == Namespace::Mount => {
            "the file is on a mount that is shared: bind its directory onto itself, and make that \
             mount private"
        }
        (Step::BindNamespace(..), Errno::PERM) => "only root can mount",
        (Step::RestrictPaths(paths), Errno::NOENT) => {
            let is_missing =
                |path: &CStr| identity(path.to_bytes()).is_err_and(|errno| errno == Errno::NOENT);
            let missing = paths.iter().find(|(path, _)| is_missing(path));
            return missing.map(|(path, _)| format!("there is no {}", quote(path.as_bytes())));
        }
        (Step::SetSeccomp { log: true, .. }, Errno::INVAL | Errno::NOSYS) => {
            "--seccomp-log needs Linux 4.14, or the kernel takes no such program"
        }
        (Step::SetSeccomp { .. }, Errno::INVAL) => {
            "the kernel takes no such program, or has no filters of system calls"
        }
        (Step::SetTimeOffsets { .. }, Errno::NOSPC | Errno::USERS) => {
            let mut time = Namespaces::default();
            time.add(Namespace::Time);
            return Some(limit(time));
        }
        (Step::WriteUidMap(map) | Step::WriteGidMap(map), Errno::INVAL)
            if map.lines().len() >= PAGE =>
        {
            return Some(format!(
                "its text has {} bytes, and the kernel takes less than a page",
                map.lines().len()
            ));
        }
        (Step::SetTimeOffsets { .. }, Errno::RANGE) => {
            "a clock inside cannot begin before 0, and not go far beyond 146 years"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

const RESTRICTED: &str = "an AppArmor profile restricts user namespaces: \
    kernel.apparmor_restrict_unprivileged_userns is 1; run as root, or allow this binary";

fn is_restricted() -> bool {
    sysctl("kernel/apparmor_restrict_unprivileged_userns") == Some(1)
}

fn no_proc() -> bool {
    identity(b"/proc/self").is_err()
}

fn may_limit(spec: &Spec) -> bool {
    spec.namespaces.has(Namespace::User) || refused::has(CapabilitySet::SETPCAP)
}

/// The smallest page that there is.
const PAGE: usize = 4096;

/// Mounting proc in a user namespace is refused where part of the visible one is hidden.
fn masked_proc() -> Option<String> {
    Some(match mount_below(b"/proc") {
        Some(point) => format!("a mount at {} hides part of /proc; try --no-proc", quote(point)),
        None => "no /proc is mounted here in full; try --no-proc".to_owned(),
    })
}

/// Where something is mounted below this path, which is one without links.
fn mount_below(path: &[u8]) -> Option<Vec<u8>> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let mounts = read_file("/proc/self/mountinfo").ok()?;
    crate::proc::mount_points(&mounts).find(|point| {
        point != b"/" && point.strip_prefix(path).is_some_and(|rest| rest.starts_with(b"/"))
    })
}

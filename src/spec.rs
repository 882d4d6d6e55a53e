//! What the user asked for, as plain data, and every rule between options.
use crate::cgroup::Limit;
use crate::error::Error;
use crate::landlock::Access;
use crate::seccomp::Seccomp;
use std::ffi::CString;
use unshared_init::reaper::Restart;
use unshared_init::sys::Arguments;

pub(crate) mod capability;
pub(crate) mod idmap;
pub(crate) mod mount;
pub(crate) mod namespace;
pub(crate) mod network;
pub(crate) mod rlimit;

use capability::Capabilities;
use idmap::Extent;
use mount::Mount;
use namespace::{Namespace, Namespaces};
use network::Network;
use rlimit::ResourceLimit;

/// Which ids the user namespace maps, apart from those that `--map-users` and `--map-groups` name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MapChoice {
    /// `-r`: the caller is root inside.
    Root,
    /// `-c`: the caller keeps its ids inside.
    Current,
    /// `--map-auto`: the caller is root inside, and has its subordinate ids from 1.
    Auto,
}

/// Everything that `spawn` was asked for.
#[derive(Clone, Default)]
pub(crate) struct Spec {
    pub(crate) namespaces: Namespaces,
    /// Namespaces to keep alive, and the files that hold them.
    pub(crate) persist: Vec<(Namespace, CString)>,
    pub(crate) map: Option<MapChoice>,
    pub(crate) map_users: Vec<Extent>,
    pub(crate) map_groups: Vec<Extent>,
    /// The root to enter: its name, or its path.
    pub(crate) root: Option<CString>,
    /// An image that the root is unpacked from, for this run alone; `-` is standard input.
    pub(crate) unpack: Option<CString>,
    /// What is changed in the root vanishes.
    pub(crate) overlay: bool,
    pub(crate) read_only: bool,
    /// What is mounted in the root, or where there is none, in the caller's.
    pub(crate) mounts: Vec<Mount>,
    /// What the network namespace is connected to.
    pub(crate) network: Network,
    /// What hooks see as NAME; with a UTS namespace the host name.
    pub(crate) name: Option<CString>,
    /// Shell expressions: on the host's side, before anything and after everything.
    pub(crate) preexec: Vec<CString>,
    pub(crate) postexec: Vec<CString>,
    /// Inside: before anything is mounted, and after the payload has ended.
    pub(crate) pre_mount: Vec<CString>,
    pub(crate) post_mount: Vec<CString>,
    /// The way into the root, instead of ours.
    pub(crate) chroot: Option<CString>,
    /// Offset of CLOCK_MONOTONIC inside, in seconds.
    pub(crate) monotonic: Option<i64>,
    /// Offset of CLOCK_BOOTTIME inside, in seconds.
    pub(crate) boottime: Option<i64>,
    pub(crate) hostname: Option<CString>,
    pub(crate) domainname: Option<CString>,
    /// `NAME=value` strings, in the order given.
    pub(crate) variables: Vec<CString>,
    pub(crate) clear_env: bool,
    pub(crate) cwd: Option<CString>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// Nothing is taken from the payload because it has a root of its own.
    pub(crate) privileged: bool,
    /// Resource limits of the payload.
    pub(crate) rlimits: Vec<ResourceLimit>,
    /// Capabilities that the payload is to have, and that it is not to have.
    pub(crate) cap_add: Capabilities,
    pub(crate) cap_drop: Capabilities,
    /// Whether execve(2) gives the payload's programs privileges, where that was said.
    pub(crate) new_privs: Option<bool>,
    /// Where there is no root: all that the payload may open.
    pub(crate) paths: Vec<(CString, Access)>,
    /// What is written to the files of a cgroup of its own.
    pub(crate) limits: Vec<Limit>,
    pub(crate) seccomp: Option<Seccomp>,
    /// What the filter refuses is written to the kernel's log.
    pub(crate) seccomp_log: bool,
    pub(crate) no_init: bool,
    pub(crate) no_proc: bool,
    pub(crate) die_with_parent: bool,
    /// Nanoseconds between TERM and KILL for what the payload leaves behind.
    pub(crate) grace: Option<u64>,
    /// Whether the payload is started again; needs an init.
    pub(crate) restart: Option<Restart>,
    /// End by the signal that killed the payload.
    pub(crate) re_raise: bool,
    pub(crate) status_fd: Option<i32>,
    /// The caller returns once the payload has been executed.
    pub(crate) detach: bool,
    /// The payload has a terminal of its own.
    pub(crate) pty: bool,
    /// Where the payload's output goes; `-` is the caller's.
    pub(crate) log: Option<CString>,
    /// How many bytes of it are kept.
    pub(crate) log_max: Option<u64>,
    pub(crate) keep_fds: Vec<i32>,
    pub(crate) dry_run: bool,
    pub(crate) verbose: bool,
    /// Shell expressions, run in order before the command; the last is the payload where there is
    /// no command.
    pub(crate) expressions: Vec<CString>,
    pub(crate) command: Option<Arguments>,
    /// All of it, as it was given.
    pub(crate) words: Option<Arguments>,
}

/// The kernel's limit for host and domain name (__NEW_UTS_LEN).
const UTS_LENGTH: usize = 64;

impl Spec {
    /// Adds what is implied, and refuses what does not go together.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        self.imply();
        let problem = self.problem().or_else(|| self.network.problem());
        problem.map_or(Ok(()), |problem| Err(Error::usage(problem, "spawn")))
    }

    /// What does not go together.
    fn problem(&self) -> Option<&'static str> {
        if self.command.is_none() && self.expressions.is_empty() {
            return Some("no command to run");
        }
        if self.persist.iter().any(|(namespace, _)| *namespace == Namespace::Pid) {
            return Some("--pid takes no file: a PID namespace ends with its PID 1");
        }
        if self.no_init && !self.post_mount.is_empty() {
            return Some("--post-mount with --no-init: nobody is left to run it");
        }
        if self.root.is_none() && (self.overlay || self.read_only) {
            return Some("--overlay and --read-only are for a --root");
        }
        if self.root.is_none() && self.unpack.is_some() {
            return Some("--unpack is for a --root: its name, or a directory to mount it on");
        }
        if self.overlay && self.unpack.is_some() {
            return Some("--overlay with --unpack: what is unpacked vanishes anyway");
        }
        if self.privileged && self.root.is_none() {
            return Some("--privileged is for a --root: without one nothing is taken away");
        }
        if capability::kept(Capabilities::ALL, self.cap_add, self.cap_drop).is_none() {
            return Some("--cap-add and --cap-drop with the same capability");
        }
        if self.root.is_some() && !self.paths.is_empty() {
            return Some("--ro-path and --rw-path with --root: see --bind and --read-only");
        }
        if self.seccomp_log && *self.seccomp() == Seccomp::None {
            return Some("--seccomp-log without a filter: see --seccomp");
        }
        if self.pty && self.detach {
            return Some("--pty with --detach: there is no terminal to carry it to");
        }
        if self.pty && self.log.is_some() {
            return Some("--pty with --log: a terminal is no file");
        }
        let is_kept = self.log.as_ref().map_or(self.detach, |log| log.as_bytes() != b"-");
        if self.log_max.is_some() && !is_kept {
            return Some("--log-max without a --log FILE: nothing is kept");
        }
        let has_pid = self.namespaces.has(Namespace::Pid);
        if self.no_init && !has_pid {
            return Some("--no-init without --pid: there is no init to leave out");
        }
        if self.no_proc && !has_pid {
            return Some("--no-proc without --pid: /proc is left alone anyway");
        }
        if self.no_init
            && (self.expressions.len() > 1
                || self.command.is_some() && !self.expressions.is_empty())
        {
            return Some(
                "--no-init with more than one thing to run: only an init can wait for the first",
            );
        }
        if self.grace.is_some() && (self.no_init || !has_pid) {
            return Some("--grace without an init: nothing is ended but the command itself");
        }
        if self.restart.is_some() && (self.no_init || !has_pid) {
            return Some("--restart without an init (--pid): nobody is there to start it again");
        }
        let is_long = |name: &Option<CString>| {
            name.as_ref().is_some_and(|name| name.count_bytes() > UTS_LENGTH)
        };
        if is_long(&self.hostname) {
            return Some("--hostname is longer than 64 bytes");
        }
        if is_long(&self.domainname) {
            return Some("--domainname is longer than 64 bytes");
        }
        None
    }

    fn imply(&mut self) {
        if self.map.is_some() || !self.map_users.is_empty() || !self.map_groups.is_empty() {
            self.namespaces.add(Namespace::User);
        }
        if self.hostname.is_some() || self.domainname.is_some() {
            self.namespaces.add(Namespace::Uts);
        }
        if self.network.has_links() {
            self.namespaces.add(Namespace::Net);
        }
        if self.monotonic.is_some() || self.boottime.is_some() {
            self.namespaces.add(Namespace::Time);
        }
        if self.namespaces.has(Namespace::Uts) && self.hostname.is_none() {
            self.hostname.clone_from(&self.name);
        }
        if !self.pre_mount.is_empty()
            || self.mounts_proc()
            || self.root.is_some()
            || !self.mounts.is_empty()
            || self.network.has_files()
        {
            self.namespaces.add(Namespace::Mount);
        }
    }

    /// Whether the payload is to have no more rights than one in a container. The way into a root that
    /// is not ours (`--chroot`) needs them all.
    pub(crate) fn is_confined(&self) -> bool {
        self.root.is_some() && !self.privileged && self.chroot.is_none()
    }

    /// The filter of the payload's system calls.
    pub(crate) fn seccomp(&self) -> &Seccomp {
        match &self.seccomp {
            Some(given) => given,
            #[cfg(feature = "seccomp")]
            None if self.is_confined() => &Seccomp::Default,
            None => &Seccomp::None,
        }
    }

    /// Whether the payload's programs gain no privileges by execve(2). Without that, a filter takes
    /// CAP_SYS_ADMIN, and so does Landlock.
    pub(crate) fn no_new_privs(&self) -> bool {
        let in_user_namespace =
            self.namespaces.has(Namespace::User) && !self.privileged && self.chroot.is_none();
        let by_itself = self.is_confined()
            || in_user_namespace
            || *self.seccomp() != Seccomp::None
            || !self.paths.is_empty();
        self.new_privs.map_or(by_itself, |wanted| !wanted)
    }

    /// The capabilities that the payload keeps, and those that were asked for; `None` if it keeps what
    /// it has.
    pub(crate) fn capabilities(&self) -> Option<(Capabilities, Capabilities)> {
        let base = if self.is_confined() { Capabilities::CONTAINER } else { Capabilities::ALL };
        let kept = capability::kept(base, self.cap_add, self.cap_drop)?;
        let is_changed = kept != Capabilities::ALL || self.cap_add != Capabilities::default();
        is_changed.then_some((kept, self.cap_add))
    }

    /// Whether the payload gets a /proc of its own.
    pub(crate) fn mounts_proc(&self) -> bool {
        self.namespaces.has(Namespace::Pid) && !self.no_proc
    }

    /// Whether our reaper is PID 1 of a namespace.
    pub(crate) fn has_init(&self) -> bool {
        self.namespaces.has(Namespace::Pid) && !self.no_init
    }

    /// Whether a process of ours waits for the payload rather than becoming it.
    pub(crate) fn has_reaper(&self) -> bool {
        self.has_init()
            || self.commands() > 1
            || !self.post_mount.is_empty()
            || (self.pty && !self.no_init)
    }

    /// How many commands are run, one after the other: the expressions and the command itself.
    pub(crate) fn commands(&self) -> usize {
        self.expressions.len() + usize::from(self.command.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Spec)) -> Result<Spec, Error> {
        let mut spec = Spec { expressions: vec![c"true".to_owned()], ..Spec::default() };
        change(&mut spec);
        spec.check().map(|()| spec)
    }

    #[test]
    fn pid_implies_mount_for_its_proc_and_nothing_else() {
        let spec = with(|spec| spec.namespaces.add(Namespace::Pid)).unwrap();
        assert_eq!(spec.namespaces.iter().count(), 2);
        assert!(spec.namespaces.has(Namespace::Mount));
    }

    #[test]
    fn without_a_proc_pid_implies_nothing() {
        let spec = with(|spec| {
            spec.namespaces.add(Namespace::Pid);
            spec.no_proc = true;
        });
        assert!(!spec.unwrap().namespaces.has(Namespace::Mount));
    }

    #[test]
    fn names_of_64_bytes_are_the_longest() {
        let named =
            |length| with(|spec| spec.hostname = Some(CString::new(vec![b'x'; length]).unwrap()));
        assert!(named(64).unwrap().namespaces.has(Namespace::Uts));
        assert!(named(65).is_err());
    }

    #[test]
    fn what_makes_no_sense_without_pid_is_refused() {
        assert!(with(|spec| spec.no_init = true).is_err());
        assert!(with(|spec| spec.no_proc = true).is_err());
        assert!(with(|spec| spec.grace = Some(1)).is_err());
        assert!(with(|spec| spec.restart = Some(Restart::Always)).is_err());
    }
}

//! The way through a plan: one clone, then both processes perform their own side's steps in order
//! and wait for each other where the sides change.
use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::hint;
use crate::plan::Plan;
use crate::registry::journal::Journal;
use crate::spec::Spec;
use crate::spec::namespace::Namespace;
use crate::step::{Side, Step};
use crate::sys::{self, Cloned};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::CString;
use unshared_init::number::decimal;
use unshared_init::signal::Signal;
use unshared_init::sys::{Arguments, Environment, SignalState};

pub(crate) mod channel;
mod child;
pub(crate) mod command;
#[cfg(feature = "roots")]
mod missing;
#[cfg(not(feature = "roots"))]
#[path = "absent/missing.rs"]
mod missing;
pub(crate) mod output;
mod parent;
pub(crate) mod report;

use channel::Channel;

/// What both sides have in common.
struct Run<'a> {
    spec: &'a Spec,
    plan: &'a Plan,
    /// What is executed, one after the other.
    commands: &'a [Arguments],
    environment: Environment,
    /// Where the root is.
    root: Option<&'a CString>,
    /// The caller's signal state, which the payload gets back.
    signals: SignalState,
    /// The instance has a record: the child waits until it is in it, and says when it has begun.
    has_record: bool,
}

impl Run<'_> {
    /// The steps of one side, with their places in the plan.
    fn steps(&self, side: Side) -> impl Iterator<Item = (usize, &Step)> {
        let numbered = self.plan.steps.iter().enumerate();
        numbered.filter(move |(_, (of, _))| *of == side).map(|(index, (_, step))| (index, step))
    }

    /// Whether the turn passes between parent and child right before that step.
    fn turns_at(&self, index: usize) -> bool {
        let is_parent = |index: usize| {
            self.plan.steps.get(index).is_some_and(|(side, _)| *side == Side::Parent)
        };
        match index.checked_sub(1) {
            Some(before) => is_parent(before) != is_parent(index),
            // Both begin at once; a child whose first step is not its own waits for its turn.
            None => false,
        }
    }
}

/// How a run ended.
pub(crate) struct End {
    /// The payload's exit status.
    pub(crate) status: u8,
    /// What we are to end by ourselves.
    pub(crate) raise: Option<Signal>,
}

/// Runs the spec to its end. `signals` is what the caller did about them; all are blocked by now.
pub(crate) fn run(
    spec: &Spec,
    plan: &Plan,
    root: Option<&CString>,
    signals: SignalState,
    journal: &mut Journal,
) -> Result<End, Error> {
    check_descriptors(spec)?;
    check_proc(spec, plan)?;
    sys::close_all_but(&[kept(spec), journal.descriptors()].concat());
    let commands = command::commands(spec, root);
    let run = Run {
        spec,
        plan,
        commands: &commands,
        environment: command::environment(spec, root),
        root,
        signals,
        has_record: journal.record().is_some(),
    };
    let disks = open_disks(plan)?;
    let (output, carried) = output::open(spec, journal)?;
    let (ours, theirs) =
        Channel::pair().map_err(|errno| Error::system("make a socket pair", errno))?;
    let cgroup =
        if spec.limits.is_empty() { None } else { Some(Cgroup::make(&spec.limits, journal)?) };
    match sys::clone_into(plan.namespaces, cgroup.as_ref().map(AsFd::as_fd)) {
        Err(errno) => Err(hint::for_clone(spec, plan.namespaces, errno)),
        Ok(Cloned::Parent(pid)) => {
            if spec.has_init() {
                // Init's end is the news. That its end of the channel closes a little earlier
                // would only wake us for nothing.
                core::mem::forget(theirs);
            } else {
                drop(theirs);
            }
            // What the child has attached could not be unmounted inside as long as we have it.
            drop((disks, output));
            parent::Parent::new(&run, pid, ours, cgroup, journal, carried).walk()
        }
        Ok(Cloned::Child { time_left }) => {
            drop((ours, carried));
            // It leads out of what the child will see.
            drop(cgroup);
            output.take();
            // The lock is the launcher's, and lasts as long as anybody has the descriptor.
            journal.leave();
            child::Child::new(&run, theirs, disks).walk(time_left)
        }
    }
}

/// Parent, before there is a child: mounts what the child will attach, in the plan's order.
fn open_disks(plan: &Plan) -> Result<VecDeque<OwnedFd>, Error> {
    let open = |(_, step): &(Side, Step)| match step {
        Step::MountDisk { source, kind, read_only, .. } => {
            Some(crate::disk::mount(source, kind, *read_only))
        }
        _ => None,
    };
    plan.steps.iter().filter_map(open).collect()
}

/// The parent's steps go through /proc/PID. Where /proc belongs to another PID namespace, that is
/// somebody else. A /proc that is missing is told by the step that misses it.
///
/// Nor would the kernel say that it knows no cgroups, and so no namespaces of them. Both looks end in /proc's
/// own directory: one into /proc/self, which the kernel makes for it and takes down at our end, is 3 % of a
/// launch.
fn check_proc(spec: &Spec, plan: &Plan) -> Result<(), Error> {
    if plan.steps.iter().any(|(side, _)| *side == Side::Parent) {
        check_owner_of_proc()?;
    }
    if plan.namespaces.has(Namespace::Cgroup)
        && rustix::fs::lstat(c"/proc/cgroups").is_err()
        && sys::lacks(Namespace::Cgroup)
    {
        return Err(hint::for_clone(spec, plan.namespaces, Errno::INVAL));
    }
    Ok(())
}

fn check_owner_of_proc() -> Result<(), Error> {
    let mut buffer = [0_u8; 16];
    let Ok(length) = rustix::fs::readlinkat_raw(rustix::fs::CWD, c"/proc/self", &mut buffer[..])
    else {
        return Ok(());
    };
    if buffer.get(..length).and_then(decimal) == Some(sys::own_pid().into()) {
        return Ok(());
    }
    Err(Error::plain("/proc belongs to another PID namespace")
        .hint("mount ours: mount -t proc proc /proc"))
}

/// The descriptors that the caller named.
fn kept(spec: &Spec) -> Vec<i32> {
    spec.keep_fds.iter().copied().chain(spec.status_fd).collect()
}

/// The descriptors that were named must be there; the one for the status is ours alone unless it
/// was named twice.
fn check_descriptors(spec: &Spec) -> Result<(), Error> {
    if spec.root.is_some() && spec.chroot.is_none() {
        [0, 1, 2].into_iter().chain(spec.keep_fds.iter().copied()).try_for_each(leads_nowhere)?;
    }
    for (option, number) in spec
        .keep_fds
        .iter()
        .map(|number| ("--keep-fd", *number))
        .chain(spec.status_fd.map(|number| ("--status-fd", number)))
    {
        let open = rustix::io::fcntl_getfd(sys::descriptor(number));
        open.map_err(|errno| Error::system(format!("{option} {number}"), errno))?;
    }
    for number in &spec.keep_fds {
        set_close_on_exec(*number, false)
            .map_err(|errno| Error::system(format!("--keep-fd {number}"), errno))?;
    }
    if let Some(number) = spec.status_fd {
        let flags = rustix::fs::fcntl_getfl(sys::descriptor(number));
        if flags.is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDONLY) {
            return Err(Error::plain(format!("--status-fd {number} is not open for writing")));
        }
    }
    match spec.status_fd {
        Some(number) if number > 2 && !spec.keep_fds.contains(&number) => {
            set_close_on_exec(number, true)
                .map_err(|errno| Error::system(format!("--status-fd {number}"), errno))
        }
        _ => Ok(()),
    }
}

/// Whoever has a directory of the old root can go up from it.
fn leads_nowhere(number: i32) -> Result<(), Error> {
    let is_directory =
        |status: Stat| FileType::from_raw_mode(status.st_mode) == FileType::Directory;
    if rustix::fs::fstat(sys::descriptor(number)).is_ok_and(is_directory) {
        return Err(Error::plain(format!(
            "descriptor {number} is a directory, which would lead out of the root"
        )));
    }
    Ok(())
}

fn set_close_on_exec(number: i32, on: bool) -> Result<(), Errno> {
    use rustix::io::FdFlags;
    let flags = if on { FdFlags::CLOEXEC } else { FdFlags::empty() };
    rustix::io::fcntl_setfd(sys::descriptor(number), flags)
}

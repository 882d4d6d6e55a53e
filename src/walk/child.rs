//! The child's side, in the new namespaces: its steps, and then the payload, either as its own
//! child under the reaper's eyes, or by becoming it.
use super::Run;
use super::channel::{CLONE, Channel, FORK, Failed, Message};
use crate::error::FAILED;
use crate::hooks::{self, Hook};
use crate::mounts;
use crate::network::links::Links;
use crate::perform::{self, Failure};
use crate::step::{Side, Step};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::Pid;
use std::collections::VecDeque;
use std::ffi::CStr;
use unshared_init::exec::{self, Text};
use unshared_init::reaper::{Ended, Reaper, Restart, Rules, Sweep};
use unshared_init::signal::Signal;
use unshared_init::supervise::{DEFAULT_GRACE, Payload, Started, supervise};
use unshared_init::sys::{self, Arguments, Memory};

/// The process that was cloned into the new namespaces.
pub(super) struct Child<'a> {
    run: &'a Run<'a>,
    parent: Channel,
    /// What is to be attached, in the plan's order.
    disks: VecDeque<OwnedFd>,
}

impl<'a> Child<'a> {
    pub(super) fn new(run: &'a Run<'a>, parent: Channel, disks: VecDeque<OwnedFd>) -> Child<'a> {
        Child { run, parent, disks }
    }

    /// Child, new namespaces, all capabilities in them: walks through the plan, runs the payload,
    /// and ends with its status.
    pub(super) fn walk(mut self, time_left: bool) -> ! {
        sys::exit(self.run_steps(time_left))
    }

    fn run_steps(&mut self, time_left: bool) -> u8 {
        if let Some(number) = self.run.spec.status_fd.filter(|number| *number > 2) {
            self.leave_to_parent(number);
        }
        if self.run.has_record && self.parent.receive().is_err() {
            return FAILED;
        }
        if time_left && let Err(errno) = perform::enter_time_namespace(None) {
            return self.failed(CLONE, errno);
        }
        let mut links = Links::default();
        for (index, (side, step)) in self.run.plan.steps.iter().enumerate() {
            let turns = self.run.turns_at(index);
            match side {
                Side::Parent => {
                    if turns {
                        self.parent.send(&Message::YourTurn);
                    }
                }
                Side::Child | Side::Payload => {
                    // A parent that failed or was killed has said so itself, or cannot.
                    if turns && self.parent.receive().is_err() {
                        return FAILED;
                    }
                }
            }
            let hard = match step {
                Step::RunPreMount(expression) => Some(self.run_pre_mount(index, expression)),
                Step::UnpackRoot { root, image } => Some(self.unpack_root(index, root, image)),
                _ => None,
            };
            if let Some(ended) = hard {
                if let Some(code) = ended {
                    return code;
                }
                self.tell_done(index);
            } else if *side == Side::Child {
                let result = match step {
                    Step::MountDisk { root, target, makes, .. } => match self.disks.pop_front() {
                        Some(disk) => {
                            mounts::disk(root, target, disk, *makes).map_err(Failure::from)
                        }
                        None => Err(Errno::BADF.into()),
                    },
                    Step::SetLoopbackUp => links.bring_up_loopback(),
                    Step::Net(step) => links.inside(step),
                    _ => perform::inside(step, &self.parent).map_err(Failure::from),
                };
                if let Err(failure) = result {
                    return self.failed_because(index, failure);
                }
                self.tell_done(index);
            }
        }
        // Who becomes the payload loses it then; PID 1 is in the namespace that it keeps.
        core::mem::forget(links);
        self.run_payload()
    }

    /// The descriptor for the status is the parent's; ours would keep a reader waiting.
    fn leave_to_parent(&self, number: i32) {
        if !self.run.spec.keep_fds.contains(&number) {
            crate::sys::close(number);
        }
    }

    fn run_payload(&mut self) -> u8 {
        let spec = self.run.spec;
        if !spec.has_reaper() {
            return self.become_payload(0);
        }
        let sweep = if spec.has_init() { Sweep::Namespace } else { Sweep::Nothing };
        let rules = Rules {
            commands: self.run.commands.len(),
            restart: spec.restart.unwrap_or(Restart::Never),
            ..Rules::new(sweep)
        };
        let grace = spec.grace.unwrap_or(DEFAULT_GRACE);
        let ended = supervise(Reaper::new(rules), grace, self);
        for (index, expression) in spec.post_mount.iter().enumerate() {
            let environment = hooks::environment(spec, self.run.root, &self.hook_variables());
            let (signals, is_apart) = (self.run.signals, spec.has_init());
            let mut hook = Hook { expression, environment, signals, is_apart, is_outside: false };
            let ended = supervise(Reaper::new(Rules::new(sweep)), grace, &mut hook);
            if ended != Ended::Exited(0) {
                self.parent.send(&Message::HookFailed(index, ended));
            }
        }
        if let Ended::Killed(signal) = ended {
            self.parent.send(&Message::Killed(signal));
        }
        ended.code()
    }

    /// Our own number, which is 1 with `--pid`.
    fn hook_variables(&self) -> [(&'static str, String); 1] {
        [("UNSHARED_PID", std::process::id().to_string())]
    }

    /// Child, all capabilities: runs a hook. `None` if it succeeded, otherwise our exit status.
    #[cold]
    #[inline(never)]
    fn run_pre_mount(&mut self, step: usize, expression: &CStr) -> Option<u8> {
        let environment = hooks::environment(self.run.spec, self.run.root, &self.hook_variables());
        let (errno, command) = match hooks::run(expression, environment, Some(self.run.signals)) {
            Ok(Ended::Exited(0)) => return None,
            Ok(ended) => (Errno::CANCELED, u16::from(ended.code())),
            Err(errno) => (errno, 0),
        };
        let failed = Failed { step, errno, command, code: FAILED, reason: Text::new() };
        self.parent.send(&Message::Failed(Box::new(failed)));
        Some(FAILED)
    }

    /// Child, all capabilities: makes the root from an image. `None` if that succeeded, otherwise our
    /// exit status.
    #[cold]
    #[inline(never)]
    fn unpack_root(&mut self, step: usize, root: &CStr, image: &CStr) -> Option<u8> {
        let directory = match mounts::tmpfs_root(root) {
            Ok(directory) => directory,
            Err(errno) => return Some(self.failed(step, errno)),
        };
        let error = crate::root::unpack(image, directory).err()?;
        let mut reason = Text::new();
        // As much as fits.
        let _ = error.message().bytes().try_for_each(|byte| reason.push(byte));
        let code = error.code();
        let failed = Failed { step, errno: Errno::CANCELED, command: 0, code, reason };
        self.parent.send(&Message::Failed(Box::new(failed)));
        Some(code)
    }

    /// Payload, not executed yet: performs the payload's steps; returns only if one fails.
    fn become_payload(&self, command: usize) -> u8 {
        if self.run.spec.pty && self.run.spec.has_reaper() {
            // A job of its own in our session, so that the keyboard can stop it.
            let _ = rustix::process::setpgid(None, None);
            sys::set_foreground(0, sys::own_group());
        }
        for (index, step) in self.run.steps(Side::Payload) {
            if matches!(step, Step::Execute) {
                let Some(arguments) = self.run.commands.get(command) else {
                    return FAILED;
                };
                self.tell_done(index);
                sys::give_back_signals(self.run.signals);
                let exec::Failure { errno, code, reason } =
                    exec::execute(*arguments, self.run.environment);
                let command = u16::try_from(command).unwrap_or(u16::MAX);
                let failed = Failed { step: index, errno, command, code, reason };
                self.parent.send(&Message::Failed(Box::new(failed)));
                return code;
            }
            if let Err(errno) = perform::inside(step, &self.parent) {
                return self.failed(index, errno);
            }
            self.tell_done(index);
        }
        FAILED
    }

    fn tell_done(&self, step: usize) {
        if self.run.spec.verbose {
            self.parent.send(&Message::Done(step));
        }
    }

    fn failed(&self, step: usize, errno: Errno) -> u8 {
        self.failed_because(step, errno.into())
    }

    fn failed_because(&self, step: usize, failure: Failure) -> u8 {
        let mut reason = Text::new();
        // As much as fits.
        let text = failure.reason().unwrap_or_default();
        let _ = text.bytes().try_for_each(|byte| reason.push(byte));
        let failed = Failed { step, errno: failure.errno(), command: 0, code: FAILED, reason };
        self.parent.send(&Message::Failed(Box::new(failed)));
        FAILED
    }

    /// Whether the payload changes its credentials before it executes.
    fn changes_credentials(&self) -> bool {
        self.run
            .steps(Side::Payload)
            .any(|(_, step)| matches!(step, Step::SetIds { .. } | Step::SetCapabilities { .. }))
    }
}

/// As the reaper's payload. The reaper is this process.
impl Payload for Child<'_> {
    fn start(&mut self, index: usize) -> Result<Started, Errno> {
        let memory = if self.changes_credentials() { Memory::Copied } else { Memory::Shared };
        // Where memory is copied, nobody tells; then the exit status alone does.
        let arguments = self.run.commands.get(index);
        let name = arguments.and_then(Arguments::first);
        let mut executed = true;
        let started = sys::start(memory, &mut || {
            let status = self.become_payload(index);
            executed = false;
            status
        });
        if let (Some(arguments), Some(name)) = (arguments, name) {
            arguments.put_back(name);
        }
        let pid = started.inspect_err(|errno| {
            self.failed(FORK, *errno);
        })?;
        if index + 1 == self.run.commands.len() && executed {
            self.last_is_started();
        }
        Ok(Started { pid, executed })
    }

    fn stopped(&mut self, _main: Pid, signal: Signal) {
        self.parent.send(&Message::Stopped(signal));
    }

    fn forward(&mut self, main: Pid, signal: Signal) {
        // The keyboard stopped the whole job.
        let _ = if self.run.spec.pty && signal == Signal::CONT {
            sys::send_to_group(main, signal)
        } else {
            sys::send(main, signal)
        };
    }
}

impl Child<'_> {
    fn last_is_started(&self) {
        if self.run.spec.status_fd.is_some() || self.run.has_record {
            self.parent.send(&Message::Started);
        }
        if self.run.spec.has_init() {
            // The payload stays in the caller's session and process group; PID 1 leaves both, so
            // that what is sent to the whole group reaches the payload once, and by the launcher.
            let _ = rustix::process::setsid();
        }
    }
}

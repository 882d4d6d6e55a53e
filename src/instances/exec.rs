//! `exec`: another command in an instance that runs.
use super::Found;
use super::join::{self, Inside};
use crate::args;
use crate::error::{Error, FAILED, quote};
use crate::host::Host;
use crate::perform;
use crate::plan::{self, Plan};
use crate::pty::{self, Slave, Terminal, WAITS};
use crate::spec::Spec;
use crate::step::{Side, Step};
use crate::sys;
use crate::walk::channel::Channel;
use crate::walk::command;
use rustix::event::{PollFd, PollFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::exec;
use unshared_init::reaper::{Reaper, Rules, Sweep};
use unshared_init::signal::{Sender, Signal};
use unshared_init::supervise::{DEFAULT_GRACE, Payload, Started, supervise};
use unshared_init::sys::{Arguments, Environment, Memory, SignalState, wait_for_signal};

/// What `exec` was asked for.
pub(crate) struct Execute {
    pub(crate) name: CString,
    /// Whose ids the command has instead of the instance's.
    pub(crate) user: Option<User>,
    pub(crate) cwd: Option<CString>,
    /// `NAME=value` strings, besides those of the instance.
    pub(crate) variables: Vec<CString>,
    /// It has a terminal of its own.
    pub(crate) pty: bool,
    pub(crate) command: Arguments,
}

/// A user inside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum User {
    /// By number; without a group, that of the same number.
    Ids(u32, Option<u32>),
    /// By its name in the instance's passwd(5).
    Name(CString),
}

/// Runs the command and ends with its status.
///
/// What a payload of the instance does before it executes is in the plan of its spawn; so the same
/// plan is made again, from the same words, and its last steps are performed.
pub(crate) fn run(mut request: Box<Execute>) -> Result<u8, Error> {
    let found = Found::named(&request.name)?;
    let init = found.init()?;
    let inside = join::open(init)?;
    let (mut terminal, slave) = if request.pty {
        let (terminal, slave) = pty::open()?;
        (Some(terminal), Some(slave))
    } else {
        (None, None)
    };
    let (spec, plan) = plan_again(&found, &mut request, &inside)?;
    // Nobody inside may look into us while we have one foot there, nor write to our file.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    inside.enter()?;
    let environment = command::environment(&spec, None);
    let (channel, _other) =
        Channel::pair().map_err(|errno| Error::system("make a socket pair", errno))?;
    let signals = unshared_init::sys::take_signals();
    let command = request.command;
    if let Some(terminal) = &mut terminal {
        terminal.make_raw();
    }
    let events = sys::signal_descriptor().map_err(|errno| Error::system("signalfd", errno))?;
    let mut executed = Command {
        command,
        environment,
        spec,
        plan,
        channel,
        signals,
        failed: None,
        terminal,
        slave,
        events,
    };
    let rules = Rules::new(Sweep::Nothing);
    let ended = supervise(Reaper::new(rules), DEFAULT_GRACE, &mut executed);
    if let Some(terminal) = executed.terminal.take() {
        terminal.end();
    }
    match executed.failed {
        Some(errno) => Err(Error::system("fork", errno)),
        None => Ok(ended.code()),
    }
}

/// Spec and plan of the instance's spawn, with what is asked for instead.
fn plan_again(
    found: &Found,
    request: &mut Execute,
    inside: &Inside,
) -> Result<(Box<Spec>, Plan), Error> {
    let mut words = Vec::new();
    for word in &found.facts.words {
        words.extend(CString::new(word.as_slice()));
    }
    let parsed = args::spawn::parse(crate::sys::arguments(words))?;
    let args::Request::Spawn(mut spec) = parsed else {
        return Err(found.problem("has no words of a spawn in its record"));
    };
    // What was mounted, and from where, is there already.
    spec.mounts.clear();
    spec.unpack = None;
    if request.cwd.is_some() {
        spec.cwd = request.cwd.take();
    }
    if let Some(user) = &request.user {
        let (uid, gid) = ids(user, inside)?;
        (spec.uid, spec.gid) = (Some(uid), Some(gid));
    }
    let host = Host::look(&spec)?;
    let plan = plan::plan(&spec, &host)?;
    spec.chroot = None;
    spec.variables.append(&mut request.variables);
    Ok((spec, plan))
}

/// The ids of a user inside.
fn ids(user: &User, inside: &Inside) -> Result<(u32, u32), Error> {
    match user {
        User::Ids(uid, gid) => Ok((*uid, gid.unwrap_or(*uid))),
        User::Name(name) => {
            let passwd = inside.passwd().unwrap_or_default();
            ids_in(&passwd, name.as_bytes()).ok_or_else(|| {
                let name = quote(name.as_bytes());
                Error::plain(format!("there is no user {name} in the instance's /etc/passwd"))
            })
        }
    }
}

/// A user's ids in that passwd(5).
pub(crate) fn ids_in(passwd: &[u8], name: &[u8]) -> Option<(u32, u32)> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let number = |field: &[u8]| std::str::from_utf8(field).ok()?.parse::<u32>().ok();
        (fields.next()? == name).then_some(())?;
        Some((number(fields.nth(1)?)?, number(fields.next()?)?))
    })
}

/// The command, as the reaper's payload.
struct Command {
    command: Arguments,
    environment: Environment,
    spec: Box<Spec>,
    plan: Plan,
    channel: Channel,
    signals: SignalState,
    failed: Option<Errno>,
    terminal: Option<Terminal>,
    slave: Option<Slave>,
    /// Where signals are read while bytes are carried.
    events: OwnedFd,
}

impl Command {
    /// Child, in the instance's namespaces, all capabilities: becomes the command.
    fn become_command(&self) -> u8 {
        if let Some(slave) = &self.slave {
            slave.take();
        }
        for (side, step) in &self.plan.steps {
            if is_wanted(*side, step)
                && let Err(errno) = perform::inside(step, &self.channel)
            {
                let pid = i32::try_from(std::process::id()).unwrap_or(0);
                crate::say(&Error::system(step.attempt(pid), errno).message());
                return FAILED;
            }
        }
        unshared_init::sys::give_back_signals(self.signals);
        let exec::Failure { errno, code, reason } = exec::execute(self.command, self.environment);
        let name = self.command.first().map_or(&[][..], CStr::to_bytes);
        let instance = self.spec.name.as_ref().map_or(&[][..], |name| name.as_bytes());
        let attempt = format!("execute {} in instance {}", quote(name), quote(instance));
        let reason = (!reason.is_empty()).then(|| crate::error::escape(&reason));
        crate::say(&Error::system(attempt, errno).maybe_hint(reason).message());
        code
    }
}

/// What is to be done again: the child's own ids, and all that is the payload's.
fn is_wanted(side: Side, step: &Step) -> bool {
    match side {
        Side::Parent => false,
        Side::Child => matches!(step, Step::SetIds { .. }),
        Side::Payload => !matches!(step, Step::Execute | Step::SetParentDeathSignal),
    }
}

impl Payload for Command {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        let pid = unshared_init::sys::start(Memory::Copied, &mut || self.become_command())
            .inspect_err(|errno| self.failed = Some(*errno))?;
        // Ours alone would keep it open for ever.
        self.slave = None;
        Ok(Started { pid, executed: true })
    }

    /// Without a time limit: nothing is left to be ended here.
    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        let Some(terminal) = &mut self.terminal else {
            return wait_for_signal(timeout);
        };
        loop {
            match sys::read_signal(&self.events) {
                Some((Signal::WINCH, _)) => terminal.resize(),
                // It was said to our terminal, and not to the command's.
                Some((signal, Sender::Kernel)) if signal != Signal::CHLD => {
                    return Some((signal, Sender::Process));
                }
                Some(signal) => return Some(signal),
                None => {
                    let mut waits = heapless::Vec::<PollFd<'_>, { 1 + WAITS }>::new();
                    let _ = waits.push(PollFd::new(&self.events, PollFlags::IN));
                    waits.extend(terminal.waits());
                    let _ = rustix::event::poll(&mut waits, None);
                    drop(waits);
                    terminal.carry();
                }
            }
        }
    }

    fn stopped(&mut self, _main: Pid, signal: Signal) {
        unshared_init::sys::stop_with_payload(signal, false);
    }
}

//! The parent's side, in the caller's namespaces: its steps, and then the wait for the end, with
//! signals passed on and stops shared.
use super::channel::{Channel, Message};
use super::output::Carried;
use super::report::Report;
use super::{End, Run};
use crate::cgroup::Cgroup;
use crate::error::Error;
use crate::hint;
use crate::hooks;
use crate::network::links::Links;
use crate::perform;
use crate::registry::journal::Journal;
use crate::spec::namespace::Namespace;
use crate::step::{Side, Step};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use unshared_init::exec::NOT_FOUND;
use unshared_init::reaper::{Change, Ended};
use unshared_init::signal::Signal;
use unshared_init::sys::{SignalSet, change_of, send, take_abandoned_terminal};

mod news;
mod signals;

use news::News;

/// The launcher, once there is a child.
pub(super) struct Parent<'a> {
    run: &'a Run<'a>,
    pid: Pid,
    channel: Channel,
    /// The other end of the channel is closed.
    closed: bool,
    /// What the payload writes and reads, if through us.
    carried: Carried,
    /// Where signals are read, from the first wait on.
    events: Option<OwnedFd>,
    /// The child may have changed once more than was told.
    may_be_behind: bool,
    cgroup: Option<Cgroup>,
    journal: &'a mut Journal,
    /// For what is done to the host's links.
    links: Links,
    report: Report,
    /// The child is waited for: its pid may be somebody else's.
    reaped: bool,
    /// What had come by the time of the clone, and so perhaps to us alone.
    early: SignalSet,
    /// The last signal that the terminal sent to us and the payload alike.
    from_terminal: Option<Signal>,
    /// The payload's end, where an exit status of our child cannot say it.
    killed: Option<Signal>,
    /// What went wrong in the child.
    failed: Option<Error>,
    /// The last command was executed once.
    was_started: bool,
}

impl<'a> Parent<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        pid: Pid,
        channel: Channel,
        cgroup: Option<Cgroup>,
        journal: &'a mut Journal,
        carried: Carried,
    ) -> Parent<'a> {
        let report = Report::new(run.spec);
        Parent {
            run,
            pid,
            channel,
            closed: false,
            carried,
            events: None,
            may_be_behind: false,
            cgroup,
            journal,
            links: Links::default(),
            report,
            reaped: false,
            early: SignalSet::pending(),
            from_terminal: None,
            killed: None,
            failed: None,
            was_started: false,
        }
    }

    /// Parent, the caller's namespaces: walks through the plan and waits for the payload's end.
    pub(super) fn walk(mut self) -> Result<End, Error> {
        if let Some(terminal) = &mut self.carried.terminal {
            terminal.make_raw();
        }
        let result = self.perform_steps().and_then(|()| self.wait_for_end());
        if result.is_err() {
            self.kill_child();
        }
        if let Some(terminal) = self.carried.terminal.take() {
            terminal.end();
        }
        // We end now, and what we hold is closed in one go.
        core::mem::forget(self);
        result
    }

    fn perform_steps(&mut self) -> Result<(), Error> {
        if self.run.has_record {
            // Who kills us from here on leaves a child that can be found.
            self.journal.note_init(self.pid)?;
            self.channel.send(&Message::YourTurn);
        }
        for (index, (side, step)) in self.run.plan.steps.iter().enumerate() {
            let turns = self.run.turns_at(index);
            match side {
                Side::Parent => {
                    if turns {
                        self.wait_for_turn()?;
                    }
                    let pid = self.pid;
                    let result = match (step, &self.cgroup) {
                        (Step::EnterCgroup(_), Some(cgroup)) => {
                            cgroup.enter(pid).map_err(perform::Failure::from)
                        }
                        _ => {
                            let signals = self.run.signals;
                            perform::in_parent(step, pid, signals, self.journal, &mut self.links)
                        }
                    };
                    result.map_err(|failure| hint::for_step(step, self.run.spec, pid, failure))?;
                    self.report.done(Side::Parent, step, pid);
                }
                Side::Child | Side::Payload => {
                    if turns {
                        self.channel.send(&Message::YourTurn);
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits until the child has done its steps before our next.
    fn wait_for_turn(&mut self) -> Result<(), Error> {
        loop {
            match self.news()? {
                News::Message(Message::YourTurn) => return Ok(()),
                News::Message(message) => self.take_in(message),
                News::Closed => {}
                News::Child(Change::Stopped(_)) => {}
                News::Child(Change::Ended(ended)) => {
                    self.reaped = true;
                    return Err(self.failed.take().unwrap_or_else(|| ended_early(ended)));
                }
            }
        }
    }

    /// Waits for the payload's end.
    fn wait_for_end(&mut self) -> Result<End, Error> {
        let direct = !self.has_reaper();
        loop {
            match self.news()? {
                News::Message(message) => self.take_in(message),
                // The socket does not survive execve(2): the payload runs.
                News::Closed if direct && self.failed.is_none() => {
                    self.note_launched();
                    self.report.started(self.pid);
                }
                News::Closed => {}
                News::Child(Change::Stopped(signal)) => self.stop_too(signal),
                News::Child(Change::Ended(ended)) => {
                    if self.may_have_more_to_say(ended) {
                        while let Ok(Some(message)) = self.channel.try_receive() {
                            self.take_in(message);
                        }
                    }
                    return self.finish(ended);
                }
            }
        }
    }

    /// Whether a child that ended so can have left words in the channel that matter now. A launch
    /// that failed, or a payload that was killed, is not a status of 0.
    fn may_have_more_to_say(&self, ended: Ended) -> bool {
        let spec = self.run.spec;
        let reports = spec.verbose || spec.status_fd.is_some();
        ended != Ended::Exited(0)
            || reports
            || spec.restart.is_some()
            || !spec.post_mount.is_empty()
    }

    /// The child has ended, and has told all it had to tell.
    fn finish(&mut self, ended: Ended) -> Result<End, Error> {
        self.reaped = true;
        if let Some(ring) = &mut self.carried.ring {
            ring.copy();
        }
        if self.run.spec.namespaces.has(Namespace::Pid) {
            take_abandoned_terminal();
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Ended::Killed(signal @ (Signal::HUP | Signal::INT)) = ended
            && self.run.spec.namespaces.has(Namespace::Pid)
        {
            return Ok(End { status: self.rebooted(signal), raise: None });
        }
        let ended = self.killed.map_or(ended, Ended::Killed);
        let out_of_memory = self.cgroup.as_ref().map_or(0, Cgroup::killed_for_memory);
        if out_of_memory > 0 {
            crate::say(&format!(
                "out of memory: the kernel killed processes in the cgroup: {out_of_memory} (see --limit)"
            ));
            self.report.out_of_memory(out_of_memory);
        }
        if ended == Ended::Exited(NOT_FOUND)
            && let Some(error) = self.run.not_loaded()
        {
            crate::say(&error.message());
        }
        self.report.ended(ended);
        let raise = match ended {
            Ended::Killed(signal) if self.run.spec.re_raise => Some(signal),
            // A shell ends its loop only if what it waited for died of Ctrl-C (wait(2)).
            Ended::Killed(signal @ (Signal::INT | Signal::QUIT)) => {
                self.from_terminal.filter(|typed| *typed == signal)
            }
            Ended::Killed(_) | Ended::Exited(_) => None,
        };
        Ok(End { status: ended.code(), raise })
    }

    /// The fork is done. Where the command was not executed, the reason has come before; with
    /// restarts that is not the end.
    fn started(&mut self) {
        if self.failed.is_none() {
            self.was_started = true;
            self.note_launched();
            self.report.started(self.pid);
        } else if self.run.spec.restart.is_some()
            && let Some(error) = self.failed.take()
        {
            crate::say(&error.message());
        }
    }

    /// Hooks that are still to be run are run where they were given.
    fn note_launched(&mut self) {
        self.journal.note_launched(!self.run.spec.postexec.is_empty());
    }

    /// PID 1 is immune to these two signals; the kernel has it end as if by them when somebody in
    /// its namespace called reboot(2).
    #[cold]
    #[inline(never)]
    fn rebooted(&self, signal: Signal) -> u8 {
        let command = if signal == Signal::HUP { "restart" } else { "power-off" };
        crate::say(&format!("reboot(2) was called in the PID namespace: {command}"));
        let code = Ended::Killed(signal).code();
        self.report.rebooted(command, code);
        code
    }

    fn take_in(&mut self, message: Message) {
        match message {
            // Out of turn: nothing waits for it.
            Message::YourTurn => {}
            Message::Done(step) => {
                if let Some((side, step)) = self.run.plan.steps.get(step) {
                    self.report.done(*side, step, self.pid);
                }
            }
            Message::Started => self.started(),
            Message::Stopped(signal) => self.stop_too(signal),
            Message::Killed(signal) => self.killed = Some(signal),
            Message::HookFailed(index, ended) => {
                if let Some(expression) = self.run.spec.post_mount.get(index)
                    && let Some(error) = hooks::failure("post-mount", expression, Ok(ended))
                {
                    crate::say(&error.message());
                }
            }
            Message::Failed(failed) => {
                let Run { spec, plan, commands, .. } = *self.run;
                let missing = if self.was_started { None } else { self.run.not_found(&failed) };
                let error = hint::for_failed(spec, plan, commands, self.pid, &failed, missing);
                if self.was_started {
                    // Started again, and not executed this time: the next time it may well be.
                    crate::say(&error.message());
                } else {
                    self.failed = Some(error);
                }
            }
        }
    }

    /// Whether our child waits for the payload rather than being it.
    fn has_reaper(&self) -> bool {
        self.run.spec.has_reaper()
    }

    /// Waits for the child's end, whatever else happens.
    fn wait_for_child(&self) -> Option<Ended> {
        loop {
            match rustix::process::waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(status) => match status.and_then(|(_, status)| change_of(status)) {
                    Some(Change::Ended(ended)) => return Some(ended),
                    Some(Change::Stopped(_)) | None => {}
                },
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Nothing of a launch that failed stays.
    #[cold]
    #[inline(never)]
    fn kill_child(&mut self) {
        if !self.reaped {
            let _ = send(self.pid, Signal::KILL);
            let _ = self.wait_for_child();
        }
    }
}

/// The child ended before it was set up, without a word.
fn ended_early(ended: Ended) -> Error {
    match ended {
        Ended::Exited(code) => Error::plain(format!("the child ended early, with status {code}")),
        Ended::Killed(signal) => Error::plain(format!(
            "the child was killed by {} while it was set up",
            super::report::signal_name(signal)
        )),
    }
}

//! Signals that come to the launcher, and stops: as if the payload had been started from the shell itself.
use super::Parent;
use crate::spec::namespace::Namespace;
use unshared_init::signal::{Sender, Signal, is_delivered_by_terminal};
use unshared_init::sys::{
    is_in_callers_group, leads_session, send, send_as_terminal, stop_with_payload,
};

impl Parent<'_> {
    /// Passes a signal on to the child. Once that is reaped, its pid may be somebody else's: then only what
    /// the terminal said is kept.
    pub(super) fn pass_on(&mut self, signal: Signal, sender: Sender) {
        if self.reaped {
            if is_delivered_by_terminal(signal, sender) {
                self.from_terminal = Some(signal);
            }
            return;
        }
        let early = self.early.take(signal);
        if let Some(terminal) = &self.carried.terminal {
            // The payload has a terminal of its own, to which none of this was said.
            match signal {
                Signal::WINCH => terminal.resize(),
                _ => drop(send(self.pid, signal)),
            }
            return;
        }
        if !is_delivered_by_terminal(signal, sender) {
            let _ = send(self.pid, signal);
            if signal == Signal::TSTP && self.is_payload_first() {
                stop_with_payload(signal, false);
            }
            return;
        }
        if matches!(signal, Signal::TSTP | Signal::TTIN | Signal::TTOU) && self.is_payload_first() {
            stop_with_payload(signal, true);
            return;
        }
        self.from_terminal = Some(signal);
        // A terminal hangs up on the leader of its session alone.
        if early || (signal == Signal::HUP && leads_session()) {
            let _ = send(self.pid, signal);
            return;
        }
        if self.has_reaper() {
            send_as_terminal(self.pid, signal);
        } else if !is_in_callers_group(self.pid) {
            let _ = send(self.pid, signal);
        }
    }

    /// The shell that started us shall see a stopped job; it continues us and the payload alike,
    /// with the whole process group. Where no shell does that, nobody would: then we wait on.
    pub(super) fn stop_too(&mut self, signal: Signal) {
        if let Some(terminal) = &mut self.carried.terminal {
            terminal.restore();
            stop_with_payload(signal, false);
            terminal.make_raw();
            let _ = send(self.pid, Signal::CONT);
            return;
        }
        let by_terminal = self.from_terminal.take() == Some(signal);
        stop_with_payload(signal, by_terminal);
    }

    /// Whether the payload is PID 1 of its namespace: it cannot be stopped, so its processes may
    /// well be without it, and nobody would tell us.
    fn is_payload_first(&self) -> bool {
        self.run.spec.namespaces.has(Namespace::Pid) && self.run.spec.no_init
    }
}

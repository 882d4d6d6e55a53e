//! The controlling terminal, where the payload has a process group of its own.
//!
//! Such a payload starts in the background, and stays there unless it wants the terminal: in
//! `unshared-init -g -- seq 1000 | less` it is less that reads. Once the kernel stops it for using
//! the terminal (TTIN, TTOU), it gets the foreground from us, if we have it to give. When it is
//! stopped from the keyboard, our own job stops with it, so that the shell that started us sees that.
use crate::signal::Signal;
use crate::sys::{self, Descriptor, Kind};
use rustix::process::Pid;

/// The controlling terminal of our session.
pub(crate) enum Terminal {
    /// A standard stream.
    Standard(i32),
    /// /dev/tty.
    Opened(Descriptor),
}

impl Terminal {
    /// The one that we have, if any. With standard streams that lead elsewhere it is found by
    /// /dev/tty, where that is.
    #[must_use]
    pub(crate) fn of_session() -> Option<Terminal> {
        if let Some(number) = (0..=2).find(|number| sys::is_controlling_terminal(*number)) {
            return Some(Terminal::Standard(number));
        }
        Descriptor::open(c"/dev/tty", Kind::Terminal).ok().map(Terminal::Opened)
    }

    fn number(&self) -> i32 {
        match self {
            Terminal::Standard(number) => *number,
            Terminal::Opened(opened) => opened.number(),
        }
    }

    /// Whether the foreground is ours to give: our process group has it, or one that is gone.
    #[must_use]
    pub(crate) fn is_to_be_had(&self) -> bool {
        sys::has_foreground(self.number())
            || sys::foreground(self.number()).is_some_and(sys::is_gone)
    }

    /// Whether that process group has the foreground.
    #[must_use]
    pub(crate) fn is_of(&self, group: Pid) -> bool {
        sys::foreground(self.number()) == Some(group.as_raw_nonzero().get())
    }

    /// Gives a process group of our session the foreground.
    pub(crate) fn give_to(&self, group: Pid) {
        sys::set_foreground(self.number(), group.as_raw_nonzero().get());
    }

    /// Takes the foreground back from that process group. Where our own group is not in our PID
    /// namespace, it cannot be named from here; then that is left to the shell outside.
    pub(crate) fn take_from(&self, group: Pid) {
        if self.is_of(group) && sys::own_group() != 0 {
            sys::set_foreground(self.number(), sys::own_group());
        }
    }
}

/// The main process, which leads a group of its own, was stopped: either the cause is taken away
/// and it goes on, or our job stops too. `from_terminal` is the stop that the terminal sent to our own
/// group, and we passed on.
pub(crate) fn stopped(group: Pid, signal: Signal, from_terminal: Option<Signal>) {
    if let Some(terminal) = Terminal::of_session() {
        if matches!(signal, Signal::TTIN | Signal::TTOU) && terminal.is_to_be_had() {
            terminal.give_to(group);
            let _ = sys::send_to_group(group, Signal::CONT);
            return;
        }
        if signal == Signal::TSTP && sys::leads_session() {
            // There is no shell that would ever continue it. The kernel does not even stop a group
            // that is alone with its terminal (an orphaned process group, setpgid(2)).
            let _ = sys::send_to_group(group, Signal::CONT);
            return;
        }
        let was_in_front = terminal.is_of(group);
        terminal.take_from(group);
        if signal == Signal::TSTP && was_in_front {
            // The keyboard stops a whole job; the rest of ours is in our own group.
            sys::stop_own_group_but_self();
        }
    }
    sys::stop_with_payload(from_terminal.unwrap_or(signal), from_terminal.is_some());
}

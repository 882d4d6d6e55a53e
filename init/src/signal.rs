//! Signals, as numbers that are known to be in range, and where they came from.

mod names;

/// A signal: 1 to 64 (signal(7)). The real-time signals are among them, which is why this is not
/// an enumeration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(u8);

impl Signal {
    /// Hang-up of the controlling terminal.
    pub const HUP: Signal = Signal(libc::SIGHUP as u8);
    /// Ctrl-C.
    pub const INT: Signal = Signal(libc::SIGINT as u8);
    /// Ctrl-\.
    pub const QUIT: Signal = Signal(libc::SIGQUIT as u8);
    /// The end that cannot be caught.
    pub const KILL: Signal = Signal(libc::SIGKILL as u8);
    /// The polite request to end.
    pub const TERM: Signal = Signal(libc::SIGTERM as u8);
    /// A child changed state.
    pub const CHLD: Signal = Signal(libc::SIGCHLD as u8);
    /// Continue if stopped.
    pub const CONT: Signal = Signal(libc::SIGCONT as u8);
    /// The stop that cannot be caught.
    pub const STOP: Signal = Signal(libc::SIGSTOP as u8);
    /// Ctrl-Z.
    pub const TSTP: Signal = Signal(libc::SIGTSTP as u8);
    /// A background process reads from the terminal.
    pub const TTIN: Signal = Signal(libc::SIGTTIN as u8);
    /// A background process writes to the terminal.
    pub const TTOU: Signal = Signal(libc::SIGTTOU as u8);
    /// The terminal's size changed.
    pub const WINCH: Signal = Signal(libc::SIGWINCH as u8);
    /// A timer is over.
    pub const ALRM: Signal = Signal(libc::SIGALRM as u8);
    /// What a program makes of it.
    pub const USR1: Signal = Signal(libc::SIGUSR1 as u8);
    /// What a program makes of it.
    pub const USR2: Signal = Signal(libc::SIGUSR2 as u8);
    /// A write to a pipe that nobody reads.
    pub const PIPE: Signal = Signal(libc::SIGPIPE as u8);

    /// The signal with that number; `None` outside 1 to 64.
    #[must_use]
    pub const fn new(number: i32) -> Option<Signal> {
        if number >= 1 && number <= 64 { Some(Signal(number as u8)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// Whether the terminal sends this one to every process of its foreground (or, for TTIN and
    /// TTOU, of the offending) process group. A hang-up goes to the session's leader before.
    #[must_use]
    pub fn is_of_terminal(self) -> bool {
        matches!(
            self,
            Signal::HUP
                | Signal::INT
                | Signal::QUIT
                | Signal::TSTP
                | Signal::TTIN
                | Signal::TTOU
                | Signal::WINCH
        )
    }
}

/// Who sent a signal (`si_code` and `si_pid` of sigaction(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// The kernel: the terminal driver, a timer, a fault.
    Kernel,
    /// The launcher, which passes on what the terminal sent to its process group
    /// ([`crate::sys::send_as_terminal`]).
    Terminal,
    /// The terminal, and it reached us without the main process.
    TerminalAlone,
    /// A process.
    Process,
    /// Nobody: it stands for the end of our parent.
    ParentsEnd,
}

impl Sender {
    /// From `si_code`, which is `SI_KERNEL` for what the kernel sends by itself.
    #[must_use]
    pub const fn from_code(si_code: i32) -> Sender {
        const SI_KERNEL: i32 = 0x80;
        if si_code == SI_KERNEL { Sender::Kernel } else { Sender::Process }
    }
}

/// Whether the terminal sent this signal, and so to every process of a group. Passing it on to a
/// process of that group would deliver Ctrl-C twice.
#[must_use]
pub fn is_delivered_by_terminal(signal: Signal, sender: Sender) -> bool {
    match sender {
        Sender::Kernel => signal.is_of_terminal(),
        Sender::Terminal => true,
        Sender::TerminalAlone | Sender::Process | Sender::ParentsEnd => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_to_64_are_signals() {
        assert_eq!(Signal::new(0), None);
        assert_eq!(Signal::new(65), None);
        assert_eq!(Signal::new(-1), None);
        assert_eq!(Signal::new(64).map(Signal::number), Some(64));
        assert_eq!(Signal::new(15), Some(Signal::TERM));
    }

    #[test]
    fn a_signal_is_the_terminals_only_when_the_kernel_sent_it() {
        assert!(is_delivered_by_terminal(Signal::INT, Sender::from_code(0x80)));
        assert!(!is_delivered_by_terminal(Signal::INT, Sender::from_code(0)));
    }

    #[test]
    fn what_reached_us_alone_is_delivered_to_nobody_else() {
        assert!(is_delivered_by_terminal(Signal::HUP, Sender::Kernel));
        assert!(!is_delivered_by_terminal(Signal::HUP, Sender::TerminalAlone));
    }

    #[test]
    fn an_alarm_is_the_kernels_but_not_the_terminals() {
        let alarm = Signal::new(libc::SIGALRM).unwrap();
        assert!(!is_delivered_by_terminal(alarm, Sender::Kernel));
    }
}

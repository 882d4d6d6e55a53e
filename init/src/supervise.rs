//! The loop around the core: actions become system calls, and what the kernel says becomes events.
use crate::descendants;
use crate::number::SECOND;
use crate::reaper::{Action, Backoff, Ended, Event, Reaper, Restart, Sweep};
use crate::signal::{Sender, Signal, is_delivered_by_terminal};
use crate::sys::{self, SignalSet};
use rustix::io::Errno;
use rustix::process::Pid;

/// How long what is left behind by the main process gets between TERM and KILL, unless somebody
/// says otherwise; in nanoseconds.
pub const DEFAULT_GRACE: u64 = 10 * SECOND;

/// After so long, what has been killed is looked for again: with a subreaper, a process that was
/// being forked may have been missed.
const KILL_AGAIN: u64 = SECOND;

/// A process that was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Started {
    /// Its number.
    pub pid: Pid,
    /// Whether the command was executed; if not, the process ends with a status that says so.
    pub executed: bool,
}

/// What the loop needs from whoever uses it.
pub trait Payload {
    /// Starts the command with that number, counted from 0.
    fn start(&mut self, index: usize) -> Result<Started, Errno>;

    /// Is told that the main process was stopped by that signal.
    fn stopped(&mut self, main: Pid, signal: Signal);

    /// Waits for a signal; `None` when `timeout`, in nanoseconds, is over.
    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        sys::wait_for_signal(timeout)
    }

    /// Passes a signal on to the main process. It may have gone, or changed its uid: then nobody is
    /// left to complain to.
    fn forward(&mut self, main: Pid, signal: Signal) {
        let _ = sys::send(main, signal);
    }

    /// Is told what happens, before it is acted on.
    fn notice(&mut self, _event: Event) {}
}

/// Runs the payload to its end, reaping every child and forwarding every signal, and returns how it
/// ended. All signals have been blocked before ([`sys::take_signals`]).
///
/// `grace` is how long what is left behind by the main process gets between TERM and KILL, in
/// nanoseconds.
pub fn supervise(mut reaper: Reaper, grace: u64, payload: &mut dyn Payload) -> Ended {
    let sweep = reaper.rules().sweep;
    let mut backoff = Backoff::new();
    let mut deadline = u64::MAX;
    let mut started = 0;
    let mut signals = Signals { main: None, early: SignalSet::default() };
    let mut action = Action::Start(0);
    loop {
        let event = match action {
            Action::Start(index) => {
                if reaper.rules().restart != Restart::Never {
                    started = sys::now();
                }
                signals.started(payload.start(index))
            }
            Action::Collect => match sys::next_change() {
                Ok(Some((pid, change))) => Event::Child(pid, change),
                Ok(None) => Event::NoNews,
                Err(_) => Event::NoChildren,
            },
            Action::Wait => signals.read(payload, None),
            Action::WaitForTime => signals.read(payload, Some(deadline.saturating_sub(sys::now()))),
            Action::Forward(pid, signal) => {
                payload.forward(pid, signal);
                Event::Forwarded
            }
            Action::ReportStop(signal) => {
                if let Some(main) = signals.main {
                    payload.stopped(main, signal);
                }
                Event::Done
            }
            Action::Terminate => {
                send_to_rest(sweep, Signal::TERM);
                send_to_rest(sweep, Signal::CONT);
                deadline = sys::now().saturating_add(grace);
                Event::Done
            }
            Action::Kill => {
                send_to_rest(sweep, Signal::KILL);
                deadline = sys::now().saturating_add(KILL_AGAIN);
                Event::Done
            }
            Action::Delay => {
                let now = sys::now();
                deadline = now.saturating_add(backoff.delay(now.saturating_sub(started)));
                Event::Done
            }
            Action::Finish(ended) => return ended,
        };
        payload.notice(event);
        action = reaper.next(event);
    }
}

/// Sends a signal to everything but ourselves that is ours to end.
pub fn send_to_rest(sweep: Sweep, signal: Signal) {
    match sweep {
        Sweep::Namespace => sys::send_to_all(signal),
        Sweep::Descendants => descendants::send(signal),
        Sweep::Nothing => {}
    }
}

/// Where signals come from, and whether the main process has them already.
struct Signals {
    main: Option<Pid>,
    /// What had come by the time the main process was started.
    early: SignalSet,
}

impl Signals {
    fn started(&mut self, started: Result<Started, Errno>) -> Event {
        self.main = started.ok().map(|started| started.pid);
        self.early = SignalSet::pending();
        match started {
            Ok(Started { pid, executed: true }) => Event::Started(pid),
            Ok(Started { pid, executed: false }) => Event::NotExecuted(pid),
            Err(_) => Event::NotStarted,
        }
    }

    fn read(&mut self, payload: &mut dyn Payload, timeout: Option<u64>) -> Event {
        match payload.wait(timeout) {
            Some((signal, sender)) => {
                let early = self.early.take(signal);
                // A Ctrl-C that the main process has not got from the terminal, it gets from us.
                if is_delivered_by_terminal(signal, sender)
                    && (early || self.is_alone(signal, sender))
                {
                    Event::Signal(signal, Sender::TerminalAlone)
                } else {
                    Event::Signal(signal, sender)
                }
            }
            None => Event::TimeOver,
        }
    }

    /// Whether the terminal sends us that signal without sending it to the main process: the two
    /// are in different groups, or it hangs up on the leader of its session.
    fn is_alone(&self, signal: Signal, sender: Sender) -> bool {
        let hangs_up = signal == Signal::HUP && sender == Sender::Kernel && sys::leads_session();
        hangs_up || !self.main.is_none_or(sys::is_in_callers_group)
    }
}

//! The loop around the core: actions become system calls, and what the kernel says becomes events.
use crate::reaper::{Action, Ended, Event, Reaper};
use crate::signal::{Sender, Signal, is_delivered_by_terminal};
use crate::sys::{self, SignalSet};
use rustix::io::Errno;
use rustix::process::Pid;

/// What the loop needs from whoever uses it.
pub trait Payload {
    /// Starts the command with that number, counted from 0.
    fn start(&mut self, index: usize) -> Result<Pid, Errno>;

    /// Is told that the main process was stopped by that signal.
    fn stopped(&mut self, signal: Signal);
}

/// Runs the payload to its end, reaping every child and forwarding every signal, and returns how it
/// ended. All signals have been blocked before ([`sys::take_signals`]).
///
/// `grace` is how long what is left behind by the main process gets between TERM and KILL, in
/// nanoseconds.
pub fn supervise(mut reaper: Reaper, grace: u64, payload: &mut dyn Payload) -> Ended {
    let mut index = 0;
    let mut deadline = u64::MAX;
    let mut signals = Signals { main: None, early: SignalSet::default() };
    let mut action = Action::Start;
    loop {
        let event = match action {
            Action::Start => {
                let started = payload.start(index);
                index = index.saturating_add(1);
                signals.started(started.ok())
            }
            Action::Collect => match sys::next_change() {
                Ok(Some((pid, change))) => Event::Child(pid, change),
                Ok(None) => Event::NoNews,
                Err(_) => Event::NoChildren,
            },
            Action::Wait => signals.read(None),
            Action::WaitForGrace => signals.read(Some(deadline.saturating_sub(sys::now()))),
            Action::Forward(pid, signal) => {
                // The payload may have gone, or changed its uid: nobody is left to complain to.
                let _ = sys::send(pid, signal);
                Event::Done
            }
            Action::ReportStop(signal) => {
                payload.stopped(signal);
                Event::Done
            }
            Action::Terminate => {
                sys::send_to_all(Signal::TERM);
                sys::send_to_all(Signal::CONT);
                deadline = sys::now().saturating_add(grace);
                Event::Done
            }
            Action::Kill => {
                sys::send_to_all(Signal::KILL);
                Event::Done
            }
            Action::Finish(ended) => return ended,
        };
        action = reaper.next(event);
    }
}

/// Where signals come from, and whether the main process has them already.
struct Signals {
    main: Option<Pid>,
    /// What had come by the time the main process was started.
    early: SignalSet,
}

impl Signals {
    fn started(&mut self, main: Option<Pid>) -> Event {
        self.main = main;
        self.early = SignalSet::pending();
        main.map_or(Event::NotStarted, Event::Started)
    }

    fn read(&mut self, timeout: Option<u64>) -> Event {
        match sys::wait_for_signal(timeout) {
            Some((signal, sender)) => {
                let early = self.early.take(signal);
                // A Ctrl-C that the main process has not got from the terminal, it gets from us.
                if is_delivered_by_terminal(signal, sender) && (early || !self.shares_group()) {
                    Event::Signal(signal, Sender::Process)
                } else {
                    Event::Signal(signal, sender)
                }
            }
            None => Event::GraceOver,
        }
    }

    /// Whether the terminal reaches the main process with what it sends to us and the launcher.
    fn shares_group(&self) -> bool {
        self.main.is_none_or(sys::is_in_callers_group)
    }
}

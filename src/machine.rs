//! The machine's init: PID 1 of a real kernel, from an initramfs or from a disk.
//!
//! PID 1 itself does little: it mounts what every machine needs, reads the kernel's command line, and
//! runs the loop of the reaper. It never ends, since that would be a kernel panic.
mod console;
mod end;
mod mounts;
mod payload;
pub(crate) mod services;
mod settings;
mod words;

use console::say;
pub(crate) use end::ask_for;
use end::{Ends, What};
use payload::Main;
use rustix::process::getpid;
use rustix::system::{RebootCommand, reboot};
pub(crate) use settings::End;
use settings::{OnExit, Rescue, Run, Settings};
use std::ffi::CString;
use std::fs::read;
use unshared_init::exec::SHELL;
use unshared_init::number::SECOND;
use unshared_init::reaper::{Ended, Reaper, Restart, Rules, Sweep};
use unshared_init::sys::{Arguments, Environment, SignalState};

/// Whether we are PID 1 of the initial PID namespace. In another, reboot(2) knows no Ctrl-Alt-Del;
/// here it turns it into a signal for us, from now on.
pub(crate) fn is_ours() -> bool {
    getpid().as_raw_nonzero().get() == 1 && reboot(RebootCommand::CadOff).is_ok()
}

/// Brings the machine up, and down again.
pub(crate) fn run(program: &'static [u8], arguments: Arguments) -> ! {
    let signals = unshared_init::sys::take_signals();
    std::panic::set_hook(Box::new(|panic| {
        say(&format!("{panic}; only orphans are reaped from here on"));
        end::rest();
    }));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    mounts::mount_all();
    console::leave_streams();
    let settings = Settings::read(words::parse(&read("/proc/cmdline").unwrap_or_default()));
    let restart = || execute_anew(program, arguments, signals);
    let ends = Ends { grace: settings.grace, restart: &restart };
    let what = live(&settings, &ends, signals);
    end::perform(what, &ends)
}

/// What the machine is there for; returns how it is to end.
fn live(settings: &Settings, ends: &Ends<'_>, signals: SignalState) -> What {
    if let Some(problem) = &settings.wrong {
        return rescue(problem, settings, ends, signals);
    }
    if let Some(name) = &settings.hostname
        && let Err(errno) = rustix::system::sethostname(name)
    {
        say(&format!("set the host name: {}", unshared_init::errno::name(errno)));
    }
    if let Err(errno) = crate::link::set_loopback_up() {
        say(&format!("bring lo up: {}", unshared_init::errno::name(errno)));
    }
    let Some(run) = &settings.run else {
        return rescue(NOTHING, settings, ends, signals);
    };
    let Some(ended) = supervise(run, settings.on_exit, ends, signals) else {
        return rescue("the payload could not be executed", settings, ends, signals);
    };
    match ended {
        Ended::Exited(0) => say("the payload has ended"),
        Ended::Exited(status) => say(&format!("the payload has ended with status {status}")),
        Ended::Killed(signal) => say(&format!(
            "the payload was killed by signal {} ({})",
            signal.number(),
            signal.name().unwrap_or("real-time")
        )),
    }
    match settings.on_exit {
        OnExit::End(end) => What::End(end),
        OnExit::Respawn => What::End(End::Reboot),
        OnExit::Shell => {
            shell(ends, signals);
            What::End(End::PowerOff)
        }
    }
}

const NOTHING: &str = "nothing to run: the kernel command line has no unshared.exec=, and nothing \
    behind --";

/// Runs it to its end; `None` if it could not be executed.
fn supervise(run: &Run, on_exit: OnExit, ends: &Ends<'_>, signals: SignalState) -> Option<Ended> {
    let mut rules = Rules::new(Sweep::Namespace);
    if on_exit == OnExit::Respawn {
        rules.restart = Restart::Always;
    }
    let mut main = Main::new(run, ends, signals);
    let ended = unshared_init::supervise::supervise(Reaper::new(rules), ends.grace, &mut main);
    main.executed.then_some(ended)
}

/// What is left to do when the machine cannot be brought up.
fn rescue(problem: &str, settings: &Settings, ends: &Ends<'_>, signals: SignalState) -> What {
    say(problem);
    let end = match settings.rescue {
        Rescue::Shell if shell(ends, signals).is_some() => return What::End(End::Reboot),
        Rescue::Shell => End::Reboot,
        Rescue::End(end) => end,
    };
    let seconds = settings.rescue_delay / SECOND;
    say(&format!("{} in {seconds} seconds", end.name()));
    end::pause(settings.rescue_delay, ends);
    What::End(end)
}

/// A shell on the console.
fn shell(ends: &Ends<'_>, signals: SignalState) -> Option<Ended> {
    say("a shell on the console; the machine ends with it");
    let run = Run::Command(vec![SHELL.to_bytes().to_vec()]);
    supervise(&run, OnExit::Shell, ends, signals)
}

/// Becomes this program once more, as it was called. Comes back if that cannot be.
fn execute_anew(program: &[u8], arguments: Arguments, signals: SignalState) {
    let words = std::iter::once(CString::new(program).unwrap_or_default());
    let words = words.chain(arguments.map(ToOwned::to_owned)).collect();
    unshared_init::sys::give_back_signals(signals);
    crate::sys::arguments(words).execute(c"/proc/self/exe", Environment::inherited());
    unshared_init::sys::take_signals();
}

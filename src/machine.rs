//! The machine's init: PID 1 of a real kernel, from an initramfs or from a disk.
//!
//! PID 1 itself does little: it mounts what every machine needs, reads the kernel's command line, and
//! runs the loop of the reaper. It never ends, since that would be a kernel panic.
mod console;
mod device;
mod end;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
pub(crate) mod modules;
mod mounts;
mod partition;
mod payload;
mod prepare;
mod settings;
mod switch_root;
mod watchdog;
mod words;

use crate::args::machine::Modprobe;
use crate::error::Error;
use crate::files::read_file;
use crate::services::{self, Heed, Request};
use console::say;
pub(crate) use end::ask_for;
use end::{Ends, What};
use modules::Index;
use payload::Main;
use prepare::Preparation;
use rustix::process::{Pid, getpid};
use rustix::system::{RebootCommand, reboot};
pub(crate) use settings::End;
use settings::{OnExit, Rescue, Run, Settings};
use std::ffi::{CStr, CString};
use unshared_init::exec::SHELL;
use unshared_init::number::SECOND;
use unshared_init::reaper::{Ended, Reaper, Restart, Rules, Sweep};
use unshared_init::signal::Signal;
use unshared_init::sys::{Arguments, Environment, SignalState};
use watchdog::Watchdog;

/// Whether we are PID 1 of the initial PID namespace. In another, reboot(2) knows no Ctrl-Alt-Del;
/// here it turns it into a signal for us, from now on.
pub(crate) fn is_ours() -> bool {
    getpid() == Pid::INIT && reboot(RebootCommand::CadOff).is_ok()
}

/// Brings the machine up, and down again.
pub(crate) fn run(program: &'static [u8], arguments: Arguments) -> ! {
    let signals = unshared_init::sys::take_signals();
    crate::sys::machine::survive();
    std::panic::set_hook(Box::new(|panic| {
        say(&format!("{panic}; only orphans are reaped from here on"));
        // A child of PID 1 may end.
        if getpid() == Pid::INIT {
            end::rest();
        }
    }));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    mounts::mount_all();
    console::leave_streams();
    let settings = Settings::read(command_line());
    let restart = || execute_anew(program, arguments, signals);
    let watchdog = Watchdog::default();
    let ends = Ends { grace: settings.grace, watchdog: &watchdog, restart: &restart };
    let what = live(&settings, &ends, signals);
    end::perform(what, &ends)
}

/// The file of an image that has words for us, one a line, as if they stood on the kernel's command
/// line before its own.
pub(crate) const WORDS: &str = "/etc/unshared/words";

/// The words of the image, and those of the kernel's command line.
fn command_line() -> words::Words {
    let mut words = words::lines(&read_file(WORDS).unwrap_or_default());
    let mut line = words::parse(&read_file("/proc/cmdline").unwrap_or_default());
    words.words.append(&mut line.words);
    if line.rest.is_some() {
        words.rest = line.rest;
    }
    words
}

/// The words of a command line, each as a line of [`WORDS`].
pub(crate) fn split(line: &[u8]) -> Vec<Vec<u8>> {
    let words = words::parse(line);
    let mut split = Vec::new();
    for word in words.words {
        split.push(word.join());
    }
    if let Some(mut rest) = words.rest {
        split.push(b"--".to_vec());
        split.append(&mut rest);
    }
    split
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
    let root = settings.root.as_ref().filter(|_| switch_root::is_initramfs());
    if (root.is_some()
        || settings.coldplug
        || !settings.modules.is_empty()
        || !settings.interfaces.is_empty())
        && !prepare(settings, ends)
    {
        return rescue("the machine could not be prepared", settings, ends, signals);
    }
    if let Some(seconds) = settings.watchdog {
        ends.watchdog.start(seconds);
    }
    if root.is_some()
        && let Err(problem) = enter_root(settings, ends, signals)
    {
        return rescue(&problem, settings, ends, signals);
    }
    if let Some(directory) = &settings.services {
        return match watch_services(directory, ends, signals) {
            Ok(what) => what,
            Err(error) => rescue(&error.message(), settings, ends, signals),
        };
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

const NOTHING: &str = "nothing to run: the kernel command line has no unshared.exec=, \
    unshared.services= or unshared.root=, and nothing behind --";

/// PID 1 is what watches over the services; returns how the machine is to end.
fn watch_services(directory: &CStr, ends: &Ends<'_>, signals: SignalState) -> Result<What, Error> {
    let heed = |signal: Signal| {
        if signal.number() == libc::SIGALRM {
            ends.watchdog.feed();
        }
        match signal {
            Signal::HUP => Heed::Scan,
            _ if end::asked_for(signal).is_some() => Heed::End,
            _ => Heed::Not,
        }
    };
    console::take_streams_of_services();
    let ended = services::run(&Request {
        directory,
        grace: ends.grace,
        sweep: Sweep::Namespace,
        signals,
        heed: &heed,
        is_verbose: false,
    })?;
    Ok(end::asked_for(ended).unwrap_or(What::End(End::Reboot)))
}

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

/// Has everything made ready by a child; says whether that worked.
fn prepare(settings: &Settings, ends: &Ends<'_>) -> bool {
    let mut preparation = Preparation { settings, ends };
    let reaper = Reaper::new(Rules::new(Sweep::Nothing));
    let ended = unshared_init::supervise::supervise(reaper, ends.grace, &mut preparation);
    ended == Ended::Exited(0)
}

/// Goes over to the root that is mounted. Comes back where we stay PID 1 in it, and where it failed.
fn enter_root(settings: &Settings, ends: &Ends<'_>, signals: SignalState) -> Result<(), String> {
    switch_root::switch().map_err(|error| error.message())?;
    let Some(init) = settings.init_of_root() else {
        return Ok(());
    };
    ends.watchdog.stop();
    console::take_streams();
    unshared_init::sys::give_back_signals(signals);
    let words = crate::sys::arguments(vec![init.to_owned()]);
    let errno = words.execute(init, Environment::inherited());
    unshared_init::sys::take_signals();
    console::leave_streams();
    let (init, errno) = (crate::error::quote(init.to_bytes()), unshared_init::errno::name(errno));
    Err(format!("execute {init}: {errno}"))
}

/// Loads kernel modules: `unshared-cli modprobe`.
pub(crate) fn modprobe(request: &Modprobe) -> Result<u8, Error> {
    let index = Index::of_this_kernel()?;
    let mut status = 0;
    for name in &request.modules {
        match modules::load(&index, name.to_bytes()) {
            Err(_) if request.quiet => status = 1,
            other => other?,
        }
    }
    Ok(status)
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
    let mut words = vec![CString::new(program).unwrap_or_default()];
    for argument in arguments {
        words.push(argument.to_owned());
    }
    unshared_init::sys::give_back_signals(signals);
    crate::sys::arguments(words).execute(c"/proc/self/exe", Environment::inherited());
    unshared_init::sys::take_signals();
}

//! Hooks: shell expressions that are run before and after, outside and inside; and forkn, which is a
//! command with one.
use crate::error::{Error, quote};
use crate::registry::facts::Facts;
use crate::spec::Spec;
use crate::sys;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use std::ffi::{CStr, CString};
use unshared_init::descendants;
use unshared_init::exec::{self, SHELL};
use unshared_init::reaper::{Change, Ended, Reaper, Rules, Sweep};
use unshared_init::signal::{Sender, Signal};
use unshared_init::supervise::{DEFAULT_GRACE, Payload, Started, supervise};
use unshared_init::sys::{Arguments, Environment, Memory, SignalState, change_of};

/// The exit status where a preexec hook failed.
const PREEXEC_FAILED: u8 = 2;

/// What a hook sees besides the caller's environment: NAME, ROOT, and what else there is by then.
#[cold]
#[inline(never)]
pub(crate) fn environment(
    spec: &Spec,
    root: Option<&CString>,
    more: &[(&str, String)],
) -> Environment {
    let name = spec.name.as_ref().map_or_else(
        || format!("unshared-{}", std::process::id()),
        |name| name.to_string_lossy().into_owned(),
    );
    let variable = |name: &str, value: &[u8]| {
        CString::new([name.as_bytes(), b"=", value].concat()).unwrap_or_default()
    };
    let mut entries = vec![
        variable("NAME", name.as_bytes()),
        variable("ROOT", root.map_or(b"/", |root| root.as_bytes())),
    ];
    entries.extend(more.iter().map(|(name, value)| variable(name, value.as_bytes())));
    let is_new = |entry: &CStr| {
        entries.iter().any(|new| sys::variable_name(new) == sys::variable_name(entry))
    };
    let inherited: Vec<CString> =
        Environment::inherited().filter(|entry| !is_new(entry)).map(ToOwned::to_owned).collect();
    entries.extend(inherited);
    sys::environment(entries)
}

/// Runs an expression and waits for its end. `signals` is what the hook is to do about them, where
/// that is not what we do.
#[cold]
#[inline(never)]
pub(crate) fn run(
    expression: &CStr,
    environment: Environment,
    signals: Option<SignalState>,
) -> Result<Ended, Errno> {
    let hook = unshared_init::sys::start(Memory::Copied, &mut || {
        // Child, not executed yet.
        if let Some(signals) = signals {
            unshared_init::sys::give_back_signals(signals);
        }
        let errno = unshared_init::sys::execute_expression(expression, environment);
        crate::say(&Error::system(format!("execute {}", quote(SHELL.to_bytes())), errno).message());
        crate::error::FAILED
    })?;
    loop {
        match rustix::process::waitpid(Some(hook), WaitOptions::empty()) {
            Ok(status) => {
                if let Some(Change::Ended(ended)) = status.and_then(|(_, status)| change_of(status))
                {
                    return Ok(ended);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// A hook under the eyes of a reaper, which passes signals on to it.
pub(crate) struct Hook<'a> {
    pub(crate) expression: &'a CStr,
    pub(crate) environment: Environment,
    pub(crate) signals: SignalState,
    /// It is not in the terminal's session, and has of it what we pass on.
    pub(crate) is_apart: bool,
    /// It is run by the launcher, on the host.
    pub(crate) is_outside: bool,
}

impl Payload for Hook<'_> {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        let pid = unshared_init::sys::start(Memory::Copied, &mut || {
            unshared_init::sys::give_back_signals(self.signals);
            unshared_init::sys::execute_expression(self.expression, self.environment);
            crate::error::FAILED
        })?;
        Ok(Started { pid, executed: true })
    }

    fn stopped(&mut self, _main: Pid, signal: Signal) {
        if !self.is_apart {
            unshared_init::sys::stop_with_payload(signal, false);
        }
    }

    /// On the host nothing sweeps up behind a hook's shell: who is to end it ends what it runs, too.
    fn forward(&mut self, main: Pid, signal: Signal) {
        let ends = matches!(signal, Signal::TERM | Signal::HUP | Signal::INT | Signal::QUIT);
        // All are found before any is told: they descend from nobody once their parent has ended by it. What
        // else descends from us was the caller's, who has become us.
        let mut below = Vec::new();
        if self.is_outside && ends && descendants::can_be_found() {
            descendants::each(main, &mut |pid, process| below.push((pid, process)));
        }
        let _ = unshared_init::sys::send(main, signal);
        for (pid, process) in &below {
            descendants::send_to(*pid, process.as_ref(), signal);
        }
    }

    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        let (signal, sender) = unshared_init::sys::wait_for_signal(timeout)?;
        let is_news = self.is_apart && sender == Sender::Terminal;
        Some((signal, if is_news { Sender::TerminalAlone } else { sender }))
    }
}

/// What is wrong if a hook did not succeed.
#[cold]
#[inline(never)]
pub(crate) fn failure(
    kind: &str,
    expression: &CStr,
    result: Result<Ended, Errno>,
) -> Option<Error> {
    let attempt = format!("{kind} {}", quote(expression.to_bytes()));
    match result {
        Ok(Ended::Exited(0)) => None,
        Ok(Ended::Exited(code)) => {
            Some(Error::plain(format!("{attempt} ended with status {code}")))
        }
        Ok(Ended::Killed(signal)) => Some(Error::plain(format!(
            "{attempt} was killed by {}",
            crate::walk::report::signal_name(signal)
        ))),
        Err(errno) => Some(Error::system(format!("fork for {attempt}"), errno)),
    }
}

/// Parent, before anything else has been done: the preexec hooks. The first that fails is the end.
/// Signals are blocked, and those that come are the hook's.
pub(crate) fn run_preexec(
    spec: &Spec,
    root: Option<&CString>,
    signals: SignalState,
) -> Result<(), Error> {
    if spec.preexec.is_empty() {
        return Ok(());
    }
    let environment = environment(spec, root, &[]);
    spec.preexec.iter().try_for_each(|expression| {
        let mut hook = Hook { expression, environment, signals, is_apart: false, is_outside: true };
        let ended = supervise(Reaper::new(Rules::new(Sweep::Nothing)), DEFAULT_GRACE, &mut hook);
        match failure("preexec", expression, Ok(ended)) {
            Some(error) => Err(error.with_code(PREEXEC_FAILED)),
            None => Ok(()),
        }
    })
}

/// Parent, after everything else: the postexec hooks. Each is run whatever became of the others, and
/// the status stands.
pub(crate) fn run_postexec(spec: &Spec, root: Option<&CString>, status: u8, signals: SignalState) {
    if spec.postexec.is_empty() {
        return;
    }
    let environment = environment(spec, root, &[("UNSHARED_STATUS", status.to_string())]);
    for expression in &spec.postexec {
        if let Some(error) =
            failure("postexec", expression, run(expression, environment, Some(signals)))
        {
            crate::say(&error.message());
        }
    }
}

/// The postexec hooks of an instance whose launcher was killed, as its record has them.
pub(crate) fn run_recorded(name: &CStr, facts: &Facts, status: u8, signals: Option<SignalState>) {
    if facts.postexec.is_empty() {
        return;
    }
    let spec = Spec { name: Some(name.to_owned()), ..Spec::default() };
    let more = [("UNSHARED_STATUS", status.to_string())];
    let environment = environment(&spec, facts.root.as_ref(), &more);
    let own = rustix::process::getcwd(Vec::new());
    if let Some(directory) = &facts.directory {
        // It may be gone; then the hook has to do without.
        let _ = rustix::process::chdir(directory.as_c_str());
    }
    for expression in &facts.postexec {
        let ended = run(expression, environment, signals);
        if let Some(error) = failure("postexec", expression, ended) {
            crate::say(&error.message());
        }
    }
    if let Ok(own) = own {
        let _ = rustix::process::chdir(own);
    }
}

/// Runs a command, then a shell expression whatever became of the command, whose status is returned.
///
/// Signals that come meanwhile are passed on to the command; the expression is run all the same.
pub(crate) fn forkn(mut arguments: Arguments) -> Result<u8, Error> {
    let Some(cleanup) = arguments.next() else {
        return Err(Error::usage("CLEANUP and a command are needed", "forkn"));
    };
    let signals = unshared_init::sys::take_signals();
    let mut command = Forked { arguments, signals, failed: None };
    let ended = supervise(Reaper::new(Rules::new(Sweep::Nothing)), DEFAULT_GRACE, &mut command);
    let result = run(cleanup, Environment::inherited(), Some(signals));
    if let Some(error) = failure("cleanup", cleanup, result) {
        crate::say(&error.message());
    }
    match command.failed {
        Some(errno) => Err(Error::system("fork", errno)),
        None => Ok(ended.code()),
    }
}

/// The command of forkn.
struct Forked {
    arguments: Arguments,
    signals: SignalState,
    failed: Option<Errno>,
}

impl Payload for Forked {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        let pid = unshared_init::sys::start(Memory::Copied, &mut || {
            unshared_init::sys::give_back_signals(self.signals);
            let exec::Failure { errno, code, reason } =
                exec::execute(self.arguments, Environment::inherited());
            let name = self.arguments.first().map_or(&[][..], CStr::to_bytes);
            let reason = (!reason.is_empty()).then(|| crate::error::escape(&reason));
            let error = Error::system(format!("execute {}", quote(name)), errno);
            crate::say(&error.maybe_hint(reason).message());
            code
        })
        .inspect_err(|errno| self.failed = Some(*errno))?;
        Ok(Started { pid, executed: true })
    }

    fn stopped(&mut self, _main: Pid, signal: Signal) {
        unshared_init::sys::stop_with_payload(signal, false);
    }
}

//! From words to what is asked for.
use crate::number::{decimal, seconds};
use crate::reaper::{Restart, Rules, Sweep};
use crate::signal::Signal;
use crate::supervise::DEFAULT_GRACE;
use crate::sys::{Arguments, Environment};
use core::ffi::CStr;

/// Which process group the command gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    /// The one that we are in: the terminal reaches it as if we were not there.
    Callers,
    /// One of its own, to which every signal goes.
    Own,
    /// One of its own, in a session of its own, which may get our terminal.
    Session,
}

/// Everything that can be asked for.
pub(super) struct Options {
    pub(super) rules: Rules,
    /// Nanoseconds between TERM and KILL.
    pub(super) grace: u64,
    pub(super) group: Group,
    /// The session is dumb-init's: stops become STOP, and what is left of the group gets TERM where
    /// nothing else is ours to end.
    pub(super) ends_group: bool,
    pub(super) subreaper: bool,
    /// What the end of our parent means to the command.
    pub(super) parent_death: Option<Signal>,
    /// A descriptor that tells of it.
    pub(super) parent_fd: Option<i32>,
    pub(super) notification_fd: Option<i32>,
    pub(super) ready_exec: Option<&'static CStr>,
    pub(super) re_raise: bool,
    pub(super) warn_of_reaping: bool,
    /// 0: errors only; 1: warnings; 2: the main process and its signals; 3: everything.
    pub(super) verbosity: u64,
    /// Watch over the services of that directory instead of running a command.
    pub(super) services: Option<&'static CStr>,
    pub(super) command: Arguments,
}

/// What the arguments ask for.
pub(super) enum Request {
    /// Run the command.
    Run,
    /// Watch over the services of this directory.
    Services(&'static CStr),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// What is wrong, and with which word.
pub(super) struct Wrong(pub(super) &'static [u8], pub(super) &'static CStr);

impl Options {
    /// What holds unless the arguments say otherwise. Called as `dumb-init`, its variables and its
    /// defaults hold; otherwise tini's.
    pub(super) fn new(as_dumb_init: bool, environment: Environment, command: Arguments) -> Options {
        let mut options = Options {
            rules: Rules::new(Sweep::Nothing),
            grace: DEFAULT_GRACE,
            group: Group::Callers,
            ends_group: false,
            subreaper: false,
            parent_death: None,
            parent_fd: None,
            notification_fd: None,
            ready_exec: None,
            re_raise: false,
            warn_of_reaping: false,
            verbosity: 1,
            services: None,
            command,
        };
        if as_dumb_init {
            options.be_dumb_init(environment)
        } else {
            options.be_tini(environment)
        }
        options
    }

    /// Reads the arguments, up to the command.
    pub(super) fn read(&mut self) -> Result<Request, Wrong> {
        let request = self.read_words();
        if self.ends_group {
            // A session of its own has no shell: the kernel ignores these three there.
            for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
                self.rules.rewrites.set_default(signal, Signal::STOP);
            }
        }
        request
    }

    fn read_words(&mut self) -> Result<Request, Wrong> {
        loop {
            let mut arguments = self.command;
            let Some(word) = arguments.next() else {
                let missing = Wrong(b"no command after", c"unshared-init");
                return self.services.map(Request::Services).ok_or(missing);
            };
            let request = match word.to_bytes() {
                [b'-', b'-', _, ..] => self.take_long(word, &mut arguments)?,
                [b'-', first, ..] if *first != b'-' => self.take_short(word, &mut arguments)?,
                _ if self.services.is_some() => {
                    return Err(Wrong(b"--services takes no command:", word));
                }
                b"--" => {
                    self.command = arguments;
                    let missing = Wrong(b"no command after", word);
                    return arguments.first().map(|_| Request::Run).ok_or(missing);
                }
                _ => return Ok(Request::Run),
            };
            if let Some(request) = request {
                return Ok(request);
            }
            self.command = arguments;
        }
    }

    /// Whether something is asked for that only a command can have.
    pub(super) fn is_about_a_command(&self) -> bool {
        self.group == Group::Own
            || self.rules.restart != Restart::Never
            || self.parent_fd.is_some()
            || self.notification_fd.is_some()
            || self.ready_exec.is_some()
            || self.re_raise
            || self.warn_of_reaping
    }

    fn be_tini(&mut self, environment: Environment) {
        self.subreaper = environment.get(b"TINI_SUBREAPER").is_some();
        if environment.get(b"TINI_KILL_PROCESS_GROUP").is_some() {
            self.group = Group::Own;
        }
        if let Some(verbosity) = environment.get(b"TINI_VERBOSITY").and_then(decimal) {
            self.verbosity = verbosity;
        }
    }

    fn be_dumb_init(&mut self, environment: Environment) {
        if environment.get(b"DUMB_INIT_SETSID") != Some(b"0") {
            self.group = Group::Session;
            self.ends_group = true;
        }
        if environment.get(b"DUMB_INIT_DEBUG") == Some(b"1") {
            self.verbosity = 3;
        }
    }

    fn be_single_child(&mut self) {
        self.group = Group::Callers;
        self.ends_group = false;
    }

    /// A word that begins with one dash: options of one letter, and maybe a value right behind.
    fn take_short(
        &mut self,
        word: &'static CStr,
        arguments: &mut Arguments,
    ) -> Result<Option<Request>, Wrong> {
        let letters = word.to_bytes();
        for (index, letter) in letters.iter().enumerate().skip(1) {
            match letter {
                b's' => self.subreaper = true,
                b'g' => self.group = Group::Own,
                b'c' => self.be_single_child(),
                b'w' => self.warn_of_reaping = true,
                b'v' => self.verbosity = self.verbosity.saturating_add(1),
                b'q' => self.verbosity = 0,
                b'h' => return Ok(Some(Request::Help)),
                b'V' => return Ok(Some(Request::Version)),
                b'p' | b'e' | b'r' => {
                    let value = match behind(word, index + 1) {
                        Some(value) if !value.is_empty() => value,
                        _ => arguments.next().ok_or(Wrong(b"a value is missing after", word))?,
                    };
                    match letter {
                        b'p' => self.set_parent_death(value)?,
                        b'e' => self.add_success(value)?,
                        _ => self.add_rewrite(value)?,
                    }
                    return Ok(None);
                }
                _ => return Err(Wrong(b"unknown option in", word)),
            }
        }
        Ok(None)
    }

    fn take_long(
        &mut self,
        word: &'static CStr,
        arguments: &mut Arguments,
    ) -> Result<Option<Request>, Wrong> {
        let bytes = word.to_bytes();
        let end = bytes.iter().position(|byte| *byte == b'=');
        let attached = end.and_then(|end| behind(word, end + 1));
        let name = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        let mut value = || match attached {
            Some(value) => Ok(value),
            None => arguments.next().ok_or(Wrong(b"a value is missing after", word)),
        };
        // Bytes would be compared one by one.
        match core::str::from_utf8(name).unwrap_or_default() {
            "--grace" => {
                let value = value()?;
                let wrong = Wrong(b"--grace takes a number of seconds, not", value);
                self.grace = seconds(value.to_bytes()).ok_or(wrong)?;
            }
            "--restart" => {
                let value = value()?;
                self.rules.restart = Restart::parse(value.to_bytes())
                    .ok_or(Wrong(b"--restart takes never, on-failure or always, not", value))?;
            }
            "--services" => self.services = Some(value()?),
            "--notification-fd" => self.notification_fd = Some(descriptor(value()?)?),
            "--parent-fd" => self.parent_fd = Some(descriptor(value()?)?),
            "--ready-exec" => self.ready_exec = Some(value()?),
            "--rewrite" => {
                let value = value()?;
                self.add_rewrite(value)?;
            }
            _ if attached.is_some() => {
                return Err(Wrong(b"unknown option, or one that takes no value:", word));
            }
            "--re-raise" => self.re_raise = true,
            "--single-child" => self.be_single_child(),
            "--verbose" => self.verbosity = self.verbosity.saturating_add(1),
            "--quiet" => self.verbosity = 0,
            "--help" => return Ok(Some(Request::Help)),
            "--version" => return Ok(Some(Request::Version)),
            _ => return Err(Wrong(b"unknown option", word)),
        }
        Ok(None)
    }

    fn set_parent_death(&mut self, value: &'static CStr) -> Result<(), Wrong> {
        let signal =
            Signal::parse(value.to_bytes()).ok_or(Wrong(b"-p takes a signal, not", value))?;
        if matches!(signal, Signal::STOP | Signal::CHLD) {
            return Err(Wrong(b"STOP and CHLD are never passed on:", value));
        }
        self.parent_death = Some(signal);
        Ok(())
    }

    fn add_success(&mut self, value: &'static CStr) -> Result<(), Wrong> {
        let status = decimal(value.to_bytes()).and_then(|number| u8::try_from(number).ok());
        let status = status.ok_or(Wrong(b"-e takes an exit status from 0 to 255, not", value))?;
        self.rules.successes.add(status);
        Ok(())
    }

    fn add_rewrite(&mut self, value: &'static CStr) -> Result<(), Wrong> {
        let wrong = || Wrong(b"-r takes SIGNAL:SIGNAL or SIGNAL:0, not", value);
        let mut words = value.to_bytes().splitn(2, |byte| *byte == b':');
        let from = words.next().and_then(Signal::parse).ok_or_else(wrong)?;
        if matches!(from, Signal::KILL | Signal::STOP | Signal::CHLD) {
            return Err(Wrong(b"KILL, STOP and CHLD are never passed on:", value));
        }
        let to = match words.next().ok_or_else(wrong)? {
            b"0" => None,
            name => Some(Signal::parse(name).ok_or_else(wrong)?),
        };
        self.rules.rewrites.set(from, to);
        Ok(())
    }
}

/// A descriptor's number, which may not be that of a standard stream.
fn descriptor(value: &'static CStr) -> Result<i32, Wrong> {
    let number = decimal(value.to_bytes()).and_then(|number| i32::try_from(number).ok());
    number
        .filter(|number| *number > 2)
        .ok_or(Wrong(b"a descriptor is a number of 3 or more, not", value))
}

/// What follows in a word from that place on; `None` beyond its end.
fn behind(word: &'static CStr, place: usize) -> Option<&'static CStr> {
    CStr::from_bytes_with_nul(word.to_bytes_with_nul().get(place..)?).ok()
}

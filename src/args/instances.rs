//! The command lines of the commands for named instances.
use super::Request;
use super::values::{Problem, add, flag, grace, instance, once, text, variable};
use super::words::Words;
use crate::error::Error;
use crate::instances::Instances;
use crate::instances::exec::{Execute, User};
use crate::spec::idmap::parse_id;
use std::ffi::{CStr, CString};
use unshared_init::number::SECOND;
use unshared_init::signal::Signal;

// Their options, as [`Words::next`] has them.
pub(super) const LIST: &str = "json q|quiet";
pub(super) const STOP: &str = "grace=";
pub(super) const LOGS: &str = "f|follow";
pub(super) const EXEC: &str = "t|tty user= cwd= env=";

/// Reads the command line of one of them.
pub(super) fn parse(words: &mut Words) -> Result<Request, Error> {
    let command = match words.command {
        "list" => list(words)?,
        "exec" | "attach" => exec(words)?,
        "stop" => stop(words)?,
        "signal" => signal(words)?,
        "logs" => logs(words)?,
        "inspect" => Instances::Inspect(name(words)?),
        "wait" => Instances::Wait(name(words)?),
        #[cfg(feature = "network")]
        "link" => link(words)?,
        _ => {
            words.none()?;
            Instances::Collect
        }
    };
    Ok(Request::Instances(command))
}

/// The name of an instance, said once.
fn one(words: &Words, place: &mut Option<CString>) -> Result<(), Error> {
    if place.is_some() {
        return Err(words.excess());
    }
    once(place, instance(words.value())).map_err(|problem| words.wrong(problem))
}

fn named(words: &Words, name: Option<CString>) -> Result<CString, Error> {
    words.needed(name, "the name of an instance")
}

/// A name, and nothing else.
fn name(words: &mut Words) -> Result<CString, Error> {
    let mut name = None;
    while words.next("")?.is_some() {
        one(words, &mut name)?;
    }
    named(words, name)
}

fn list(words: &mut Words) -> Result<Instances, Error> {
    let (mut json, mut names) = (false, false);
    while let Some(option) = words.next(LIST)? {
        match option {
            "json" => json = true,
            "quiet" => names = true,
            _ => return Err(words.excess()),
        }
    }
    if json && names {
        return Err(words.usage("either --json or -q"));
    }
    Ok(Instances::List { json, names })
}

fn signal(words: &mut Words) -> Result<Instances, Error> {
    let (mut name, mut signal) = (None, None);
    while words.next("")?.is_some() {
        if name.is_some() && signal.is_none() {
            let parsed = Signal::parse(words.value().to_bytes());
            signal = Some(parsed.ok_or_else(|| words.wrong("there is no such signal"))?);
        } else {
            one(words, &mut name)?;
        }
    }
    Ok(Instances::Signal(named(words, name)?, words.needed(signal, "a signal")?))
}

fn stop(words: &mut Words) -> Result<Instances, Error> {
    let (mut name, mut time) = (None, None);
    while let Some(option) = words.next(STOP)? {
        match option {
            "grace" => {
                once(&mut time, grace(words.value())).map_err(|problem| words.wrong(problem))?
            }
            _ => one(words, &mut name)?,
        }
    }
    Ok(Instances::Stop(named(words, name)?, time.unwrap_or(10 * SECOND)))
}

fn logs(words: &mut Words) -> Result<Instances, Error> {
    let (mut name, mut follow) = (None, false);
    while let Some(option) = words.next(LOGS)? {
        match option {
            "follow" => follow = true,
            _ => one(words, &mut name)?,
        }
    }
    Ok(Instances::Logs(named(words, name)?, follow))
}

#[cfg(feature = "network")]
fn link(words: &mut Words) -> Result<Instances, Error> {
    let (mut first, mut second) = (None, None);
    while words.next("")?.is_some() {
        one(words, if first.is_none() { &mut first } else { &mut second })?;
    }
    match (first, second) {
        (Some(first), Some(second)) => Ok(Instances::Link(first, second)),
        _ => Err(words.usage("the names of two instances are needed")),
    }
}

/// The command is all from the second word on that is no option, or from `--`.
fn exec(words: &mut Words) -> Result<Instances, Error> {
    let (mut name, mut user, mut cwd, mut variables) = (None, None, None, Vec::new());
    let (mut pty, mut command) = (false, None);
    while let Some(option) = words.next(EXEC)? {
        let value = words.value();
        let taken = match option {
            "tty" => flag(&mut pty),
            "user" => once(&mut user, user_of(value)),
            "cwd" => once(&mut cwd, text(value)),
            "env" => add(&mut variables, variable(value)),
            _ if name.is_none() => once(&mut name, instance(value)),
            _ => {
                command = Some(words.remainder());
                break;
            }
        };
        taken.map_err(|problem| words.wrong(problem))?;
    }
    let name = named(words, name)?;
    let command = words.needed(command, "a command")?;
    let request = Execute { name, user, cwd, variables, pty, command };
    Ok(Instances::Execute(Box::new(request)))
}

fn user_of(value: &CStr) -> Result<User, Problem> {
    let id = |text: &str| parse_id(text).filter(|id| *id != u32::MAX);
    let text = value.to_str().unwrap_or_default();
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (id(uid), id(gid).map(Some)),
        None => (id(text), Some(None)),
    };
    match (uid, gid) {
        (Some(uid), Some(gid)) => Ok(User::Ids(uid, gid)),
        _ if value.is_empty()
            || text.contains(':')
            || text.starts_with(|c: char| c.is_numeric()) =>
        {
            Err("UID, UID:GID or a name")
        }
        _ => Ok(User::Name(value.to_owned())),
    }
}

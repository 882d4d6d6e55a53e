//! The command lines of the commands for named instances.
use super::{Request, help};
use crate::error::{Error, quote};
use crate::instances::Instances;
use crate::root::place::{NAMES, is_name};
use lexopt::{Arg, Parser};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use unshared_init::number::{SECOND, seconds};
use unshared_init::signal::Signal;
use unshared_init::sys::Arguments;

mod exec;

pub(crate) use exec::parse_exec;

/// `link`.
#[cfg(feature = "network")]
pub(crate) fn parse_link(arguments: Arguments) -> Result<Request, Error> {
    let words: Vec<&CStr> = arguments.collect();
    match words.as_slice() {
        [word, ..] if matches!(word.to_bytes(), b"--help" | b"-h") => {
            Ok(Request::Print(help::of("link")))
        }
        [one, other] => {
            if let Some(wrong) = [one, other].into_iter().find(|name| !is_name(name.to_bytes())) {
                let wrong = quote(wrong.to_bytes());
                return Err(Error::usage(format!("{wrong}: {NAMES}"), "link"));
            }
            let (one, other) = ((*one).to_owned(), (*other).to_owned());
            Ok(Request::Instances(Instances::Link(one, other)))
        }
        _ => Err(Error::usage("the names of two instances are needed", "link")),
    }
}

/// A command line of one name and a few options.
struct Reader {
    command: &'static str,
    parser: Parser,
}

impl Reader {
    fn new(command: &'static str, arguments: Arguments) -> Reader {
        let words: Vec<OsString> =
            arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
        Reader { command, parser: Parser::from_args(words) }
    }

    fn usage(&self, problem: impl Into<String>) -> Error {
        Error::usage(problem, self.command)
    }

    fn wrong(&self, value: &OsStr, expected: &str) -> Error {
        self.usage(format!("{}: {expected}", quote(value.as_bytes())))
    }

    fn explain(&self, error: lexopt::Error) -> Error {
        match error {
            lexopt::Error::UnexpectedArgument(word) => {
                self.usage(format!("one word too many: {}", quote(word.as_bytes())))
            }
            other => super::explain(other, self.command),
        }
    }

    fn next(&mut self) -> Result<Option<Arg<'_>>, Error> {
        let command = self.command;
        self.parser.next().map_err(|error| super::explain(error, command))
    }

    fn value(&mut self) -> Result<OsString, Error> {
        self.parser.value().map_err(|error| super::explain(error, self.command))
    }

    /// The name of an instance, said once.
    fn name(&self, word: OsString, place: &mut Option<CString>) -> Result<(), Error> {
        if place.is_some() {
            return Err(self.explain(lexopt::Error::UnexpectedArgument(word)));
        }
        if !is_name(word.as_bytes()) {
            return Err(self.wrong(&word, NAMES));
        }
        *place = Some(self.text(word)?);
        Ok(())
    }

    fn text(&self, word: OsString) -> Result<CString, Error> {
        CString::new(word.into_vec()).map_err(|_| self.usage("a zero byte"))
    }

    fn needed<T>(&self, place: Option<T>, what: &str) -> Result<T, Error> {
        place.ok_or_else(|| self.usage(format!("{what} is needed")))
    }
}

/// What an option is, free of the parser that it came from.
enum Word {
    Option(String),
    Value(OsString),
}

impl Reader {
    /// The next word; `None` at the end. `--help` is told by an empty option.
    fn word(&mut self) -> Result<Option<Word>, Error> {
        Ok(self.next()?.map(|argument| match argument {
            Arg::Long("help") | Arg::Short('h') => Word::Option(String::new()),
            Arg::Long(name) => Word::Option(format!("--{name}")),
            Arg::Short(letter) => Word::Option(format!("-{letter}")),
            Arg::Value(word) => Word::Value(word),
        }))
    }

    fn unknown(&self, option: &str) -> Error {
        help::no_option(self.command, option)
    }
}

/// `list`.
pub(crate) fn parse_list(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::new("list", arguments);
    let (mut json, mut names) = (false, false);
    while let Some(word) = reader.word()? {
        match word {
            Word::Option(option) => match option.as_str() {
                "" => return Ok(Request::Print(help::of(reader.command))),
                "--json" => json = true,
                "-q" | "--quiet" => names = true,
                other => return Err(reader.unknown(other)),
            },
            Word::Value(word) => {
                return Err(reader.explain(lexopt::Error::UnexpectedArgument(word)));
            }
        }
    }
    if json && names {
        return Err(reader.usage("either --json or -q"));
    }
    Ok(Request::Instances(Instances::List { json, names }))
}

/// A command that takes a name and nothing else.
fn parse_name(
    command: &'static str,
    arguments: Arguments,
    make: fn(CString) -> Instances,
) -> Result<Request, Error> {
    let mut reader = Reader::new(command, arguments);
    let mut name = None;
    while let Some(word) = reader.word()? {
        match word {
            Word::Option(option) if option.is_empty() => {
                return Ok(Request::Print(help::of(command)));
            }
            Word::Option(option) => return Err(reader.unknown(&option)),
            Word::Value(word) => reader.name(word, &mut name)?,
        }
    }
    Ok(Request::Instances(make(reader.needed(name, "the name of an instance")?)))
}

/// `inspect`.
pub(crate) fn parse_inspect(arguments: Arguments) -> Result<Request, Error> {
    parse_name("inspect", arguments, Instances::Inspect)
}

/// `wait`.
pub(crate) fn parse_wait(arguments: Arguments) -> Result<Request, Error> {
    parse_name("wait", arguments, Instances::Wait)
}

/// `signal`.
pub(crate) fn parse_signal(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::new("signal", arguments);
    let (mut name, mut signal) = (None, None);
    while let Some(word) = reader.word()? {
        match word {
            Word::Option(option) if option.is_empty() => {
                return Ok(Request::Print(help::of(reader.command)));
            }
            Word::Option(option) => return Err(reader.unknown(&option)),
            Word::Value(word) if name.is_some() && signal.is_none() => {
                let parsed = Signal::parse(word.as_bytes());
                signal =
                    Some(parsed.ok_or_else(|| reader.wrong(&word, "there is no such signal"))?);
            }
            Word::Value(word) => reader.name(word, &mut name)?,
        }
    }
    let name = reader.needed(name, "the name of an instance")?;
    let signal = reader.needed(signal, "a signal")?;
    Ok(Request::Instances(Instances::Signal(name, signal)))
}

/// `stop`.
pub(crate) fn parse_stop(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::new("stop", arguments);
    let (mut name, mut grace) = (None, 10 * SECOND);
    while let Some(word) = reader.word()? {
        match word {
            Word::Option(option) => match option.as_str() {
                "" => return Ok(Request::Print(help::of(reader.command))),
                "--grace" => {
                    let value = reader.value()?;
                    let parsed = seconds(value.as_bytes());
                    grace = parsed
                        .ok_or_else(|| reader.wrong(&value, "a number of seconds, from 0"))?;
                }
                other => return Err(reader.unknown(other)),
            },
            Word::Value(word) => reader.name(word, &mut name)?,
        }
    }
    let name = reader.needed(name, "the name of an instance")?;
    Ok(Request::Instances(Instances::Stop(name, grace)))
}

/// `logs`.
pub(crate) fn parse_logs(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::new("logs", arguments);
    let (mut name, mut follow) = (None, false);
    while let Some(word) = reader.word()? {
        match word {
            Word::Option(option) => match option.as_str() {
                "" => return Ok(Request::Print(help::of(reader.command))),
                "-f" | "--follow" => follow = true,
                other => return Err(reader.unknown(other)),
            },
            Word::Value(word) => reader.name(word, &mut name)?,
        }
    }
    let name = reader.needed(name, "the name of an instance")?;
    Ok(Request::Instances(Instances::Logs(name, follow)))
}

/// `gc`.
pub(crate) fn parse_gc(arguments: Arguments) -> Result<Request, Error> {
    match arguments.first().map(|word| word.to_bytes()) {
        None => Ok(Request::Instances(Instances::Collect)),
        Some(b"--help" | b"-h") => Ok(Request::Print(help::of("gc"))),
        Some(word) => Err(Error::usage(format!("gc takes no {}", quote(word)), "gc")),
    }
}

//! A command line, taken apart: options, their values, and other words.
//!
//! Which options a command has is a text with a word for each, such as `all o|output= net? exec+`: a
//! letter if it has one, its name, and what follows on it: `=` is a value, `?` perhaps one behind a
//! `=`, `+` all words up to the next that begins with `-`. `-h` and `--help` are every command's.
use super::help;
use super::values::TWICE;
use crate::error::{Error, quote};
use lexopt::{Arg, Parser};
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

/// A command line, and how much of it has been taken.
pub(super) struct Words {
    /// The command whose it is.
    pub(super) command: &'static str,
    /// `--help` was said: what else is wrong does not matter.
    pub(super) wants_help: bool,
    /// How many words have been taken.
    pub(super) taken: usize,
    /// The place in the text of the option that was taken last.
    pub(super) place: usize,
    /// The name of that option, or nothing.
    name: &'static str,
    /// What stood with it; or the word that is no option.
    value: Option<&'static CStr>,
    /// What is left, from the word that was taken last, and behind it.
    here: Arguments,
    rest: Arguments,
    /// Takes the last word apart, if it is an option. A parser of all would have a copy of each.
    parser: Option<Parser>,
    /// There was a `--`.
    is_ended: bool,
}

impl Words {
    pub(super) fn new(command: &'static str, arguments: Arguments) -> Words {
        Words {
            command,
            wants_help: false,
            taken: 0,
            place: 0,
            name: "",
            value: None,
            here: arguments,
            rest: arguments,
            parser: None,
            is_ended: false,
        }
    }

    /// Takes the next option, and returns its name, which is empty for a word that is none; `None` at
    /// the end.
    pub(super) fn next(&mut self, options: &'static str) -> Result<Option<&'static str>, Error> {
        let last = std::mem::take(&mut self.name);
        self.value = None;
        loop {
            let argument = self.parser.as_mut().map_or(Ok(None), Parser::next);
            let mut letter = [0; 4];
            let (name, is_letter) = match argument {
                Ok(Some(Arg::Long(name))) => (name, false),
                Ok(Some(Arg::Short(short))) => (&*short.encode_utf8(&mut letter), true),
                Ok(Some(Arg::Value(_)) | None) => {
                    self.here = self.rest;
                    let Some(word) = self.take() else { return Ok(None) };
                    self.parser = None;
                    match word.to_bytes() {
                        b"--" if !self.is_ended => self.is_ended = true,
                        [b'-', _, ..] if !self.is_ended => {
                            self.parser =
                                Some(Parser::from_args([OsStr::from_bytes(word.to_bytes())]));
                        }
                        _ => {
                            self.value = Some(word);
                            return Ok(Some(""));
                        }
                    }
                    continue;
                }
                Err(lexopt::Error::UnexpectedValue { value, .. })
                    if find(options, last.as_bytes(), last.len() == 1)
                        .is_some_and(|(_, _, kind)| kind == Some(b'?')) =>
                {
                    // A letter with =VALUE: the same option once more, now with that.
                    self.value = self.end(value.len());
                    self.name = last;
                    return Ok(Some(last));
                }
                // The last option had a value that it does not take.
                Err(_) => return Err(self.usage(format!("{} takes no value", dashed(last)))),
            };
            return match find(options, name.as_bytes(), is_letter) {
                Some((place, known, kind)) => {
                    (self.place, self.name) = (place, known);
                    self.take_value(kind, is_letter).map(|()| Some(known))
                }
                None if matches!(name, "h" | "help") && is_letter == (name == "h") => {
                    if !is_letter && self.attached().is_some() {
                        return Err(self.usage("--help takes no value"));
                    }
                    self.wants_help = true;
                    Ok(None)
                }
                None if is_letter && name != "\u{FFFD}" => {
                    Err(help::no_option(self.command, format!("-{name}").as_bytes()))
                }
                // As it was written, be it no text.
                None => {
                    let word = self.here.first().unwrap_or_default().to_bytes();
                    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
                    Err(help::no_option(self.command, name))
                }
            };
        }
    }

    /// Takes the value of the option that was taken last.
    fn take_value(&mut self, kind: Option<u8>, is_letter: bool) -> Result<(), Error> {
        self.value = match kind {
            Some(b'=') => self.attached().or_else(|| self.take_if(|word| word != b"--")),
            Some(b'+') => self.attached().or_else(|| self.expression()),
            Some(b'?') if !is_letter => {
                self.value = self.attached();
                return Ok(());
            }
            _ => return Ok(()),
        };
        if self.value.is_none() {
            return Err(self.usage(format!("{} needs a value", dashed(self.name))));
        }
        Ok(())
    }

    /// What follows at once on the option that was taken last, in the same word.
    fn attached(&mut self) -> Option<&'static CStr> {
        let value = self.parser.as_mut().and_then(Parser::optional_value)?;
        self.end(value.len())
    }

    /// The last bytes of the word with the option that was taken last.
    fn end(&self, length: usize) -> Option<&'static CStr> {
        let word = self.here.first()?;
        Some(tail(word, word.to_bytes().len().saturating_sub(length)))
    }

    /// What stands with the option that was taken last; or the word that is none.
    pub(super) fn value(&self) -> &'static CStr {
        self.value.unwrap_or_default()
    }

    /// The same, of an option that need not have one.
    pub(super) fn optional_value(&self) -> Option<&'static CStr> {
        self.value
    }

    /// Takes the next word as it is, whatever it begins with; `None` at the end.
    pub(super) fn any(&mut self) -> Option<&'static CStr> {
        let word = self.take()?;
        self.wants_help = matches!(word.to_bytes(), b"-h" | b"--help");
        (self.name, self.value) = ("", Some(word).filter(|_| !self.wants_help));
        self.value
    }

    /// For a command that takes nothing.
    pub(super) fn none(&mut self) -> Result<(), Error> {
        match self.next("")? {
            Some(_) => Err(self.excess()),
            None => Ok(()),
        }
    }

    /// What is left, from the word that was taken last.
    pub(super) fn remainder(&self) -> Arguments {
        self.here
    }

    /// What is left behind it.
    pub(super) fn behind(&self) -> Arguments {
        self.rest
    }

    /// Whether a word is complete: no letters of it are left.
    pub(super) fn is_between(&mut self) -> bool {
        self.parser.as_mut().is_none_or(|parser| parser.try_raw_args().is_some())
    }

    /// Whether there was a `--`.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    fn take(&mut self) -> Option<&'static CStr> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, wanted: fn(&[u8]) -> bool) -> Option<&'static CStr> {
        let word = self.rest.first().filter(|word| wanted(word.to_bytes()))?;
        self.rest = self.rest.rest();
        self.taken += 1;
        Some(word)
    }

    /// The words up to the next option, as one expression for a shell.
    fn expression(&mut self) -> Option<&'static CStr> {
        let is_plain = |word: &[u8]| !word.starts_with(b"-") || word == b"-";
        let first = self.take_if(is_plain)?;
        let Some(mut next) = self.take_if(is_plain) else { return Some(first) };
        let mut joined = first.to_bytes().to_vec();
        loop {
            joined.push(b' ');
            joined.extend_from_slice(next.to_bytes());
            let Some(word) = self.take_if(is_plain) else { break };
            next = word;
        }
        let joined = CString::new(joined).unwrap_or_default();
        Some(Box::leak(joined.into_boxed_c_str()))
    }

    /// The command line is wrong.
    #[cold]
    #[inline(never)]
    pub(super) fn usage(&self, problem: impl Into<String>) -> Error {
        Error::usage(problem, self.command)
    }

    /// What stands with the option that was taken last is wrong, or the word that was taken last.
    #[cold]
    #[inline(never)]
    pub(super) fn wrong(&self, problem: &str) -> Error {
        let Some(value) = self.value.map(|value| quote(value.to_bytes())) else {
            return self.usage(problem);
        };
        self.usage(match self.name {
            name if problem == TWICE => format!("{} {TWICE}", dashed(name)),
            "" => format!("{value}: {problem}"),
            name => format!("{} {value}: {problem}", dashed(name)),
        })
    }

    /// There is one word too many.
    pub(super) fn excess(&self) -> Error {
        self.too_many(self.value())
    }

    /// It is that word.
    pub(super) fn too_many(&self, word: &CStr) -> Error {
        self.usage(format!("one word too many: {}", quote(word.to_bytes())))
    }

    /// What the command cannot do without.
    pub(super) fn needed<T>(&self, place: Option<T>, what: &str) -> Result<T, Error> {
        place.ok_or_else(|| self.missing(what))
    }

    #[cold]
    #[inline(never)]
    fn missing(&self, what: &str) -> Error {
        self.usage(format!("{what} is needed"))
    }
}

/// Where the option of that name is in the text, its name, and what follows on it there.
fn find(
    options: &'static str,
    name: &[u8],
    is_letter: bool,
) -> Option<(usize, &'static str, Option<u8>)> {
    let named = |option: &str| option.as_bytes() == name && is_letter == (option.len() == 1);
    let last = name.last()?;
    options.split_terminator(' ').enumerate().find_map(|(place, option)| {
        // Most have another last letter, which is cheaper to see.
        if !is_letter && !option.as_bytes().iter().rev().take(2).any(|byte| byte == last) {
            return None;
        }
        let bare = option.strip_suffix(['=', '?', '+']).unwrap_or(option);
        let (letter, long) = bare.split_once('|').unwrap_or((bare, bare));
        (named(letter) || named(long)).then(|| (place, long, option.as_bytes().last().copied()))
    })
}

/// An option as it is written.
fn dashed(name: &str) -> String {
    let dashes = if name.len() == 1 { "-" } else { "--" };
    format!("{dashes}{name}")
}

/// A string without its first bytes.
fn tail(string: &'static CStr, length: usize) -> &'static CStr {
    let bytes = string.to_bytes_with_nul().get(length..);
    bytes.and_then(|bytes| CStr::from_bytes_until_nul(bytes).ok()).unwrap_or_default()
}

//! A command line, taken apart: options, their values, and other words.
//!
//! Which options a command has is a text with a word for each, such as `all o|output= net? exec+`: a
//! letter if it has one, its name, and what follows on it: `=` is a value, `?` perhaps one behind a
//! `=`, `+` all words up to the next that begins with `-`. `-h` and `--help` are every command's.
use super::help;
use super::values::TWICE;
use crate::error::{Error, quote};
use std::ffi::{CStr, CString};
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
    /// Letters behind one dash, but for those that have been taken.
    letters: &'static CStr,
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
            letters: c"",
            is_ended: false,
        }
    }

    /// Takes the next option, and returns its name, which is empty for a word that is none; `None` at
    /// the end.
    pub(super) fn next(&mut self, options: &'static str) -> Result<Option<&'static str>, Error> {
        (self.name, self.value) = ("", None);
        while self.letters.is_empty() {
            self.here = self.rest;
            let Some(word) = self.take() else { return Ok(None) };
            match word.to_bytes() {
                b"--" if !self.is_ended => self.is_ended = true,
                [b'-', b'-', name @ ..] if !self.is_ended => {
                    let length = name.iter().position(|byte| *byte == b'=');
                    let attached = length.map(|length| tail(word, length + 3));
                    let name = name.get(..length.unwrap_or(name.len())).unwrap_or_default();
                    return self.option(options, name, attached, false);
                }
                [b'-', _, ..] if !self.is_ended => self.letters = tail(word, 1),
                _ => {
                    self.value = Some(word);
                    return Ok(Some(""));
                }
            }
        }
        let letters = self.letters.to_bytes();
        let is_more = |byte: &&u8| **byte & 0xc0 == 0x80;
        let length = 1 + letters.iter().skip(1).take_while(is_more).count();
        let letter = letters.get(..length).unwrap_or_default();
        let behind = tail(self.letters, length);
        self.letters = behind;
        let attached = (!behind.is_empty()).then_some(behind);
        self.option(options, letter, attached, true)
    }

    /// Takes in an option of that name, and its value. `attached` is what follows at once.
    fn option(
        &mut self,
        options: &'static str,
        name: &[u8],
        attached: Option<&'static CStr>,
        is_letter: bool,
    ) -> Result<Option<&'static str>, Error> {
        let named = |option: &&str| option.as_bytes() == name && is_letter == (option.len() == 1);
        let mut places = options.split_terminator(' ').enumerate();
        let found = places.find_map(|(place, option)| {
            let bare = option.strip_suffix(['=', '?', '+']).unwrap_or(option);
            let (letter, name) = bare.split_once('|').unwrap_or((bare, bare));
            let is_it = named(&letter) || named(&name);
            is_it.then(|| (place, name, option.as_bytes().last().copied()))
        });
        let Some((place, known, kind)) = found else {
            self.wants_help =
                matches!(name, b"h" if is_letter) || matches!(name, b"help" if !is_letter);
            return if self.wants_help { Ok(None) } else { Err(self.unknown(name, is_letter)) };
        };
        (self.place, self.name) = (place, known);
        let attached = match attached {
            Some(value) if is_letter => {
                let begins = value.to_bytes().starts_with(b"=");
                if matches!(kind, Some(b'=' | b'+')) {
                    self.letters = c"";
                    Some(if begins { tail(value, 1) } else { value })
                } else {
                    // More letters.
                    begins.then_some(value)
                }
            }
            attached => attached,
        };
        self.value = match kind {
            Some(b'=') => attached.or_else(|| self.take_if(|word| word != b"--")),
            Some(b'+') => attached.or_else(|| self.expression()),
            Some(b'?') if !is_letter => attached,
            _ if attached.is_some() => {
                return Err(self.usage(format!("{} takes no value", dashed(known))));
            }
            _ => return Ok(Some(known)),
        };
        if self.value.is_none() && kind != Some(b'?') {
            return Err(self.usage(format!("{} needs a value", dashed(known))));
        }
        Ok(Some(known))
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
    pub(super) fn is_between(&self) -> bool {
        self.letters.is_empty()
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

    #[cold]
    fn unknown(&self, name: &[u8], is_letter: bool) -> Error {
        let name = String::from_utf8_lossy(name);
        let dashes = if is_letter { "-" } else { "--" };
        help::no_option(self.command, &format!("{dashes}{name}"))
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
        self.usage(format!("one word too many: {}", quote(self.value().to_bytes())))
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

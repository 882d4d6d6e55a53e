//! What is said when something fails: one line with attempt, object, errno name and hint.
use rustix::io::Errno;
use unshared_init::errno;

/// Exit status: unshared itself failed, usage errors among it.
pub(crate) const FAILED: u8 = 125;

/// Something that ends the run, and all that is said about it. Behind a pointer: it is passed on from
/// everywhere, and a result that may hold it is not larger for it.
#[derive(Debug)]
pub(crate) struct Error(Box<Said>);

#[derive(Clone, Debug)]
struct Said {
    /// What was attempted, with its object quoted: `open "/x"`. For a usage error, what is wrong.
    attempt: String,
    errno: Option<Errno>,
    /// The cause, only where it was found by looking, or what to do about it.
    hint: Option<String>,
    /// The exit status: [`FAILED`], or 126 or 127 for a command that could not be executed.
    code: u8,
}

impl Error {
    /// A system call failed.
    pub(crate) fn system(attempt: impl Into<String>, errno: Errno) -> Error {
        Error::new(attempt.into(), Some(errno))
    }

    /// Something is wrong that no system call said.
    pub(crate) fn plain(problem: impl Into<String>) -> Error {
        Error::new(problem.into(), None)
    }

    #[cold]
    #[inline(never)]
    fn new(attempt: String, errno: Option<Errno>) -> Error {
        Error(Box::new(Said { attempt, errno, hint: None, code: FAILED }))
    }

    /// The command line is wrong; says where it is explained.
    pub(crate) fn usage(problem: impl Into<String>, command: &str) -> Error {
        Error::plain(problem).hint(format!("see: unshared-cli help {command}").trim_end())
    }

    /// Says where in a file it is.
    pub(crate) fn at(mut self, place: &str) -> Error {
        self.0.attempt = format!("{place}: {}", self.0.attempt);
        self
    }

    /// The same once more, for somebody who has a look at it only.
    pub(crate) fn again(&self) -> Error {
        Error(self.0.clone())
    }

    /// Adds a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a hint if there is one.
    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Error {
        if self.0.hint.is_none() {
            self.0.hint = hint;
        }
        self
    }

    /// Adds to the hint.
    pub(crate) fn more(mut self, more: &str) -> Error {
        self.0.hint = Some(match self.0.hint {
            Some(hint) => format!("{hint}; {more}"),
            None => more.to_owned(),
        });
        self
    }

    /// Puts something before the hint.
    pub(crate) fn before(mut self, first: &str) -> Error {
        self.0.hint = Some(match self.0.hint {
            Some(hint) => format!("{first} {hint}"),
            None => first.to_owned(),
        });
        self
    }

    /// Sets the exit status.
    pub(crate) fn with_code(mut self, code: u8) -> Error {
        self.0.code = code;
        self
    }

    /// The exit status: [`FAILED`], or 126 or 127 for a command that could not be executed.
    pub(crate) fn code(&self) -> u8 {
        self.0.code
    }

    /// The message, without the program's name.
    pub(crate) fn message(&self) -> String {
        let mut line = self.0.attempt.clone();
        if let Some(errno) = self.0.errno {
            line.push_str(": ");
            line.push_str(errno::name(errno));
        }
        if let Some(hint) = &self.0.hint {
            line.push_str(" (");
            line.push_str(hint);
            line.push(')');
        }
        line
    }
}

/// A name between quotes, on one line whatever it holds: control characters, quotes, and bytes that
/// are no UTF-8 are written as escapes.
pub(crate) fn quote(name: impl AsRef<[u8]>) -> String {
    escaped(name.as_ref(), true)
}

/// A text on one line whatever it holds.
pub(crate) fn escape(text: impl AsRef<[u8]>) -> String {
    escaped(text.as_ref(), false)
}

/// One function for all types of names, and never copied into its callers.
#[inline(never)]
fn escaped(text: &[u8], quoted: bool) -> String {
    let mut escaped = String::new();
    if quoted {
        escaped.push('"');
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => {
                    escaped.push('\\');
                    escaped.push(character);
                }
                '\n' => escaped.push_str("\\n"),
                '\t' => escaped.push_str("\\t"),
                '\r' => escaped.push_str("\\r"),
                _ if character.is_control() => {
                    escaped.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
                }
                _ => escaped.push(character),
            }
        }
        for byte in chunk.invalid() {
            escaped.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if quoted {
        escaped.push('"');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_attempt_errno_and_hint() {
        let error = Error::system("open \"/x\"", Errno::PERM).hint("root only");
        assert_eq!(error.message(), "open \"/x\": EPERM (root only)");
    }

    #[test]
    fn names_cannot_break_the_line_or_the_quotes() {
        assert_eq!(quote(b"a\"b\\c\n\x1b\xff"), "\"a\\\"b\\\\c\\n\\u{1b}\\xff\"");
        assert_eq!(quote("größe"), "\"größe\"");
    }
}

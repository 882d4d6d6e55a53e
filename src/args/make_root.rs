//! The command line of `make-root`.
use super::Request;
use crate::error::{Error, quote};
use crate::root::{MakeRoot, Wanted};
use lexopt::{Arg, Parser};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use unshared_init::sys::Arguments;

pub(crate) const HELP: &str = "\
Usage: unshared-cli make-root TYPE [OPTION]...

Makes the root TYPE, or adds to it: a directory that programs run in. It is in
$UNSHARED_ROOT (default: /var/unshared for root, $XDG_DATA_HOME/unshared or
~/.local/share/unshared for others); an absolute TYPE is a path itself.

  --bin PROGRAM     copy PROGRAM with all that it needs: libraries, interpreters
  --add PATH[:DST]  copy a file or a folder, to DST in the root
  --list            print what would be copied and what is missing, no more
  --force           go on although something is missing

Example: unshared-cli make-root box --bin bash --bin ls
";

/// Reads the arguments that follow on `make-root`.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let words = arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned());
    let mut parser = Parser::from_args(words.collect::<Vec<_>>());
    let mut name = None;
    let mut wanted = Wanted { programs: Vec::new(), added: Vec::new() };
    let (mut list, mut force) = (false, false);
    while let Some(argument) = parser.next().map_err(explain)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Print(HELP)),
            Arg::Long("list") => list = true,
            Arg::Long("force") => force = true,
            Arg::Long("bin") => wanted.programs.push(value(&mut parser, "--bin")?),
            Arg::Long("add") => wanted.added.push(source_and_target(value(&mut parser, "--add")?)),
            Arg::Value(word) if name.is_none() => name = Some(word.into_vec()),
            Arg::Value(word) => {
                let word = quote(word.as_bytes());
                return Err(Error::usage(format!("a second TYPE {word}"), "make-root"));
            }
            other => return Err(explain(other.unexpected())),
        }
    }
    let Some(name) = name else {
        return Err(Error::usage("make-root needs a TYPE", "make-root"));
    };
    Ok(Request::MakeRoot(Box::new(MakeRoot { name, wanted, list, force })))
}

fn value(parser: &mut Parser, name: &str) -> Result<Vec<u8>, Error> {
    let value: OsString = parser.value().map_err(explain)?;
    if value.is_empty() {
        return Err(Error::usage(format!("{name} \"\": an empty value"), "make-root"));
    }
    Ok(value.into_vec())
}

/// `PATH:DST`, where DST is absolute: a path may have a colon in it.
fn source_and_target(value: Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
    match value.windows(2).rposition(|pair| pair == b":/") {
        Some(colon) if colon > 0 => {
            let (path, target) = value.split_at(colon);
            (path.to_vec(), target.strip_prefix(b":").map(<[u8]>::to_vec))
        }
        _ => (value, None),
    }
}

/// What lexopt found wrong.
fn explain(error: lexopt::Error) -> Error {
    super::explain(error, "make-root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_follows_on_the_last_colon_before_a_slash() {
        let text = |value: &[u8]| source_and_target(value.to_vec());
        assert_eq!(text(b"/a:/b"), (b"/a".to_vec(), Some(b"/b".to_vec())));
        assert_eq!(text(b"/a:b"), (b"/a:b".to_vec(), None));
        assert_eq!(text(b"/a:/b:/c"), (b"/a:/b".to_vec(), Some(b"/c".to_vec())));
        assert_eq!(text(b":/c"), (b":/c".to_vec(), None));
    }
}

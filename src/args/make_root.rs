//! The command lines of `get-root` and `make-root`.
use super::{Request, help};
use crate::error::{Error, quote};
#[cfg(feature = "roots")]
use crate::root::MakeRoot;
use lexopt::{Arg, Parser};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use unshared_init::sys::Arguments;

/// Reads the arguments that follow on `make-root`.
#[cfg(feature = "roots")]
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let mut parser = Parser::from_args(words(arguments));
    let mut request = MakeRoot::default();
    let mut root = None;
    while let Some(argument) = parser.next().map_err(explain)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => {
                return Ok(Request::Print(help::of("make-root")));
            }
            Arg::Long("initramfs") => {
                let value = text(parser.value().map_err(explain)?, "--initramfs")?;
                once(&mut request.image, value, "--initramfs")?;
            }
            Arg::Long("max-size") => {
                let value = parser.value().map_err(explain)?;
                once(&mut request.max_size, bytes(&value)?, "--max-size")?;
            }
            Arg::Long("tmpfs") => {
                let size = parser.optional_value().map(|value| tmpfs_size(&value)).transpose()?;
                once(&mut request.tmpfs, size, "--tmpfs")?;
            }
            Arg::Long("force") => request.force = true,
            Arg::Long("list") => request.list = true,
            Arg::Long("bin") => request.wanted.programs.push(bytes_of(&mut parser, "--bin")?),
            Arg::Long("add") => {
                let value = bytes_of(&mut parser, "--add")?;
                request.wanted.added.push(source_and_target(value));
            }
            Arg::Value(word) if root.is_none() => root = Some(text(word, "TYPE")?),
            other => return Err(explain(other.unexpected())),
        }
    }
    request.root = root.ok_or_else(|| usage("a type of root is needed"))?;
    Ok(Request::MakeRoot(Box::new(request)))
}

/// Reads the arguments that follow on `get-root`.
pub(crate) fn parse_get(arguments: Arguments) -> Result<Request, Error> {
    let mut parser = Parser::from_args(words(arguments));
    let mut root = None;
    while let Some(argument) = parser.next().map_err(explain)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Print(help::of("get-root"))),
            Arg::Value(word) if root.is_none() => root = Some(text(word, "TYPE")?),
            other => return Err(explain(other.unexpected())),
        }
    }
    root.map(Request::GetRoot).ok_or_else(|| usage("a type of root is needed"))
}

fn words(arguments: Arguments) -> Vec<OsString> {
    arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect()
}

fn usage(problem: impl Into<String>) -> Error {
    Error::usage(problem, "make-root")
}

/// What lexopt found wrong.
fn explain(error: lexopt::Error) -> Error {
    match error {
        lexopt::Error::UnexpectedArgument(word) => {
            usage(format!("one type of root is enough: {}", quote(word.as_bytes())))
        }
        other => super::explain(other, "make-root"),
    }
}

/// A value that is not empty.
fn bytes_of(parser: &mut Parser, name: &str) -> Result<Vec<u8>, Error> {
    Ok(text(parser.value().map_err(explain)?, name)?.into_bytes())
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

/// Sets what may be said once.
fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(usage(format!("{name} is given twice"))),
    }
}

/// A text that is not empty. Words come from argv, so they have no zero bytes.
fn text(value: OsString, name: &str) -> Result<CString, Error> {
    if value.is_empty() {
        return Err(usage(format!("{name} \"\": an empty value")));
    }
    CString::new(value.into_vec()).map_err(|_| usage(format!("{name}: a zero byte")))
}

/// A number of bytes: digits, and k, M or G for 2 to the 10th, 20th, 30th.
fn bytes(value: &OsStr) -> Result<u64, Error> {
    let parse = |text: &str| {
        let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
        let unit = match text.strip_prefix(digits)? {
            "" => 1,
            "k" | "K" => 1 << 10,
            "m" | "M" => 1 << 20,
            "g" | "G" => 1_u64 << 30,
            _ => return None,
        };
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit)
    };
    value.to_str().and_then(parse).filter(|bytes| *bytes > 0).ok_or_else(|| {
        let value = quote(value.as_bytes());
        usage(format!("--max-size {value}: a number of bytes; k, M or G may follow"))
    })
}

/// A size as mount(2) takes it for a tmpfs: digits, and k, m, g or % if need be.
fn tmpfs_size(value: &OsStr) -> Result<String, Error> {
    let parse = |text: &str| {
        let digits = text.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G', '%']);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && text.len() - digits.len() <= 1).then(|| text.to_owned())
    };
    value.to_str().and_then(parse).ok_or_else(|| {
        let value = quote(value.as_bytes());
        usage(format!("--tmpfs {value}: a size is a number; k, M, G or % may follow"))
    })
}

#[cfg(all(test, feature = "roots"))]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        let read = |text: &str| bytes(OsStr::new(text)).ok();
        assert_eq!(read("1"), Some(1));
        assert_eq!(read("3k"), Some(3072));
        assert_eq!(read("2M"), Some(2 << 20));
        assert_eq!(read("4G"), Some(4 << 30));
        for wrong in ["", "0", "k", "-1", "+1", "1.5G", "1T", "1kk", "1 k", "17179869184G"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_gets_behind_the_size_of_a_tmpfs() {
        let read = |text: &str| tmpfs_size(OsStr::new(text)).ok();
        assert_eq!(read("50%").as_deref(), Some("50%"));
        assert_eq!(read("64M").as_deref(), Some("64M"));
        for wrong in ["", "M", "1,mode=777", "1MM", "-1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_target_is_what_follows_on_the_last_colon_before_a_slash() {
        let text = |value: &[u8]| source_and_target(value.to_vec());
        assert_eq!(text(b"/a:/b"), (b"/a".to_vec(), Some(b"/b".to_vec())));
        assert_eq!(text(b"/a:b"), (b"/a:b".to_vec(), None));
        assert_eq!(text(b"/a:/b:/c"), (b"/a:/b".to_vec(), Some(b"/c".to_vec())));
        assert_eq!(text(b":/c"), (b":/c".to_vec(), None));
    }
}

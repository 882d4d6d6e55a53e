//! The command line of `pack`.
use super::Request;
use crate::error::Error;
use crate::root::Pack;
use lexopt::{Arg, Parser};
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use unshared_init::sys::Arguments;

/// Reads the arguments that follow on `pack`.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let words = arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned());
    let mut parser = Parser::from_args(words.collect::<Vec<OsString>>());
    let mut request = Pack { gzip: true, ..Pack::default() };
    let mut root = None;
    while let Some(argument) = parser.next().map_err(explain)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => {
                return Ok(Request::Print(super::help::of("pack")));
            }
            Arg::Short('o') | Arg::Long("output") => {
                request.output = text(&mut parser, "--output")?;
            }
            Arg::Long("exec") => word(&mut request, b"unshared.exec=", &mut parser, "--exec")?,
            Arg::Long("services") => {
                word(&mut request, b"unshared.services=", &mut parser, "--services")?;
            }
            Arg::Long("cmdline") => {
                request.cmdline = text(&mut parser, "--cmdline")?.into_bytes();
            }
            Arg::Long("modules") => {
                let names = text(&mut parser, "--modules")?.into_bytes();
                let names = names.split(|byte| *byte == b',').filter(|name| !name.is_empty());
                request.modules.extend(names.map(<[u8]>::to_vec));
            }
            Arg::Long("kernel") => {
                let release = text(&mut parser, "--kernel")?.into_string();
                request.kernel = Some(release.map_err(|_| usage("--kernel: no text"))?);
            }
            Arg::Long("compress") => {
                request.gzip = match text(&mut parser, "--compress")?.to_bytes() {
                    b"gzip" => true,
                    b"none" => false,
                    _ => return Err(usage("--compress is gzip or none")),
                }
            }
            Arg::Value(word) if root.is_none() => root = Some(word),
            other => return Err(explain(other.unexpected())),
        }
    }
    let root = root.ok_or_else(|| usage("a type of root is needed"))?;
    request.root = CString::new(root.into_vec()).map_err(|_| usage("TYPE: a zero byte"))?;
    if request.output.is_empty() {
        return Err(usage("-o FILE is needed"));
    }
    Ok(Request::Pack(Box::new(request)))
}

/// A word for init, in the image.
fn word(request: &mut Pack, name: &[u8], parser: &mut Parser, option: &str) -> Result<(), Error> {
    if !request.words.is_empty() {
        return Err(usage("--exec and --services: one of them, once"));
    }
    let value = text(parser, option)?.into_bytes();
    if value.contains(&b'\n') {
        return Err(usage(format!("{option}: more than one line")).hint("make it a script"));
    }
    request.words.push([name, &value].concat());
    Ok(())
}

/// A value that is not empty. It comes from argv, so it has no zero bytes.
fn text(parser: &mut Parser, option: &str) -> Result<CString, Error> {
    let value = parser.value().map_err(explain)?.into_vec();
    if value.is_empty() {
        return Err(usage(format!("{option} \"\": an empty value")));
    }
    CString::new(value).map_err(|_| usage(format!("{option}: a zero byte")))
}

fn usage(problem: impl Into<String>) -> Error {
    Error::usage(problem, "pack")
}

fn explain(error: lexopt::Error) -> Error {
    super::explain(error, "pack")
}

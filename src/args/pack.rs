//! The command line of `pack`.
use super::Request;
use super::make_root::one;
use super::values::{Problem, once, text};
use super::words::Words;
use crate::error::Error;
use crate::root::Pack;
use std::ffi::CStr;

/// The options, as [`Words::next`] has them.
pub(super) const OPTIONS: &str = "o|output= exec= services= cmdline= modules= kernel= compress=";

/// `pack`.
pub(super) fn parse(words: &mut Words) -> Result<Request, Error> {
    let mut request = Box::<Pack>::default();
    let (mut root, mut output, mut cmdline, mut gzip) = (None, None, None, None);
    while let Some(option) = words.next(OPTIONS)? {
        if option.is_empty() {
            one(words, &mut root)?;
            continue;
        }
        let value = words.value();
        let taken = match option {
            "output" => once(&mut output, text(value)),
            "cmdline" => once(&mut cmdline, text(value)),
            "compress" => once(&mut gzip, is_gzip(value)),
            _ => take(&mut request, option, value),
        };
        taken.map_err(|problem| match problem {
            LINES => words.wrong(problem).hint("make it a script"),
            _ => words.wrong(problem),
        })?;
    }
    request.root = words.needed(root, "a type of root")?;
    request.output = words.needed(output, "-o FILE")?;
    request.cmdline = cmdline.unwrap_or_default().into_bytes();
    request.gzip = gzip.unwrap_or(true);
    Ok(Request::Pack(request))
}

const LINES: Problem = "more than one line";

fn is_gzip(value: &CStr) -> Result<bool, Problem> {
    match value.to_bytes() {
        b"gzip" => Ok(true),
        b"none" => Ok(false),
        _ => Err("gzip or none"),
    }
}

fn take(request: &mut Pack, option: &str, value: &'static CStr) -> Result<(), Problem> {
    let value = text(value)?;
    match option {
        "modules" => {
            let names = value.to_bytes().split(|byte| *byte == b',');
            request.modules.extend(names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec));
        }
        "kernel" => once(&mut request.kernel, value.into_string().map_err(|_| "no text"))?,
        // A word for init, in the image.
        _ if !request.words.is_empty() => return Err("--exec or --services, one of them, once"),
        _ if value.to_bytes().contains(&b'\n') => return Err(LINES),
        _ => {
            let name =
                if option == "exec" { &b"unshared.exec="[..] } else { b"unshared.services=" };
            request.words.push([name, value.to_bytes()].concat());
        }
    }
    Ok(())
}

//! The command line of `pack`.
use super::Request;
use super::make_root::one;
use super::values::{Problem, text};
use super::words::Words;
use crate::error::Error;
use crate::root::Pack;
use std::ffi::CStr;

/// The options, as [`Words::next`] has them.
pub(super) const OPTIONS: &str = "o|output= exec= services= cmdline= modules= kernel= compress=";

/// `pack`.
pub(super) fn parse(words: &mut Words) -> Result<Request, Error> {
    let mut request = Box::new(Pack { gzip: true, ..Pack::default() });
    let mut root = None;
    while let Some(option) = words.next(OPTIONS)? {
        if option.is_empty() {
            one(words, &mut root)?;
            continue;
        }
        take(&mut request, option, words.value()).map_err(|problem| match problem {
            LINES => words.wrong(problem).hint("make it a script"),
            _ => words.wrong(problem),
        })?;
    }
    request.root = words.needed(root, "a type of root")?;
    if request.output.is_empty() {
        return Err(words.usage("-o FILE is needed"));
    }
    Ok(Request::Pack(request))
}

const LINES: Problem = "more than one line";

fn take(request: &mut Pack, option: &str, value: &'static CStr) -> Result<(), Problem> {
    let value = text(value)?;
    match option {
        "output" => request.output = value,
        "cmdline" => request.cmdline = value.into_bytes(),
        "modules" => {
            let names = value.to_bytes().split(|byte| *byte == b',');
            request.modules.extend(names.filter(|name| !name.is_empty()).map(<[u8]>::to_vec));
        }
        "kernel" => request.kernel = Some(value.into_string().map_err(|_| "no text")?),
        "compress" => {
            request.gzip = match value.to_str() {
                Ok("gzip") => true,
                Ok("none") => false,
                _ => return Err("gzip or none"),
            }
        }
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

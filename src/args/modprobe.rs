//! The command line of `modprobe`, as the kernel has it when it asks for a module.
use super::Request;
use crate::error::Error;
use std::ffi::CStr;
use unshared_init::sys::Arguments;

pub(crate) const HELP: &str = "\
Usage: unshared-cli modprobe [-q] [-a] MODULE...

Loads kernel modules with all that they need, from /lib/modules. MODULE is a
name or an alias (modules.alias). Called as modprobe, it is the same, so that
the kernel finds it where it asks for a module.

  -q, --quiet  no message for a module that there is not
  -a, --all    what is done anyway: each word is a module

Example: unshared-cli modprobe squashfs overlay
";

/// What is wanted of `modprobe`.
#[derive(Default)]
pub(crate) struct Modprobe {
    pub(crate) quiet: bool,
    pub(crate) modules: Vec<&'static CStr>,
}

/// Reads the arguments that follow on the name.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let mut request = Modprobe::default();
    for word in arguments {
        match word.to_bytes() {
            b"-q" | b"--quiet" => request.quiet = true,
            b"-a" | b"--all" | b"--" => {}
            b"-h" | b"--help" => return Ok(Request::Print(HELP)),
            [b'-', ..] => {
                let option = crate::error::quote(word.to_bytes());
                return Err(Error::usage(format!("there is no option {option}"), "modprobe"));
            }
            _ => request.modules.push(word),
        }
    }
    if request.modules.is_empty() {
        return Err(Error::usage("a module is needed", "modprobe"));
    }
    Ok(Request::Modprobe(request))
}

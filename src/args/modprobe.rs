//! The command line of `modprobe`, as the kernel has it when it asks for a module.
use super::{Request, help};
use crate::error::Error;
use std::ffi::CStr;
use unshared_init::sys::Arguments;

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
            b"-h" | b"--help" => return Ok(Request::Print(help::of("modprobe"))),
            [b'-', ..] => {
                return Err(help::no_option("modprobe", &word.to_string_lossy()));
            }
            _ => request.modules.push(word),
        }
    }
    if request.modules.is_empty() {
        return Err(Error::usage("a module is needed", "modprobe"));
    }
    Ok(Request::Modprobe(request))
}

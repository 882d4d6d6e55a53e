//! The command lines of `poweroff`, `reboot` and `halt`.
use super::Request;
use crate::error::Error;
use crate::machine::End;
use unshared_init::sys::Arguments;

pub(crate) const HELP: &str = "\
Usage: unshared-cli poweroff|reboot|halt [-f]

Asks the machine's init, PID 1, to end everything and then the machine. Called
as poweroff, reboot or halt, it is the same.

  -f, --force  no word to init: write what is to be written, and end at once

Example: unshared-cli poweroff
";

/// Reads the arguments that follow on the name.
pub(crate) fn parse(end: End, arguments: Arguments) -> Result<Request, Error> {
    let mut force = false;
    for word in arguments {
        match word.to_bytes() {
            b"-f" | b"--force" => force = true,
            b"-h" | b"--help" => return Ok(Request::Print(HELP)),
            other => {
                let problem = format!("{} takes no {}", end.name(), crate::error::quote(other));
                return Err(Error::usage(problem, end.name()));
            }
        }
    }
    Ok(Request::End(end, force))
}

//! The command lines of `poweroff`, `reboot` and `halt`.
use super::Request;
use crate::error::Error;
use crate::machine::End;
use unshared_init::sys::Arguments;

/// Reads the arguments that follow on the name.
pub(crate) fn parse(end: End, arguments: Arguments) -> Result<Request, Error> {
    let mut force = false;
    for word in arguments {
        match word.to_bytes() {
            b"-f" | b"--force" => force = true,
            b"-h" | b"--help" => return Ok(Request::Print(super::help::of("poweroff"))),
            other => {
                let problem = format!("{} takes no {}", end.name(), crate::error::quote(other));
                return Err(Error::usage(problem, end.name()));
            }
        }
    }
    Ok(Request::End(end, force))
}

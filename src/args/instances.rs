//! The command lines of the commands for named instances.
use super::Request;
use crate::error::{Error, quote};
use crate::instances::Instances;
use unshared_init::sys::Arguments;

pub(crate) const GC_HELP: &str = "\
Usage: unshared-cli gc

Ends the instances whose launcher was killed, takes away what they left, runs
their postexec hooks, removes the records of those that have ended, and prints
the names of those that had a launcher killed.

Example: unshared-cli gc
";

/// `gc`.
pub(crate) fn parse_gc(arguments: Arguments) -> Result<Request, Error> {
    match arguments.first().map(|word| word.to_bytes()) {
        None => Ok(Request::Instances(Instances::Collect)),
        Some(b"--help" | b"-h") => Ok(Request::Print(GC_HELP)),
        Some(word) => Err(Error::usage(format!("gc takes no {}", quote(word)), "gc")),
    }
}

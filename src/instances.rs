//! The commands for named instances, each in its own file.
use crate::error::Error;

mod collect;

/// A command for named instances.
pub(crate) enum Instances {
    /// End and heal what killed launchers left.
    Collect,
}

/// Does it, and returns the exit status.
pub(crate) fn run(command: &Instances) -> Result<u8, Error> {
    match command {
        Instances::Collect => collect::run(),
    }
}

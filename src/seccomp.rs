//! seccomp(2): which system calls the payload may make. A filter is a program of classic BPF: our own
//! default profile, or one that somebody has compiled.
use crate::error::{Error, quote};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

mod assembler;
#[cfg(feature = "seccomp")]
mod profile;
#[cfg(all(test, feature = "seccomp"))]
mod tests;

pub(crate) use assembler::Instruction;
#[cfg(feature = "seccomp")]
pub(crate) use profile::default;

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seccomp {
    /// No filter.
    None,
    /// Our own profile.
    #[cfg(feature = "seccomp")]
    Default,
    /// The compiled filter in that file.
    #[cfg(feature = "seccomp")]
    File(CString),
}

impl Seccomp {
    /// The value of `--seccomp`.
    #[cfg(feature = "seccomp")]
    pub(crate) fn parse(value: CString) -> Seccomp {
        match value.to_str().unwrap_or_default() {
            "none" => Seccomp::None,
            "default" => Seccomp::Default,
            _ => Seccomp::File(value),
        }
    }
}

/// BPF_MAXINSNS: the kernel takes no longer program.
const LONGEST: usize = 4096;

/// Reads a compiled filter: an array of `struct sock_filter`, as it lies in memory.
#[cold]
#[inline(never)]
pub(crate) fn read(path: &CStr) -> Result<Vec<Instruction>, Error> {
    let attempt = || format!("--seccomp {}", quote(path.to_bytes()));
    let bytes = read_bytes(path).map_err(|errno| Error::system(attempt(), errno))?;
    parse(&bytes).map_err(|problem| Error::plain(format!("{}: {problem}", attempt())))
}

/// A file's bytes, up to one more than a filter may have.
fn read_bytes(path: &CStr) -> Result<Vec<u8>, Errno> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = vec![0; LONGEST * Instruction::SIZE + 1];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(&file, rest) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// The instructions in a file. Whether they are a program is for the kernel to say.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Instruction>, String> {
    if bytes.len() > LONGEST * Instruction::SIZE {
        return Err(format!("it has more than {LONGEST} instructions"));
    }
    let (instructions, rest) = bytes.as_chunks::<{ Instruction::SIZE }>();
    if instructions.is_empty() || !rest.is_empty() {
        return Err(format!(
            "{} bytes are no compiled filter: an instruction has {}",
            bytes.len(),
            Instruction::SIZE
        ));
    }
    Ok(instructions.iter().map(|bytes| Instruction::parse(*bytes)).collect())
}

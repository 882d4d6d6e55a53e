//! Executing a command as execvp(3) does, and saying why it could not be executed.
//!
//! execve(2) says ENOENT for a program that is there but whose interpreter is not, EACCES for a
//! directory, and ENOEXEC for a script without `#!` as well as for a program of another machine.
//! [`execute`] tells them apart by looking.
use crate::sys::{Arguments, Environment};
use core::ffi::CStr;
use rustix::fs::{Access, CWD, FileType, StatVfsMountFlags};
use rustix::io::Errno;

mod image;

/// A short text, built without allocation; what does not fit is cut off.
pub type Text = heapless::Vec<u8, 512>;

/// The longest path that the kernel takes, its ending zero byte included (PATH_MAX).
const PATH_MAX: usize = 4096;

/// Where commands are looked for when PATH is not set.
pub const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The shell that runs expressions, and scripts without `#!`.
pub const SHELL: &CStr = c"/bin/sh";

/// Why a command could not be executed.
#[derive(Debug)]
pub struct Failure {
    /// What execve(2) said.
    pub errno: Errno,
    /// The exit status that says so, as shells have it: 127 not found, 126 found but of no use.
    pub code: u8,
    /// The cause, where looking found one; empty otherwise.
    pub reason: Text,
}

/// The status for a command that is not there.
pub const NOT_FOUND: u8 = 127;
/// The status for a command that is there and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;

impl Failure {
    fn new(errno: Errno, code: u8, reason: &[&[u8]]) -> Failure {
        let mut text = Text::new();
        for part in reason {
            add(&mut text, part);
        }
        Failure { errno, code, reason: text }
    }
}

/// Adds as much of `part` as fits.
fn add(text: &mut Text, part: &[u8]) {
    for byte in part {
        if text.push(*byte).is_err() {
            return;
        }
    }
}

/// Says all that could be wrong with a file.
#[cfg(fuzzing)]
pub(crate) fn fuzz(path: &CStr) {
    let _ = image::is_text(path);
    for say in [image::missing_interpreter, image::refused, image::wrong_format] {
        let _ = say(path);
    }
}

/// Executes the command that is the first of the arguments. A name without `/` is looked for in the
/// PATH of the new environment. Returns only on failure.
pub fn execute(arguments: Arguments, environment: Environment) -> Failure {
    let Some(command) = arguments.first() else {
        return Failure::new(Errno::NOENT, NOT_FOUND, &[b"no command"]);
    };
    let name = command.to_bytes();
    if name.is_empty() {
        return Failure::new(Errno::NOENT, NOT_FOUND, &[b"an empty name"]);
    }
    if name.contains(&b'/') {
        let errno = attempt(command, arguments, environment);
        return explain(command, errno);
    }
    let path = environment.get(b"PATH").unwrap_or(DEFAULT_PATH);
    match search(path, name, |candidate| attempt(candidate, arguments, environment)) {
        Some(failure) => failure,
        None => Failure::new(Errno::NOENT, NOT_FOUND, &[b"not found in PATH ", path]),
    }
}

/// Tries one file; a script without `#!` is run by the shell.
fn attempt(path: &CStr, arguments: Arguments, environment: Environment) -> Errno {
    let errno = arguments.execute(path, environment);
    if errno == Errno::NOEXEC && image::is_text(path) {
        return arguments.execute_by(SHELL, path, environment);
    }
    errno
}

/// Tries every directory of PATH. As execvp(3) has it, a file that may not be executed does not end
/// the search, but is the reason if nothing better turns up.
///
/// On its own, so that its buffer is no part of the stack of those who execute a path.
#[inline(never)]
fn search(path: &[u8], name: &[u8], mut attempt: impl FnMut(&CStr) -> Errno) -> Option<Failure> {
    let mut first_found = None;
    for directory in path.split(|byte| *byte == b':') {
        let mut buffer = heapless::Vec::<u8, PATH_MAX>::new();
        let directory = if directory.is_empty() { b"." } else { directory };
        let fits = [directory, b"/", name, b"\0"]
            .iter()
            .all(|part| buffer.extend_from_slice(part).is_ok());
        let Ok(candidate) = CStr::from_bytes_with_nul(&buffer) else {
            continue;
        };
        if !fits {
            continue;
        }
        let errno = attempt(candidate);
        let passed_over =
            matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::NAMETOOLONG);
        if !passed_over {
            return Some(explain(candidate, errno));
        }
        if first_found.is_none() && exists(candidate) {
            first_found = Some(explain(candidate, errno));
        }
    }
    first_found
}

/// Whether there is a directory entry of that name, be it a link that leads nowhere.
fn exists(path: &CStr) -> bool {
    rustix::fs::lstat(path).is_ok()
}

fn is_on_noexec(path: &CStr) -> bool {
    let flags = rustix::fs::statvfs(path).map(|filesystem| filesystem.f_flag);
    flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::NOEXEC))
}

/// Looks at the file for what execve(2) may have meant.
#[inline(never)]
#[must_use]
pub fn explain(path: &CStr, errno: Errno) -> Failure {
    let name = path.to_bytes();
    let status = match rustix::fs::stat(path) {
        Ok(status) => status,
        Err(_) => return explain_missing(path, errno),
    };
    if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
        return Failure::new(errno, NOT_EXECUTABLE, &[name, b" is a directory"]);
    }
    match errno {
        Errno::NOENT => image::missing_interpreter(path),
        Errno::NOEXEC => image::wrong_format(path),
        Errno::ACCESS if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile => {
            Failure::new(errno, NOT_EXECUTABLE, &[name, b" is no regular file"])
        }
        Errno::ACCESS if status.st_mode & 0o111 == 0 => {
            Failure::new(errno, NOT_EXECUTABLE, &[name, b" has no execute permission"])
        }
        Errno::ACCESS if is_on_noexec(path) => {
            Failure::new(errno, NOT_EXECUTABLE, &[name, b" is on a filesystem mounted noexec"])
        }
        Errno::ACCESS if rustix::fs::access(path, Access::EXEC_OK).is_ok() => image::refused(path),
        Errno::ACCESS => {
            Failure::new(errno, NOT_EXECUTABLE, &[name, b" may not be executed by this user"])
        }
        Errno::TXTBSY => {
            Failure::new(errno, NOT_EXECUTABLE, &[name, b" is open for writing somewhere"])
        }
        Errno::LOOP => {
            let reason = b" leads from one interpreter to the next, without an end";
            Failure::new(errno, NOT_EXECUTABLE, &[name, reason])
        }
        _ => Failure::new(errno, NOT_EXECUTABLE, &[name]),
    }
}

/// There is no such file, or it cannot be reached.
fn explain_missing(path: &CStr, errno: Errno) -> Failure {
    let name = path.to_bytes();
    let code =
        if errno == Errno::NOENT || errno == Errno::NOTDIR { NOT_FOUND } else { NOT_EXECUTABLE };
    let mut target = [0_u8; 256];
    match rustix::fs::readlinkat_raw(CWD, path, &mut target[..]) {
        Ok(length) if errno == Errno::NOENT => {
            let target = target.get(..length).unwrap_or(&[]);
            Failure::new(errno, code, &[name, b" is a link to ", target, b", which is not there"])
        }
        Ok(_) | Err(_) => Failure::new(errno, code, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(path: &[u8], answer: Errno) -> (Vec<String>, Option<Failure>) {
        let mut seen = Vec::new();
        let failure = search(path, b"no-such-name-anywhere", |candidate| {
            seen.push(candidate.to_str().unwrap().to_owned());
            answer
        });
        (seen, failure)
    }

    #[test]
    fn every_directory_of_path_is_tried_and_an_empty_one_is_the_current() {
        let (seen, failure) = tried(b"/a::/b", Errno::NOENT);
        assert_eq!(
            seen,
            ["/a/no-such-name-anywhere", "./no-such-name-anywhere", "/b/no-such-name-anywhere"]
        );
        assert!(failure.is_none());
    }

    #[test]
    fn an_error_of_another_kind_ends_the_search() {
        let (seen, failure) = tried(b"/a:/b", Errno::TOOBIG);
        assert_eq!(seen.len(), 1);
        assert_eq!(failure.unwrap().errno, Errno::TOOBIG);
    }

    #[test]
    fn a_directory_too_long_for_a_path_is_passed_over() {
        let long = [b"/".as_slice(), &[b'x'; 5000], b":/b"].concat();
        let (seen, _) = tried(&long, Errno::NOENT);
        assert_eq!(seen, ["/b/no-such-name-anywhere"]);
    }

    #[test]
    fn a_text_is_cut_where_it_ends() {
        let failure = Failure::new(Errno::NOENT, 127, &[&[b'a'; 500], &[b'b'; 500]]);
        assert_eq!(failure.reason.len(), 512);
    }
}

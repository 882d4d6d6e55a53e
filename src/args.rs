//! From words to what is to be done: typed text only, no system call.
use crate::error::Error;
use crate::root::MakeRoot;
use crate::spec::Spec;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

pub(crate) mod make_root;
pub(crate) mod spawn;

/// What the command line asks for.
pub(crate) enum Request {
    /// Run a command in new namespaces.
    Spawn(Box<Spec>),
    /// Be the reaper called by that name, with these arguments.
    Init(&'static [u8], Arguments),
    /// Print the path of that root.
    GetRoot(CString),
    /// Make a root.
    MakeRoot(Box<MakeRoot>),
    /// Print this text.
    Print(&'static str),
}

const HELP: &str = "\
Usage: unshared-cli COMMAND ...

Runs processes in Linux namespaces of their own.

  spawn [OPTION]... [--] COMMAND [ARGUMENT]...  run COMMAND in new namespaces
  init [OPTION]... [--] COMMAND [ARGUMENT]...   run COMMAND as PID 1 should
  make-root TYPE [OPTION]...                    make a root from an image
  get-root TYPE                                 print the path of a root
  help [COMMAND]                                explain all, or one command
  --version                                     name and version

Called as init, unshared-init, tini or dumb-init, it is init.

Example: unshared-cli spawn --pid --user -- sh -c 'id; ps ax'
";

/// Name, version, and where there is one the git revision (build.rs).
const VERSION: &str = concat!("unshared-cli ", env!("UNSHARED_VERSION"), "\n");

/// Reads the whole command line, the program's name first.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Request, Error> {
    let program = arguments.next().map_or(&[][..], |name| name.to_bytes());
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
    if matches!(name, b"init" | b"unshared-init" | b"tini" | b"dumb-init") {
        return Ok(Request::Init(name, arguments));
    }
    let Some(command) = arguments.next() else {
        return Ok(Request::Print(HELP));
    };
    match command.to_bytes() {
        b"spawn" => spawn::parse(arguments),
        b"init" => Ok(Request::Init(b"init", arguments)),
        b"make-root" => make_root::parse(arguments),
        b"get-root" => make_root::parse_get(arguments),
        b"help" => help(arguments),
        b"--help" | b"-h" => Ok(Request::Print(HELP)),
        b"--version" | b"-V" => Ok(Request::Print(VERSION)),
        other => Err(unknown_command(other)),
    }
}

fn help(mut arguments: Arguments) -> Result<Request, Error> {
    let Some(topic) = arguments.next() else {
        return Ok(Request::Print(HELP));
    };
    match topic.to_bytes() {
        b"spawn" => Ok(Request::Print(spawn::HELP)),
        b"init" => Ok(Request::Print(unshared_init::command_line::HELP)),
        b"make-root" => Ok(Request::Print(make_root::HELP)),
        b"get-root" => Ok(Request::Print(make_root::GET_HELP)),
        b"help" => Ok(Request::Print(HELP)),
        other => Err(unknown_command(other)),
    }
}

fn unknown_command(word: &[u8]) -> Error {
    let word = crate::error::quote(OsStr::from_bytes(word).as_bytes());
    Error::usage(format!("there is no command {word}"), "")
}

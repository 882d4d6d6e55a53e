//! From words to what is to be done: typed text only, no system call.
use crate::error::Error;
use crate::root::MakeRoot;
use crate::spec::Spec;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

pub(crate) mod make_root;
pub(crate) mod spawn;

/// What the command line asks for.
pub(crate) enum Request {
    /// Run a command in new namespaces.
    Spawn(Box<Spec>),
    /// Make a root.
    MakeRoot(Box<MakeRoot>),
    /// Be the reaper called by that name, with these arguments.
    Init(&'static [u8], Arguments),
    /// Print this text.
    Print(&'static str),
}

const HELP: &str = "\
Usage: unshared-cli COMMAND ...

Runs processes in Linux namespaces of their own.

  spawn [OPTION]... [--] COMMAND [ARGUMENT]...  run COMMAND in new namespaces
  init [OPTION]... [--] COMMAND [ARGUMENT]...   run COMMAND as PID 1 should
  make-root TYPE [OPTION]...                    make a directory to run in
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
        b"make-root" => make_root::parse(arguments),
        b"init" => Ok(Request::Init(b"init", arguments)),
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
        b"make-root" => Ok(Request::Print(make_root::HELP)),
        b"init" => Ok(Request::Print(unshared_init::command_line::HELP)),
        b"help" => Ok(Request::Print(HELP)),
        other => Err(unknown_command(other)),
    }
}

fn unknown_command(word: &[u8]) -> Error {
    let word = crate::error::quote(OsStr::from_bytes(word).as_bytes());
    Error::usage(format!("there is no command {word}"), "")
}

/// What lexopt found wrong on the command line of `command`, in our words.
#[inline(never)]
fn explain(error: lexopt::Error, command: &str) -> Error {
    use lexopt::Error as Lex;
    let problem = match error {
        Lex::MissingValue { option: Some(option) } => format!("{option} needs a value"),
        Lex::UnexpectedOption(option) => {
            format!("there is no option {}", crate::error::quote(option))
        }
        Lex::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        other => crate::error::escape(other.to_string()),
    };
    Error::usage(problem, command)
}

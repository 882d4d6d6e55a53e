//! From words to what is to be done: typed text only, no system call.
use crate::error::Error;
use crate::instances::Instances;
use crate::machine::End;
use crate::machine::services::command::Service;
use crate::network::netns;
use crate::root::{MakeRoot, Pack};
use crate::spec::Spec;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

pub(crate) mod end;
pub(crate) mod instances;
pub(crate) mod make_root;
pub(crate) mod modprobe;
mod network;
pub(crate) mod pack;
pub(crate) mod service;
pub(crate) mod spawn;

/// What the command line asks for.
pub(crate) enum Request {
    /// Run a command in new namespaces.
    Spawn(Box<Spec>),
    /// Make a root.
    MakeRoot(Box<MakeRoot>),
    /// Look at or change named instances.
    Instances(Instances),
    /// Be the reaper called by that name, with these arguments.
    Init(&'static [u8], Arguments),
    /// Run a command, and then a shell expression whatever became of it.
    Forkn(Arguments),
    /// Command what watches over services.
    Service(Service),
    /// Write a root as an initramfs.
    Pack(Box<Pack>),
    /// Load kernel modules.
    Modprobe(modprobe::Modprobe),
    /// End the machine; by force, without asking its init.
    End(End, bool),
    /// Say what works here.
    Doctor { json: bool },
    /// Print the path of that root.
    GetRoot(CString),
    /// Make or remove a named network namespace.
    Netns(netns::Request),
    /// Print this text.
    Print(&'static str),
}

const HELP: &str = "\
Usage: unshared-cli COMMAND ...

Runs processes in Linux namespaces of their own.

  spawn [OPTION]... [--] COMMAND [ARGUMENT]...  run COMMAND in new namespaces
  init [OPTION]... [--] COMMAND [ARGUMENT]...   run COMMAND as PID 1 should
  service COMMAND SERVICE...                    command services, as sv does
  forkn CLEANUP COMMAND [ARGUMENT]...           run COMMAND, then CLEANUP
  initnetns BRIDGE NAME ADDRESS/PREFIX          make a network namespace
  destroynetns BRIDGE NAME                      remove it, and what is in it
  exec NAME [OPTION]... [--] COMMAND...         run COMMAND in an instance too
  list, inspect NAME                            what instances there are
  signal NAME SIGNAL, stop NAME, wait NAME      what becomes of one
  logs NAME                                     what it has written
  link NAME NAME                                connect two of them
  gc                                            heal what killed launchers left
  make-root TYPE [OPTION]...                    make a root, or add to one
  get-root TYPE                                 print the path of a root
  pack TYPE -o FILE [OPTION]...                 write a root as an initramfs
  poweroff, reboot, halt                        end the machine
  doctor                                        what works here, and what not
  modprobe MODULE...                            load kernel modules
  help [COMMAND]                                explain all, or one command
  --version                                     name and version

Called as init, unshared-init, tini or dumb-init, it is init; as PID 1 of a
machine, the machine's.

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
    match name {
        b"forkn" => return forkn(arguments),
        b"initnetns" => return network::parse_init(arguments),
        b"destroynetns" => return network::parse_destroy(arguments),
        b"modprobe" => return modprobe::parse(arguments),
        _ => {}
    }
    if let Some(end) = End::parse(name) {
        return end::parse(end, arguments);
    }
    let Some(command) = arguments.next() else {
        return Ok(Request::Print(HELP));
    };
    match command.to_bytes() {
        b"spawn" => spawn::parse(arguments),
        b"make-root" => make_root::parse(arguments),
        b"init" => Ok(Request::Init(b"init", arguments)),
        b"forkn" => forkn(arguments),
        b"doctor" => doctor(arguments),
        b"service" => service::parse(arguments),
        b"initnetns" => network::parse_init(arguments),
        b"destroynetns" => network::parse_destroy(arguments),
        b"list" => instances::parse_list(arguments),
        b"inspect" => instances::parse_inspect(arguments),
        b"signal" => instances::parse_signal(arguments),
        b"stop" => instances::parse_stop(arguments),
        b"wait" => instances::parse_wait(arguments),
        b"link" => instances::parse_link(arguments),
        b"exec" | b"attach" => instances::parse_exec(arguments),
        b"logs" => instances::parse_logs(arguments),
        b"gc" => instances::parse_gc(arguments),
        b"get-root" => make_root::parse_get(arguments),
        b"pack" => pack::parse(arguments),
        b"modprobe" => modprobe::parse(arguments),
        b"help" => help(arguments),
        b"--help" | b"-h" => Ok(Request::Print(HELP)),
        b"--version" | b"-V" => Ok(Request::Print(VERSION)),
        other => match End::parse(other) {
            Some(end) => end::parse(end, arguments),
            None => Err(unknown_command(other)),
        },
    }
}

const FORKN_HELP: &str = "\
Usage: unshared-cli forkn CLEANUP COMMAND [ARGUMENT]...

Runs COMMAND, then CLEANUP in a shell whatever became of COMMAND, and ends with
COMMAND's exit status. Called as forkn, it is the same.

Example: unshared-cli forkn 'rm -r work' make -C work
";

/// `CLEANUP COMMAND ARGUMENT...`; there are no options, so that any word may stand for CLEANUP.
fn forkn(arguments: Arguments) -> Result<Request, Error> {
    match arguments.first().map(|word| word.to_bytes()) {
        Some(b"--help" | b"-h") => Ok(Request::Print(FORKN_HELP)),
        Some(_) if arguments.rest().first().is_some() => Ok(Request::Forkn(arguments)),
        Some(_) => Err(Error::usage("no command behind CLEANUP", "forkn")),
        None => Err(Error::usage("CLEANUP and a command are needed", "forkn")),
    }
}

const DOCTOR_HELP: &str = "\
Usage: unshared-cli doctor [--json]

Tries for real what this kernel and this host allow you, and says what works,
what does not, why, and what to do. Ends with 0 where spawn --all works, else
with 1.

Example: unshared-cli doctor
";

fn doctor(mut arguments: Arguments) -> Result<Request, Error> {
    let json = match arguments.next().map(|word| word.to_bytes()) {
        None => return Ok(Request::Doctor { json: false }),
        Some(b"--help" | b"-h") => return Ok(Request::Print(DOCTOR_HELP)),
        Some(b"--json") => true,
        Some(_) => false,
    };
    if json && arguments.next().is_none() {
        return Ok(Request::Doctor { json });
    }
    Err(Error::usage("doctor takes --json, or nothing", "doctor"))
}

fn help(mut arguments: Arguments) -> Result<Request, Error> {
    let Some(topic) = arguments.next() else {
        return Ok(Request::Print(HELP));
    };
    match topic.to_bytes() {
        b"spawn" => Ok(Request::Print(spawn::HELP)),
        b"make-root" => Ok(Request::Print(make_root::HELP)),
        b"init" => Ok(Request::Print(unshared_init::command_line::HELP)),
        b"forkn" => Ok(Request::Print(FORKN_HELP)),
        b"doctor" => Ok(Request::Print(DOCTOR_HELP)),
        b"service" => Ok(Request::Print(service::HELP)),
        b"initnetns" => Ok(Request::Print(network::INIT_HELP)),
        b"destroynetns" => Ok(Request::Print(network::DESTROY_HELP)),
        b"list" => Ok(Request::Print(instances::LIST_HELP)),
        b"inspect" => Ok(Request::Print(instances::INSPECT_HELP)),
        b"signal" => Ok(Request::Print(instances::SIGNAL_HELP)),
        b"stop" => Ok(Request::Print(instances::STOP_HELP)),
        b"wait" => Ok(Request::Print(instances::WAIT_HELP)),
        b"link" => Ok(Request::Print(instances::LINK_HELP)),
        b"exec" | b"attach" => Ok(Request::Print(instances::EXEC_HELP)),
        b"logs" => Ok(Request::Print(instances::LOGS_HELP)),
        b"gc" => Ok(Request::Print(instances::GC_HELP)),
        b"get-root" => Ok(Request::Print(make_root::GET_HELP)),
        b"help" => Ok(Request::Print(HELP)),
        b"pack" => Ok(Request::Print(pack::HELP)),
        b"modprobe" => Ok(Request::Print(modprobe::HELP)),
        b"poweroff" | b"reboot" | b"halt" => Ok(Request::Print(end::HELP)),
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

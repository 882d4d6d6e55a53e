//! From words to what is to be done: typed text only, no system call.
use crate::error::Error;
use crate::instances::Instances;
#[cfg(feature = "machine")]
use crate::machine::End;
#[cfg(feature = "network")]
use crate::network::netns;
#[cfg(feature = "roots")]
use crate::root::MakeRoot;
#[cfg(feature = "machine")]
use crate::root::Pack;
#[cfg(feature = "services")]
use crate::services::command::Service;
use crate::spec::Spec;
use std::ffi::{CStr, CString};
use unshared_init::sys::Arguments;

mod config;
#[cfg(feature = "machine")]
pub(crate) mod end;
mod help;
pub(crate) mod instances;
pub(crate) mod make_root;
#[cfg(feature = "machine")]
pub(crate) mod modprobe;
#[cfg(feature = "network")]
mod network;
#[cfg(feature = "machine")]
pub(crate) mod pack;
#[cfg(feature = "services")]
pub(crate) mod service;
pub(crate) mod spawn;

/// What the command line asks for.
pub(crate) enum Request {
    /// Run a command in new namespaces.
    Spawn(Box<Spec>),
    /// Make a root.
    #[cfg(feature = "roots")]
    MakeRoot(Box<MakeRoot>),
    /// Look at or change named instances.
    Instances(Instances),
    /// Be the reaper called by that name, with these arguments.
    Init(&'static [u8], Arguments),
    /// Run a command, and then a shell expression whatever became of it.
    Forkn(Arguments),
    /// Command what watches over services.
    #[cfg(feature = "services")]
    Service(Service),
    /// Write a root as an initramfs.
    #[cfg(feature = "machine")]
    Pack(Box<Pack>),
    /// Load kernel modules.
    #[cfg(feature = "machine")]
    Modprobe(modprobe::Modprobe),
    /// End the machine; by force, without asking its init.
    #[cfg(feature = "machine")]
    End(End, bool),
    /// Say what works here.
    Doctor { json: bool },
    /// Print the path of that root.
    GetRoot(CString),
    /// Make or remove a named network namespace.
    #[cfg(feature = "network")]
    Netns(netns::Request),
    /// Print what `--config` would read.
    Dump(Vec<u8>),
    /// Print this text.
    Print(String),
}

/// Name, version, and where there is one the git revision (build.rs).
const VERSION: &str = concat!("unshared-cli ", env!("UNSHARED_VERSION"), "\n");

/// Reads a file of options.
#[cfg(fuzzing)]
pub(crate) fn fuzz_config(text: &[u8]) {
    config::fuzz(text);
}

/// Reads the whole command line, the program's name first.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Request, Error> {
    let program = arguments.next().map_or(&[][..], |name| name.to_bytes());
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
    if matches!(name, b"init" | b"unshared-init" | b"tini" | b"dumb-init") {
        return Ok(Request::Init(name, arguments));
    }
    match name {
        b"forkn" => return forkn(arguments),
        #[cfg(feature = "network")]
        b"initnetns" => return network::parse_init(arguments),
        #[cfg(feature = "network")]
        b"destroynetns" => return network::parse_destroy(arguments),
        #[cfg(feature = "machine")]
        b"modprobe" => return modprobe::parse(arguments),
        _ => {}
    }
    #[cfg(feature = "machine")]
    if let Some(end) = End::parse(name) {
        return end::parse(end, arguments);
    }
    let Some(command) = arguments.next() else {
        return Ok(Request::Print(help::of("")));
    };
    match command.to_bytes() {
        b"spawn" => spawn::parse(arguments),
        other => parse_other(other, arguments),
    }
}

/// The words of a command that is not a launch: apart, as `run_other` is.
#[cold]
#[inline(never)]
fn parse_other(command: &[u8], arguments: Arguments) -> Result<Request, Error> {
    match command {
        #[cfg(feature = "roots")]
        b"make-root" => make_root::parse(arguments),
        b"init" => Ok(Request::Init(b"init", arguments)),
        b"forkn" => forkn(arguments),
        b"doctor" => doctor(arguments),
        #[cfg(feature = "services")]
        b"service" => service::parse(arguments),
        #[cfg(feature = "network")]
        b"initnetns" => network::parse_init(arguments),
        #[cfg(feature = "network")]
        b"destroynetns" => network::parse_destroy(arguments),
        b"list" => instances::parse_list(arguments),
        b"inspect" => instances::parse_inspect(arguments),
        b"signal" => instances::parse_signal(arguments),
        b"stop" => instances::parse_stop(arguments),
        b"wait" => instances::parse_wait(arguments),
        #[cfg(feature = "network")]
        b"link" => instances::parse_link(arguments),
        b"exec" | b"attach" => instances::parse_exec(arguments),
        b"logs" => instances::parse_logs(arguments),
        b"gc" => instances::parse_gc(arguments),
        b"get-root" => make_root::parse_get(arguments),
        #[cfg(feature = "machine")]
        b"pack" => pack::parse(arguments),
        #[cfg(feature = "machine")]
        b"modprobe" => modprobe::parse(arguments),
        b"help" => help(arguments),
        b"--help" | b"-h" => Ok(Request::Print(help::of(""))),
        b"--version" | b"-V" => Ok(Request::Print(VERSION.to_owned())),
        #[cfg(feature = "machine")]
        b"poweroff" => end::parse(End::PowerOff, arguments),
        #[cfg(feature = "machine")]
        b"reboot" => end::parse(End::Reboot, arguments),
        #[cfg(feature = "machine")]
        b"halt" => end::parse(End::Halt, arguments),
        other => Err(help::no_command(other)),
    }
}

/// `CLEANUP COMMAND ARGUMENT...`; there are no options, so that any word may stand for CLEANUP.
fn forkn(arguments: Arguments) -> Result<Request, Error> {
    match arguments.first().map(|word| word.to_bytes()) {
        Some(b"--help" | b"-h") => Ok(Request::Print(help::of("forkn"))),
        Some(_) if arguments.rest().first().is_some() => Ok(Request::Forkn(arguments)),
        Some(_) => Err(Error::usage("no command behind CLEANUP", "forkn")),
        None => Err(Error::usage("CLEANUP and a command are needed", "forkn")),
    }
}

fn doctor(mut arguments: Arguments) -> Result<Request, Error> {
    let json = match arguments.next().map(|word| word.to_bytes()) {
        None => return Ok(Request::Doctor { json: false }),
        Some(b"--help" | b"-h") => return Ok(Request::Print(help::of("doctor"))),
        Some(b"--json") => true,
        Some(_) => false,
    };
    if json && arguments.next().is_none() {
        return Ok(Request::Doctor { json });
    }
    Err(Error::usage("doctor takes --json, or nothing", "doctor"))
}

/// `COMMAND TOPIC`, both or the second left out.
fn help(mut arguments: Arguments) -> Result<Request, Error> {
    let command = arguments.next().map_or(&[][..], CStr::to_bytes);
    let topic = arguments.next().map_or(&[][..], CStr::to_bytes);
    let (Ok(command_text), Ok(topic_text)) = (str::from_utf8(command), str::from_utf8(topic))
    else {
        return Err(help::no_command(command));
    };
    if let Some(text) = help::text(command_text, topic_text) {
        return Ok(Request::Print(text));
    }
    Err(match help::text(command_text, "") {
        Some(_) => help::no_topic(command_text, topic),
        None => help::no_command(command),
    })
}

/// What lexopt found wrong on the command line of `command`, in our words.
#[inline(never)]
fn explain(error: lexopt::Error, command: &str) -> Error {
    use lexopt::Error as Lex;
    let problem = match error {
        Lex::MissingValue { option: Some(option) } => format!("{option} needs a value"),
        Lex::UnexpectedOption(option) => return help::no_option(command, &option),
        Lex::UnexpectedValue { option, .. } => format!("{option} takes no value"),
        other => crate::error::escape(other.to_string()),
    };
    Error::usage(problem, command)
}

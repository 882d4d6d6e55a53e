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
use words::Words;

mod config;
mod help;
mod instances;
#[cfg(feature = "machine")]
pub(crate) mod machine;
mod make_root;
#[cfg(feature = "network")]
mod network;
mod options;
#[cfg(feature = "machine")]
mod pack;
#[cfg(feature = "services")]
mod service;
pub(crate) mod spawn;
mod values;
mod words;

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
    Modprobe(machine::Modprobe),
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
    if is_init(name) {
        return Ok(Request::Init(name, arguments));
    }
    if let Some(command) = LINKS.split(' ').find(|link| link.as_bytes() == name) {
        return parse_other(command.as_bytes(), arguments);
    }
    let Some(command) = arguments.next() else {
        return Ok(Request::Print(help::of("")));
    };
    match command.to_bytes() {
        b"spawn" => spawn::parse(arguments),
        other => parse_other(other, arguments),
    }
}

/// The options of `doctor`, as [`Words::next`] has them.
const DOCTOR: &str = "json";

/// Whether it is init that is called so.
fn is_init(name: &[u8]) -> bool {
    matches!(name, b"init" | b"unshared-init" | b"tini" | b"dumb-init")
}

/// The commands that are also called by their names alone.
const LINKS: &str = "forkn initnetns destroynetns modprobe poweroff reboot halt";

/// The words of a command that is not a launch: apart, as `run_other` is.
#[cold]
#[inline(never)]
fn parse_other(command: &[u8], arguments: Arguments) -> Result<Request, Error> {
    let mut words = Words::new(help::command(command), arguments);
    let request = match words.command {
        "init" => Ok(Request::Init(b"init", arguments)),
        "forkn" => forkn(arguments),
        "help" => help(&words, arguments),
        #[cfg(feature = "roots")]
        "make-root" => make_root::make(&mut words),
        "get-root" => make_root::get(&mut words),
        "doctor" => doctor(&mut words),
        #[cfg(feature = "services")]
        "service" => service::parse(&mut words),
        #[cfg(feature = "network")]
        "initnetns" => network::init(&mut words),
        #[cfg(feature = "network")]
        "destroynetns" => network::destroy(&mut words),
        #[cfg(feature = "machine")]
        "pack" => pack::parse(&mut words),
        #[cfg(feature = "machine")]
        "modprobe" => machine::modprobe(&mut words),
        #[cfg(feature = "machine")]
        "poweroff" | "reboot" | "halt" => machine::end(&mut words),
        "list" | "inspect" | "signal" | "stop" | "wait" | "exec" | "attach" | "logs" | "gc"
        | "link" => instances::parse(&mut words),
        _ => match command {
            b"--help" | b"-h" => words.none().map(|()| Request::Print(help::of(""))),
            b"--version" | b"-V" => words.none().map(|()| Request::Print(VERSION.to_owned())),
            other => Err(help::no_command(other)),
        },
    };
    if words.wants_help { Ok(Request::Print(help::of(words.command))) } else { request }
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

fn doctor(words: &mut Words) -> Result<Request, Error> {
    let mut json = false;
    while let Some(option) = words.next(DOCTOR)? {
        match option {
            "json" => json = true,
            _ => return Err(words.excess()),
        }
    }
    Ok(Request::Doctor { json })
}

/// `COMMAND TOPIC`, both or the second left out.
fn help(words: &Words, mut arguments: Arguments) -> Result<Request, Error> {
    let command = match arguments.next().map_or(&[][..], CStr::to_bytes) {
        b"--help" | b"-h" => b"help",
        other => other,
    };
    let topic = arguments.next().map_or(&[][..], CStr::to_bytes);
    if let Some(word) = arguments.next() {
        return Err(words.too_many(word));
    }
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

#[cfg(test)]
mod tests;

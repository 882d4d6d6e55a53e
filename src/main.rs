//! `unshared-cli`: runs processes in Linux namespaces of their own.
//!
//! argv becomes a [`spec::Spec`] (`args`), the spec a [`plan::Plan`], and [`walk`] performs the plan
//! in two processes. ARCHITECTURE.md shows the way.
#![cfg_attr(not(test), no_main)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
// What only a part needs is dead in a build without that part, and the linker leaves it out.
#![cfg_attr(
    not(all(
        feature = "machine",
        feature = "network",
        feature = "roots",
        feature = "seccomp",
        feature = "services"
    )),
    allow(dead_code, unused, unreachable_code, unreachable_pub)
)]

mod args;
mod cgroup;
mod detach;
mod disk;
mod doctor;
mod error;
mod files;
#[cfg(fuzzing)]
pub mod fuzz;
mod hint;
mod hooks;
mod host;
mod instances;
mod landlock;
mod link;
#[cfg(feature = "machine")]
mod machine;
mod mounts;
#[cfg(feature = "network")]
mod network;
#[cfg(not(feature = "network"))]
#[path = "absent/network.rs"]
mod network;
#[cfg(all(not(test), target_env = "musl", panic = "abort"))]
mod no_unwind;
mod perform;
mod plan;
mod privileges;
mod proc;
mod pty;
mod registry;
#[cfg(feature = "roots")]
mod root;
#[cfg(not(feature = "roots"))]
#[path = "absent/root.rs"]
mod root;
mod script;
mod seccomp;
#[cfg(feature = "services")]
mod services;
mod spec;
mod step;
mod sys;
mod walk;

use args::Request;
use error::Error;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use unshared_init::command_line;
use unshared_init::sys::{Arguments, Stream, write};

/// The C library calls this. `std`'s own start-up is left out: it aborts where standard streams are
/// closed and /dev/null is missing, and it ignores SIGPIPE, which the payload would inherit.
#[cfg(not(any(test, fuzzing)))]
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(
    _count: core::ffi::c_int,
    arguments: *mut *const core::ffi::c_char,
) -> core::ffi::c_int {
    // SAFETY: the kernel puts the count in front of the arguments and a null pointer behind them;
    // they live as long as the process, and nobody else touches them.
    let arguments = unsafe { Arguments::new(arguments) };
    run(arguments).into()
}

/// Does what the arguments ask for, and returns the exit status.
#[cfg_attr(any(test, fuzzing), allow(dead_code))]
fn run(arguments: Arguments) -> u8 {
    status(match args::parse(arguments) {
        // Freed by the end of the process, as are the host and the plan.
        Ok(Request::Spawn(spec)) => spawn(Box::leak(spec)),
        // Whatever it is called, PID 1 of a machine must not end.
        #[cfg(feature = "machine")]
        Ok(Request::Print(_)) | Err(_) if machine::is_ours() => {
            machine::run(b"init", arguments.rest())
        }
        request => request.and_then(run_other),
    })
}

/// Whatever is not a launch: apart, so that a launch has none of it in memory.
#[cold]
#[inline(never)]
fn run_other(request: Request) -> Result<u8, Error> {
    match request {
        Request::Spawn(spec) => spawn(Box::leak(spec)),
        Request::GetRoot(root) => get_root(&root),
        #[cfg(feature = "roots")]
        Request::MakeRoot(request) => root::make(&request).and_then(|text| print(text.as_bytes())),
        Request::Instances(command) => instances::run(command),
        #[cfg(feature = "machine")]
        Request::Init(program, arguments) if machine::is_ours() => machine::run(program, arguments),
        Request::Init(program, arguments) => {
            #[cfg(feature = "services")]
            let services = Some(services::of_command_line as fn(&_) -> u8);
            #[cfg(not(feature = "services"))]
            let services = None;
            Ok(command_line::run(program, arguments, env!("UNSHARED_VERSION"), services))
        }
        #[cfg(feature = "services")]
        Request::Service(service) => services::command::run(&service),
        #[cfg(feature = "machine")]
        Request::Pack(request) => root::pack(&request).and_then(|text| print(text.as_bytes())),
        #[cfg(feature = "machine")]
        Request::Modprobe(request) => machine::modprobe(&request),
        #[cfg(feature = "machine")]
        Request::End(end, force) => machine::ask_for(end, force),
        Request::Doctor { json } => doctor::run(json),
        #[cfg(feature = "network")]
        Request::Netns(request) => network::netns::run(&request),
        Request::Forkn(arguments) => hooks::forkn(arguments),
        Request::Dump(text) => print(&text),
        Request::Print(text) => print(text.as_bytes()),
    }
}

/// Says what went wrong; the exit status.
fn status(result: Result<u8, Error>) -> u8 {
    result.unwrap_or_else(|error| {
        say(&error.message());
        error.code()
    })
}

fn spawn(spec: &mut spec::Spec) -> Result<u8, Error> {
    if spec.detach && !spec.dry_run {
        return detach::run(|caller| status(launch(spec, Some(caller))));
    }
    launch(spec, None)
}

/// Plans, walks, and reports a failure. `caller` is told that the payload has been executed.
fn launch(spec: &mut spec::Spec, caller: Option<registry::journal::Caller>) -> Result<u8, Error> {
    let result = plan_and_walk(spec, caller);
    if let Err(error) = &result
        && !spec.dry_run
    {
        walk::report::Report::new(spec).failed(error);
    }
    result
}

fn plan_and_walk(
    spec: &mut spec::Spec,
    caller: Option<registry::journal::Caller>,
) -> Result<u8, Error> {
    let host = ManuallyDrop::new(host::Host::look(spec)?);
    let plan = ManuallyDrop::new(plan::plan(spec, &host)?);
    if spec.dry_run {
        return print(script::script(spec, &plan, &host).as_bytes());
    }
    let root = host.root.as_ref();
    let is_recorded = spec.name.is_some() || spec.detach || plan.leaves_something();
    // Who is asked to end has a record to remove, or a hook to end.
    let signals = unshared_init::sys::take_signals();
    let record = is_recorded.then(|| registry::record::Record::create(spec, root, signals));
    let mut journal = registry::journal::Journal::new(record.transpose()?, caller);
    if let Err(error) = hooks::run_preexec(spec, root, signals) {
        journal.end(error.code());
        return Err(error);
    }
    let result = walk::run(spec, &plan, root, signals, &mut journal);
    let status = result.as_ref().map_or_else(|error| error.code(), |end| end.status);
    journal.undo(result.is_err());
    hooks::run_postexec(spec, root, status, signals);
    journal.end(status);
    let end = result?;
    if let Some(signal) = end.raise {
        unshared_init::sys::die_by(signal);
    }
    Ok(end.status)
}

/// Prints the path of a root, which need not be UTF-8.
fn get_root(root: &std::ffi::CStr) -> Result<u8, Error> {
    let path = root::place::path_of(root.to_bytes())?;
    print(&[path.as_os_str().as_bytes(), b"\n"].concat())
}

/// Prints what was asked for.
fn print(text: &[u8]) -> Result<u8, Error> {
    match write(Stream::Output, text) {
        Ok(()) => Ok(0),
        Err(errno) => Err(Error::system("write standard output", errno)),
    }
}

/// One line on standard error. There is nowhere to say that it is closed.
fn say(line: &str) {
    let _ = write(Stream::Error, format!("unshared-cli: {line}\n").as_bytes());
}

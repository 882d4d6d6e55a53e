//! `doctor`: what this kernel and this host allow. Each thing is tried for real in a child, most of them
//! by a spawn; why one does not work is what that spawn would say.
use crate::error::Error;
use crate::sys;
use crate::walk::channel::above_standard;
use crate::walk::report::json_string;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::WaitOptions;
use rustix::thread::CapabilitySet;
use std::ffi::{CStr, CString};
use unshared_init::sys::exit;

mod probe;

/// The exit status where `spawn --all` does not work.
const NOT_ALL: u8 = 1;

/// One line of the table.
struct Check {
    name: &'static str,
    /// Whether `spawn --all` needs it.
    needed: bool,
    way: Way,
}

/// How it is tried.
enum Way {
    /// A spawn with these options.
    Spawn(&'static [&'static CStr]),
    /// A call, and what it means that it fails.
    Call(fn() -> Result<(), Errno>, &'static str),
}

const fn needed(name: &'static str, options: &'static [&'static CStr]) -> Check {
    Check { name, needed: true, way: Way::Spawn(options) }
}

const fn wished(name: &'static str, options: &'static [&'static CStr]) -> Check {
    Check { name, needed: false, way: Way::Spawn(options) }
}

const fn call(name: &'static str, call: fn() -> Result<(), Errno>, told: &'static str) -> Check {
    Check { name, needed: false, way: Way::Call(call, told) }
}

static CHECKS: [Check; 22] = [
    needed("user namespace", &[c"--user"]),
    needed("mount namespace", &[c"--mount"]),
    needed("uts namespace", &[c"--uts", c"--hostname", c"doctor"]),
    needed("ipc namespace", &[c"--ipc"]),
    needed("net namespace, with lo up", &[c"--net"]),
    needed("pid namespace", &[c"--pid", c"--no-proc"]),
    needed("cgroup namespace", &[c"--cgroup"]),
    needed("time namespace", &[c"--time"]),
    needed("a new /proc", &[c"--pid"]),
    needed("all namespaces at once", &[c"--all"]),
    wished("offsets of clocks", &[c"--boottime", c"1"]),
    wished("subordinate ids", &[c"--map-auto"]),
    wished("a root", &[c"--pid", c"--root", c"/", c"--privileged"]),
    wished("an overlay over /", &[c"--pid", c"--root", c"/", c"--overlay", c"--privileged"]),
    wished("a read-only bind", &[c"--mount", c"--bind", c"/:/:ro"]),
    wished("filters of system calls", &[c"--seccomp", c"default"]),
    wished("limits of a cgroup", &[c"--limit", c"pids.max=1000"]),
    wished("Landlock", &[c"--ro-path", c"/"]),
    wished("records of instances", &[c"--name"]),
    call(
        "clone3",
        probe::clone3,
        "Linux 5.3 has it, unless a filter refuses it; clone is used instead",
    ),
    call("pidfd", probe::pidfd, "Linux 5.3 has it, unless a filter refuses it"),
    call(
        "nf_tables",
        probe::nf_tables,
        "CONFIG_NF_TABLES in the kernel, its module, and a net namespace are needed",
    ),
];

/// Tries all, prints a table or JSON, and says by its status whether `spawn --all` works.
pub(crate) fn run(json: bool) -> Result<u8, Error> {
    let is_admin = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    let mut lines = Vec::new();
    let mut all = true;
    for check in &CHECKS {
        let why = check.run(is_admin)?;
        all &= why.is_none() || !check.needed;
        lines.push(if json { check.object(why) } else { check.line(why) });
    }
    let text = if json {
        format!("{{\"spawn_all\":{all},\"checks\":[{}]}}\n", lines.join(","))
    } else {
        let verdict = if all { "works" } else { "does not work" };
        format!("{}\nspawn --all {verdict} here\n", lines.join("\n"))
    };
    crate::print(text.as_bytes())?;
    Ok(if all { 0 } else { NOT_ALL })
}

impl Check {
    /// Tries it: `None` if it works, otherwise why not.
    fn run(&self, is_admin: bool) -> Result<Option<String>, Error> {
        match self.way {
            Way::Spawn(options) => spawn(options, is_admin),
            Way::Call(call, told) => Ok(call()
                .err()
                .map(|errno| format!("{} ({told})", unshared_init::errno::name(errno)))),
        }
    }

    fn line(&self, why: Option<String>) -> String {
        match why {
            None => format!("works  {}", self.name),
            Some(why) => format!("no     {}: {why}", self.name),
        }
    }

    fn object(&self, why: Option<String>) -> String {
        let (name, needed, works) = (json_string(self.name), self.needed, why.is_none());
        let why = why.map(|why| format!(",\"why\":{}", json_string(&why))).unwrap_or_default();
        format!("{{\"name\":{name},\"needed\":{needed},\"works\":{works}{why}}}")
    }
}

/// A spawn of ourselves with these options; whoever is not privileged needs a user namespace for all of
/// them. `None` if it works, otherwise what it says.
fn spawn(options: &[&CStr], is_admin: bool) -> Result<Option<String>, Error> {
    // An instance needs a name that nobody else has.
    let name = CString::new(format!("doctor-{}", std::process::id())).unwrap_or_default();
    // Without a /proc there is no such path, and no root to leave us behind either.
    let own = c"/proc/self/exe";
    let own = if rustix::fs::stat(own).is_ok() { own } else { sys::doctor::own_path() };
    let mut words = Vec::new();
    let mut add = |more: &[&CStr]| more.iter().for_each(|word| words.push((*word).to_owned()));
    add(&[c"unshared-cli", c"spawn"]);
    if !is_admin {
        add(&[c"--user"]);
    }
    add(options);
    if options.last().is_some_and(|last| *last == c"--name") {
        add(&[&name]);
    }
    add(&[c"--", own, c"--version"]);
    let arguments = sys::arguments(words);
    let system = |errno| Error::system("start a child", errno);
    let (ours, theirs) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(system)?;
    let theirs = above_standard(theirs).map_err(system)?;
    match sys::doctor::fork().map_err(system)? {
        None => {
            // Child of the doctor: the launcher of that spawn.
            sys::doctor::become_standard_streams(&theirs);
            exit(crate::run(arguments))
        }
        Some(pid) => {
            drop(theirs);
            let said = said(&ours);
            let ended = loop {
                match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
                    Err(Errno::INTR) => {}
                    other => break other.map_err(system)?,
                }
            };
            let status = ended.and_then(|(_, status)| status.exit_status());
            Ok((status != Some(0)).then_some(said))
        }
    }
}

/// What it complained of, without our name.
fn said(from: &OwnedFd) -> String {
    let text = crate::perform::read_all(from);
    let mut lines = crate::proc::lines(&text);
    let line = lines.find_map(|line| line.strip_prefix(b"unshared-cli: "));
    String::from_utf8_lossy(line.unwrap_or(b"it ended without a word")).into_owned()
}

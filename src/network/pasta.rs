//! `--pasta`: pasta(1), which carries an instance's packets as an ordinary user's connections.
use crate::perform::{Failure, run_program};
use crate::registry::journal::Journal;
use crate::registry::process::Process;
use crate::registry::undo::Undo;
use crate::spec::network::Publish;
use core::fmt::Write;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::signal::Signal;
use unshared_init::sys::SignalState;

/// The name of its link inside.
pub(crate) const LINK: &CStr = c"eth0";

/// Its words, without the number of the process whose namespaces it joins.
pub(super) fn words(publish: &[Publish]) -> String {
    // Nothing of the host's loopback is reached from inside.
    let mut words = String::from("pasta --config-net --quiet --no-map-gw -T none -U none -I eth0");
    for (option, udp) in [(" -t", false), (" -u", true)] {
        words.push_str(option);
        let mut between = ' ';
        for Publish { outside, inside, is_udp } in publish {
            if *is_udp == udp {
                let _ = write!(words, "{between}{outside}:{inside}");
                between = ',';
            }
        }
        if between == ' ' {
            words.push_str(" none");
        }
    }
    words
}

/// Parent: starts it. Once it has connected the namespace, it goes on in the background.
pub(super) fn run(
    publish: &[Publish],
    pid: Pid,
    signals: SignalState,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let record = journal.record().ok_or(Errno::NOENT)?;
    let file = record.path_in("pasta");
    journal.until_end(Undo::EndPasta(file.clone()))?;
    let mut words = words(publish);
    words.push_str(" --pid");
    let mut arguments = Vec::new();
    for word in words.as_bytes().split(|byte| *byte == b' ') {
        arguments.extend(CString::new(word));
    }
    arguments.push(file);
    arguments.extend(CString::new(pid.to_string()));
    run_program(arguments, signals, "passt")
}

/// Undo: ends it, and removes the file that says which process it is.
pub(crate) fn end(file: &CStr) {
    let number = file.to_str().ok().and_then(crate::files::read_number);
    let number = number.and_then(|number| i32::try_from(number).ok());
    if let Some(pid) = number.and_then(Pid::from_raw) {
        let process = Process::now(pid);
        // The number may be somebody else's by now.
        let name = crate::files::read_file(&format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.starts_with(b"pasta") || name.starts_with(b"passt") {
            let _ = process.send(Signal::TERM);
            let _ = process.wait(2 * unshared_init::number::SECOND);
        }
    }
    let _ = rustix::fs::unlink(file);
}

//! `--pasta`: pasta(1), which carries an instance's packets as an ordinary user's connections.
use crate::perform::{Failure, run_program};
use crate::registry::journal::Journal;
use crate::registry::process::Process;
use crate::registry::undo::Undo;
use crate::spec::network::Publish;
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::signal::Signal;
use unshared_init::sys::SignalState;

/// The name of its link inside.
pub(crate) const LINK: &CStr = c"eth0";

/// Its words, without the number of the process whose namespaces it joins.
pub(super) fn words(publish: &[Publish]) -> Vec<String> {
    let ports = |is_udp: bool| {
        let those = publish.iter().filter(|one| one.is_udp == is_udp);
        let ports: Vec<String> =
            those.map(|one| format!("{}:{}", one.outside, one.inside)).collect();
        if ports.is_empty() { "none".to_owned() } else { ports.join(",") }
    };
    // Nothing of the host's loopback is reached from inside.
    let fixed = "pasta --config-net --quiet --no-map-gw -T none -U none -I eth0";
    let mut words: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
    words.extend(["-t".to_owned(), ports(false), "-u".to_owned(), ports(true)]);
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
    let file = CString::new([record.path(), b"/pasta".to_vec()].concat());
    let file = file.map_err(|_| Errno::INVAL)?;
    journal.until_end(Undo::EndPasta(file.clone()))?;
    let mut words: Vec<CString> =
        words(publish).into_iter().filter_map(|word| CString::new(word).ok()).collect();
    words.push(c"--pid".to_owned());
    words.push(file);
    words.push(CString::new(pid.to_string()).map_err(|_| Errno::INVAL)?);
    run_program(words, signals, "passt")
}

/// Undo: ends it, and removes the file that says which process it is.
pub(crate) fn end(file: &CStr) {
    let text = file.to_str().ok().and_then(|path| crate::host::read_file(path).ok());
    let number = text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
    if let Some(pid) = number.and_then(Pid::from_raw) {
        let process = Process::now(pid);
        // The number may be somebody else's by now.
        let name = crate::host::read_file(&format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.starts_with(b"pasta") || name.starts_with(b"passt") {
            let _ = process.send(Signal::TERM);
            let _ = process.wait(std::time::Duration::from_secs(2));
        }
    }
    let _ = rustix::fs::unlink(file);
}

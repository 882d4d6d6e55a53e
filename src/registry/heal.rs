//! What a launcher that was killed has left is taken away by whoever takes its record.
use super::facts::Facts;
use super::process::Process;
use super::record::Record;
use crate::error::{Error, quote};
use crate::hooks;
use unshared_init::number::SECOND;
use unshared_init::reaper::Ended;
use unshared_init::signal::Signal;
use unshared_init::sys::SignalState;

/// How long the processes of an instance may take to go once they are killed.
const PATIENCE: u64 = 10 * SECOND;

/// Kills what is left of the instance whose record we hold, undoes what it left, and runs its postexec
/// hooks. The record itself stays. A record that says that it has ended, or nothing, needs none of
/// that.
pub(crate) fn heal(record: &Record, signals: Option<SignalState>) -> bool {
    let facts = record.facts().unwrap_or_default();
    let was_begun = !facts.boot.is_empty() || facts.launcher.is_some();
    if !was_begun || facts.ended.is_some() {
        return false;
    }
    // Whoever finds it held meanwhile is told by whom. Where nothing can be written, nothing is.
    let _ = record.note_process("healer", Process::own());
    kill(record, &facts);
    for (undo, on_failure) in facts.undo.iter().rev() {
        if !on_failure || !facts.launched {
            undo.perform(record);
        }
    }
    let status = Ended::Killed(Signal::KILL).code();
    hooks::run_recorded(&record.name, &facts, status, signals);
    true
}

/// Numbers of another boot are those of strangers.
fn kill(record: &Record, facts: &Facts) {
    if let Some(init) = facts.init.filter(|_| facts.is_of_this_boot())
        && let Err(errno) = init.end(PATIENCE)
    {
        let name = quote(record.name.as_bytes());
        let attempt = format!("kill pid {} of instance {name}", init.pid);
        crate::say(&Error::system(attempt, errno).message());
    }
}

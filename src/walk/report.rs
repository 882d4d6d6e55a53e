//! What the user is told while it runs: JSON for `--status-fd`, a line a step for `--verbose`.
use crate::error::Error;
use crate::spec::Spec;
use crate::step::{Side, Step};
use crate::sys;
use rustix::process::Pid;
use unshared_init::reaper::Ended;
use unshared_init::signal::Signal;

/// Where the news go.
pub(crate) struct Report {
    status: Option<i32>,
    verbose: bool,
}

impl Report {
    pub(crate) fn new(spec: &Spec) -> Report {
        Report { status: spec.status_fd, verbose: spec.verbose }
    }

    /// A step has been performed.
    pub(super) fn done(&self, side: Side, step: &Step, pid: Pid) {
        if self.verbose {
            let side = match side {
                Side::Parent => "parent",
                Side::Child => "child",
                Side::Payload => "payload",
            };
            let line = step.shell(&pid.to_string());
            crate::say(&format!("{side}: {line}"));
        }
    }

    /// The command has been executed under that child.
    pub(super) fn started(&self, pid: Pid) {
        self.object(&format!("{{\"event\":\"started\",\"pid\":{pid}}}"));
    }

    /// The command has ended.
    pub(super) fn ended(&self, ended: Ended) {
        let code = ended.code();
        self.object(&match ended {
            Ended::Exited(_) => format!("{{\"event\":\"exited\",\"status\":{code}}}"),
            Ended::Killed(signal) => format!(
                "{{\"event\":\"killed\",\"signal\":\"{}\",\"status\":{code}}}",
                signal_name(signal)
            ),
        });
    }

    /// The kernel has killed so many processes for want of memory.
    #[cold]
    #[inline(never)]
    pub(super) fn out_of_memory(&self, killed: u64) {
        self.object(&format!("{{\"event\":\"out-of-memory\",\"killed\":{killed}}}"));
    }

    /// Somebody in the namespace called reboot(2).
    pub(super) fn rebooted(&self, command: &str, code: u8) {
        self.object(&format!(
            "{{\"event\":\"rebooted\",\"command\":\"{command}\",\"status\":{code}}}"
        ));
    }

    /// The launch failed.
    #[cold]
    #[inline(never)]
    pub(crate) fn failed(&self, error: &Error) {
        let message = json_string(&error.message());
        let code = error.code();
        self.object(&format!("{{\"event\":\"failed\",\"status\":{code},\"message\":{message}}}"));
    }

    /// One object, one line. That nobody reads it is no reason to fail.
    fn object(&self, object: &str) {
        if let Some(number) = self.status {
            let _ = rustix::io::write(sys::descriptor(number), format!("{object}\n").as_bytes());
        }
    }
}

/// The name of a signal, or its place among the real-time signals.
#[cold]
#[inline(never)]
pub(crate) fn signal_name(signal: Signal) -> String {
    let name = signal_hook::low_level::signal_name(signal.number());
    name.map_or_else(|| format!("signal {}", signal.number()), ToOwned::to_owned)
}

/// A string of JSON (RFC 8259).
pub(crate) fn json_string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                string.push('\\');
                string.push(character);
            }
            '\0'..='\x1f' => string.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => string.push(character),
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_string_escapes_what_json_demands() {
        assert_eq!(json_string("a\"b\\c\n\u{1b}ö"), "\"a\\\"b\\\\c\\u000a\\u001bö\"");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(signal_name(Signal::TERM), "SIGTERM");
        assert_eq!(signal_name(Signal::new(40).unwrap()), "signal 40");
    }
}

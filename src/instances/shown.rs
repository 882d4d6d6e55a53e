//! How an instance is shown: as a line of a table, and as JSON (RFC 8259).
use super::Found;
use crate::registry::facts::Stage;
use crate::registry::process::Process;
use crate::registry::record::seconds_since_boot;
use crate::walk::report::json_string;

impl Stage {
    /// In a word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Stage::Starting => "starting",
            Stage::Running => "running",
            Stage::Ended(_) => "ended",
            Stage::Lost => "lost",
        }
    }
}

/// The columns of the table.
pub(super) const COLUMNS: [&str; 8] =
    ["NAME", "PID", "STATE", "AGE", "NAMESPACES", "ROOT", "ADDRESSES", "COMMAND"];

/// What stands in them; `-` for nothing.
pub(super) fn row(found: &Found) -> [String; 8] {
    let facts = &found.facts;
    let stage = facts.stage();
    let state = match stage {
        Stage::Ended(status) => format!("ended:{status}"),
        other => other.name().to_owned(),
    };
    let is_alive = matches!(stage, Stage::Starting | Stage::Running);
    let pid = facts.init.filter(|_| is_alive).map(|init| init.pid.to_string());
    let root = facts.root.as_ref().map(|root| plain(root.as_bytes()));
    let mut row = [
        plain(found.name.as_bytes()),
        pid.unwrap_or_default(),
        state,
        age(found).map(short).unwrap_or_default(),
        plain(&joined(&facts.namespaces, b',')),
        root.unwrap_or_default(),
        plain(&joined(&facts.addresses, b',')),
        plain(&joined(&facts.command, b' ')),
    ];
    for cell in &mut row {
        if cell.is_empty() {
            cell.push('-');
        }
    }
    row
}

/// Words with something between them.
fn joined(words: &[Vec<u8>], between: u8) -> Vec<u8> {
    let mut joined = Vec::new();
    for word in words {
        if !joined.is_empty() {
            joined.push(between);
        }
        joined.extend_from_slice(word);
    }
    joined
}

/// All that is known of it.
pub(super) fn object(found: &Found) -> String {
    let facts = &found.facts;
    let stage = facts.stage();
    let mut object = Object(String::from("{"));
    object.text("name", found.name.as_bytes());
    object.text("state", stage.name().as_bytes());
    if let Stage::Ended(status) = stage {
        object.number("status", status.into());
    }
    if let (Stage::Starting | Stage::Running, Some(init)) = (stage, facts.init) {
        object.number("pid", number_of(init));
    }
    if let Some(launcher) = facts.holder() {
        object.number("launcher", number_of(launcher));
    }
    if let Some(age) = age(found) {
        object.number("age", age);
    }
    object.list("namespaces", &facts.namespaces);
    if let Some(root) = &facts.root {
        object.text("root", root.as_bytes());
    }
    object.list("addresses", &facts.addresses);
    object.list("command", &facts.command);
    object.list("spawn", &facts.words);
    let mut postexec = Vec::new();
    for hook in &facts.postexec {
        postexec.push(hook.as_bytes().to_vec());
    }
    object.list("postexec", &postexec);
    let mut entries = Vec::new();
    for (undo, _) in &facts.undo {
        entries.push(joined(&undo.words(), b' '));
    }
    object.list("undo", &entries);
    object.0.push('}');
    object.0
}

fn number_of(process: Process) -> u64 {
    process.pid.as_raw_nonzero().get().unsigned_abs().into()
}

/// An object of JSON that is being written.
struct Object(String);

impl Object {
    fn raw(&mut self, key: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&json_string(key));
        self.0.push(':');
        self.0.push_str(value);
    }

    fn text(&mut self, key: &str, value: &[u8]) {
        self.raw(key, &json_string(&String::from_utf8_lossy(value)));
    }

    fn number(&mut self, key: &str, value: u64) {
        self.raw(key, &value.to_string());
    }

    fn list(&mut self, key: &str, values: &[Vec<u8>]) {
        let mut list = String::from("[");
        for value in values {
            if list.len() > 1 {
                list.push(',');
            }
            list.push_str(&json_string(&String::from_utf8_lossy(value)));
        }
        list.push(']');
        self.raw(key, &list);
    }
}

/// Its age in seconds, unless its record is of another boot.
fn age(found: &Found) -> Option<u64> {
    let is_known = found.facts.is_of_this_boot() && found.facts.created > 0;
    is_known.then(|| seconds_since_boot().saturating_sub(found.facts.created))
}

/// So many seconds in the largest unit that fits.
fn short(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86400 => (seconds / 3600, 'h'),
        _ => (seconds / 86400, 'd'),
    };
    format!("{number}{unit}")
}

/// On one line, whatever it holds.
fn plain(text: &[u8]) -> String {
    crate::error::escape(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (90_000, "1d")] {
            assert_eq!(short(seconds), text);
        }
    }
}

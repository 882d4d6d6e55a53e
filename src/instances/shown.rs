//! How an instance is shown: as a line of a table, and as JSON (RFC 8259).
use super::Found;
use crate::registry::facts::Stage;
use crate::registry::record::seconds_since_boot;
use crate::registry::undo::Undo;
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
    let joined = |words: &[Vec<u8>], between| {
        let words: Vec<String> = words.iter().map(|word| plain(word)).collect();
        words.join(between)
    };
    let or_nothing = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        plain(found.name.as_bytes()),
        or_nothing(pid.unwrap_or_default()),
        state,
        or_nothing(age(found).map(short).unwrap_or_default()),
        or_nothing(joined(&facts.namespaces, ",")),
        or_nothing(root.unwrap_or_default()),
        or_nothing(joined(&facts.addresses, ",")),
        or_nothing(joined(&facts.command, " ")),
    ]
}

/// All that is known of it.
pub(super) fn object(found: &Found) -> String {
    let facts = &found.facts;
    let stage = facts.stage();
    let mut object = Object(String::from("{"));
    object.text("name", found.name.as_bytes());
    object.text("state", stage.name().as_bytes());
    if let Stage::Ended(status) = stage {
        object.raw("status", &status.to_string());
    }
    if let (Stage::Starting | Stage::Running, Some(init)) = (stage, facts.init) {
        object.raw("pid", &init.pid.to_string());
    }
    if let Some(launcher) = facts.holder() {
        object.raw("launcher", &launcher.pid.to_string());
    }
    if let Some(age) = age(found) {
        object.raw("age", &age.to_string());
    }
    object.list("namespaces", facts.namespaces.iter().map(Vec::as_slice));
    if let Some(root) = &facts.root {
        object.text("root", root.as_bytes());
    }
    object.list("addresses", facts.addresses.iter().map(Vec::as_slice));
    object.list("command", facts.command.iter().map(Vec::as_slice));
    object.list("spawn", facts.words.iter().map(Vec::as_slice));
    object.list("postexec", facts.postexec.iter().map(|hook| hook.as_bytes()));
    let undo = |(undo, _): &(Undo, bool)| undo.words().join(&b' ');
    let undo: Vec<Vec<u8>> = facts.undo.iter().map(undo).collect();
    object.list("undo", undo.iter().map(Vec::as_slice));
    object.0.push('}');
    object.0
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

    fn list<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a [u8]>) {
        let values: Vec<String> =
            values.map(|value| json_string(&String::from_utf8_lossy(value))).collect();
        self.raw(key, &format!("[{}]", values.join(",")));
    }
}

/// Its age in seconds, unless its record is of another boot.
fn age(found: &Found) -> Option<u64> {
    let is_known = found.facts.is_of_this_boot() && found.facts.created > 0;
    is_known.then(|| seconds_since_boot().saturating_sub(found.facts.created))
}

/// So many seconds in the largest unit that fits.
fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
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

//! Resource limits of getrlimit(2): their names, and their two values.
use rustix::process::{Resource, Rlimit};

/// A limit that the payload gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ResourceLimit {
    pub(crate) resource: Resource,
    /// What is in force; `None` is no limit.
    pub(crate) soft: Option<u64>,
    /// How far the payload may raise it.
    pub(crate) hard: Option<u64>,
}

/// The names of prlimit(1).
const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

impl ResourceLimit {
    /// `NAME=SOFT[:HARD]`; without HARD, both are the same.
    pub(crate) fn parse(word: &str) -> Result<ResourceLimit, &'static str> {
        let (name, values) = word.split_once('=').ok_or("NAME=SOFT[:HARD] is needed")?;
        let (_, resource) = *NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .ok_or("there is no limit of that name: see prlimit(1), for instance nofile")?;
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let (soft, hard) = (value(soft)?, value(hard)?);
        if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
            return Err("the soft limit is beyond the hard one");
        }
        Ok(ResourceLimit { resource, soft, hard })
    }

    pub(crate) fn name(&self) -> &'static str {
        NAMES.iter().find(|(_, one)| *one == self.resource).map_or("", |(name, _)| name)
    }

    /// As prlimit(1) has it, and a message.
    pub(crate) fn shown(&self) -> String {
        let shown =
            |value: Option<u64>| value.map_or("unlimited".into(), |value| value.to_string());
        format!("{}={}:{}", self.name(), shown(self.soft), shown(self.hard))
    }

    /// As rustix has it.
    pub(crate) fn values(&self) -> Rlimit {
        Rlimit { current: self.soft, maximum: self.hard }
    }
}

/// A number, or `unlimited`. The largest number means that to the kernel.
fn value(word: &str) -> Result<Option<u64>, &'static str> {
    if word == "unlimited" {
        return Ok(None);
    }
    unshared_init::number::decimal(word.as_bytes())
        .filter(|number| *number != u64::MAX)
        .map(Some)
        .ok_or("a limit is a whole number, or \"unlimited\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_a_name_and_one_or_two_values() {
        let limit = |word| ResourceLimit::parse(word).map(|limit| limit.shown());
        assert_eq!(limit("nofile=10").unwrap(), "nofile=10:10");
        assert_eq!(limit("NOFILE=10:20").unwrap(), "nofile=10:20");
        assert_eq!(limit("core=0:unlimited").unwrap(), "core=0:unlimited");
        for word in [
            "",
            "nofile",
            "nofile=",
            "nofile=1:",
            "nofile=:1",
            "files=1",
            "nofile=-1",
            "nofile=1k",
            "nofile=2:1",
            "nofile=unlimited:1",
            "nofile=18446744073709551615",
            "nofile=1:2:3",
        ] {
            assert!(limit(word).is_err(), "{word:?}");
        }
    }
}

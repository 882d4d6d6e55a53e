//! What the words on the kernel's command line ask of us. Pure.
use super::words::{Word, Words};
use crate::error::quote;
use unshared_init::number::{SECOND, seconds};
use unshared_init::supervise::DEFAULT_GRACE;

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    PowerOff,
    Reboot,
    Halt,
}

impl End {
    /// What it is called, on a command line as in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::PowerOff => "poweroff",
            End::Reboot => "reboot",
            End::Halt => "halt",
        }
    }

    /// By that name.
    pub(crate) fn parse(text: &[u8]) -> Option<End> {
        [End::PowerOff, End::Reboot, End::Halt]
            .into_iter()
            .find(|end| end.name().as_bytes() == text)
    }
}

/// What follows on the end of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnExit {
    End(End),
    Respawn,
    Shell,
}

/// What follows when the machine cannot be brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rescue {
    Shell,
    End(End),
}

/// What there is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// An expression for the shell; where there is none, its words.
    Expression(Vec<u8>),
    /// A command's words.
    Command(Vec<Vec<u8>>),
}

/// Everything that can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) run: Option<Run>,
    pub(crate) on_exit: OnExit,
    pub(crate) rescue: Rescue,
    /// Nanoseconds before the machine is given up, for somebody who reads the console.
    pub(crate) rescue_delay: u64,
    /// Nanoseconds between TERM and KILL.
    pub(crate) grace: u64,
    pub(crate) hostname: Option<Vec<u8>>,
    /// The first thing that is wrong with the words; the machine is not brought up then.
    pub(crate) wrong: Option<String>,
}

impl Settings {
    fn new() -> Settings {
        Settings {
            run: None,
            on_exit: OnExit::End(End::PowerOff),
            rescue: Rescue::End(End::Reboot),
            rescue_delay: 10 * SECOND,
            grace: DEFAULT_GRACE,
            hostname: None,
            wrong: None,
        }
    }

    /// Of two words of one name the later one counts. What is not ours is passed over.
    pub(crate) fn read(words: Words) -> Settings {
        let mut settings = Settings::new();
        for word in words.words {
            if let Some(name) = own_name(&word.name)
                && settings.set(&name, word.value.as_deref()).is_none()
                && settings.wrong.is_none()
            {
                settings.wrong = Some(complaint(&word));
            }
        }
        if let Some(rest) = words.rest
            && !rest.is_empty()
            && settings.run.is_none()
        {
            settings.run = Some(Run::Command(rest));
        }
        settings
    }

    /// `None` where there is no such word, or its value is none.
    fn set(&mut self, name: &[u8], value: Option<&[u8]>) -> Option<()> {
        let value = value.filter(|value| !value.is_empty())?;
        match name {
            b"exec" => self.run = Some(Run::Expression(value.to_vec())),
            b"on-exit" => {
                self.on_exit = match value {
                    b"respawn" => OnExit::Respawn,
                    b"shell" => OnExit::Shell,
                    _ => OnExit::End(End::parse(value)?),
                }
            }
            b"rescue" => {
                self.rescue = match value {
                    b"shell" => Rescue::Shell,
                    _ => Rescue::End(End::parse(value)?),
                }
            }
            b"rescue-delay" => self.rescue_delay = seconds(value)?,
            b"grace" => self.grace = seconds(value)?,
            b"hostname" => self.hostname = Some(value.to_vec()),
            _ => return None,
        }
        Some(())
    }
}

/// The part behind `unshared.`, where `_` is as good as `-`, as it is to the kernel.
fn own_name(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"unshared.")?;
    Some(name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect())
}

fn complaint(word: &Word) -> String {
    let text = match &word.value {
        Some(value) => [&word.name[..], b"=", value].concat(),
        None => word.name.clone(),
    };
    format!("kernel command line: {} is no word of ours, or has no such value", quote(text))
}

#[cfg(test)]
mod tests {
    use super::super::words::parse;
    use super::*;

    fn read(line: &str) -> Settings {
        Settings::read(parse(line.as_bytes()))
    }

    #[test]
    fn without_a_word_the_machine_fails_closed() {
        let settings = read("console=ttyS0 quiet single");
        assert_eq!(settings, Settings::new());
        assert_eq!(settings.rescue, Rescue::End(End::Reboot));
    }

    #[test]
    fn of_two_words_the_later_one_counts() {
        let settings = read("unshared.on-exit=halt unshared.on_exit=respawn unshared.grace=2");
        assert_eq!(settings.on_exit, OnExit::Respawn);
        assert_eq!(settings.grace, 2 * SECOND);
    }

    #[test]
    fn the_payload_is_an_expression_or_what_stands_behind_two_dashes() {
        let settings = read("unshared.exec=\"a b\" -- c");
        assert_eq!(settings.run, Some(Run::Expression(b"a b".to_vec())));
        let words = ["c", "d e"].map(|word| word.as_bytes().to_vec()).to_vec();
        assert_eq!(read("-- c \"d e\"").run, Some(Run::Command(words)));
        assert_eq!(read("--").run, None);
    }

    #[test]
    fn the_first_wrong_word_is_told() {
        for wrong in
            ["unshared.resuce=shell", "unshared.rescue=x", "unshared.exec", "unshared.grace="]
        {
            let settings = read(&format!("{wrong} unshared.nothing"));
            assert!(settings.wrong.unwrap().contains(&format!("\"{wrong}\"")));
        }
    }
}

//! The help texts, and what they know: which commands there are, and which options each has.
//!
//! help/ has them, a file a command; the man pages and completions are made of the same files
//! (tools/manual).
use crate::error::{Error, quote};
use unshared_init::nearest::{nearest, options};

/// All pages, each behind a zero byte: a line with its names, and its text (build.rs).
const PAGES: &str = include_str!(concat!(env!("OUT_DIR"), "/help"));

/// The commands and options that this build does not have, each with the part that has it.
const ABSENT: &str = include_str!(concat!(env!("OUT_DIR"), "/absent"));

/// Says that a word is of a part that was left out of this build.
fn absent(word: &str) -> Option<Error> {
    let mut lines = ABSENT.lines().filter_map(|line| line.split_once(' '));
    let (_, part) = lines.find(|(absent, _)| *absent == word)?;
    Some(Error::plain(format!("{word}: this build is without \"{part}\"")))
}

/// A page's names and text. The names are a command with its aliases ("poweroff|halt"), or a command
/// and a topic ("spawn network").
fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.split('\0').filter_map(|page| page.split_once('\n'))
}

/// The command of a page, and its topic, which is empty for the command's first page.
fn names(name: &'static str) -> (&'static str, &'static str) {
    name.split_once(' ').unwrap_or((name, ""))
}

/// Whether a page is about that command.
fn is_about(name: &'static str, command: &str) -> bool {
    names(name).0.split('|').any(|alias| alias == command)
}

/// All commands, by each of their names.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    let first = pages().map(|(name, _)| names(name)).filter(|(_, topic)| topic.is_empty());
    first.flat_map(|(command, _)| command.split('|')).chain(["init"])
}

/// The command of that name, as a page has it; nothing if there is none.
pub(super) fn command(word: &[u8]) -> &'static str {
    commands().find(|command| command.as_bytes() == word).unwrap_or_default()
}

/// All that is said about a command, or about a topic of it; "all" is every topic.
pub(super) fn text(command: &str, topic: &str) -> Option<String> {
    if command == "init" {
        return Some(unshared_init::command_line::HELP.to_owned());
    }
    let mut text = String::new();
    for (name, page) in pages().filter(|(name, _)| is_about(name, command)) {
        if topic == "all" || names(name).1 == topic {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(page);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// The help text of a command that there is.
pub(super) fn of(command: &str) -> String {
    text(command, "").unwrap_or_default()
}

/// There is no such command; says which one may have been meant.
pub(super) fn no_command(word: &[u8]) -> Error {
    if let Some(error) = str::from_utf8(word).ok().and_then(absent) {
        return error;
    }
    let words = commands().chain(["--help", "--version"]);
    let meant = nearest(word, words.map(str::as_bytes));
    let error = Error::usage(format!("there is no command {}", quote(word)), "");
    did_you_mean(error, meant)
}

/// There is no such topic of that command.
pub(super) fn no_topic(command: &str, word: &[u8]) -> Error {
    let topics = pages().map(|(name, _)| names(name)).filter(|(of, _)| *of == command);
    let meant = nearest(word, topics.map(|(_, topic)| topic.as_bytes()));
    let error = Error::usage(format!("there is no help on {command} {}", quote(word)), command);
    did_you_mean(error, meant)
}

/// The command has no such option; says which one may have been meant.
pub(super) fn no_option(command: &str, option: &[u8]) -> Error {
    if let Some(error) = str::from_utf8(option).ok().and_then(absent) {
        return error;
    }
    let texts = pages().filter(|(name, _)| is_about(name, command));
    let meant = nearest(option, texts.flat_map(|(_, text)| options(text.as_bytes())));
    let error = Error::usage(format!("there is no option {}", quote(option)), command);
    did_you_mean(error, meant)
}

fn did_you_mean(error: Error, meant: Option<&[u8]>) -> Error {
    match meant.map(String::from_utf8_lossy) {
        Some(meant) => error.before(&format!("did you mean {meant}?")),
        None => error,
    }
}

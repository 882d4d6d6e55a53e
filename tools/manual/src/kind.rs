//! What a word of the command line may be, told by what stands for it in the help.
use crate::page::{Block, Page};

/// What is offered for a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Nothing,
    File,
    Directory,
    /// A name of a root, or a directory.
    Root,
    Instance,
    Link,
    Signal,
    Service,
    /// The word that a command begins with; what follows is the command's own.
    Command,
    /// One of these.
    Words(Vec<String>),
}

/// The kind of an option's value.
pub(crate) fn of_value(value: &str) -> Kind {
    match value {
        "FILE" | "FILE|-" | "IMAGE" | "PATH" => Kind::File,
        "DIRECTORY" | "DIR" => Kind::Directory,
        "NAME|/PATH" => Kind::Root,
        "BRIDGE" | "LINK" => Kind::Link,
        "SIGNAL" => Kind::Signal,
        "PROGRAM" => Kind::Command,
        _ if value.starts_with("SRC:") || value.starts_with("PATH[") => Kind::File,
        _ if value.starts_with("LINK[") => Kind::Link,
        _ if value.contains('|') && !value.contains(|letter: char| letter.is_uppercase()) => {
            Kind::Words(value.split('|').map(str::to_owned).collect())
        }
        _ => Kind::Nothing,
    }
}

/// The kinds of a command's words that are no options, in their order; the last is that of all others,
/// too. `commands` are the names of all commands.
pub(crate) fn of_words(page: &Page, pages: &[Page]) -> Vec<Kind> {
    let command = page.command();
    if command == "help" {
        return vec![Kind::Words(commands(pages)), Kind::Words(topics(pages))];
    }
    if command == "service" {
        return vec![Kind::Words(terms(page)), Kind::Service];
    }
    let words = page.usage.split(' ').skip(if command == "init" { 1 } else { 2 });
    let words = words.filter(|word| !word.starts_with(['[', '-']) && !word.ends_with(']'));
    let kinds = words.filter_map(|word| {
        Some(match word.trim_end_matches("...") {
            "COMMAND" => Kind::Command,
            "TYPE" => Kind::Root,
            "BRIDGE" => Kind::Link,
            "SIGNAL" => Kind::Signal,
            // The networks of ip-netns(8) have names as well.
            "NAME" if !command.ends_with("netns") => Kind::Instance,
            "FILE" => return None,
            _ => Kind::Nothing,
        })
    });
    kinds.collect()
}

/// The names of all commands, without the aliases.
pub(crate) fn commands(pages: &[Page]) -> Vec<String> {
    let first = pages.iter().filter(|page| page.topic.is_empty() && !page.command().is_empty());
    first.flat_map(|page| page.commands.iter().cloned()).collect()
}

fn topics(pages: &[Page]) -> Vec<String> {
    let topics = pages.iter().filter(|page| !page.topic.is_empty());
    topics.map(|page| page.topic.clone()).chain(["all".to_owned()]).collect()
}

/// What the rows of a page explain.
fn terms(page: &Page) -> Vec<String> {
    let rows = page.blocks.iter().filter_map(|block| match block {
        Block::Row(term, _) => Some(term),
        Block::Paragraph(_) | Block::Heading(_) | Block::Section(_) | Block::Flag(_) => None,
    });
    rows.flat_map(|term| term.split(", ")).map(str::to_owned).collect()
}

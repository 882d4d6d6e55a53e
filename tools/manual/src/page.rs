//! The grammar of a help text.
//!
//! A page begins with `Usage:` lines, or if it is on a topic, with a heading. Then come blocks:
//! paragraphs, headings (a line that ends with a colon), and rows: two spaces, what is explained, two
//! spaces or more, and the text, whose further lines are indented deeper. A row that begins with `-` is
//! an option. The last line of what the program prints is `Example: COMMAND`. After it come the
//! sections of the man page, each headed by a line in capitals.

/// What `help` prints must fit on a terminal, with the prompt below it.
const LINES: usize = 23;
/// In characters.
const COLUMNS: usize = 80;

/// One option.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Flag {
    /// Its names, with their dashes: `-m`, `--mount`.
    pub(crate) names: Vec<String>,
    /// What stands for its value; empty where it has none.
    pub(crate) value: String,
    /// The value may be left out, and otherwise follows on `=`.
    pub(crate) is_optional: bool,
    pub(crate) is_repeatable: bool,
    pub(crate) text: String,
}

/// A piece of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Block {
    Paragraph(String),
    Heading(String),
    /// A section of the man page alone.
    Section(String),
    /// What is explained, and the explanation.
    Row(String, String),
    Flag(Flag),
}

/// One page.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The command, which is empty for the program itself, and its other names.
    pub(crate) commands: Vec<String>,
    /// Empty for the first page of a command.
    pub(crate) topic: String,
    pub(crate) usage: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) example: String,
}

impl Page {
    pub(crate) fn command(&self) -> &str {
        self.commands.first().map_or("", String::as_str)
    }

    pub(crate) fn flags(&self) -> impl Iterator<Item = &Flag> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Flag(flag) => Some(flag),
            Block::Paragraph(_) | Block::Heading(_) | Block::Section(_) | Block::Row(..) => None,
        })
    }

    /// The beginning of the first sentence, as a man page and a completion have it: `runs COMMAND in new namespaces`.
    pub(crate) fn summary(&self) -> String {
        let text = self.blocks.iter().find_map(|block| match block {
            Block::Paragraph(text) => Some(text.as_str()),
            Block::Heading(_) | Block::Section(_) | Block::Row(..) | Block::Flag(_) => None,
        });
        let mut sentence = text.unwrap_or_default().trim_end_matches('.');
        for end in [". ", ": ", "; ", ", ", " ("] {
            sentence = sentence.split(end).next().unwrap_or(sentence);
        }
        let mut letters = sentence.chars();
        let first = letters.next().map(|first| first.to_lowercase().to_string());
        first.unwrap_or_default() + letters.as_str()
    }
}

/// The text of each page behind the line with its names.
fn split(all: &str) -> impl Iterator<Item = (&str, &str)> {
    all.split('\0').filter_map(|page| page.split_once('\n'))
}

/// Whether each page, as the program prints it, fits on a screen.
pub(crate) fn check_size(all: &str) -> Result<(), String> {
    for (name, text) in split(all) {
        if text.lines().count() > LINES {
            return Err(format!("help of \"{name}\": more than {LINES} lines"));
        }
        if let Some(line) = text.lines().find(|line| line.chars().count() > COLUMNS) {
            return Err(format!("help of \"{name}\": longer than {COLUMNS}: {line}"));
        }
    }
    Ok(())
}

/// All pages, which also fit together.
pub(crate) fn parse_all(all: &str) -> Result<Vec<Page>, String> {
    let mut pages = Vec::new();
    for (name, text) in split(all) {
        pages.push(parse(name, text).map_err(|problem| format!("help of \"{name}\": {problem}"))?);
    }
    check_together(&pages)?;
    Ok(pages)
}

/// An option stands once on the pages of a command; on a first page that has topics, it is one of
/// theirs.
fn check_together(pages: &[Page]) -> Result<(), String> {
    for page in pages.iter().filter(|page| page.topic.is_empty()) {
        let same = |other: &&Page| other.command() == page.command() && !other.topic.is_empty();
        let topics: Vec<&Page> = pages.iter().filter(same).collect();
        let mut known: Vec<&Flag> = Vec::new();
        let all = topics.iter().flat_map(|topic| topic.flags());
        for flag in all.chain(page.flags().filter(|_| topics.is_empty())) {
            if known.iter().any(|other| other.names.iter().any(|name| flag.names.contains(name))) {
                return Err(format!("{}: {:?} stands there twice", page.command(), flag.names));
            }
            known.push(flag);
        }
        // A value that may be left out may be left out here as well.
        let same = |one: &Flag, other: &Flag| {
            let left_out = other.is_optional && one.value.is_empty();
            one.names == other.names && (one.value == other.value || left_out)
        };
        for flag in page.flags() {
            if !known.iter().any(|other| same(flag, other)) {
                return Err(format!("{}: no topic has {:?}", page.command(), flag.names));
            }
        }
    }
    Ok(())
}

fn parse(name: &str, text: &str) -> Result<Page, String> {
    let (commands, topic) = name.split_once(' ').unwrap_or((name, ""));
    let mut page = Page {
        commands: commands.split('|').map(str::to_owned).collect(),
        topic: topic.to_owned(),
        usage: String::new(),
        blocks: Vec::new(),
        example: String::new(),
    };
    let mut paragraph: Vec<&str> = Vec::new();
    let mut lines = text.lines().peekable();
    if topic.is_empty() {
        let usage = lines.next().and_then(|line| line.strip_prefix("Usage: "));
        page.usage = usage.ok_or("no Usage: in the first line")?.to_owned();
    }
    while let Some(line) = lines.next() {
        if let Some(example) = line.strip_prefix("Example: ") {
            if !page.example.is_empty() {
                return Err("a second example".to_owned());
            }
            page.example = example.to_owned();
        } else if let Some(row) = line.strip_prefix("  ") {
            end(&mut paragraph, &mut page.blocks);
            if row.starts_with(' ') {
                return Err(format!("what does this line follow on: {line}"));
            }
            let (term, mut text) = match row.split_once("  ") {
                Some((term, text)) => (term, text.trim_start().to_owned()),
                None => (row, String::new()),
            };
            while let Some(more) = lines.next_if(|line| line.starts_with("    ")) {
                text = format!("{text} {}", more.trim_start()).trim_start().to_owned();
            }
            if text.is_empty() {
                return Err(format!("no explanation of {term}"));
            }
            page.blocks.push(match term.starts_with('-') {
                true => Block::Flag(flag(term, text)?),
                false => Block::Row(term.to_owned(), text),
            });
        } else if line.is_empty() {
            end(&mut paragraph, &mut page.blocks);
        } else if line.chars().all(|letter| letter.is_ascii_uppercase() || letter == ' ') {
            end(&mut paragraph, &mut page.blocks);
            page.blocks.push(Block::Section(line.to_owned()));
        } else if paragraph.is_empty() && line.ends_with(':') {
            page.blocks.push(Block::Heading(line.trim_end_matches(':').to_owned()));
        } else {
            paragraph.push(line);
        }
    }
    end(&mut paragraph, &mut page.blocks);
    if page.example.is_empty() {
        return Err("no example".to_owned());
    }
    Ok(page)
}

/// Ends a paragraph that was begun.
fn end(paragraph: &mut Vec<&str>, blocks: &mut Vec<Block>) {
    if !paragraph.is_empty() {
        blocks.push(Block::Paragraph(paragraph.join(" ")));
        paragraph.clear();
    }
}

/// `-m, --mount[=FILE]`, `--bridge BRIDGE`, `-v`.
fn flag(term: &str, text: String) -> Result<Flag, String> {
    let mut flag = Flag {
        names: Vec::new(),
        value: String::new(),
        is_optional: false,
        is_repeatable: text.contains("repeatable"),
        text,
    };
    let (names, value) = match term.find("[=") {
        Some(place) => {
            flag.is_optional = true;
            let (names, value) = term.split_at(place);
            (names, value.trim_start_matches("[=").trim_end_matches(']'))
        }
        None => {
            let end = term.rfind(", ").map_or(0, |comma| comma + 2);
            let (before, last) = term.split_at(end);
            let space = last.find(' ').unwrap_or(last.len()) + before.len();
            let (names, value) = term.split_at(space);
            (names, value.trim_start())
        }
    };
    if value.starts_with('-') {
        return Err(format!("no comma between names of an option: {term}"));
    }
    flag.value = value.to_owned();
    for name in names.split(", ") {
        let letters = name.trim_start_matches('-');
        let dashes = name.len() - letters.len();
        let is_name = letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let fits = match dashes {
            1 => letters.len() == 1 && letters.bytes().all(|byte| byte.is_ascii_alphabetic()),
            2 => letters.len() > 1 && is_name,
            _ => false,
        };
        if !fits {
            return Err(format!("no name of an option: {name}"));
        }
        flag.names.push(name.to_owned());
    }
    Ok(flag)
}

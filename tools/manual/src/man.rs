//! Man pages, in man(7).
use crate::page::{Block, Flag, Page};
use std::path::PathBuf;

/// What the pages say that the program is.
const VERSION: &str = concat!("unshared-cli ", env!("CARGO_PKG_VERSION"));

/// What a page is.
pub(crate) enum File {
    Text(String),
    /// A link to the page beside it.
    Link(String),
}

/// One file for each command, with its topics, and links from its other names.
pub(crate) fn files(pages: &[Page], date: &str) -> Vec<(PathBuf, File)> {
    let mut files = Vec::new();
    for page in pages.iter().filter(|page| page.topic.is_empty()) {
        let topics = pages
            .iter()
            .filter(|other| !other.topic.is_empty() && other.command() == page.command());
        let topics: Vec<&Page> = topics.collect();
        let (name, section) = title(page.command());
        let path = PathBuf::from(format!("man/man{section}/{name}.{section}"));
        files.push((path, File::Text(text(page, &topics, pages, date))));
        for alias in page.commands.iter().skip(1) {
            let (other, _) = title(alias);
            let path = PathBuf::from(format!("man/man{section}/{other}.{section}"));
            files.push((path, File::Link(format!("{name}.{section}"))));
        }
    }
    files
}

/// The name of a command's page, and its section.
fn title(command: &str) -> (String, u8) {
    match command {
        "" => ("unshared-cli".to_owned(), 1),
        "init" => ("unshared-init".to_owned(), 8),
        command => (format!("unshared-cli-{command}"), 1),
    }
}

fn text(page: &Page, topics: &[&Page], pages: &[Page], date: &str) -> String {
    let (name, section) = title(page.command());
    let mut out = format!(
        ".\\\" Made from the help texts; see help/ of the sources.\n.TH {} {section} {date} \"{VERSION}\"\n",
        escape(&name.to_uppercase()),
    );
    out += &format!(".SH NAME\n{} \\- {}\n", escape(&name), escape(&page.summary()));
    out += &format!(".SH SYNOPSIS\n{}\n", synopsis(&page.usage));
    out += ".SH DESCRIPTION\n";
    // Options and the texts about them follow in a section of their own, up to the sections of the
    // page's own.
    let own = page.blocks.iter().position(|block| matches!(block, Block::Section(_)));
    let (blocks, sections) = page.blocks.split_at(own.unwrap_or(page.blocks.len()));
    let is_list =
        |block: &Block| matches!(block, Block::Heading(_) | Block::Row(..) | Block::Flag(_));
    let first = blocks.iter().position(is_list).unwrap_or(blocks.len());
    let (description, list) = blocks.split_at(first);
    write(&mut out, description, "");
    if topics.is_empty() {
        if !list.is_empty() {
            out += if page.flags().next().is_some() { ".SH OPTIONS\n" } else { ".SH COMMANDS\n" };
        }
        write(&mut out, list, "SH");
    } else {
        out += ".SH OPTIONS\n";
        for topic in topics {
            write(&mut out, &topic.blocks, "SS");
        }
    }
    write(&mut out, sections, "SH");
    out += ".SH EXAMPLES\n.EX\n";
    for example in std::iter::once(page).chain(topics.iter().copied()) {
        out += &format!("{}\n", escape(&example.example));
    }
    out += ".EE\n.SH SEE ALSO\n";
    let related = pages.iter().filter(|other| other.topic.is_empty());
    let related: Vec<String> = related
        .filter(|other| other.command() != page.command())
        .filter(|other| {
            page.command().is_empty() || ["", "spawn", "init"].contains(&other.command())
        })
        .map(|other| {
            let (name, section) = title(other.command());
            format!("\\fB{}\\fR({section})", escape(&name))
        })
        .collect();
    out + &related.join(",\n") + "\n"
}

fn write(out: &mut String, blocks: &[Block], heading: &str) {
    // The first paragraph of a section needs no macro, and would be warned of.
    let mut is_first = true;
    for block in blocks {
        match block {
            Block::Paragraph(text) => {
                *out += if is_first { "" } else { ".PP\n" };
                *out += &format!("{}\n", line(text));
            }
            Block::Heading(text) | Block::Section(text) => {
                let text = text
                    .split_once(", ")
                    .filter(|_| heading == "SS")
                    .map_or(text.as_str(), |(_, rest)| rest);
                let level = if matches!(block, Block::Section(_)) { "SH" } else { "SS" };
                *out += &format!(".{level} {}\n", quoted(text));
            }
            Block::Row(term, text) => {
                *out += &format!(".TP\n\\fB{}\\fR\n{}\n", escape(term), line(text));
            }
            Block::Flag(flag) => {
                *out += &format!(".TP\n{}\n{}\n", flag_term(flag), line(&flag.text));
            }
        }
        is_first = matches!(block, Block::Heading(_) | Block::Section(_));
    }
}

/// `unshared-cli stop NAME [--grace SECONDS]`: what is typed as it stands, and what stands for it.
fn synopsis(usage: &str) -> String {
    let words = usage.split(' ').map(|word| {
        if word.contains(|letter: char| letter.is_ascii_uppercase()) {
            italic(word)
        } else {
            format!("\\fB{}\\fR", escape(word)).replace("\\fB[", "[\\fB").replace("]\\fR", "\\fR]")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn flag_term(flag: &Flag) -> String {
    let names: Vec<String> =
        flag.names.iter().map(|name| format!("\\fB{}\\fR", escape(name))).collect();
    let names = names.join(", ");
    match flag.is_optional {
        true => format!("{names}[={}]", italic(&flag.value)),
        false if flag.value.is_empty() => names,
        false => format!("{names} {}", italic(&flag.value)),
    }
}

/// The words in capitals are in italics.
fn italic(value: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in value.chars() {
        if letter.is_ascii_uppercase() != inside {
            out += if inside { "\\fR" } else { "\\fI" };
            inside = !inside;
        }
        out += &escape(&letter.to_string());
    }
    if inside {
        out += "\\fR";
    }
    out
}

/// Text, in lines of a length that is read well; none may look like a request.
fn line(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split_ascii_whitespace() {
        let word = escape(word);
        if length + word.len() > 76 {
            lines.push('\n');
            length = 0;
        }
        if length > 0 {
            lines.push(' ');
        } else if word.starts_with(['.', '\'']) {
            lines += "\\&";
        }
        lines += &word;
        length += word.len() + 1;
    }
    lines
}

/// The argument of a macro.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\(dq"))
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => out += "\\e",
            '-' => out += "\\-",
            '\'' => out += "\\(aq",
            '`' => out += "\\(ga",
            '^' => out += "\\(ha",
            '~' => out += "\\(ti",
            _ => out.push(letter),
        }
    }
    out
}

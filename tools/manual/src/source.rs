//! The pages of help/, as one text: for each a zero byte, a line with its names, and its lines.
//!
//! build.rs puts them into the program, and the crate unshared-manual makes man pages and
//! completions of them. A file may have several pages; `= NAME|ALIAS` or `= NAME TOPIC` begins one.
//! `#if PART`, `#else`, `#end` are about the parts of a build, and what stands between `#manual` and
//! `#end` is for the man page alone.
use std::fs;
use std::path::Path;

/// The parts that a build may have (the features of the root package).
pub(crate) const PARTS: [&str; 5] = ["roots", "network", "machine", "services", "seccomp"];

/// Who reads the pages.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each of the two programs that include this makes one of them")]
pub(crate) enum Reader {
    /// The program's `help`.
    Terminal,
    /// The man pages.
    Manual,
}

/// All pages, for a build with the parts that `has` knows.
pub(crate) fn pages(
    directory: &Path,
    has: impl Fn(&str) -> bool,
    reader: Reader,
) -> Result<String, String> {
    let list =
        fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<_> = list.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut all = String::new();
    for file in files {
        let text =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        select(&text, &has, reader, &mut all)
            .map_err(|line| format!("{}: {line}", file.display()))?;
    }
    Ok(all)
}

/// What a build without some parts does not have: for each option and each command a line with it, and
/// the part.
#[allow(dead_code, reason = "only the program asks for it")]
pub(crate) fn absent(directory: &Path, has: impl Fn(&str) -> bool) -> Result<String, String> {
    let mut lines = String::new();
    for part in PARTS.into_iter().filter(|part| !has(part)) {
        let with = pages(directory, |other| other == part, Reader::Terminal)?;
        let without = pages(directory, |_| false, Reader::Terminal)?;
        let lacks: Vec<&str> = words(&without).collect();
        for word in words(&with).filter(|word| !lacks.contains(word)) {
            lines.push_str(&format!("{word} {part}\n"));
        }
    }
    Ok(lines)
}

/// The commands and the options that pages are about.
fn words(pages: &str) -> impl Iterator<Item = &str> {
    let pages = pages.split('\0').filter_map(|page| page.split_once('\n'));
    pages.flat_map(|(names, text)| {
        let command = names.split(' ').next().unwrap_or_default();
        let options = text.lines().filter(|line| line.starts_with("  -"));
        let options = options.filter_map(|line| {
            line.split([' ', ',', '=', '[']).find(|word| word.starts_with("--"))
        });
        command.split('|').chain(options)
    })
}

/// The lines of one file that are for this build and this reader.
fn select(
    text: &str,
    has: &impl Fn(&str) -> bool,
    reader: Reader,
    all: &mut String,
) -> Result<(), String> {
    // Whether the lines are taken: inside each of the blocks that are open.
    let mut open = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        match words.next() {
            Some("#if") => open.push(words.all(has)),
            Some("#manual") => open.push(reader == Reader::Manual),
            Some("#else") => {
                let last = open.pop().ok_or("#else without #if")?;
                open.push(!last);
            }
            Some("#end") => {
                open.pop().ok_or("#end without #if")?;
            }
            _ if open.contains(&false) => {}
            Some("=") => {
                all.push('\0');
                all.push_str(line.trim_start_matches("= "));
                all.push('\n');
            }
            _ => {
                all.push_str(line);
                all.push('\n');
            }
        }
    }
    if open.is_empty() { Ok(()) } else { Err("#if without #end".to_owned()) }
}

//! `--config FILE`: options of `spawn` in a file. `--dump-config` writes such a file.
//!
//! A line has an option and its values, in words as a shell's: quotes and backslashes keep what is
//! inside, `#` begins a comment. A line that begins with `--` has the command.
use crate::error::{Error, quote};
use crate::files::read_open;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use unshared_init::sys::Arguments;

/// The words of a line, and its number in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) words: Vec<Vec<u8>>,
}

/// Reads a file.
pub(super) fn read(path: &CStr) -> Result<Vec<Line>, Error> {
    let text = open(path)
        .and_then(|file| read_open(&file))
        .map_err(|errno| Error::system(format!("read {}", quote(path.to_bytes())), errno))?;
    split(&text).map_err(|number| {
        let problem = "a quotation mark or a backslash without what belongs to it";
        Error::plain(problem).at(&place(path, number))
    })
}

fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A file and the number of a line in it.
pub(super) fn place(path: &CStr, number: usize) -> String {
    format!("{}:{number}", crate::error::escape(path.to_bytes()))
}

/// The words of a line, as a command line.
pub(super) fn arguments(words: Vec<Vec<u8>>) -> Result<Arguments, Error> {
    let words = words.into_iter().map(CString::new).collect::<Result<_, _>>();
    words.map(crate::sys::arguments).map_err(|_| Error::usage("a zero byte", "spawn"))
}

/// The lines that have words. Fails with the number of the line that has no end.
pub(super) fn split(text: &[u8]) -> Result<Vec<Line>, usize> {
    let mut lines = Vec::new();
    let mut line = Line { number: 1, words: Vec::new() };
    let mut number = 1;
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => line.words.extend(word.take()),
            b'\n' => {
                number += 1;
                line.words.extend(word.take());
                let next = Line { number, words: Vec::new() };
                let ended = std::mem::replace(&mut line, next);
                lines.extend(Some(ended).filter(|line| !line.words.is_empty()));
            }
            b'#' if word.is_none() => {
                // Without the end of the line, which ends more than the comment.
                let rest = bytes.as_slice();
                let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                bytes = rest.get(end..).unwrap_or_default().iter();
            }
            b'\\' => {
                let escaped = *bytes.next().ok_or(line.number)?;
                number += usize::from(escaped == b'\n');
                word.get_or_insert_default().push(escaped);
            }
            b'\'' | b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    let inside = *bytes.next().ok_or(line.number)?;
                    number += usize::from(inside == b'\n');
                    match inside {
                        _ if inside == byte => break,
                        b'\\' if byte == b'"' => word.push(*bytes.next().ok_or(line.number)?),
                        _ => word.push(inside),
                    }
                }
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    line.words.extend(word);
    lines.extend(Some(line).filter(|line| !line.words.is_empty()));
    Ok(lines)
}

/// Reads such a file, and what is written of it.
#[cfg(fuzzing)]
pub(super) fn fuzz(text: &[u8]) {
    let Ok(lines) = split(text) else { return };
    let words = |line: &Line| line.words.clone();
    let mut again = Vec::new();
    for line in &lines {
        write(line.words.iter().map(|word| word.as_slice()), &mut again);
    }
    let again = split(&again).expect("what was written is read");
    assert!(lines.iter().map(words).eq(again.iter().map(words)), "it is another one");
}

/// Adds a line of these words, which [`split`] reads again.
pub(super) fn write<'a>(words: impl Iterator<Item = &'a [u8]>, text: &mut Vec<u8>) {
    for (index, word) in words.enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=/:.,+%@[]*".contains(byte);
        if !word.is_empty() && word.iter().all(is_plain) {
            text.extend_from_slice(word);
            continue;
        }
        text.push(b'\'');
        for byte in word {
            match byte {
                b'\'' => text.extend_from_slice(b"'\\''"),
                _ => text.push(*byte),
            }
        }
        text.push(b'\'');
    }
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            words in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![any::<u8>(), proptest::sample::select(b"'\"\\# \t\n-".to_vec())],
                    0..9,
                ),
                1..5,
            ),
        ) {
            let mut text = Vec::new();
            write(words.iter().map(Vec::as_slice), &mut text);
            prop_assert_eq!(split(&text), Ok(vec![Line { number: 1, words }]));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text: Vec<u8>) {
            let _ = split(&text);
        }
    }

    #[test]
    fn words_are_as_a_shells() {
        let text =
            b"# nothing\n\n--pid # more\n--env 'A=1 2'\\''3' \"B=\\\"x\\\"\"#x\n  a\\ b\t'c\nd' e";
        let lines: Vec<(usize, Vec<String>)> = split(text)
            .unwrap()
            .into_iter()
            .map(|line| {
                let words = line.words.into_iter().map(|word| String::from_utf8(word).unwrap());
                (line.number, words.collect())
            })
            .collect();
        let line = |number: usize, words: &[&str]| {
            (number, words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            lines,
            [
                line(3, &["--pid"]),
                line(4, &["--env", "A=1 2'3", "B=\"x\"#x"]),
                line(5, &["a b", "c\nd", "e"]),
            ]
        );
        for (text, number) in [(&b"a\n'b\n"[..], 2), (b"\"\\\"", 1), (b"a\n\n\\", 3)] {
            assert_eq!(split(text), Err(number));
        }
    }
}

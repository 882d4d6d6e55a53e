//! Scripts and their interpreters (execve(2)).
use super::Closure;
use crate::root::elf::Source;
use crate::root::view::split;
use rustix::io::Errno;

/// The kernel looks at so much of a file (BINPRM_BUF_SIZE).
const HEAD: usize = 256;

/// What a script asks for.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    interpreter: &'a [u8],
    /// The rest of the line, which is one argument.
    argument: &'a [u8],
}

impl Closure<'_> {
    /// Adds the interpreter of the script at `path`, if it is one, and what env(1) would execute.
    pub(super) fn interpreter(&mut self, path: &[u8]) {
        let Ok(file) = self.view.file(path) else { return };
        let head = file.read(0, HEAD);
        let Some(line) = first_line(&head) else { return };
        let what = super::INTERPRETER;
        if !line.interpreter.starts_with(b"/") {
            // Relative to whatever directory the script will be called in.
            return;
        }
        self.program(line.interpreter, what, path);
        if split(line.interpreter).1 != b"env" {
            return;
        }
        let Some(name) = program_of_env(line.argument) else { return };
        if name.starts_with(b"/") {
            return self.program(name, what, path);
        }
        match self.in_path(name) {
            Some(found) => self.program(&found, what, path),
            None => self.lacks(name, what, path, false, Errno::NOENT),
        }
    }
}

fn first_line(head: &[u8]) -> Option<Line<'_>> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?.trim_ascii_start();
    let blank = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(blank);
    let argument = argument.trim_ascii();
    (!interpreter.is_empty()).then_some(Line { interpreter, argument })
}

/// The program that `env ARGUMENT` executes. Without `-S` the argument is one word.
fn program_of_env(argument: &[u8]) -> Option<&[u8]> {
    let split = [&b"-S"[..], b"--split-string=", b"-vS"];
    let list = split.into_iter().find_map(|option| argument.strip_prefix(option));
    let Some(list) = list else {
        return (!argument.is_empty() && !argument.starts_with(b"-")).then_some(argument);
    };
    let words = list.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.into_iter().find(|word| !word.starts_with(b"-") && !word.contains(&b'='))
}

/// Reads the first bytes of a file, and what env(1) would make of it.
#[cfg(fuzzing)]
pub(super) fn fuzz(head: &[u8]) {
    let argument = first_line(head).map_or(head, |line| line.argument);
    let _ = program_of_env(argument);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_interpreter_and_one_argument() {
        let line = |head| first_line(head).map(|line| (line.interpreter, line.argument));
        assert_eq!(line(b"#! /bin/sh -e x \nrest"), Some((&b"/bin/sh"[..], &b"-e x"[..])));
        assert_eq!(line(b"#!/bin/sh"), Some((&b"/bin/sh"[..], &b""[..])));
        assert_eq!(line(b"#!\n/bin/sh"), None);
        assert_eq!(line(b"echo"), None);
    }

    #[test]
    fn env_executes_its_first_word_that_is_no_option_and_no_variable() {
        assert_eq!(program_of_env(b"python3"), Some(&b"python3"[..]));
        assert_eq!(program_of_env(b"-S A=b python3 -u"), Some(&b"python3"[..]));
        assert_eq!(program_of_env(b"-S -i perl"), Some(&b"perl"[..]));
        assert_eq!(program_of_env(b"-i"), None);
        assert_eq!(program_of_env(b""), None);
    }
}

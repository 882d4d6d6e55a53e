//! The command line of `spawn`.
use super::values::TWICE;
use super::words::Words;
use super::{Request, config, help};
use crate::error::Error;
use crate::spec::Spec;
use std::ffi::CStr;
use unshared_init::sys::Arguments;

pub(super) mod options;

/// Reads the arguments that follow on `spawn`. What follows on the options is never copied: a command
/// line may be large.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::default();
    reader.spec.words = Some(arguments);
    if arguments.take_while(|word| word.to_bytes() != b"--").any(is_about_files) {
        // Files come first, so that the command line has the last word.
        let mut first = Reader::default();
        let mut words = Words::new("spawn", arguments);
        first.read(&mut words)?;
        if !words.wants_help {
            reader.lines = Some(Vec::new());
            first.files.read.iter().try_for_each(|file| reader.file(file))?;
        }
    }
    let mut words = Words::new("spawn", arguments);
    reader.read(&mut words)?;
    if words.wants_help {
        return Ok(Request::Print(help::of("spawn")));
    }
    reader.spec.check()?;
    if reader.files.dumps {
        return Ok(Request::Dump(reader.dump()));
    }
    Ok(Request::Spawn(reader.spec))
}

fn is_about_files(word: &CStr) -> bool {
    word.to_bytes().starts_with(b"--config") || word == c"--dump-config"
}

/// The options that are about files of options.
#[derive(Default)]
struct Files {
    /// `--config`
    read: Vec<&'static CStr>,
    /// `--dump-config`
    dumps: bool,
}

/// An option that was taken in, with its values.
struct Taken {
    place: usize,
    /// Its words are the first so many of these.
    words: Arguments,
    count: usize,
    /// It is a file's, so that it may be given once more, on the command line.
    is_of_file: bool,
}

/// The options so far.
#[derive(Default)]
struct Reader {
    spec: Box<Spec>,
    files: Files,
    /// All of them, where there are files or they are written.
    lines: Option<Vec<Taken>>,
    /// Those that come now are a file's.
    is_in_file: bool,
}

impl Reader {
    /// Takes in the options, and the command behind them.
    fn read(&mut self, words: &mut Words) -> Result<(), Error> {
        let mut begin = (words.behind(), words.taken);
        while let Some(name) = words.next(options::NAMES)? {
            if name.is_empty() {
                self.spec.command = Some(words.remainder());
                return Ok(());
            }
            if let Err(problem) = options::take(&mut self.spec, &mut self.files, words)
                && !(problem == TWICE && self.overrules(words.place))
            {
                return Err(words.wrong(problem));
            }
            // Letters behind one dash are taken in together.
            if let Some(lines) = &mut self.lines
                && words.is_between()
            {
                let (from, taken) = begin;
                begin = (words.behind(), words.taken);
                if !is_about_files(from.first().unwrap_or_default()) {
                    let (place, count) = (words.place, words.taken - taken);
                    let is_of_file = self.is_in_file;
                    lines.push(Taken { place, words: from, count, is_of_file });
                }
            }
        }
        if words.is_ended() {
            return Err(words.usage("no command after \"--\""));
        }
        Ok(())
    }

    /// What a file says once, the command line may say again.
    fn overrules(&mut self, place: usize) -> bool {
        let lines = self.lines.as_mut().filter(|_| !self.is_in_file);
        let Some(lines) = lines else { return false };
        let is_it = |line: &Taken| line.is_of_file && line.place == place;
        let found = lines.iter().position(is_it);
        found.map(|index| lines.remove(index)).is_some()
    }

    /// Takes in the options of a file.
    #[cold]
    fn file(&mut self, path: &CStr) -> Result<(), Error> {
        self.is_in_file = true;
        for line in config::read(path)? {
            let read = config::arguments(line.words).and_then(|words| self.line(words));
            read.map_err(|error| error.at(&config::place(path, line.number)))?;
        }
        self.is_in_file = false;
        Ok(())
    }

    fn line(&mut self, arguments: Arguments) -> Result<(), Error> {
        let before = self.spec.command.take();
        let is_command = arguments.first() == Some(c"--");
        let mut words = Words::new("spawn", arguments);
        self.read(&mut words)?;
        if !self.files.read.is_empty() || self.files.dumps {
            return Err(words.usage("--config and --dump-config are for the command line"));
        }
        if is_command && before.is_some() {
            return Err(words.usage(format!("the command {TWICE}")));
        }
        if words.wants_help || self.spec.command.is_some() != is_command {
            return Err(words.usage("a line has one option, or -- and the command"));
        }
        self.spec.command = self.spec.command.or(before);
        Ok(())
    }

    /// The options, one a line, and the command.
    #[cold]
    fn dump(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for line in self.lines.iter().flatten() {
            config::write(line.words.take(line.count).map(CStr::to_bytes), &mut text);
        }
        if let Some(command) = self.spec.command {
            text.extend_from_slice(b"-- ");
            config::write(command.take(usize::MAX).map(CStr::to_bytes), &mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests;

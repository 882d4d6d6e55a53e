//! The kernel's command line: words as the kernel itself takes them apart. Pure.
//!
//! Quotation marks keep white space together, around a value (`a="b c"`), or around a whole word
//! (`"a=b c"`). There is no way to say one.

/// A word: `name` or `name=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) words: Vec<Word>,
    /// What stands behind `--`, which is not the kernel's: `None` where there is no `--`.
    pub(crate) rest: Option<Vec<Vec<u8>>>,
}

/// Takes a command line apart.
pub(crate) fn parse(line: &[u8]) -> Words {
    let mut words = Words::default();
    let mut line = line;
    while let Some((text, behind)) = next(line) {
        line = behind;
        match &mut words.rest {
            Some(rest) => rest.push(text.whole()),
            None if text.word == b"--" => words.rest = Some(Vec::new()),
            None => words.words.push(text.split()),
        }
    }
    words
}

/// The same of words that stand one on each line, without quotation marks.
pub(crate) fn lines(text: &[u8]) -> Words {
    let mut words = Words::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let equals = line.iter().position(|byte| *byte == b'=');
        let value = equals.and_then(|place| line.get(place + 1..)).map(<[u8]>::to_vec);
        match &mut words.rest {
            Some(rest) => rest.push(line.to_vec()),
            None if line == b"--" => words.rest = Some(Vec::new()),
            None => {
                let name = line.get(..equals.unwrap_or(line.len())).unwrap_or(line).to_vec();
                words.words.push(Word { name, value });
            }
        }
    }
    words
}

impl Word {
    /// As it is said.
    pub(crate) fn join(self) -> Vec<u8> {
        match self.value {
            Some(value) => [&self.name[..], b"=", &value].concat(),
            None => self.name,
        }
    }
}

/// A word as it stands there.
struct Text<'a> {
    /// Without the quotation mark that it may begin with.
    word: &'a [u8],
    quoted: bool,
    /// Where the first `=` is, if it is not the word's first byte.
    equals: Option<usize>,
}

/// The next word, and what is behind it.
fn next(line: &[u8]) -> Option<(Text<'_>, &[u8])> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let line = line.get(line.iter().position(|byte| !is_space(*byte))?..)?;
    let (quoted, line) = match line.strip_prefix(b"\"") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let mut inside = quoted;
    let mut equals = None;
    let mut end = line.len();
    for (place, byte) in line.iter().enumerate() {
        match byte {
            b'"' => inside = !inside,
            b'=' if place > 0 && equals.is_none() => equals = Some(place),
            _ if !inside && is_space(*byte) => {
                end = place;
                break;
            }
            _ => {}
        }
    }
    let (word, behind) = line.split_at_checked(end).unwrap_or((line, &[]));
    Some((Text { word, quoted, equals }, behind))
}

/// White space as the kernel has it: with the no-break space of Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

impl Text<'_> {
    /// Name and value, without the quotation marks around them.
    fn split(&self) -> Word {
        let Some((name, value)) = self.equals.and_then(|place| self.word.split_at_checked(place))
        else {
            return Word { name: self.close(self.word, self.quoted).to_vec(), value: None };
        };
        let value = value.strip_prefix(b"=").unwrap_or(value);
        let (opened, value) = match value.strip_prefix(b"\"") {
            Some(rest) => (true, rest),
            None => (self.quoted, value),
        };
        Word { name: name.to_vec(), value: Some(self.close(value, opened).to_vec()) }
    }

    /// The same as one word again: an argument of the payload's.
    fn whole(&self) -> Vec<u8> {
        self.split().join()
    }

    /// Without the quotation mark at the end that closes one at the beginning.
    fn close<'b>(&self, text: &'b [u8], opened: bool) -> &'b [u8] {
        if opened { text.strip_suffix(b"\"").unwrap_or(text) } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let words = parse(line.as_bytes()).words.into_iter();
        words.map(|word| (text(word.name), word.value.map(text))).collect()
    }

    fn word(name: &str, value: Option<&str>) -> (String, Option<String>) {
        (name.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn words_are_told_apart_by_white_space() {
        let expected = [word("quiet", None), word("console", Some("ttyS0,115200"))];
        assert_eq!(read("  quiet\t console=ttyS0,115200\n"), expected);
        assert_eq!(read(""), []);
        assert_eq!(read("a=b=c ="), [word("a", Some("b=c")), word("=", None)]);
        assert_eq!(read("a="), [word("a", Some(""))]);
        assert_eq!(read("\u{b}a\u{b}b\0c"), [word("a", None), word("b", None)]);
    }

    #[test]
    fn quotation_marks_are_the_kernels() {
        assert_eq!(read("a=\"b c\" d"), [word("a", Some("b c")), word("d", None)]);
        assert_eq!(read("\"a=b c\" d"), [word("a", Some("b c")), word("d", None)]);
        assert_eq!(read("\"a b\""), [word("a b", None)]);
        assert_eq!(read("a=b\" \"c"), [word("a", Some("b\" \"c"))]);
        assert_eq!(read("a=\"b c"), [word("a", Some("b c"))]);
        assert_eq!(read("a='b c'"), [word("a", Some("'b")), word("c'", None)]);
    }

    #[test]
    fn behind_two_dashes_is_the_payload() {
        let words = parse(b"quiet -- sh -c \"echo x=1 2\" \"-- a\" --");
        let rest = ["sh", "-c", "echo x=1 2", "-- a", "--"].map(|word| word.as_bytes().to_vec());
        assert_eq!(words.rest, Some(rest.to_vec()));
        assert_eq!(words.words.len(), 1);
        assert_eq!(parse(b"--").rest, Some(Vec::new()));
        assert_eq!(parse(b"--x").rest, None);
    }

    #[test]
    fn lines_are_words_without_quotation_marks() {
        let words = lines(b"quiet\na=b \"c\" =d\n\n--\nsh\n--\n");
        let value = Some(b"b \"c\" =d".to_vec());
        let expected =
            [Word { name: b"quiet".to_vec(), value: None }, Word { name: b"a".to_vec(), value }];
        assert_eq!(words.words, expected);
        assert_eq!(words.rest, Some(vec![b"sh".to_vec(), b"--".to_vec()]));
    }

    proptest! {
        #[test]
        fn whatever_it_holds_it_has_an_end(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            parse(&line);
        }

        #[test]
        fn what_has_no_quotation_mark_comes_out_as_it_went_in(
            value in "[!#-~][ !#-~]{0,20}", name in "[a-z.]{1,8}"
        ) {
            let line = format!("x {name}=\"{value}\" y");
            prop_assert_eq!(&read(&line)[1], &word(&name, Some(&value)));
        }
    }
}

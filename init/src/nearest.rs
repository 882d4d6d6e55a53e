//! The word that somebody may have meant who wrote another.

/// The longest word that is looked at.
const LONGEST: usize = 24;

/// Of these words the one that is nearest to `word`, where one is near enough: a letter of three may
/// be wrong, missing or too much, and two letters may have changed places.
#[must_use]
pub fn nearest<'a>(word: &[u8], words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut least = (word.len() / 3).min(3) + 1;
    let mut best = None;
    for candidate in words.filter(|word| !word.is_empty()) {
        let distance = distance(word, candidate);
        if distance < least {
            least = distance;
            best = Some(candidate);
        }
    }
    best
}

/// The options that a help text has: the words that begin with "-" on lines that begin so.
pub fn options(help: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = help.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"  "));
    let words = lines
        .filter(|line| line.starts_with(b"-"))
        .flat_map(|line| line.split(|byte| matches!(byte, b' ' | b',')));
    words.filter(|word| word.starts_with(b"-")).filter_map(|word| {
        // Without what stands for a value.
        word.split(|byte| matches!(byte, b'=' | b'[')).next()
    })
}

/// How many letters have to be put in, taken out, replaced, or exchanged with their neighbours.
fn distance(one: &[u8], other: &[u8]) -> usize {
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    if one.len() > 4 && other.starts_with(one) {
        return 1;
    }
    type Row = [u8; LONGEST + 1];
    let at = |row: &Row, place: usize| row.get(place).copied().unwrap_or(u8::MAX - 1);
    // Of the beginnings of `one`, without its last letter, without its last two: how far they are from
    // each beginning of `other`.
    let (mut row, mut older): (Row, Row) = ([0; LONGEST + 1], [0; LONGEST + 1]);
    for (cell, number) in row.iter_mut().zip(0..) {
        *cell = number;
    }
    let mut last = None;
    for (letter, number) in one.iter().zip(1..) {
        let mut new: Row = [number; LONGEST + 1];
        let mut left = number;
        let mut before = None;
        for (place, theirs) in other.iter().enumerate() {
            let replaced = at(&row, place) + u8::from(letter != theirs);
            let mut cost = replaced.min(at(&row, place + 1) + 1).min(left + 1);
            if last == Some(theirs) && before == Some(letter) && place > 0 {
                cost = cost.min(at(&older, place - 1) + 1);
            }
            if let Some(cell) = new.get_mut(place + 1) {
                *cell = cost;
            }
            left = cost;
            before = Some(theirs);
        }
        (older, row, last) = (row, new, Some(letter));
    }
    at(&row, other.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_as_far_as_the_letters_that_differ() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("ab", "abc", 1),
            ("kitten", "sitting", 3),
            ("--hots", "--host", 1),
        ] {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn what_is_far_away_is_not_meant() {
        let words = ["", "spawn", "stop", "list", "--pid", "--hostname", "-v"];
        let of = |word: &str| {
            nearest(word.as_bytes(), words.iter().map(|word| word.as_bytes()))
                .map(|word| String::from_utf8_lossy(word).into_owned())
        };
        assert_eq!(of("spwan").as_deref(), Some("spawn"));
        assert_eq!(of("lst").as_deref(), Some("list"));
        assert_eq!(of("--pdi").as_deref(), Some("--pid"));
        assert_eq!(of("--hostnam").as_deref(), Some("--hostname"));
        assert_eq!(of("--hostn").as_deref(), Some("--hostname"));
        for none in ["", "-x", "ls", "nonsense", "--nonsense", &"x".repeat(300)] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn options_are_read_from_a_help_text() {
        let help = b"Usage: x --no\n\n  -m, --mount[=FILE]  as --bind\n      --no\n  up  --no\n";
        assert!(options(help).eq([&b"-m"[..], b"--mount", b"--bind"]));
    }
}

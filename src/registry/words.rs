//! Lines of words, whatever bytes the words have.

/// One line: the words with spaces between them and a line feed at the end.
pub(crate) fn line(words: &[&[u8]]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        add(&mut line, word);
    }
    line.push(b'\n');
    line
}

/// Adds a word to the last line of a text. What is not printable ASCII, `%` and the space are written as
/// `%` and two hexadecimal digits; an empty word as `%`.
#[inline(never)]
pub(crate) fn add(text: &mut Vec<u8>, word: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b' ');
    }
    if word.is_empty() {
        text.push(b'%');
    }
    for byte in word {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(*byte);
        } else {
            text.push(b'%');
            for half in [byte >> 4, byte & 15] {
                text.extend(DIGITS.get(usize::from(half)));
            }
        }
    }
}

/// The words of a line without its line feed.
pub(crate) fn split(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    for text in line.split(|byte| *byte == b' ') {
        words.push(word(text));
    }
    words
}

fn word(text: &[u8]) -> Vec<u8> {
    let mut word = Vec::new();
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            word.push(*byte);
        } else if let [high, low, after @ ..] = rest {
            let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
            word.push(digit(*high) << 4 | digit(*low));
            rest = after;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_whatever_they_hold() {
        let words: [&[u8]; 5] = [b"a", b"", b"b c\n%", b"\xff\0", b"%41"];
        let text = line(&words);
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(split(text.strip_suffix(b"\n").unwrap()), words);
    }
}

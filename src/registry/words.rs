//! Lines of words, whatever bytes the words have.

/// One line: the words with spaces between them and a line feed at the end. What is not printable
/// ASCII, `%` and the space are written as `%` and two hexadecimal digits; an empty word as `%`.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        if word.is_empty() {
            line.push(b'%');
        }
        for byte in word {
            if byte.is_ascii_graphic() && *byte != b'%' {
                line.push(*byte);
            } else {
                line.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    line.push(b'\n');
    line
}

/// The words of a line without its line feed.
pub(crate) fn split(line: &[u8]) -> Vec<Vec<u8>> {
    line.split(|byte| *byte == b' ').map(word).collect()
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
        let text = line(words);
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(split(text.strip_suffix(b"\n").unwrap()), words);
    }
}

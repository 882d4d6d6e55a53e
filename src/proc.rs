//! What files of /proc say (proc(5)); pure.

/// The paths in /proc/self/mountinfo on which something is mounted.
pub(crate) fn mount_points(table: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    lines(table).filter_map(|line| field(line, 4).map(unescape))
}

/// A field of a line, counted from 0.
pub(crate) fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    line.split(|byte| *byte == b' ').nth(index)
}

/// The lines of a text.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// A path as it is: the kernel writes space, tab, line feed and backslash as three octal digits.
pub(crate) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', behind @ ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

/// Whether an id map (uid_map, gid_map) has that id inside its user namespace.
pub(crate) fn is_mapped(map: &[u8], id: u32) -> bool {
    lines(map).any(|line| {
        let mut numbers = std::str::from_utf8(line)
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(|word| word.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.nth(1).flatten()) {
            (Some(first), Some(count)) => id.checked_sub(first).is_some_and(|place| place < count),
            (_, _) => false,
        }
    })
}

/// The value behind `NAME:` in /proc/self/status.
pub(crate) fn status<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut values = lines(text).filter_map(|line| line.strip_prefix(name)?.strip_prefix(b":"));
    values.next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_as_they_are_whatever_they_hold() {
        let table = b"25 1 0:22 / /a\\040b rw - proc proc rw\n\nshort\n26 1 0:2 / / rw - x x rw\n";
        assert_eq!(mount_points(table).collect::<Vec<_>>(), [&b"/a b"[..], b"/"]);
        assert_eq!(unescape(b"\\134\\04\\777\\"), b"\\\\04\\777\\");
    }

    #[test]
    fn an_id_is_in_a_map_from_its_first_to_its_last() {
        let map = b"         0       1000          1\n         5     100000 4294967295\nx\n";
        for (id, answer) in [(0, true), (1, false), (4, false), (5, true), (u32::MAX, true)] {
            assert_eq!(is_mapped(map, id), answer, "{id}");
        }
        assert!(!is_mapped(b"", 0) && !is_mapped(b"0 0 0\n", 0) && !is_mapped(b"0 1\n", 0));
    }

    #[test]
    fn a_value_is_that_of_the_whole_name() {
        let text = b"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(status(text, b"Seccomp"), Some(&b"2"[..]));
        assert_eq!(status(text, b"Sec"), None);
    }
}

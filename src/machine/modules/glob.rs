//! Patterns as modules.alias has them: `*`, `?`, `[a-z]`. Pure.

/// Whether the pattern stands for that text.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Behind the last `*`, and the text that it has not taken yet.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', rest)), _) => {
                star = Some((rest, text));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some((byte, behind))) => {
                if let Some(rest) = one(pattern, *byte) {
                    (pattern, text) = (rest, behind);
                    continue;
                }
            }
            _ => {}
        }
        // The last `*` takes one byte more.
        let Some((rest, [_, behind @ ..])) = star else {
            return false;
        };
        star = Some((rest, behind));
        (pattern, text) = (rest, behind);
    }
}

/// What is left of the pattern once its first part has matched that byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern.split_first()? {
        (b'?', rest) => Some(rest),
        (b'[', rest) => {
            let end = rest.iter().position(|one| *one == b']')?;
            let (set, rest) = rest.split_at_checked(end)?;
            in_set(set, byte).then(|| rest.get(1..)).flatten()
        }
        (literal, rest) => (*literal == byte).then_some(rest),
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let mut set = set;
    loop {
        match set {
            [from, b'-', to, rest @ ..] => {
                if (*from..=*to).contains(&byte) {
                    return true;
                }
                set = rest;
            }
            [one, rest @ ..] => {
                if *one == byte {
                    return true;
                }
                set = rest;
            }
            [] => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_those_of_a_shell() {
        for (pattern, text, expected) in [
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4", true),
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4", false),
            ("pci:v*d*sv*sd*bc01sc06i01*", "pci:v00008086d2922sv1sd2bc01sc06i01", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x[12]", "bx2", true),
            ("[a-c]x", "dx", false),
            ("[a", "a", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_ages() {
        let (pattern, text) = ("a*".repeat(30) + "b", "a".repeat(2000));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }
}

//! Tables of options: a line for each, with its name as [`super::words`] has it, and what is done when
//! it was given. The names become one text, so that no table of pointers is in the program.

/// The length of those words, with a space between them.
pub(super) const fn length(mut words: &[&str]) -> usize {
    let mut length = 0;
    while let [word, rest @ ..] = words {
        length += word.len() + 1;
        words = rest;
    }
    length
}

/// Those words with a space behind each. `N` is their [`length`].
pub(super) const fn joined<const N: usize>(mut words: &[&str]) -> [u8; N] {
    let mut text = [b' '; N];
    let mut left: &mut [u8] = &mut text;
    while let [word, rest @ ..] = words {
        let (place, behind) = left.split_at_mut(word.len() + 1);
        let (place, _) = place.split_at_mut(word.len());
        place.copy_from_slice(word.as_bytes());
        left = behind;
        words = rest;
    }
    text
}

/// Makes of a table the slice of its names, and a function that is told the place of one.
macro_rules! options {
    (
        $names:ident, $take:ident($($argument:ident: $kind:ty),*);
        $($(#[$condition:meta])* $name:literal => $action:expr,)*
    ) => {
        pub(super) const $names: &[&str] = &[$($(#[$condition])* $name),*];

        pub(super) fn $take(place: usize, $($argument: $kind),*) -> Result<(), Problem> {
            let mut above = place;
            $(
                $(#[$condition])*
                {
                    if above == 0 {
                        return $action;
                    }
                    above -= 1;
                }
            )*
            let _ = above;
            Ok(())
        }
    };
}

pub(super) use options;

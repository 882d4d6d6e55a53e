//! Id maps: which ids inside a user namespace stand for which outside (user_namespaces(7)).

/// One line of a map: `count` ids from `inner` inside stand for those from `outer` outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    /// First id inside.
    pub(crate) inner: u32,
    /// First id outside.
    pub(crate) outer: u32,
    /// How many, from 1.
    pub(crate) count: u32,
}

/// So many lines the kernel takes (5 before Linux 4.15).
const MAX_EXTENTS: usize = 340;

impl Extent {
    /// One id for one id.
    pub(crate) const fn one(inner: u32, outer: u32) -> Extent {
        Extent { inner, outer, count: 1 }
    }

    /// Reads `INNER:OUTER:COUNT`; says what is wrong with it otherwise.
    pub(crate) fn parse(text: &str) -> Result<Extent, &'static str> {
        let mut numbers = text.split(':').map(parse_id);
        let (Some(inner), Some(outer), Some(count), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err("three numbers are needed: INNER:OUTER:COUNT");
        };
        let (Some(inner), Some(outer), Some(count)) = (inner, outer, count) else {
            return Err("ids and counts are whole numbers from 0 to 4294967295");
        };
        let extent = Extent { inner, outer, count };
        if count == 0 {
            return Err("a count of 0 maps nothing");
        }
        // The last id there is, 4294967295, means "no id" to the kernel.
        if extent.end(inner) > u64::from(u32::MAX) || extent.end(outer) > u64::from(u32::MAX) {
            return Err("the last id is 4294967294");
        }
        Ok(extent)
    }

    /// The id after the last one of the range that begins at `first`.
    fn end(self, first: u32) -> u64 {
        u64::from(first) + u64::from(self.count)
    }

    /// Whether `id` is one of ours inside.
    fn has_inner(self, id: u32) -> bool {
        id >= self.inner && u64::from(id) < self.end(self.inner)
    }

    /// Whether `id` is one of ours outside.
    fn has_outer(self, id: u32) -> bool {
        id >= self.outer && u64::from(id) < self.end(self.outer)
    }

    fn overlaps(self, other: Extent) -> bool {
        let crossing = |a: u32, b: u32| u64::from(a) < other.end(b) && u64::from(b) < self.end(a);
        crossing(self.inner, other.inner) || crossing(self.outer, other.outer)
    }
}

/// A decimal id, without sign or space.
pub(crate) fn parse_id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A whole map.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct IdMap(pub(crate) Vec<Extent>);

impl IdMap {
    /// What the kernel would refuse with EINVAL, as the two lines that are at odds, or their number.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.0.len() > MAX_EXTENTS {
            return Some(format!("{} lines; the kernel takes {MAX_EXTENTS}", self.0.len()));
        }
        self.0.iter().enumerate().find_map(|(index, one)| {
            let other = self.0.iter().skip(index + 1).find(|other| one.overlaps(**other))?;
            Some(format!("{} and {} overlap", colons(*one), colons(*other)))
        })
    }

    /// Whether there is such an id inside.
    pub(crate) fn has_inner(&self, id: u32) -> bool {
        self.0.iter().any(|extent| extent.has_inner(id))
    }

    /// Whether such an id outside is mapped.
    pub(crate) fn has_outer(&self, id: u32) -> bool {
        self.0.iter().any(|extent| extent.has_outer(id))
    }

    /// Whether this maps nothing but that id outside, which the kernel lets its owner do without
    /// any capability.
    pub(crate) fn is_only(&self, id: u32) -> bool {
        matches!(self.0.as_slice(), [Extent { outer, count: 1, .. }] if *outer == id)
    }

    /// The text for /proc/PID/uid_map or gid_map.
    pub(crate) fn lines(&self) -> String {
        let mut lines = String::new();
        for extent in &self.0 {
            lines.push_str(&format!("{} {} {}\n", extent.inner, extent.outer, extent.count));
        }
        lines
    }

    /// The map as a message shows it: the beginning of a long one.
    pub(crate) fn shown(&self) -> String {
        const SHOWN: usize = 5;
        let lines = self.0.iter().take(SHOWN).map(|extent| colons(*extent).replace(':', " "));
        let mut shown = lines.collect::<Vec<_>>().join(", ");
        if self.0.len() > SHOWN {
            shown.push_str(&format!(", and {} more", self.0.len() - SHOWN));
        }
        shown
    }
}

/// An extent as the options have it.
fn colons(extent: Extent) -> String {
    format!("{}:{}:{}", extent.inner, extent.outer, extent.count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(inner in 0..u32::MAX, outer in 0..u32::MAX, count in 1_u32..) {
            let room = u64::from(count) + u64::from(inner.max(outer)) <= u64::from(u32::MAX);
            let read = Extent::parse(&format!("{inner}:{outer}:{count}"));
            prop_assert_eq!(read.is_ok(), room);
            if let Ok(read) = read {
                prop_assert_eq!(read, Extent { inner, outer, count });
            }
        }

        #[test]
        fn no_text_makes_the_parser_fail(text in ".*") {
            let _ = Extent::parse(&text);
        }

        #[test]
        fn overlapping_is_having_an_id_in_common(
            a in 0_u32..20, b in 0_u32..20, count_a in 1_u32..10, count_b in 1_u32..10,
        ) {
            let one = Extent { inner: a, outer: 1000, count: count_a };
            let other = Extent { inner: b, outer: 2000, count: count_b };
            let common = (0..40).any(|id| one.has_inner(id) && other.has_inner(id));
            prop_assert_eq!(one.overlaps(other), common);
            prop_assert_eq!(other.overlaps(one), common);
            prop_assert_eq!(IdMap(vec![one, other]).problem().is_some(), common);
        }
    }

    #[test]
    fn ids_have_neither_sign_nor_space() {
        for text in ["", "+1", "-1", " 1", "1 ", "0x1", "4294967296", "1_000"] {
            assert_eq!(parse_id(text), None, "{text:?}");
        }
        assert_eq!(parse_id("4294967295"), Some(u32::MAX));
    }

    #[test]
    fn a_map_of_ones_own_id_alone_needs_no_capability() {
        assert!(IdMap(vec![Extent::one(0, 7)]).is_only(7));
        assert!(!IdMap(vec![Extent::one(0, 8)]).is_only(7));
        assert!(!IdMap(vec![Extent { inner: 0, outer: 7, count: 2 }]).is_only(7));
    }

    #[test]
    fn more_lines_than_the_kernel_takes_are_refused() {
        let map = |lines| IdMap((0..lines).map(|id| Extent::one(id, id)).collect());
        assert_eq!(map(340).problem(), None);
        assert!(map(341).problem().is_some());
    }
}

//! Names that are made up: of the host's ends of pairs, and hardware addresses of bridges.
use std::ffi::{CStr, CString};
use unshared_netlink::explain::is_link_name;
use unshared_netlink::link::{Mac, NAME_LENGTH};

/// What a name's end is made of: no letter that is taken for a digit.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many digits.
const DIGITS_COUNT: usize = 5;

/// The name of the host's end of the pair of an instance: what fits of the instance's name, and a few
/// digits that are made of all of it and of where its record is. So two names that begin alike differ,
/// and so do two state directories; and the next run of that name finds what was left.
pub(crate) fn host_side(instance: &CStr, state: &[u8]) -> CString {
    let mut hash = fold(fold(SEED, state), b"\0");
    hash = fold(hash, instance.to_bytes());
    let fits = NAME_LENGTH - DIGITS_COUNT - 1;
    // A network namespace may be called as no link may.
    let readable = |byte: &u8| if is_link_name(&[b'x', *byte]) { *byte } else { b'_' };
    let mut name: Vec<u8> = instance.to_bytes().iter().take(fits).map(readable).collect();
    name.push(b'-');
    for place in 0..DIGITS_COUNT {
        let digit = usize::try_from(hash >> (5 * place) & 31).unwrap_or_default();
        name.extend(DIGITS.get(digit));
    }
    CString::new(name).unwrap_or_default()
}

/// The hardware address of a bridge that we make: the same each time on this host, and not one of its
/// ports', which come and go. `host` is what tells this host from others.
pub(crate) fn bridge_address(bridge: &CStr, host: &[u8]) -> Mac {
    let hash = fold(fold(fold(SEED, host), b"\0"), bridge.to_bytes());
    let [a, b, c, d, e, ..] = hash.to_le_bytes();
    // A single station's, and locally administered.
    [2, a, b, c, d, e]
}

/// FNV-1a.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn fold(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_differ_and_fit() {
        let one = host_side(c"riak-production-01", b"/run/unshared");
        let two = host_side(c"riak-production-02", b"/run/unshared");
        assert_ne!(one, two);
        assert!(one.as_bytes().starts_with(b"riak-prod-"), "{one:?}");
        assert_eq!(one, host_side(c"riak-production-01", b"/run/unshared"));
        assert_ne!(one, host_side(c"riak-production-01", b"/tmp/state"));
        for name in [one, two, host_side(c"a", b""), host_side(c"a:%d\xa0 \n/b", b"")] {
            assert!(is_link_name(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn a_thousand_names_are_a_thousand() {
        let name = |number| host_side(&CString::new(format!("unshared-{number}")).unwrap(), b"");
        let mut names: Vec<_> = (0..1000).map(name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 1000);
    }

    #[test]
    fn a_bridge_has_the_same_address_each_time_and_another_on_another_host() {
        let one = bridge_address(c"br0", b"a");
        assert_eq!(one, bridge_address(c"br0", b"a"));
        assert_ne!(one, bridge_address(c"br1", b"a"));
        assert_ne!(one, bridge_address(c"br0", b"b"));
        assert_eq!(one[0], 2);
    }
}

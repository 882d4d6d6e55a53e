//! Where roots are kept.
use crate::error::{Error, quote};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The longest name of a root.
const LONGEST: usize = 64;

/// What a name of a root or of an instance may be.
pub(crate) const NAMES: &str = "1 to 64 of letters, digits, \".\", \"_\" and \"-\", beginning with a \
                                letter, a digit or \"_\"";

/// Whether that is such a name.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST).contains(&name.len())
        && name.iter().all(plain)
        && !matches!(name.first(), Some(b'.' | b'-'))
}

/// The directory of the root that is called so. An absolute path is itself; a name is one in the
/// directory of roots. Nothing is looked at, and nothing is made.
pub(crate) fn path_of(root: &[u8]) -> Result<PathBuf, Error> {
    if root.first() == Some(&b'/') {
        return Ok(PathBuf::from(OsString::from_vec(root.to_vec())));
    }
    if !is_name(root) {
        return Err(Error::plain(format!("{} is no name of a root", quote(root)))
            .hint(format!("{NAMES}; or a path that begins with \"/\"")));
    }
    Ok(directory()?.join(Path::new(std::ffi::OsStr::from_bytes(root))))
}

/// The directory of roots.
fn directory() -> Result<PathBuf, Error> {
    let variable =
        |name| crate::host::variable(name).map(|value| OsStr::from_bytes(value).to_owned());
    let is_absolute = |value: &OsString| value.as_bytes().first() == Some(&b'/');
    if let Some(roots) = variable("UNSHARED_ROOT") {
        if !is_absolute(&roots) {
            let value = quote(roots.as_bytes());
            return Err(Error::plain(format!("UNSHARED_ROOT is {value}: no absolute path")));
        }
        let mut roots = roots.into_vec();
        while roots.len() > 1 && roots.last() == Some(&b'/') {
            roots.pop();
        }
        return Ok(PathBuf::from(OsString::from_vec(roots)));
    }
    if crate::sys::effective_uid() == 0 {
        return Ok(PathBuf::from("/var/unshared"));
    }
    // The XDG Base Directory Specification wants relative ones ignored.
    let from =
        |name, below| variable(name).filter(is_absolute).map(|value| Path::new(&value).join(below));
    from("XDG_DATA_HOME", "unshared").or_else(|| from("HOME", ".local/share/unshared")).ok_or_else(
        || Error::plain("there is no directory of roots").hint("set UNSHARED_ROOT or HOME"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_path_is_itself() {
        assert_eq!(path_of(b"/a/../b").unwrap(), PathBuf::from("/a/../b"));
    }

    #[test]
    fn what_is_neither_a_name_nor_a_path_is_refused() {
        for text in [&b""[..], b".", b"..", b".hidden", b"-x", b"a/b", b"a b", b"\xff", &[b'x'; 65]]
        {
            assert!(path_of(text).is_err(), "{text:?}");
        }
    }
}

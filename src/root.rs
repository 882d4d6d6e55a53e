//! Roots: where they are, and how one is made.
//!
//! A root is made in a directory beside its place, `.NAME.make-root`, and renamed when it is whole.
//! No type of root has a name that begins with a dot, so that directory is nobody's root.
mod cpio;
mod decompress;
mod image;
mod interrupt;
mod pipe;
mod progress;
mod remove;
mod resolve;
mod site;
mod source;
mod tree;
mod unpack;

use crate::error::{Error, quote};
use image::Image;
use interrupt::Interrupt;
use site::Site;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;
use tree::Tree;

/// What is wanted of `make-root`.
#[derive(Debug, Default)]
pub(crate) struct MakeRoot {
    /// The type of root, or an absolute path.
    pub(crate) root: CString,
    /// The image to unpack; `-` is standard input.
    pub(crate) image: Option<CString>,
    /// Mount a tmpfs for it; what mount(2) is to be told of its size.
    pub(crate) tmpfs: Option<Option<String>>,
    /// Replace a root that is there.
    pub(crate) force: bool,
    /// How many bytes the image may come to.
    pub(crate) max_size: Option<u64>,
}

/// How many bytes an image may come to if nothing else is said.
const MAX_SIZE: u64 = 4 << 30;

/// The path of a root, as `get-root` prints it. An absolute path is its own.
pub(crate) fn path(root: &CStr) -> Result<Vec<u8>, Error> {
    let root = root.to_bytes();
    if root.first() == Some(&b'/') {
        return Ok(root.to_vec());
    }
    if !is_type(root) {
        return Err(Error::plain(format!("{} is no type of root", quote(root))).hint(
            "1 to 64 letters, digits, \".\", \"_\" and \"-\", the first one a letter, digit or \"_\"; or an absolute path",
        ));
    }
    let mut path = directory()?;
    path.push(b'/');
    path.extend_from_slice(root);
    Ok(path)
}

fn is_type(name: &[u8]) -> bool {
    let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=64).contains(&name.len())
        && name.iter().all(is_good)
        && !matches!(name.first(), Some(b'-' | b'.'))
}

/// The directory of roots.
fn directory() -> Result<Vec<u8>, Error> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let absolute = |value: &OsStr| value.as_bytes().first() == Some(&b'/');
    if let Some(roots) = variable("UNSHARED_ROOT") {
        if !absolute(&roots) {
            let value = quote(roots.as_bytes());
            return Err(Error::plain(format!("UNSHARED_ROOT is {value}: no absolute path")));
        }
        let mut roots = roots.into_vec();
        while roots.len() > 1 && roots.last() == Some(&b'/') {
            roots.pop();
        }
        return Ok(roots);
    }
    if crate::sys::effective_uid() == 0 {
        return Ok(b"/var/unshared".to_vec());
    }
    // The XDG Base Directory Specification wants relative ones ignored.
    let from = |name, below: &str| {
        let value = variable(name).filter(|value| absolute(value))?;
        Some([value.as_bytes(), below.as_bytes()].concat())
    };
    from("XDG_DATA_HOME", "/unshared")
        .or_else(|| from("HOME", "/.local/share/unshared"))
        .ok_or_else(|| {
            Error::plain("there is no directory of roots").hint("set UNSHARED_ROOT or HOME")
        })
}

/// Makes a root, and returns the summary.
pub(crate) fn make(request: &MakeRoot) -> Result<String, Error> {
    let path = path(&request.root)?;
    let interrupt = Arc::new(Interrupt::new()?);
    let image = match &request.image {
        None => None,
        Some(image) => Some(Image::open(image, Arc::clone(&interrupt))?),
    };
    let site = Site::prepare(&path, request.force, request.tmpfs.as_ref())?;
    match fill(request, &site, image) {
        Ok(done) => {
            site.finish()?;
            Ok(format!("{}: {done}\n", crate::error::escape(&path)))
        }
        Err(error) => {
            site.abandon();
            Err(error)
        }
    }
}

/// Puts everything into the root.
fn fill(request: &MakeRoot, site: &Site, image: Option<Image>) -> Result<String, Error> {
    let mut tree = Tree::new(site.open()?);
    let mut text = match image {
        None => "empty".to_owned(),
        Some(image) => image.unpack(&mut tree, request.max_size.unwrap_or(MAX_SIZE))?,
    };
    tree.finish()?;
    if tree.devices > 0 {
        text.push_str(&format!("; left out: {}, which only root may make", devices(tree.devices)));
    }
    if tree.owners > 0 {
        text.push_str(&format!("; {} with an owner that is not to be had here", tree.owners));
    }
    Ok(text)
}

fn devices(count: u64) -> String {
    format!("{count} device node{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_plain_name() {
        for good in ["erlang", "a", "_x", "7.0-rc1_b", &"x".repeat(64)] {
            assert!(is_type(good.as_bytes()), "{good}");
        }
        for bad in ["", ".", "..", ".x", "-x", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(!is_type(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn an_absolute_path_is_its_own() {
        assert_eq!(path(c"/srv/x").unwrap(), b"/srv/x");
    }
}

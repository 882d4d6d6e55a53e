//! The command lines of `get-root` and `make-root`.
use super::Request;
use super::values::text;
#[cfg(feature = "roots")]
use super::values::{Problem, add, bytes, flag, once};
use super::words::Words;
use crate::error::{Error, quote};
#[cfg(feature = "roots")]
use crate::root::MakeRoot;
#[cfg(feature = "roots")]
use crate::spec::mount::parse_size;
#[cfg(feature = "roots")]
use std::ffi::CStr;
use std::ffi::CString;

/// The options of `make-root`, as [`Words::next`] has them.
#[cfg(feature = "roots")]
pub(super) const OPTIONS: &str = "initramfs= max-size= tmpfs? force list bin= add=";

/// `make-root`.
#[cfg(feature = "roots")]
pub(super) fn make(words: &mut Words) -> Result<Request, Error> {
    let mut request = Box::<MakeRoot>::default();
    let mut root = None;
    while let Some(option) = words.next(OPTIONS)? {
        let value = words.value();
        let taken = match option {
            "initramfs" => once(&mut request.image, text(value)),
            "max-size" => once(&mut request.max_size, size(value)),
            "tmpfs" => once(&mut request.tmpfs, words.optional_value().map(tmpfs_size).transpose()),
            "force" => flag(&mut request.force),
            "list" => flag(&mut request.list),
            "bin" => add(&mut request.wanted.programs, text(value).map(CString::into_bytes)),
            "add" => add(&mut request.wanted.added, text(value).map(source_and_target)),
            _ => {
                one(words, &mut root)?;
                continue;
            }
        };
        taken.map_err(|problem| words.wrong(problem))?;
    }
    request.root = words.needed(root, "a type of root")?;
    Ok(Request::MakeRoot(request))
}

/// `get-root`.
pub(super) fn get(words: &mut Words) -> Result<Request, Error> {
    let mut root = None;
    while words.next("")?.is_some() {
        one(words, &mut root)?;
    }
    Ok(Request::GetRoot(words.needed(root, "a type of root")?))
}

/// The type of root, said once.
pub(super) fn one(words: &Words, place: &mut Option<CString>) -> Result<(), Error> {
    if place.is_some() {
        let word = quote(words.value().to_bytes());
        return Err(words.usage(format!("one type of root is enough: {word}")));
    }
    *place = Some(text(words.value()).map_err(|problem| words.wrong(problem))?);
    Ok(())
}

/// `PATH:DST`, where DST is absolute: a path may have a colon in it.
#[cfg(feature = "roots")]
fn source_and_target(value: CString) -> (Vec<u8>, Option<Vec<u8>>) {
    let value = value.into_bytes();
    match value.windows(2).rposition(|pair| pair == b":/") {
        Some(colon) if colon > 0 => {
            let (path, target) = value.split_at(colon);
            (path.to_vec(), target.strip_prefix(b":").map(<[u8]>::to_vec))
        }
        _ => (value, None),
    }
}

#[cfg(feature = "roots")]
fn size(value: &CStr) -> Result<u64, Problem> {
    let size = bytes(value).filter(|bytes| *bytes > 0);
    size.ok_or("a number of bytes; k, M or G may follow")
}

/// A size as mount(2) takes it for a tmpfs.
#[cfg(feature = "roots")]
fn tmpfs_size(value: &CStr) -> Result<String, Problem> {
    Ok(parse_size(value.to_bytes())?.to_string_lossy().into_owned())
}

#[cfg(all(test, feature = "roots"))]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_behind_the_size_of_a_tmpfs() {
        let read = |text: &str| tmpfs_size(&CString::new(text).unwrap()).ok();
        assert_eq!(read("50%").as_deref(), Some("50%"));
        assert_eq!(read("64M").as_deref(), Some("64M"));
        for wrong in ["", "M", "1,mode=777", "1MM", "-1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_target_is_what_follows_on_the_last_colon_before_a_slash() {
        let text = |value: &[u8]| source_and_target(CString::new(value).unwrap());
        assert_eq!(text(b"/a:/b"), (b"/a".to_vec(), Some(b"/b".to_vec())));
        assert_eq!(text(b"/a:b"), (b"/a:b".to_vec(), None));
        assert_eq!(text(b"/a:/b:/c"), (b"/a:/b".to_vec(), Some(b"/c".to_vec())));
        assert_eq!(text(b":/c"), (b":/c".to_vec(), None));
    }
}

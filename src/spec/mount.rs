//! Mounts that were asked for.
use std::ffi::{CStr, CString};

/// One of them. The target is a path inside the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mount {
    /// A directory or file of the caller's, with all that is mounted below it.
    Bind { source: CString, target: CString, read_only: bool },
    /// The filesystem that a block device or an image file holds; anything else is bound.
    Data { source: CString, target: CString, read_only: bool },
    /// A new tmpfs.
    Tmpfs {
        target: CString,
        /// As tmpfs(5) takes it: bytes, with `k`, `m` or `g`, or a part of the memory with `%`.
        size: Option<CString>,
    },
}

impl Mount {
    /// What it is mounted on.
    pub(crate) fn target(&self) -> &CStr {
        match self {
            Mount::Bind { target, .. }
            | Mount::Data { target, .. }
            | Mount::Tmpfs { target, .. } => target,
        }
    }

    /// Reads `SRC:DST`, `SRC:DST:ro` or `SRC:DST:rw`.
    pub(crate) fn parse_bind(text: &[u8]) -> Result<Mount, &'static str> {
        let (source, target, read_only) = source_and_target(text)?;
        Ok(Mount::Bind { source, target, read_only })
    }

    /// Reads the same.
    pub(crate) fn parse_data(text: &[u8]) -> Result<Mount, &'static str> {
        let (source, target, read_only) = source_and_target(text)?;
        Ok(Mount::Data { source, target, read_only })
    }

    /// Reads `DST` or `DST:SIZE`.
    pub(crate) fn parse_tmpfs(text: &[u8]) -> Result<Mount, &'static str> {
        let mut words = text.splitn(2, |byte| *byte == b':');
        let target = target(words.next().unwrap_or_default())?;
        let size = words.next().map(parse_size).transpose()?;
        Ok(Mount::Tmpfs { target, size })
    }
}

fn source_and_target(text: &[u8]) -> Result<(CString, CString, bool), &'static str> {
    let mut words = text.split(|byte| *byte == b':');
    let (Some(source), Some(target)) = (words.next(), words.next()) else {
        return Err("SRC:DST or SRC:DST:ro is needed");
    };
    let read_only = match (words.next(), words.next()) {
        (None, _) => false,
        (Some(b"ro"), None) => true,
        (Some(b"rw"), None) => false,
        (Some(_), _) => return Err("behind SRC:DST only ro or rw may stand"),
    };
    Ok((path(source)?, self::target(target)?, read_only))
}

/// Nobody would know from which directory another one is to be looked for.
fn target(bytes: &[u8]) -> Result<CString, &'static str> {
    if bytes.starts_with(b"/") { path(bytes) } else { Err("DST begins with \"/\"") }
}

fn path(bytes: &[u8]) -> Result<CString, &'static str> {
    if bytes.is_empty() {
        return Err("an empty path");
    }
    CString::new(bytes).map_err(|_| "a zero byte")
}

/// A size as tmpfs(5) takes it.
pub(crate) fn parse_size(text: &[u8]) -> Result<CString, &'static str> {
    let digits = match text.split_last() {
        Some((b'k' | b'K' | b'm' | b'M' | b'g' | b'G' | b'%', digits)) => digits,
        _ => text,
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("a size is a number of bytes, which k, m, g or % may follow");
    }
    CString::new(text).map_err(|_| "a zero byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_has_a_source_a_target_and_perhaps_ro() {
        let bind = |read_only| Mount::Bind {
            source: c"/a".to_owned(),
            target: c"/b".to_owned(),
            read_only,
        };
        assert_eq!(Mount::parse_bind(b"/a:/b"), Ok(bind(false)));
        assert_eq!(Mount::parse_bind(b"/a:/b:rw"), Ok(bind(false)));
        assert_eq!(Mount::parse_bind(b"/a:/b:ro"), Ok(bind(true)));
        for text in ["", "/a", ":", "/a:", ":/b", "/a:b", "/a:/b:", "/a:/b:x", "/a:/b:ro:ro"] {
            assert!(Mount::parse_bind(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tmpfs_may_have_a_size() {
        for size in ["1", "64m", "10K", "2G", "50%"] {
            let text = format!("/t:{size}");
            let Ok(Mount::Tmpfs { size: Some(read), .. }) = Mount::parse_tmpfs(text.as_bytes())
            else {
                panic!("{text}");
            };
            assert_eq!(read.to_str(), Ok(size));
        }
        assert!(matches!(Mount::parse_tmpfs(b"/t"), Ok(Mount::Tmpfs { size: None, .. })));
        for text in ["", "t", "/t:", "/t:m", "/t:1x", "/t:-1", "/t:1,mode=0"] {
            assert!(Mount::parse_tmpfs(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! What the values of options are: each function reads one kind, or says what is expected.
use std::ffi::{CStr, CString};
use unshared_init::number::decimal;

/// What is said of an option that may be given once.
pub(super) const TWICE: &str = "is given twice";

/// What is wrong with a value.
pub(super) type Problem = &'static str;

/// Sets what may be said once.
pub(super) fn once<T>(place: &mut Option<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    match place.replace(value?) {
        None => Ok(()),
        Some(_) => Err(TWICE),
    }
}

/// Adds to what may be said again.
pub(super) fn add<T>(list: &mut Vec<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    list.push(value?);
    Ok(())
}

/// Sets what has no value.
pub(super) fn flag(place: &mut bool) -> Result<(), Problem> {
    *place = true;
    Ok(())
}

/// A text that is not empty.
pub(super) fn text(value: &CStr) -> Result<CString, Problem> {
    if value.is_empty() { Err("an empty value") } else { Ok(value.to_owned()) }
}

/// A variable of the environment.
pub(super) fn variable(value: &CStr) -> Result<CString, Problem> {
    match value.to_bytes().iter().position(|byte| *byte == b'=') {
        Some(0) | None => Err("NAME=VALUE is needed"),
        Some(_) => Ok(value.to_owned()),
    }
}

/// A number of seconds, as nanoseconds.
pub(super) fn grace(value: &CStr) -> Result<u64, Problem> {
    unshared_init::number::seconds(value.to_bytes()).ok_or("a number of seconds, from 0")
}

/// The name of an instance.
pub(super) fn instance(value: &CStr) -> Result<CString, Problem> {
    if crate::root::place::is_name(value.to_bytes()) {
        Ok(value.to_owned())
    } else {
        Err(crate::root::place::NAMES)
    }
}

/// A number of bytes: digits, and k, m or g for 2 to the 10th, 20th, 30th.
pub(super) fn bytes(value: &CStr) -> Option<u64> {
    let text = value.to_bytes();
    let (digits, shift) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        _ => (text, 0),
    };
    decimal(digits)?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        let read = |text: &str| bytes(&CString::new(text).unwrap());
        assert_eq!(read("1"), Some(1));
        assert_eq!(read("3k"), Some(3072));
        assert_eq!(read("2M"), Some(2 << 20));
        assert_eq!(read("4G"), Some(4 << 30));
        for wrong in ["", "k", "-1", "+1", "1.5G", "1T", "1kk", "1 k", "17179869184G"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

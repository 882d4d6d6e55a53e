//! Argument lists and environments for execve(2).
use std::ffi::{CStr, CString, c_char};
use unshared_init::sys::{Arguments, Environment};

/// An argument list for execve(2), which stays until the process ends.
pub(crate) fn arguments(strings: Vec<CString>) -> Arguments {
    let list = leak(strings, 1);
    // SAFETY: the list begins with a spare place, ends with a null pointer, is leaked with its
    // strings, and nothing else refers to it.
    unsafe { Arguments::new(list.as_mut_ptr().add(1)) }
}

/// Calls something with an argument list that is there only as long as that runs, and that it is not
/// to keep.
#[cfg(fuzzing)]
pub(crate) fn with_arguments(strings: &[CString], use_them: impl FnOnce(Arguments)) {
    let mut pointers = vec![core::ptr::null(); 1];
    pointers.extend(strings.iter().map(|string| string.as_ptr()));
    pointers.push(core::ptr::null());
    // SAFETY: the list begins with a spare place and ends with a null pointer; it and its strings
    // outlive the call, and nothing of what is called keeps them.
    use_them(unsafe { Arguments::new(pointers.as_mut_ptr().add(1)) });
}

/// An environment for execve(2), which stays until the process ends.
pub(crate) fn environment(strings: Vec<CString>) -> Environment {
    // SAFETY: the list ends with a null pointer and is leaked with its strings.
    unsafe { Environment::new(leak(strings, 0).as_ptr()) }
}

/// The part of an environment's entry before the `=`.
pub(crate) fn variable_name(entry: &CStr) -> &[u8] {
    entry.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Pointers to leaked strings, with null pointers in `spare` places before them and one after.
fn leak(strings: Vec<CString>, spare: usize) -> &'static mut [*const c_char] {
    let mut pointers = vec![core::ptr::null(); spare];
    pointers.extend(strings.into_iter().map(|string| CString::into_raw(string).cast_const()));
    pointers.push(core::ptr::null());
    pointers.leak()
}

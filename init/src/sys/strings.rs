//! The lists of strings that execve(2) reads.
use super::last_error;
use crate::exec::SHELL;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char};
use rustix::io::Errno;

/// A null-terminated list of strings for execve(2), with one spare place in front of it.
///
/// The spare place is for the shell that runs a script without `#!`.
#[derive(Clone, Copy)]
pub struct Arguments {
    first: *mut *const c_char,
}

impl Arguments {
    /// The list that begins at `first`.
    ///
    /// # Safety
    /// `first` points into an array of pointers to C strings that ends with a null pointer; the
    /// element before `first` is part of the array; array and strings live and stay put as long
    /// as the process does, and nobody else writes to the array.
    #[must_use]
    pub const unsafe fn new(first: *mut *const c_char) -> Arguments {
        Arguments { first }
    }

    /// The string at `index`; `None` at the end of the list.
    fn at(&self, index: usize) -> Option<&'static CStr> {
        // SAFETY: callers count up from 0 and stop at the first `None`, so `index` is at most that
        // of the null pointer that ends the list; the strings live as long as the process.
        unsafe {
            let string = *self.first.add(index);
            if string.is_null() { None } else { Some(CStr::from_ptr(string)) }
        }
    }

    /// The first string of the list.
    #[must_use]
    pub fn first(&self) -> Option<&'static CStr> {
        self.at(0)
    }

    /// The list without its first string; an empty list stays as it is.
    #[must_use]
    pub fn rest(&self) -> Arguments {
        if self.first().is_none() {
            return *self;
        }
        // SAFETY: there is a string at `first`, so the next element is in the array, at the latest
        // its null pointer.
        Arguments { first: unsafe { self.first.add(1) } }
    }

    /// execve(2). Returns only to say why not.
    pub fn execute(&self, path: &CStr, environment: Environment) -> Errno {
        // SAFETY: all three are null-terminated, as the types promise.
        unsafe {
            libc::execve(path.as_ptr(), self.first.cast(), environment.0);
        }
        last_error()
    }

    /// Puts the first string back where [`Arguments::execute_by`] of a child that shares our memory
    /// may have put another one.
    pub fn put_back(&self, first: &'static CStr) {
        // SAFETY: a list that has a first string has a place for it, and the array is ours.
        unsafe {
            if !(*self.first).is_null() {
                *self.first = first.as_ptr();
            }
        }
    }

    /// Runs `script` by `interpreter`: the arguments become interpreter, script, and the rest.
    /// Returns only to say why not.
    pub fn execute_by(
        &self,
        interpreter: &'static CStr,
        script: &CStr,
        environment: Environment,
    ) -> Errno {
        // SAFETY: the array has a place before `first`, and `first` itself is a place that holds a
        // string (a command was looked up by it). What is written points to strings that outlive
        // the call; whoever shares the memory puts the first back before reading the list again.
        unsafe {
            let interpreted = self.first.sub(1);
            *interpreted = interpreter.as_ptr();
            *self.first = script.as_ptr();
            libc::execve(interpreter.as_ptr(), interpreted.cast(), environment.0);
        }
        last_error()
    }
}

impl Iterator for Arguments {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        let first = self.first();
        *self = self.rest();
        first
    }
}

/// A null-terminated list of `NAME=value` strings (environ(7)).
#[derive(Clone, Copy)]
pub struct Environment(*const *const c_char);

impl Environment {
    /// The environment that this process was started with.
    #[must_use]
    pub fn inherited() -> Environment {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        // SAFETY: the C library sets it before main, and nothing here ever calls setenv(3).
        Environment(unsafe { environ })
    }

    /// The list that begins at `first`.
    ///
    /// # Safety
    /// `first` points to an array of pointers to C strings that ends with a null pointer; array and
    /// strings live and stay put as long as the process does.
    #[must_use]
    pub const unsafe fn new(first: *const *const c_char) -> Environment {
        Environment(first)
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&'static [u8]> {
        let mut entries = *self;
        entries.find_map(|entry| {
            entry.to_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="))
        })
    }
}

/// Executes the shell with an expression, which may begin with a `-`. Returns only to say why not.
pub fn execute_expression(expression: &CStr, environment: Environment) -> Errno {
    let words = [
        SHELL.as_ptr(),
        c"-c".as_ptr(),
        c"--".as_ptr(),
        expression.as_ptr(),
        core::ptr::null::<c_char>(),
    ];
    // SAFETY: both lists end with null pointers.
    unsafe {
        libc::execve(SHELL.as_ptr(), words.as_ptr(), environment.0);
    }
    last_error()
}

/// Executes the first of these words, with all of them as its arguments. Returns only to say why not.
pub fn execute_words(words: [Option<&CStr>; 3], environment: Environment) -> Errno {
    let [first, second, third] = words.map(|word| word.map_or(core::ptr::null(), CStr::as_ptr));
    let list = [first, second, third, core::ptr::null()];
    // SAFETY: both lists end with null pointers; a null pointer for a path is EFAULT.
    unsafe {
        libc::execve(first, list.as_ptr(), environment.0);
    }
    last_error()
}

/// Room for one entry that replaces another.
struct Entry(UnsafeCell<[u8; Entry::SIZE]>);

impl Entry {
    const SIZE: usize = 128;
}

// SAFETY: only `replace_in_own_environment` touches it, once, while there is one thread.
unsafe impl Sync for Entry {}

static ENTRY: Entry = Entry(UnsafeCell::new([0; Entry::SIZE]));

/// Replaces an entry of the environment that this process was started with by a copy of `entry`
/// (`NAME=value`, up to 127 bytes). There is room for one; a second call replaces what the first
/// one left.
pub fn replace_in_own_environment(name: &[u8], entry: &CStr) -> Result<(), Errno> {
    let bytes = entry.to_bytes_with_nul();
    if bytes.len() > Entry::SIZE {
        return Err(Errno::NAMETOOLONG);
    }
    let mut place = Environment::inherited().0.cast_mut();
    // SAFETY: the C library's list is ours to write to and ends with a null pointer, where this
    // stops; the copy fits, and lives as long as the process.
    unsafe {
        while !(*place).is_null() {
            let rest = CStr::from_ptr(*place).to_bytes().strip_prefix(name);
            if rest.is_some_and(|rest| rest.starts_with(b"=")) {
                let copy = ENTRY.0.get().cast::<u8>();
                copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                *place = copy.cast();
                return Ok(());
            }
            place = place.add(1);
        }
    }
    Err(Errno::NOENT)
}

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the list is null-terminated, and this stops at the null pointer.
        unsafe {
            let entry = *self.0;
            if entry.is_null() {
                return None;
            }
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(entry))
        }
    }
}

//! What fuzz/ calls; in its build only.
use crate::command_line;
use crate::descendants;
use crate::exec;
use crate::readiness;
use crate::sys::{Address, Arguments, Environment};
use core::ffi::CStr;

/// Reads arguments, as init and as dumb-init.
pub fn options(arguments: Arguments) {
    for as_dumb_init in [false, true] {
        command_line::fuzz(as_dumb_init, Environment::inherited(), arguments);
    }
}

/// Reads `/proc/PID/stat`.
pub fn stat(text: &[u8]) {
    let _ = descendants::parent_in(text);
}

/// Reads a message of sd_notify(3), and its socket's address.
pub fn notification(message: &[u8]) {
    for line in readiness::lines_to_pass_on(message) {
        assert!(!line.starts_with(b"MAINPID"));
    }
    let _ = Address::parse(message);
}

/// Says all that could be wrong with a file that is to be executed.
pub fn program(path: &CStr) {
    exec::fuzz(path);
}

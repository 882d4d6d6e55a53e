//! The command lines of the commands for a machine.
use super::Request;
use super::words::Words;
use crate::error::Error;
use crate::machine::End;
use std::ffi::CStr;

/// What is wanted of `modprobe`.
#[derive(Default)]
pub(crate) struct Modprobe {
    pub(crate) quiet: bool,
    pub(crate) modules: Vec<&'static CStr>,
}

// Their options, as [`Words::next`] has them.
pub(super) const MODPROBE: &str = "q|quiet a|all";
pub(super) const END: &str = "f|force";

/// `modprobe`, as the kernel has it when it asks for a module.
pub(super) fn modprobe(words: &mut Words) -> Result<Request, Error> {
    let mut request = Modprobe::default();
    while let Some(option) = words.next(MODPROBE)? {
        match option {
            "quiet" => request.quiet = true,
            "all" => {}
            _ => request.modules.push(words.value()),
        }
    }
    if request.modules.is_empty() {
        return Err(words.usage("a module is needed"));
    }
    Ok(Request::Modprobe(request))
}

/// `poweroff`, `reboot` and `halt`.
pub(super) fn end(words: &mut Words) -> Result<Request, Error> {
    let mut force = false;
    while let Some(option) = words.next(END)? {
        match option {
            "force" => force = true,
            _ => return Err(words.excess()),
        }
    }
    let end = match words.command {
        "reboot" => End::Reboot,
        "halt" => End::Halt,
        _ => End::PowerOff,
    };
    Ok(Request::End(end, force))
}

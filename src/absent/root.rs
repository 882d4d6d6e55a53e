//! In the place of `root` in a build without it: where roots are, and paths in them. None is made.
use crate::error::Error;
use rustix::fd::OwnedFd;
use std::ffi::CStr;

#[path = "../root/place.rs"]
pub(crate) mod place;
#[path = "../root/resolve.rs"]
pub(crate) mod resolve;

/// Unpacks an image; the reader of the command line has refused it before.
pub(crate) fn unpack(_image: &CStr, _directory: OwnedFd) -> Result<(), Error> {
    Err(Error::plain("--unpack: this build is without roots"))
}

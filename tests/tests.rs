//! Black-box tests of the musl binary, against the kernel that runs.
//!
//! `make test` runs them; UNSHARED_DIST names the folder with the binaries.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

mod descriptors;
mod exec_failures;
mod fallbacks;
mod hostile_images;
mod ids;
mod make_root;
mod namespaces;
mod options;
mod reaper;
mod reports;
mod signals;
mod terminal;

//! The reaper and supervisor that is PID 1 of a PID namespace, a chroot or a container.
//!
//! [`reaper`] is the core: events in, actions out, no system call, nothing that can fail.
//! [`supervise`] is the loop around it, which turns the kernel's news into events and actions into
//! system calls. [`exec`] starts programs as execvp(3) does and says why one could not be started.
//! [`command_line`] is what the program of its own, `unshared-init`, does with its arguments.
//!
//! Nothing here allocates, and nothing here panics.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod command_line;
pub mod descendants;
pub mod errno;
pub mod exec;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod line;
pub mod nearest;
pub mod number;
mod readiness;
pub mod reaper;
pub mod signal;
pub mod supervise;
pub mod sys;
mod terminal;

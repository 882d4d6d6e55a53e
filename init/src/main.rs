//! `unshared-init`, the reaper alone.
#![no_main]
// Where panics abort (what ships), nothing of std is linked. Where they unwind, in tests, std is.
#![cfg_attr(panic = "abort", no_std)]
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};
use unshared_init::command_line;
use unshared_init::sys::Arguments;

// std would link the C library.
#[cfg(panic = "abort")]
#[link(name = "c")]
unsafe extern "C" {}

/// The C library calls this.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, arguments: *mut *const c_char) -> c_int {
    // SAFETY: the kernel puts the count in front of the arguments and a null pointer behind them;
    // they live as long as the process, and nobody else touches them.
    let mut arguments = unsafe { Arguments::new(arguments) };
    let program = arguments.next().map_or(&[][..], |name| name.to_bytes());
    command_line::run(program, arguments, env!("CARGO_PKG_VERSION"), None).into()
}

/// Nothing in this program can panic: where it is optimized, the linker finds no such function as
/// this one calls, so a reachable panic would fail the build.
#[cfg(all(panic = "abort", not(debug_assertions)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn unshared_init_has_a_reachable_panic() -> !;
    }
    // SAFETY: never linked, so never called.
    unsafe { unshared_init_has_a_reachable_panic() }
}

/// An unoptimized build still has the checks that the optimizer proves away.
#[cfg(all(panic = "abort", debug_assertions))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unshared_init::sys::exit(125)
}

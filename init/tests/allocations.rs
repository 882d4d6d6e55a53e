//! `unshared-init` from its first argument to its exit status, in a process that counts every
//! allocation: there is none.
//!
//! Without the usual harness, whose threads would take the signals, and allocate.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CString, c_char};
use std::sync::atomic::{AtomicUsize, Ordering};
use unshared_init::command_line;
use unshared_init::sys::Arguments;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as promised to us.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `unshared-init` with these words; returns its status and how often it allocated.
fn run(words: &[&str]) -> (u8, usize) {
    let words: Vec<CString> = words.iter().map(|word| CString::new(*word).unwrap()).collect();
    let mut list: Vec<*const c_char> = vec![std::ptr::null()];
    list.extend(words.iter().map(|word| word.as_ptr()));
    list.push(std::ptr::null());
    // They live as long as the process, as argv does.
    std::mem::forget(words);
    let list = list.leak();
    // SAFETY: a null pointer ends the list, and one stands before it; nobody else touches it.
    let arguments = unsafe { Arguments::new(list.as_mut_ptr().add(1)) };
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let status = command_line::run(b"unshared-init", arguments, "", None);
    (status, ALLOCATIONS.load(Ordering::Relaxed) - before)
}

fn main() {
    // Orphans to reap, a signal to forward, readiness with a hook, and a child that must be killed.
    let payload = "trap : USR1
        for child in $(seq 30); do (sleep 0.01 &); done
        kill -USR1 $PPID
        echo >&5
        (trap '' TERM; sleep 1000) &
        sleep 0.3
        exit 3";
    let options = ["-s", "-w", "-v", "--grace", "0.2", "--notification-fd", "5"];
    let words = [&options[..], &["--ready-exec", "exit 4", "--", "sh", "-c", payload]].concat();
    assert_eq!(run(&words), (3, 0));
    // A command that is not there, which is looked for and explained.
    assert_eq!(run(&["-s", "--", "no-such-command-anywhere"]), (127, 0));
    // Started again once, after 0.1 seconds; the status 9 of the second time is a success.
    let file = std::env::temp_dir().join(format!("unshared-init-{}", std::process::id()));
    let again = format!("test -e {0} && rm {0} && exit 9; touch {0}; exit 1", file.display());
    let words = ["-q", "-e", "9", "--restart", "on-failure", "--", "sh", "-c", &again];
    assert_eq!(run(&words), (0, 0));
}

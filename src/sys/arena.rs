//! The allocator: a small arena in .bss, and the C library's heap once that is full.
//!
//! A spawn allocates a few hundred bytes. The C library's first allocation takes four system calls
//! and several fresh pages; the arena takes none and one.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 4096;
const ALIGNMENT: usize = 16;

#[repr(align(16))]
struct Bytes(UnsafeCell<[u8; SIZE]>);

/// Hands out its bytes from first to last; freeing gives nothing back.
struct Arena {
    bytes: Bytes,
    used: AtomicUsize,
}

// SAFETY: a place is handed out once, by an atomic addition, so no two threads share one.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { bytes: Bytes(UnsafeCell::new([0; SIZE])), used: AtomicUsize::new(0) };

impl Arena {
    /// A place for that layout, if there is still one.
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let size = layout.size().checked_next_multiple_of(ALIGNMENT)?;
        if layout.align() > ALIGNMENT || size > SIZE {
            return None;
        }
        // The sum cannot wrap: an arena is full long before, and then only reads follow.
        if self.used.load(Ordering::Relaxed) > SIZE - size {
            return None;
        }
        let start = self.used.fetch_add(size, Ordering::Relaxed);
        // SAFETY: checked to lie within the bytes.
        (start <= SIZE - size).then(|| unsafe { self.bytes.0.get().cast::<u8>().add(start) })
    }

    fn owns(&self, place: *mut u8) -> bool {
        let first = self.bytes.0.get() as usize;
        (first..first + SIZE).contains(&(place as usize))
    }
}

// SAFETY: a place of the arena has the size and alignment asked for and is handed out once; every
// other place comes from and goes back to the C library.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(place) => place,
            // SAFETY: the caller's promises about the layout are passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if !self.owns(place) {
            // SAFETY: it is not ours, so the C library handed it out, with this layout.
            unsafe { System.dealloc(place, layout) }
        }
    }
}

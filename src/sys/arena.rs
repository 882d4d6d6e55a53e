//! The allocator: a small arena in .bss, the C library's heap once that is full, and a reserve for
//! where the kernel has no more memory just then.
//!
//! A spawn allocates a few hundred bytes. The C library's first allocation takes four system calls
//! and several fresh pages; the arena takes none and one.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

const ALIGNMENT: usize = 16;

#[repr(align(16))]
struct Bytes<const SIZE: usize>(UnsafeCell<[u8; SIZE]>);

/// Hands out its bytes from first to last; freeing gives nothing back.
///
/// The count is in front, in the page that is written first.
#[repr(C)]
struct Arena<const SIZE: usize> {
    used: AtomicUsize,
    bytes: Bytes<SIZE>,
}

// SAFETY: a place is handed out once, by an atomic addition, so no two threads share one.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

static ARENA: Arena<4096> = Arena::new();
/// Costs nothing until it is touched. With it, whoever cleans up can.
static RESERVE: Arena<65536> = Arena::new();

impl<const SIZE: usize> Arena<SIZE> {
    const fn new() -> Arena<SIZE> {
        Arena { used: AtomicUsize::new(0), bytes: Bytes(UnsafeCell::new([0; SIZE])) }
    }

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

/// What the program allocates from.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: a place of an arena has the size and alignment asked for and is handed out once; every
// other place comes from and goes back to the C library.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(place) = ARENA.take(layout) {
            return place;
        }
        // SAFETY: the caller's promises about the layout are passed on.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() { RESERVE.take(layout).unwrap_or(place) } else { place }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if !ARENA.owns(place) && !RESERVE.owns(place) {
            // SAFETY: it is not ours, so the C library handed it out, with this layout.
            unsafe { System.dealloc(place, layout) }
        }
    }
}

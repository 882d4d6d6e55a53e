//! memcpy(3) and memmove(3) for x86_64, in place of musl's.
//!
//! musl's copy by `rep movsq`, which takes dozens of cycles to start. A decompressor copies a few
//! bytes at a time: two fifths of its time went into that.
#![allow(unsafe_code)]

use core::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_storeu_si128};
use core::ffi::c_void;

/// From this size on the processor's own copying is faster than a loop.
const LARGE: usize = 1024;

/// memcpy(3).
///
/// # Safety
/// `from` and `to` have `size` bytes each and do not overlap.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn memcpy(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    let (destination, source) = (to.cast::<u8>(), from.cast::<u8>());
    if size < LARGE {
        // SAFETY: the caller's promise is passed on.
        unsafe { up(destination, source, size) }
    } else {
        // SAFETY: as much is read and written as the caller promises to be there; the direction flag
        // is clear on entry to a function.
        unsafe {
            core::arch::asm!(
                "rep movsb",
                inout("rdi") destination => _,
                inout("rsi") source => _,
                inout("rcx") size => _,
                options(nostack, preserves_flags)
            );
        }
    }
    to
}

/// memmove(3).
///
/// # Safety
/// `from` and `to` have `size` bytes each.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn memmove(to: *mut c_void, from: *const c_void, size: usize) -> *mut c_void {
    let (destination, source) = (to.cast::<u8>(), from.cast::<u8>());
    let distance = (destination as usize).wrapping_sub(source as usize);
    // SAFETY: the caller's promise is passed on. Where `to` begins within `from`, the copy goes down;
    // memcpy is for what does not overlap.
    unsafe {
        if distance >= size && distance.wrapping_neg() >= size {
            memcpy(to, from, size);
        } else if distance >= size {
            up(destination, source, size);
        } else {
            down(destination, source, size);
        }
    }
    to
}

unsafe fn load(from: *const u8) -> __m128i {
    // SAFETY: the caller has 16 bytes there; no alignment is asked for.
    unsafe { _mm_loadu_si128(from.cast()) }
}

unsafe fn store(to: *mut u8, value: __m128i) {
    // SAFETY: the caller has 16 bytes there; no alignment is asked for.
    unsafe { _mm_storeu_si128(to.cast(), value) }
}

/// Up to 32 bytes, which may overlap: everything is read before anything is written.
#[inline(always)]
unsafe fn short(to: *mut u8, from: *const u8, size: usize) {
    /// The first and the last bytes as one number each; they overlap where size is no power of 2.
    macro_rules! ends {
        ($number:ty) => {{
            let last = size - size_of::<$number>();
            // SAFETY: both lie within `size` bytes, which is at least the number's own size.
            unsafe {
                let (head, tail) = (
                    from.cast::<$number>().read_unaligned(),
                    from.add(last).cast::<$number>().read_unaligned(),
                );
                to.cast::<$number>().write_unaligned(head);
                to.add(last).cast::<$number>().write_unaligned(tail);
            }
        }};
    }
    match size {
        0 => {}
        1 => ends!(u8),
        2..4 => ends!(u16),
        4..8 => ends!(u32),
        8..16 => ends!(u64),
        // SAFETY: both lie within `size` bytes, which are 16 or more.
        _ => unsafe {
            let (head, tail) = (load(from), load(from.add(size - 16)));
            store(to, head);
            store(to.add(size - 16), tail);
        },
    }
}

/// Copies from the first byte to the last: `to` does not begin within `from`.
#[inline(always)]
unsafe fn up(to: *mut u8, from: *const u8, size: usize) {
    // SAFETY: each access lies within `size` bytes. What is written is never behind what has been
    // read, but for the last 16 bytes, which are read first.
    unsafe {
        if size <= 32 {
            return short(to, from, size);
        }
        let tail = load(from.add(size - 16));
        let mut done = 0;
        while done + 32 < size {
            let (first, second) = (load(from.add(done)), load(from.add(done + 16)));
            store(to.add(done), first);
            store(to.add(done + 16), second);
            done += 32;
        }
        if done + 16 < size {
            let last = load(from.add(done));
            store(to.add(done), last);
        }
        store(to.add(size - 16), tail);
    }
}

/// Copies from the last byte to the first: `to` begins within `from`.
#[inline(always)]
unsafe fn down(to: *mut u8, from: *const u8, size: usize) {
    // SAFETY: each access lies within `size` bytes. What is written is never before what has been
    // read, but for the first 16 bytes, which are read first.
    unsafe {
        if size <= 32 {
            return short(to, from, size);
        }
        let head = load(from);
        let mut left = size;
        while left > 16 {
            left -= 16;
            let last = load(from.add(left));
            store(to.add(left), last);
        }
        store(to, head);
    }
}

#[cfg(test)]
mod tests {
    /// Every size and every distance around where one way of copying gives way to another.
    #[test]
    fn bytes_are_moved_whole_whichever_way_they_overlap() {
        let sizes = (0..150).chain([1000, 1023, 1024, 1025, 5000]);
        for size in sizes {
            for distance in (0..70).chain([size / 2, size, size + 1]) {
                let start: Vec<u8> =
                    (0..size + distance).map(|place| (place * 7 + place / 256) as u8).collect();
                let (mut up, mut down) = (start.clone(), start.clone());
                // SAFETY: both lie within the vector.
                unsafe {
                    let place = up.as_mut_ptr();
                    super::memmove(place.add(distance).cast(), place.cast(), size);
                    let place = down.as_mut_ptr();
                    super::memmove(place.cast(), place.add(distance).cast(), size);
                }
                assert!(up[distance..] == start[..size], "up {size} {distance}");
                assert!(down[..size] == start[distance..], "down {size} {distance}");
                if distance < size {
                    assert!(up[..distance] == start[..distance], "before {size} {distance}");
                    assert!(down[size..] == start[size..], "behind {size} {distance}");
                }
            }
        }
    }
}

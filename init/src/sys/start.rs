//! Where a static binary starts that was linked with its relocations packed (DT_RELR): musl's own start,
//! before 1.2.4, knows the long form only, which takes 24 bytes for each pointer, and as many to read at
//! each start. tools/build makes this the entry of what ships, on x86_64; other builds start as usual.
use core::ffi::{c_char, c_int};

// Of elf(5), and of the System V ABI where that page is older.
const DT_NULL: usize = 0;
const DT_RELA: usize = 7;
const DT_RELASZ: usize = 8;
const DT_RELRSZ: usize = 35;
const DT_RELR: usize = 36;
const R_X86_64_RELATIVE: usize = 8;

/// The kernel jumps here, with the stack that execve(2) made and nothing else.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn unshared_start() -> ! {
    core::arch::naked_asm!(
        "xor ebp, ebp",
        "mov rdi, rsp",
        "lea rsi, [rip + _DYNAMIC]",
        "lea rdx, [rip + __ehdr_start]",
        // The page is about to be written: touched so from the first, it is brought in once.
        "or qword ptr [rsi], 0",
        "and rsp, -16",
        "call {relocate}",
        "hlt",
        relocate = sym relocate,
    )
}

/// An entry of the dynamic section, Elf64_Dyn.
#[repr(C)]
struct Dynamic {
    tag: usize,
    value: usize,
}

/// A relocation in the long form, Elf64_Rela.
#[repr(C)]
struct Rela {
    offset: usize,
    info: usize,
    addend: usize,
}

/// Adds the address that the binary was loaded at to every pointer in it, and starts the C library.
/// Until that is done nothing may be called, and no address be taken but relative to where we are.
///
/// # Safety
/// `stack` is what execve(2) left, `dynamic` the binary's dynamic section, and nothing has run yet.
unsafe extern "C" fn relocate(stack: *mut usize, mut dynamic: *const Dynamic, base: usize) -> ! {
    unsafe extern "C" {
        fn main(count: c_int, arguments: *mut *const c_char) -> c_int;
        fn _init();
        fn _fini();
        fn __libc_start_main(
            main: unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int,
            count: c_int,
            arguments: *mut *const c_char,
            init: unsafe extern "C" fn(),
            fini: unsafe extern "C" fn(),
            loader_fini: usize,
        ) -> !;
    }
    let (mut rela, mut rela_size, mut relr, mut relr_size) = (0, 0, 0, 0);
    // SAFETY: the linker ends the dynamic section with DT_NULL, and its tables lie inside the binary; what
    // they name are words of the binary's own writable memory, which nobody else uses yet.
    unsafe {
        while (*dynamic).tag != DT_NULL {
            match (*dynamic).tag {
                DT_RELA => rela = base + (*dynamic).value,
                DT_RELASZ => rela_size = (*dynamic).value,
                DT_RELR => relr = base + (*dynamic).value,
                DT_RELRSZ => relr_size = (*dynamic).value,
                _ => {}
            }
            dynamic = dynamic.add(1);
        }
        let rela_end = rela + rela_size;
        while rela < rela_end {
            let entry = rela as *const Rela;
            if (*entry).info == R_X86_64_RELATIVE {
                *((base + (*entry).offset) as *mut usize) = base + (*entry).addend;
            }
            rela += size_of::<Rela>();
        }
        // An even word is the address of a pointer; an odd one says, a bit each, which of the next 63 words
        // are pointers too.
        let relr_end = relr + relr_size;
        let mut place = base as *mut usize;
        while relr < relr_end {
            let mut word = *(relr as *const usize);
            if word & 1 == 0 {
                place = (base + word) as *mut usize;
                *place += base;
                place = place.add(1);
            } else {
                word >>= 1;
                while word != 0 {
                    *place.add(word.trailing_zeros() as usize) += base;
                    word &= word - 1;
                }
                place = place.add(63);
            }
            relr += size_of::<usize>();
        }
        let count = *stack as c_int;
        // Ends with the status of `main`.
        __libc_start_main(main, count, stack.add(1).cast(), _init, _fini, 0)
    }
}

//! What kind of program a file is: a script with its interpreter, or an ELF file with its machine
//! and its loader (elf(5)).
use super::{Failure, NOT_EXECUTABLE, NOT_FOUND, SHELL, exists};
use crate::sys::{Descriptor, Kind};
use core::ffi::CStr;
use rustix::io::Errno;

/// So much of a file is looked at. The kernel looks for `#!` in the first 256 bytes
/// (BINPRM_BUF_SIZE); an ELF file's program headers and its loader's name follow on its header.
const HEAD: usize = 2048;

const ELF_MAGIC: &[u8] = b"\x7fELF";
const SCRIPT_LINE: usize = 256;

/// The beginning of a file, as far as it can be read.
fn head<'a>(path: &CStr, buffer: &'a mut [u8; HEAD]) -> &'a [u8] {
    let length = Descriptor::open(path, Kind::File).map_or(0, |file| file.read(buffer));
    buffer.get(..length).unwrap_or(&[])
}

/// Whether the shell should run this file, which the kernel would not: no program of another
/// machine, no script whose interpreter is one, and no zero byte in its first line.
// Not inlined: its buffer would be part of every start.
#[inline(never)]
pub(super) fn is_text(path: &CStr) -> bool {
    let mut buffer = [0; HEAD];
    let head = head(path, &mut buffer);
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    !head.starts_with(ELF_MAGIC) && !head.starts_with(b"#!") && !line.contains(&0)
}

/// The file is there, so it is the interpreter that is not.
pub(super) fn missing_interpreter(path: &CStr) -> Failure {
    let mut buffer = [0; HEAD];
    let head = head(path, &mut buffer);
    let name = path.to_bytes();
    let (kind, interpreter): (&[u8], _) = match script_interpreter(head) {
        Some(interpreter) => (b"interpreter ", Some(interpreter)),
        None => (b"loader ", elf_loader(head)),
    };
    match interpreter {
        Some(interpreter) => Failure::new(
            Errno::NOENT,
            NOT_FOUND,
            &[name, b" is there, but its ", kind, interpreter, b" is not", hint(interpreter)],
        ),
        None if head.starts_with(ELF_MAGIC) => {
            Failure::new(Errno::NOENT, NOT_FOUND, &[name, b" is there, but its loader is not"])
        }
        None => Failure::new(
            Errno::NOENT,
            NOT_FOUND,
            &[name, b" has no #! line, and ", SHELL.to_bytes(), b" is not there"],
        ),
    }
}

/// A hint for the usual reason of an interpreter that seems to be there.
fn hint(interpreter: &[u8]) -> &'static [u8] {
    if interpreter.ends_with(b"\r") {
        return b": the line ends in a carriage return, as on Windows";
    }
    let mut buffer = [0_u8; SCRIPT_LINE + 1];
    for (to, from) in buffer.iter_mut().zip(interpreter.iter().take(SCRIPT_LINE)) {
        *to = *from;
    }
    match CStr::from_bytes_until_nul(&buffer) {
        Ok(path) if exists(path) => b", or its own loader is not",
        _ => b"",
    }
}

/// The file may be executed by us, and was refused all the same.
pub(super) fn refused(path: &CStr) -> Failure {
    let mut buffer = [0; HEAD];
    let head = head(path, &mut buffer);
    let name = path.to_bytes();
    match script_interpreter(head) {
        Some(interpreter) => Failure::new(
            Errno::ACCESS,
            NOT_EXECUTABLE,
            &[b"the interpreter of ", name, b", ", interpreter, b", may not be executed"],
        ),
        None if head.starts_with(b"#!") => no_interpreter(name, Errno::ACCESS),
        None => Failure::new(
            Errno::ACCESS,
            NOT_EXECUTABLE,
            &[
                name,
                b" is refused: its loader may not be executed, or a security module forbids it",
            ],
        ),
    }
}

fn no_interpreter(name: &[u8], errno: Errno) -> Failure {
    Failure::new(errno, NOT_EXECUTABLE, &[name, b" has a #! line that names no interpreter"])
}

/// The word after `#!`.
fn script_interpreter(head: &[u8]) -> Option<&[u8]> {
    let line = head.get(..SCRIPT_LINE.min(head.len()))?.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())
}

/// The kernel could not make sense of the file.
pub(super) fn wrong_format(path: &CStr) -> Failure {
    let mut buffer = [0; HEAD];
    let head = head(path, &mut buffer);
    let name = path.to_bytes();
    if let Some(interpreter) = script_interpreter(head) {
        return Failure::new(
            Errno::NOEXEC,
            NOT_EXECUTABLE,
            &[b"the interpreter of ", name, b", ", interpreter, b", cannot be executed"],
        );
    }
    if head.starts_with(b"#!") {
        return no_interpreter(name, Errno::NOEXEC);
    }
    if !head.starts_with(ELF_MAGIC) {
        return Failure::new(
            Errno::NOEXEC,
            NOT_EXECUTABLE,
            &[name, b" is neither a program nor a script"],
        );
    }
    match number(head, 18).map(|machine: u16| machine_name(machine)) {
        Some(machine) => Failure::new(
            Errno::NOEXEC,
            NOT_EXECUTABLE,
            &[name, b" is a program for ", machine, b", this machine is ", OWN_MACHINE],
        ),
        None => Failure::new(Errno::NOEXEC, NOT_EXECUTABLE, &[name, b" is cut short"]),
    }
}

const OWN_MACHINE: &[u8] = if cfg!(target_arch = "x86_64") {
    b"x86_64"
} else if cfg!(target_arch = "aarch64") {
    b"aarch64"
} else if cfg!(target_arch = "arm") {
    b"arm"
} else if cfg!(target_arch = "riscv64") {
    b"riscv"
} else {
    b"another"
};

/// `e_machine` as uname(1) says it.
fn machine_name(machine: u16) -> &'static [u8] {
    match machine {
        3 => b"i386",
        8 => b"mips",
        20 => b"ppc",
        21 => b"ppc64",
        22 => b"s390x",
        40 => b"arm",
        62 => b"x86_64",
        183 => b"aarch64",
        243 => b"riscv",
        258 => b"loongarch64",
        _ => b"another machine",
    }
}

/// The path in the PT_INTERP segment of a little-endian ELF file, of 32 or 64 bits.
fn elf_loader(head: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u32 = 3;
    if !head.starts_with(ELF_MAGIC) {
        return None;
    }
    let wide = *head.get(4)? == 2;
    let (table, size, count) = if wide {
        (number::<u64>(head, 32)?, number::<u16>(head, 54)?, number::<u16>(head, 56)?)
    } else {
        (u64::from(number::<u32>(head, 28)?), number::<u16>(head, 42)?, number::<u16>(head, 44)?)
    };
    let segment = (0..usize::from(count)).find_map(|index| {
        let at = usize::try_from(table).ok()?.checked_add(index.checked_mul(size.into())?)?;
        let segment = head.get(at..)?;
        (number::<u32>(segment, 0)? == PT_INTERP).then_some(segment)
    })?;
    let offset =
        if wide { number::<u64>(segment, 8)? } else { u64::from(number::<u32>(segment, 4)?) };
    let path = head.get(usize::try_from(offset).ok()?..)?;
    CStr::from_bytes_until_nul(path).ok().map(CStr::to_bytes)
}

/// A little-endian number of the file.
fn number<N: FromLittleEndian>(bytes: &[u8], at: usize) -> Option<N> {
    N::read(bytes.get(at..)?)
}

trait FromLittleEndian: Sized {
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! little_endian {
    ($($number:ty)*) => { $(
        impl FromLittleEndian for $number {
            fn read(bytes: &[u8]) -> Option<$number> {
                bytes.first_chunk().map(|chunk| <$number>::from_le_bytes(*chunk))
            }
        }
    )* };
}
little_endian!(u16 u32 u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_the_first_word_of_the_line() {
        assert_eq!(script_interpreter(b"#! /bin/x -e\nrest"), Some(b"/bin/x".as_slice()));
        assert_eq!(script_interpreter(b"#!/bin/x\r\n"), Some(b"/bin/x\r".as_slice()));
        assert_eq!(script_interpreter(b"#!\n"), None);
        assert_eq!(script_interpreter(b"echo"), None);
    }

    #[test]
    fn our_own_loader_is_found_where_the_kernel_finds_it() {
        let me = std::env::current_exe().unwrap();
        let path = std::ffi::CString::new(me.to_str().unwrap()).unwrap();
        let mut buffer = [0; HEAD];
        let head = head(&path, &mut buffer);
        assert_eq!(number::<u16>(head, 18).map(machine_name), Some(OWN_MACHINE));
        if cfg!(target_env = "gnu") {
            let loader = std::str::from_utf8(elf_loader(head).unwrap()).unwrap();
            assert!(std::path::Path::new(loader).exists(), "{loader}");
        }
    }

    #[test]
    fn no_beginning_of_an_elf_file_is_too_short_or_too_wrong() {
        let me = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in 0..600 {
            let _ = elf_loader(&me[..length]);
            let mut wrong = me[..600].to_vec();
            wrong[length] ^= 0xff;
            let _ = elf_loader(&wrong);
        }
    }
}

//! Our own test binary is the real file; made-up and damaged ones are the others.
use super::*;
use proptest::prelude::*;

fn own() -> Vec<u8> {
    std::fs::read("/proc/self/exe").unwrap()
}

/// A file of one segment at address 0 with a dynamic section of these tags, in any class and order.
fn made(wide: bool, big: bool, machine: u16, tags: &[(u64, &[u8])], interpreter: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let put = |file: &mut Vec<u8>, value: u64, size: usize| {
        let bytes = value.to_be_bytes();
        let mut bytes = bytes[8 - size..].to_vec();
        if !big {
            bytes.reverse();
        }
        file.extend(bytes);
    };
    let word = if wide { 8 } else { 4 };
    file.extend(b"\x7fELF");
    file.extend([if wide { 2 } else { 1 }, if big { 2 } else { 1 }]);
    file.resize(16, 0);
    put(&mut file, 3, 2);
    put(&mut file, machine.into(), 2);
    put(&mut file, 1, 4);
    put(&mut file, 0, word);
    let header = if wide { 64 } else { 52 };
    put(&mut file, header, word);
    put(&mut file, 0, word);
    put(&mut file, 0, 4);
    put(&mut file, header, 2);
    let entry = if wide { 56 } else { 32 };
    put(&mut file, entry, 2);
    put(&mut file, 3, 2);
    file.resize(header as usize, 0);
    // The strings come first, then the dynamic section.
    let strings = header + 3 * entry;
    let mut text = vec![0_u8];
    let mut pairs = vec![];
    for (tag, value) in tags {
        pairs.push((*tag, text.len() as u64));
        text.extend(*value);
        text.push(0);
    }
    let interpreter_at = strings + text.len() as u64;
    text.extend(interpreter);
    text.push(0);
    pairs.extend([(DT_STRTAB, strings), (DT_STRSZ, text.len() as u64), (0, 0)]);
    let dynamic = strings + text.len() as u64;
    let size = pairs.len() as u64 * 2 * word as u64;
    for (kind, offset, length) in
        [(PT_LOAD, 0, dynamic + size), (PT_DYNAMIC, dynamic, size), (PT_INTERP, interpreter_at, 9)]
    {
        put(&mut file, kind, 4);
        if wide {
            put(&mut file, 0, 4);
        }
        for value in [offset, offset, offset, length, length] {
            put(&mut file, value, word);
        }
        if !wide {
            put(&mut file, 0, 4);
        }
        put(&mut file, 0, word);
    }
    assert_eq!(file.len() as u64, strings);
    file.extend(text);
    for (tag, value) in pairs {
        put(&mut file, tag, word);
        put(&mut file, value, word);
    }
    file
}

#[test]
fn both_classes_and_both_byte_orders_are_read() {
    for (wide, big) in [(false, false), (false, true), (true, false), (true, true)] {
        let tags: [(u64, &[u8]); 5] = [
            (DT_NEEDED, b"liba.so.1"),
            (DT_NEEDED, b"libb.so.2"),
            (DT_RUNPATH, b"$ORIGIN/../lib"),
            (DT_RPATH, b"/old"),
            (DT_SONAME, b"self.so"),
        ];
        let file = made(wide, big, 21, &tags, b"/lib/ld.so");
        let elf = read(&&file[..]).unwrap();
        assert_eq!(elf.kind, Kind { wide, big, machine: 21 });
        assert_eq!(elf.interpreter.as_deref(), Some(&b"/lib/ld.so"[..]));
        assert_eq!(elf.needed, [b"liba.so.1".to_vec(), b"libb.so.2".to_vec()]);
        assert_eq!(elf.runpath.as_deref(), Some(&b"$ORIGIN/../lib"[..]));
        assert_eq!(elf.rpath.as_deref(), Some(&b"/old"[..]));
        assert_eq!(elf.soname.as_deref(), Some(&b"self.so"[..]));
    }
}

#[test]
fn our_own_needs_and_imports_are_found() {
    let file = own();
    let elf = read(&&file[..]).unwrap();
    if cfg!(target_env = "gnu") {
        assert!(elf.needed.contains(&b"libc.so.6".to_vec()), "{elf:?}");
        let mut names = Vec::new();
        elf.imports(&&file[..], &mut |name| names.push(name.to_vec()));
        assert!(names.contains(&b"malloc".to_vec()), "{}", names.len());
        assert!(!names.contains(&b"main".to_vec()));
    }
}

#[test]
fn a_text_is_no_elf_file_and_a_beginning_of_one_is_broken() {
    assert_eq!(read(&&b"#!/bin/sh\n"[..]).unwrap_err(), Problem::NotElf);
    assert_eq!(read(&&b""[..]).unwrap_err(), Problem::NotElf);
    assert_eq!(read(&&b"\x7fELF"[..]).unwrap_err(), Problem::Broken);
    assert_eq!(read(&&own()[..64]).unwrap_err(), Problem::Broken);
}

/// Whatever comes of it.
fn survive(file: &[u8]) {
    if let Ok(elf) = read(&file) {
        elf.imports(&file, &mut |_| {});
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail(mut file in proptest::collection::vec(any::<u8>(), 0..600)) {
        survive(&file);
        file.splice(0..file.len().min(6), *b"\x7fELF\x02\x01");
        survive(&file);
    }

    #[test]
    fn no_damage_makes_it_fail(
        wide: bool, big: bool, cut in 0..800_usize,
        damage in proptest::collection::vec((0..800_usize, any::<u8>()), 0..20),
    ) {
        let tags: [(u64, &[u8]); 3] = [(DT_NEEDED, b"liba.so.1"), (DT_GNU_HASH, b""), (DT_SYMTAB, b"")];
        let mut file = made(wide, big, 62, &tags, b"/lib/ld.so");
        for (at, byte) in damage {
            let at = at % file.len();
            file[at] = byte;
        }
        file.truncate(cut.max(6));
        survive(&file);
    }

    #[test]
    fn no_damage_to_a_real_header_makes_it_fail(
        damage in proptest::collection::vec((0..1200_usize, any::<u8>()), 1..8),
    ) {
        thread_local!(static OWN: Vec<u8> = own());
        OWN.with(|own| {
            let mut file = own[..own.len().min(1 << 16)].to_vec();
            for (at, byte) in damage {
                file[at] = byte;
            }
            survive(&file);
        });
    }
}

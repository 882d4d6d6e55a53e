//! Filters run by an interpreter of our own, which knows what BPF says and nothing of profiles.
use super::assembler::{Block, JUMP, LOAD, RETURN, Test, Verdict};
use super::profile::{default, refused_calls};
use super::{Instruction, parse};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const NATIVE: u32 = if cfg!(target_arch = "x86_64") {
    X86_64
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else if cfg!(target_arch = "riscv64") {
    0xc000_00f3
} else {
    0x4000_0028
};

/// A system call as a filter sees it.
#[derive(Clone, Copy)]
struct Data {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

impl Data {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.architecture,
            16..64 => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                if offset.is_multiple_of(8) { argument as u32 } else { (argument >> 32) as u32 }
            }
            _ => panic!("offset {offset}"),
        }
    }
}

/// What the program says; it must say something, and read no memory before it has been written.
fn run(program: &[Instruction], data: Data) -> u32 {
    let (mut at, mut accumulator) = (0, None);
    loop {
        let (code, if_true, if_false, operand) = program[at].parts();
        at += 1;
        let mut test = |result| at += if result { if_true } else { if_false };
        match code {
            LOAD => accumulator = Some(data.word(operand)),
            RETURN => return operand,
            JUMP => at += operand as usize,
            code if code == Test::Equal as u16 => test(accumulator.unwrap() == operand),
            code if code == Test::AtLeast as u16 => test(accumulator.unwrap() >= operand),
            code if code == Test::AnyBit as u16 => test(accumulator.unwrap() & operand != 0),
            code => panic!("code {code:#x}"),
        }
    }
}

fn call(architecture: u32, number: u32, arguments: [u64; 2]) -> u32 {
    let [a, b] = arguments;
    let arguments = [a, b, 0, 0, 0, 0];
    static PROGRAM: std::sync::LazyLock<Vec<Instruction>> =
        std::sync::LazyLock::new(|| default(false));
    run(&PROGRAM, Data { number, architecture, arguments })
}

fn number(name: &str) -> u32 {
    refused_calls().find(|call| call.0 == name).unwrap().1.try_into().unwrap()
}

#[test]
fn every_number_has_the_verdict_of_its_row() {
    let mut seen = 0;
    let architectures = [(NATIVE, false), (I386, true)];
    for (architecture, compatible) in architectures {
        if compatible && NATIVE != X86_64 {
            continue;
        }
        for number in 0..1000 {
            let row = refused_calls()
                .find(|row| i32::from(if compatible { row.2 } else { row.1 }) == number as i32);
            let verdict = call(architecture, number, [0, 0]);
            match row {
                None => assert_eq!(verdict, ALLOW, "{number}"),
                Some((name @ "clone3", ..)) => assert_eq!(verdict, ENOSYS, "{name}"),
                Some((name, _, _, true)) => assert_eq!(verdict, EPERM, "{name}"),
                // Their arguments are zeroes here, which nobody minds.
                Some((name, _, _, false)) => assert_eq!(verdict, ALLOW, "{name}"),
            }
            seen += u32::from(verdict != ALLOW);
        }
    }
    assert!(seen > 40, "{seen}");
}

#[test]
fn the_numbers_are_those_of_the_kernels_headers() {
    macro_rules! known {
        ($($name:ident)*) => { [$((stringify!($name), linux_raw_sys::general::$name)),*] };
    }
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "arm")), allow(unused_mut))]
    let mut known: Vec<(&str, u32)> = known!(
        __NR_mount __NR_umount2 __NR_pivot_root __NR_open_tree __NR_open_tree_attr __NR_move_mount
        __NR_fsopen __NR_fsconfig __NR_fsmount __NR_fspick __NR_mount_setattr __NR_setns __NR_unshare
        __NR_clone __NR_clone3 __NR_init_module __NR_finit_module __NR_delete_module __NR_kexec_load
        __NR_kexec_file_load __NR_reboot __NR_swapon __NR_swapoff __NR_settimeofday
        __NR_clock_settime __NR_syslog __NR_acct __NR_quotactl __NR_quotactl_fd __NR_add_key
        __NR_request_key __NR_keyctl __NR_open_by_handle_at __NR_socket __NR_bpf
        __NR_perf_event_open __NR_userfaultfd __NR_io_uring_setup __NR_io_uring_enter
        __NR_io_uring_register __NR_lookup_dcookie __NR_nfsservctl __NR_ioctl __NR_personality
    )
    .to_vec();
    #[cfg(target_arch = "x86_64")]
    known.extend(known!(
        __NR_iopl __NR_ioperm __NR_uselib __NR__sysctl __NR_create_module __NR_get_kernel_syms
        __NR_query_module
    ));
    #[cfg(target_arch = "arm")]
    known.extend(known!(__NR_uselib __NR__sysctl __NR_clock_settime64));
    // Numbers that were calls before Linux 2.6, and that nothing else gets.
    #[cfg(target_arch = "arm")]
    known.extend([
        ("__NR_create_module", 127),
        ("__NR_get_kernel_syms", 130),
        ("__NR_query_module", 167),
    ]);
    for (name, native, ..) in refused_calls() {
        let known = known.iter().find(|(other, _)| other.strip_prefix("__NR_") == Some(name));
        assert_eq!(known.map_or(-1, |(_, number)| *number as i16), native, "{name}");
    }
}

#[test]
fn new_namespaces_are_refused_and_threads_are_not() {
    for name in ["clone", "unshare"] {
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET] {
            assert_eq!(call(NATIVE, number(name), [flag as u64, 0]), EPERM, "{name}");
        }
        let files = (libc::CLONE_FILES | libc::CLONE_FS) as u64;
        assert_eq!(call(NATIVE, number(name), [files, 0]), ALLOW, "{name}");
    }
    let thread = 0x3d_0f00;
    assert_eq!(call(NATIVE, number("clone"), [thread, 0]), ALLOW);
    assert_eq!(call(NATIVE, number("clone"), [libc::SIGCHLD as u64 | 0x80, 0]), ALLOW);
    assert_eq!(call(NATIVE, number("unshare"), [0x80, 0]), EPERM);
}

#[test]
fn nothing_is_typed_into_a_terminal_whatever_is_in_the_upper_half() {
    for request in [0x5412, 0x541c] {
        for upper in [0, 1, 0xffff_ffff] {
            assert_eq!(call(NATIVE, number("ioctl"), [0, request | upper << 32]), EPERM);
        }
    }
    assert_eq!(call(NATIVE, number("ioctl"), [0x5412, 0x5413]), ALLOW);
}

#[test]
fn a_personality_that_weakens_memory_is_refused() {
    for fine in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff, 8 | 1 << 32] {
        assert_eq!(call(NATIVE, number("personality"), [fine, 0]), ALLOW, "{fine:#x}");
    }
    for weak in [0x4_0000, 0x40_0000, 0x10_0000, 4] {
        assert_eq!(call(NATIVE, number("personality"), [weak, 0]), EPERM, "{weak:#x}");
    }
}

#[test]
fn sockets_to_other_machines_beside_this_one_are_refused() {
    assert_eq!(call(NATIVE, number("socket"), [40, 1]), EPERM);
    assert_eq!(call(NATIVE, number("socket"), [2, 1]), ALLOW);
}

#[test]
fn other_entry_points_do_not_exist_or_are_judged_by_their_own_numbers() {
    // sparc64, and nothing at all.
    for architecture in [0x8000_002b, 0] {
        assert_eq!(call(architecture, 1, [0, 0]), ENOSYS);
    }
    if NATIVE == X86_64 {
        for number in [0, 1, 165, 0x2000_0000] {
            assert_eq!(call(X86_64, number | 0x4000_0000, [0, 0]), ENOSYS, "x32 {number}");
        }
        assert_eq!(call(X86_64, u32::MAX, [0, 0]), ENOSYS);
        // 21 is mount(2) there, and access(2) here.
        assert_eq!((call(I386, 21, [0, 0]), call(X86_64, 21, [0, 0])), (EPERM, ALLOW));
        assert_eq!(call(I386, 54, [0, 0x5412]), EPERM);
        assert_eq!(call(I386, 120, [0x1000_0000, 0]), EPERM);
    }
}

#[test]
fn ptrace_is_refused_where_it_leads_past_the_filter() {
    let number = libc::SYS_ptrace as u32;
    let data = Data { number, architecture: NATIVE, arguments: [0; 6] };
    assert_eq!((run(&default(true), data), run(&default(false), data)), (EPERM, ALLOW));
}

#[test]
fn a_branch_reaches_as_far_as_it_must() {
    let verdict = |errno| Block::verdict(Verdict::Fail(errno));
    let many: Vec<(u32, Block)> =
        (0..2000).map(|number| (number, verdict(number as u16))).collect();
    let program = Block::load(0, Block::search(&many)).into_program();
    assert!(program.iter().any(|instruction| instruction.parts().0 == JUMP));
    for number in 0..2000 {
        let data = Data { number, architecture: 0, arguments: [0; 6] };
        assert_eq!(run(&program, data), 0x0005_0000 | number);
    }
    assert_eq!(
        run(
            &Block::search(&[]).into_program(),
            Data { number: 1, architecture: 0, arguments: [0; 6] }
        ),
        ALLOW
    );
}

#[test]
fn the_default_program_is_short() {
    let length = default(true).len();
    assert!((100..700).contains(&length), "{length}");
}

#[test]
fn a_compiled_filter_is_whole_instructions_and_not_too_many() {
    let one = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f];
    assert_eq!(parse(&one).unwrap().len(), 1);
    assert_eq!(parse(&one.repeat(4096)).unwrap().len(), 4096);
    assert!(parse(&one.repeat(4097)).unwrap_err().contains("4096"));
    for bytes in [&[][..], &one[..7], &[0; 9]] {
        assert!(parse(bytes).unwrap_err().contains("no compiled filter"), "{bytes:?}");
    }
    if cfg!(target_endian = "little") {
        assert_eq!(parse(&one).unwrap()[0].parts(), (RETURN, 0, 0, ALLOW));
    }
}

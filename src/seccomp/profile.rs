//! The default profile: what a payload in a root of its own has no business with.
//!
//! It is a list of what is refused, so that what programs do runs. Capabilities refuse most of it as
//! well; the filter stands where a user namespace hands capabilities out, and before code of the
//! kernel that an ordinary program never reaches. docs/security.md has the reasons.
use super::assembler::{Block, Instruction, Test, Verdict};

/// A system call, and what is to be said about it.
struct Call {
    #[cfg(test)]
    name: &'static str,
    /// Its number for programs of this machine, and for those of its 32-bit forerunner; or [`NONE`].
    native: i16,
    compatible: i16,
    rule: Rule,
}

/// What is said about a call.
#[derive(Clone, Copy)]
enum Rule {
    Fail(u16),
    /// That argument is none of these, or the call fails.
    OnlyIf(Argument, &'static [u32]),
    /// That argument is one of these, and the call fails.
    FailIf(Argument, &'static [u32]),
    /// That argument has one of these bits, and the call fails.
    FailIfAny(Argument, u32),
}

/// The place of an argument, counted from 0.
///
/// The kernel looks at the lower half of all that are compared here: a filter that compared the
/// whole of it would be passed by with a bit in the upper half (CVE-2019-10063).
#[derive(Clone, Copy)]
struct Argument(u32);

/// The architecture has no such call.
const NONE: i16 = -1;
const EPERM: u16 = libc::EPERM as u16;
const ENOSYS: u16 = libc::ENOSYS as u16;

/// AUDIT_ARCH_… of linux/audit.h, for programs of this machine, and of its 32-bit forerunner.
const ARCHITECTURES: (u32, Option<u32>) = if cfg!(target_arch = "x86_64") {
    (0xc000_003e, Some(0x4000_0003))
} else if cfg!(target_arch = "aarch64") {
    (0xc000_00b7, Some(0x4000_0028))
} else if cfg!(target_arch = "riscv64") {
    (0xc000_00f3, None)
} else {
    (0x4000_0028, None)
};

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "arm"
)))]
compile_error!("src/seccomp/profile.rs has no column for this architecture");

/// A row of the table, whose columns are x86_64, i386, arm, and the numbers that all newer
/// architectures share, aarch64 and riscv64 among them.
const fn call(name: &'static str, numbers: [i16; 4], rule: Rule) -> Call {
    let [x86_64, i386, arm, generic] = numbers;
    let (native, compatible) = if cfg!(target_arch = "x86_64") {
        (x86_64, i386)
    } else if cfg!(target_arch = "aarch64") {
        (generic, arm)
    } else if cfg!(target_arch = "arm") {
        (arm, NONE)
    } else {
        (generic, NONE)
    };
    #[cfg(not(test))]
    let _ = name;
    Call {
        #[cfg(test)]
        name,
        native,
        compatible,
        rule,
    }
}

const fn refused(name: &'static str, numbers: [i16; 4]) -> Call {
    call(name, numbers, Rule::Fail(EPERM))
}

/// CLONE_NEW… of clone(2), but that of the time namespace, which there is part of a signal's number.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;
const CLONE_NEWTIME: u32 = 0x80;

/// TIOCSTI and TIOCLINUX: both put words into a terminal, as if its user had typed them.
const TYPING: &[u32] = &[0x5412, 0x541c];

/// What personality(2) may be asked for: Linux, 32 bits of it (setarch(8)), each with the version
/// said to be 2.6, and what holds now. The rest takes protections of memory away.
const PERSONALITIES: &[u32] = &[0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Refused from where it can be used to get out: before Linux 4.8 a traced process makes another call
/// than the one that the filter has seen.
const PTRACE: Call = refused("ptrace", [101, 26, 26, 117]);

static CALLS: [Call; 56] = [
    // Mounts: what was made read-only or hidden shall stay so.
    refused("mount", [165, 21, 21, 40]),
    refused("umount", [NONE, 22, NONE, NONE]),
    refused("umount2", [166, 52, 52, 39]),
    refused("pivot_root", [155, 217, 218, 41]),
    refused("open_tree", [428, 428, 428, 428]),
    refused("open_tree_attr", [467, 467, 467, 467]),
    refused("move_mount", [429, 429, 429, 429]),
    refused("fsopen", [430, 430, 430, 430]),
    refused("fsconfig", [431, 431, 431, 431]),
    refused("fsmount", [432, 432, 432, 432]),
    refused("fspick", [433, 433, 433, 433]),
    refused("mount_setattr", [442, 442, 442, 442]),
    // Namespaces: with a new user namespace come all capabilities. The flags of clone3(2) are in
    // memory, which no filter sees; C libraries take clone(2) where there is no clone3(2).
    refused("setns", [308, 346, 375, 268]),
    call("unshare", [272, 310, 337, 97], Rule::FailIfAny(Argument(0), NAMESPACES | CLONE_NEWTIME)),
    call("clone", [56, 120, 120, 220], Rule::FailIfAny(Argument(0), NAMESPACES)),
    call("clone3", [435, 435, 435, 435], Rule::Fail(ENOSYS)),
    // The kernel itself: modules, another kernel, its clock, its log, its swap, its end.
    refused("init_module", [175, 128, 128, 105]),
    refused("finit_module", [313, 350, 379, 273]),
    refused("delete_module", [176, 129, 129, 106]),
    refused("create_module", [174, 127, 127, NONE]),
    refused("get_kernel_syms", [177, 130, 130, NONE]),
    refused("query_module", [178, 167, 167, NONE]),
    refused("kexec_load", [246, 283, 347, 104]),
    refused("kexec_file_load", [320, NONE, 401, 294]),
    refused("reboot", [169, 88, 88, 142]),
    refused("swapon", [167, 87, 87, 224]),
    refused("swapoff", [168, 115, 115, 225]),
    refused("settimeofday", [164, 79, 79, 170]),
    refused("stime", [NONE, 25, NONE, NONE]),
    refused("clock_settime", [227, 264, 262, 112]),
    refused("clock_settime64", [NONE, 404, 404, NONE]),
    refused("syslog", [103, 103, 103, 116]),
    refused("acct", [163, 51, 51, 89]),
    refused("quotactl", [179, 131, 131, 60]),
    refused("quotactl_fd", [443, 443, 443, 443]),
    // What no namespace divides: keys, files by their number, machines beside this one.
    refused("add_key", [248, 286, 309, 217]),
    refused("request_key", [249, 287, 310, 218]),
    refused("keyctl", [250, 288, 311, 219]),
    refused("open_by_handle_at", [304, 342, 371, 265]),
    call("socket", [41, 359, 281, 198], Rule::FailIf(Argument(0), &[libc::AF_VSOCK as u32])),
    // Large parts of the kernel, and more than once the way out of a container.
    refused("bpf", [321, 357, 386, 280]),
    refused("perf_event_open", [298, 336, 364, 241]),
    refused("userfaultfd", [323, 374, 388, 282]),
    refused("io_uring_setup", [425, 425, 425, 425]),
    refused("io_uring_enter", [426, 426, 426, 426]),
    refused("io_uring_register", [427, 427, 427, 427]),
    // The machine itself, and calls that nothing uses any more.
    refused("iopl", [172, 110, NONE, NONE]),
    refused("ioperm", [173, 101, NONE, NONE]),
    refused("vm86", [NONE, 166, NONE, NONE]),
    refused("vm86old", [NONE, 113, NONE, NONE]),
    refused("lookup_dcookie", [212, 253, 249, 18]),
    refused("nfsservctl", [180, 169, 169, 42]),
    refused("uselib", [134, 86, 86, NONE]),
    refused("_sysctl", [156, 149, 149, NONE]),
    // The terminal, which may be the caller's (CVE-2017-5226), and protections of memory.
    call("ioctl", [16, 54, 54, 29], Rule::FailIf(Argument(1), TYPING)),
    call("personality", [135, 136, 136, 92], Rule::OnlyIf(Argument(0), PERSONALITIES)),
];

/// Where x32 begins: the same architecture as x86_64, with a bit set in each number.
const X32: u32 = 0x4000_0000;

// struct seccomp_data: the number, the architecture, the address, and six arguments of 8 bytes.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The default profile as a program. With `old_ptrace` the kernel is older than 4.8.
pub(crate) fn default(old_ptrace: bool) -> Vec<Instruction> {
    let mut calls: Vec<&Call> = CALLS.iter().collect();
    if old_ptrace {
        calls.push(&PTRACE);
    }
    let (native, compatible) = ARCHITECTURES;
    let unknown = Block::verdict(Verdict::Fail(ENOSYS));
    let others = match compatible {
        None => unknown,
        Some(compatible) => {
            let block = numbers(&calls, |call| call.compatible, None);
            Block::branch(Test::Equal, compatible, block, unknown)
        }
    };
    let x32 = cfg!(target_arch = "x86_64").then_some(X32);
    let block = numbers(&calls, |call| call.native, x32);
    Block::load(ARCHITECTURE, Block::branch(Test::Equal, native, block, others)).into_program()
}

/// What is said about the numbers of one architecture, of which there are none from `end` on.
fn numbers(calls: &[&Call], number: fn(&Call) -> i16, end: Option<u32>) -> Block {
    let mut rules: Vec<(u32, Rule)> = Vec::new();
    for call in calls {
        if let Ok(number) = u32::try_from(number(call)) {
            rules.push((number, call.rule));
        }
    }
    rules.sort_unstable_by_key(|(number, _)| *number);
    let mut entries: Vec<(u32, Block)> = Vec::new();
    // As long as nothing else is said, a call is allowed; neighbours with one verdict are one entry.
    let mut add = |number, block| match entries.last_mut() {
        Some((last, before)) if *last == number => *before = block,
        Some((_, before)) if *before == block => {}
        _ => entries.push((number, block)),
    };
    add(0, Block::verdict(Verdict::Allow));
    for (number, rule) in rules {
        add(number, judge(rule));
        add(number + 1, Block::verdict(Verdict::Allow));
    }
    if let Some(end) = end {
        add(end, Block::verdict(Verdict::Fail(ENOSYS)));
    }
    Block::load(NUMBER, Block::search(&entries))
}

/// What is said about one call.
fn judge(rule: Rule) -> Block {
    let refuse = || Block::verdict(Verdict::Fail(EPERM));
    let allow = || Block::verdict(Verdict::Allow);
    let any_of = |values: &[u32], found: Block, other: Block| {
        values
            .iter()
            .rev()
            .fold(other, |other, value| Block::branch(Test::Equal, *value, found.clone(), other))
    };
    match rule {
        Rule::Fail(errno) => Block::verdict(Verdict::Fail(errno)),
        Rule::OnlyIf(argument, values) => argument.load(any_of(values, allow(), refuse())),
        Rule::FailIf(argument, values) => argument.load(any_of(values, refuse(), allow())),
        Rule::FailIfAny(argument, bits) => {
            argument.load(Block::branch(Test::AnyBit, bits, refuse(), allow()))
        }
    }
}

impl Argument {
    /// Loads the lower half.
    fn load(self, then: Block) -> Block {
        let half = if cfg!(target_endian = "big") { 4 } else { 0 };
        Block::load(ARGUMENTS + 8 * self.0 + half, then)
    }
}

/// What the tests ask about.
#[cfg(test)]
pub(super) fn refused_calls() -> impl Iterator<Item = (&'static str, i16, i16, bool)> {
    CALLS
        .iter()
        .map(|call| (call.name, call.native, call.compatible, matches!(call.rule, Rule::Fail(_))))
}

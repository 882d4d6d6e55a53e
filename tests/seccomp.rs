//! Filters of system calls: the default profile, compiled ones, and none.
use crate::common::{nobody, root};

/// Begins a script that has a root with a busybox and our binary in `$R`, and removes it.
const MAKE: &str = "R=$(mktemp -d /tmp/seccomp.XXXXXX); trap 'rm -rf $R' EXIT; mkdir $R/bin; \
    cp /bin/busybox $CLI $R/bin/; for name in sh grep; do ln -s busybox $R/bin/$name; done; \
    PATH=$PATH:/bin; ";

/// Python that makes system calls by their number and prints the name of what they answer.
const CALLS: &str = "
import ctypes, errno, os, sys
c = ctypes.CDLL(None, use_errno=True)
def call(*words):
    ctypes.set_errno(0)
    words = [ctypes.c_ulong(word & 0xffffffffffffffff) for word in words]
    return \\\"ok\\\" if c.syscall(*words) >= 0 else errno.errorcode[ctypes.get_errno()]
";

/// Runs Python inside, as root and as an ordinary user who is root inside, with the same answer.
#[track_caller]
fn inside(options: &str, script: &str, expected: &str) {
    let script = format!("$CLI spawn {options} -- python3 -c \"{CALLS}{script}\"");
    root(&script).prints(expected);
    nobody(&script.replace("spawn", "spawn --user")).prints(expected);
}

#[test]
fn a_root_has_a_filter_and_pid_1_has_none() {
    let script = "grep -hE '^(NoNewPrivs|Seccomp):' /proc/self/status /proc/1/status";
    let with = "NoNewPrivs:\t1\nSeccomp:\t2\nNoNewPrivs:\t0\nSeccomp:\t0";
    let without = "NoNewPrivs:\t0\nSeccomp:\t0\nNoNewPrivs:\t0\nSeccomp:\t0";
    let gains_nothing = "NoNewPrivs:\t1\nSeccomp:\t0\nNoNewPrivs:\t0\nSeccomp:\t0";
    for (options, expected) in [
        ("--root $R", with),
        ("--root $R --seccomp default", with),
        ("--root $R --privileged --seccomp default", with),
        ("--seccomp default", with),
        ("--root $R --privileged", without),
        ("--root $R --seccomp none", gains_nothing),
    ] {
        root(&format!("{MAKE}$CLI spawn --pid {options} -- {script}")).prints(expected);
        nobody(&format!("{MAKE}$CLI spawn --user --pid {options} -- {script}")).prints(expected);
    }
    for options in ["", "--seccomp none"] {
        root(&format!("$CLI spawn --pid {options} -- {script}")).prints(without);
        nobody(&format!("$CLI spawn --user --pid {options} -- {script}")).prints(gains_nothing);
    }
}

#[test]
fn every_way_of_becoming_the_payload_has_the_filter() {
    for options in
        ["", "--no-init --pid", "--uid 0", "--exec 'grep ^Seccomp: /proc/self/status'", "--pid"]
    {
        let expected = if options.contains("exec") { "Seccomp:\t2\n" } else { "" };
        root(&format!(
            "$CLI spawn {options} --seccomp default -- grep ^Seccomp: /proc/self/status"
        ))
        .prints(&format!("{expected}Seccomp:\t2"));
    }
}

#[test]
fn what_is_executed_in_an_instance_has_its_filter() {
    root(&format!(
        "{MAKE} ln -s busybox $R/bin/sleep; mkfifo $R/up; \
         $CLI spawn --name box --pid --root $R -- sh -c 'echo >/up; exec sleep 100' & read up <$R/up; \
         $CLI exec box -- grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; $CLI stop box; wait"
    ))
    .prints("NoNewPrivs:\t1\nSeccomp:\t2");
}

#[test]
fn hooks_have_no_filter() {
    let look = "'grep ^Seccomp: /proc/self/status'";
    root(&format!(
        "$CLI spawn --pid --seccomp default --preexec {look} --pre-mount {look} --post-mount {look} --postexec {look} -- true"
    ))
    .prints("Seccomp:\t0\nSeccomp:\t0\nSeccomp:\t0\nSeccomp:\t0");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_containers_have_no_business_with_is_refused() {
    // mount, umount2, fsopen, open_tree, setns, unshare of a user namespace and of a time namespace,
    // clone with a new user namespace, keyctl, bpf, perf_event_open, userfaultfd, io_uring_setup,
    // open_by_handle_at, finit_module, kexec_load, reboot, syslog, clock_settime.
    let calls = "[165], [166], [430], [428], [308, 0, 0], [272, 0x10000000], [272, 0x80], \
        [56, 0x10000000 | 17, 0, 0, 0, 0], [250, 0, -3, 0], [321], [298], [323, 0], [425, 1, 0], \
        [304], [313, -1], [246], [169], [103, 10, 0, 0], [227, 0, 0]";
    inside(
        "--seccomp default",
        &format!("print({{call(*one) for one in ({calls})}})"),
        "{'EPERM'}",
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn clone3_does_not_exist_so_that_clone_is_taken_instead() {
    inside(
        "--seccomp default",
        "import subprocess, threading
print(call(435, 0, 0), subprocess.call(['true']))
thread = threading.Thread(target=print, args=('thread',))
thread.start(); thread.join()
print(call(272, 0x400))",
        "ENOSYS 0\nthread\nok",
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn nothing_is_typed_into_a_terminal_not_with_bits_in_the_upper_half_either() {
    inside(
        "--seccomp default",
        "import pty
master, slave = pty.openpty()
byte = ctypes.create_string_buffer(b'x')
for request in (0x5412, 0x5412 | 1 << 32, 0x541c, 0x541c | 1 << 63): print(call(16, slave, request, ctypes.addressof(byte)))
print(call(16, slave, 0x5413, ctypes.addressof(ctypes.create_string_buffer(64))))",
        "EPERM\nEPERM\nEPERM\nEPERM\nok",
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn personalities_that_weaken_memory_and_sockets_out_of_the_machine_are_refused() {
    inside(
        "--seccomp default",
        "for one in (0xffffffff, 0, 8, 0, 0x40000, 0x400000): print(call(135, one))
print(call(41, 40, 1, 0), call(41, 1, 1, 0))",
        "ok\nok\nok\nok\nEPERM\nEPERM\nEPERM ok",
    );
}

/// int $0x80 is i386's entry point, for programs of 64 bits too.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_entry_point_of_i386_is_judged_by_its_own_numbers() {
    let program = r#"
#include <stdio.h>
static long call(long number, long a, long b) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(0), "S"(0), "D"(0) : "memory", "r8", "r9", "r10", "r11");
    return (int)result;
}
int main(void) {
    /* getpid, mount, unshare of a user namespace, ioctl with TIOCSTI, clone3 */
    printf("%d %ld %ld %ld %ld\n", call(20, 0, 0) > 0, call(21, 0, 0), call(310, 0x10000000, 0), call(54, 0, 0x5412), call(435, 0, 0));
    return 0;
}"#;
    let outcome = root(&format!(
        "d=$(mktemp -d); trap 'rm -r $d' EXIT; cat >$d/call.c <<'END'\n{program}\nEND\n\
         gcc -o $d/call $d/call.c && $d/call >/dev/null && $CLI spawn --seccomp default -- $d/call"
    ));
    if outcome.status == Some(139) {
        eprintln!("skipped: this kernel has no entry point of i386");
        return;
    }
    outcome.prints("1 -1 -1 -1 -38");
}

/// Writes a filter to `$f`: mkdir(2) and mkdirat(2) fail with EXDEV.
const FILTER: &str = "f=$(mktemp); trap 'rm $f' EXIT; python3 -c '
import os, struct, sys
numbers = [83, 258] if os.uname().machine == \"x86_64\" else [34, 34]
program = [(0x20, 0, 0, 0), (0x15, 1, 0, numbers[0]), (0x15, 0, 1, numbers[1]), (6, 0, 0, 0x50000 + 18), (6, 0, 0, 0x7fff0000)]
sys.stdout.buffer.write(b\"\".join(struct.pack(\"=HBBI\", *one) for one in program))' >$f; ";

#[test]
fn a_compiled_filter_is_taken_instead_of_ours() {
    let script = "mkdir /tmp/no; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status";
    for filter in ["$f", "<(cat $f)", "/dev/fd/5 5<$f"] {
        for run in [root, nobody] {
            let outcome = run(&format!(
                "{FILTER} $CLI spawn --user --seccomp {filter} -- sh -c \"{script}\""
            ));
            assert!(outcome.err.contains("cross-device"), "{outcome:?}");
            assert_eq!(outcome.out, "NoNewPrivs:\t1\nSeccomp:\t2\n", "{outcome:?}");
        }
    }
    let outcome =
        root(&format!("{FILTER}{MAKE} $CLI spawn --root $R --seccomp $f -- busybox mkdir /no"));
    assert!(outcome.err.contains("ross-device"), "{outcome:?}");
}

#[test]
fn what_is_no_filter_is_refused() {
    for (filter, told) in [
        ("/no/such", "--seccomp \"/no/such\": ENOENT"),
        ("/dev/null", "0 bytes are no compiled filter"),
        ("/tmp", "EISDIR"),
        ("/dev/zero", "more than 4096 instructions"),
        ("<(head -c 12 $f)", "12 bytes are no compiled filter"),
        // It does not end with a verdict.
        ("<(head -c 8 $f)", "set seccomp filter \"/dev/fd/"),
    ] {
        for shape in ["", "--pid"] {
            root(&format!("{FILTER} $CLI spawn {shape} --seccomp {filter} -- true"))
                .complains(125, &[told]);
        }
    }
    root(&format!("{FILTER} $CLI spawn --seccomp <(head -c 8 $f) -- true"))
        .complains(125, &["EINVAL", "the kernel takes no such program"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    root("$CLI spawn --seccomp-log -- true").complains(125, &["--seccomp-log without a filter"]);
    root("$CLI spawn --seccomp default --seccomp none -- true").complains(125, &["given twice"]);
    root("$CLI spawn --privileged -- true").complains(125, &["--privileged is for a --root"]);
}

#[test]
fn what_is_refused_can_be_logged() {
    root(
        "strace -f -qq -o /dev/stdout -e trace=seccomp $CLI spawn --seccomp default --seccomp-log -- true | grep -o FILTER_FLAG_LOG",
    )
    .prints("FILTER_FLAG_LOG");
    root("strace -f -qq -o /dev/null -e trace=seccomp -e inject=seccomp:error=EINVAL $CLI spawn --seccomp default --seccomp-log -- true")
        .complains(125, &["set seccomp filter \"default\": EINVAL", "4.14"]);
}

#[test]
fn before_there_was_seccomp_prctl_sets_the_filter() {
    root(
        "strace -f -qq -o /dev/null -e trace=seccomp -e inject=seccomp:error=ENOSYS $CLI spawn --seccomp default -- grep ^Seccomp: /proc/self/status",
    )
    .prints("Seccomp:\t2");
}

#[test]
fn a_spawn_inside_a_spawn_needs_a_root_that_is_privileged_or_has_no_filter() {
    let inner = "unshared-cli spawn --pid --user -- sh -c 'echo $$'";
    // Where files of /proc are hidden, the kernel gives no new one.
    let without_proc = inner.replace("--user", "--user --no-proc");
    for (options, inner) in [("--privileged", inner), ("--seccomp none", without_proc.as_str())] {
        root(&format!("{MAKE}$CLI spawn --pid --root $R {options} -- {inner}")).prints("2");
        nobody(&format!("{MAKE}$CLI spawn --user --pid --root $R {options} -- {inner}"))
            .prints("2");
    }
    root(&format!("{MAKE}$CLI spawn --pid --root $R -- {inner}"))
        .complains(125, &["make new user, mount, pid namespaces: EPERM"]);
}

#[test]
fn a_way_into_the_root_of_ones_own_has_no_filter_unless_it_is_asked_for() {
    for (options, expected) in [("", 0), ("--seccomp default", 2)] {
        root(&format!(
            "{MAKE}$CLI spawn --pid --root $R {options} --chroot chroot -- grep ^Seccomp: /proc/self/status"
        ))
        .prints(&format!("Seccomp:\t{expected}"));
    }
}

#[test]
fn a_plain_spawn_makes_no_call_for_it() {
    // A user namespace has no_new_privs.
    for script in ["spawn -- true", "spawn --all --new-privs -- true"] {
        root(&format!(
            "strace -f -qq -o /dev/stdout -e trace=seccomp,prctl,uname,capset $CLI {script} | grep -v exited"
        ))
        .ends_with(1);
    }
}

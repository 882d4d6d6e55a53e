//! Kernels and filters that lack newer calls: strace answers in their place.
use crate::common::{nobody, python, root};

/// Runs the CLI with a call answered by an error.
fn without(call: &str, errno: &str, words: &str) -> String {
    format!(
        "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:error={errno} $CLI {words}"
    )
}

#[test]
fn without_clone3_every_namespace_is_still_new() {
    let script = "sh -c 'cd /proc/self/ns; for one in *; do test $(readlink $one) = $(readlink /proc/self/ns/$one); done; readlink time pid user net | sed s/:.*//'";
    for errno in ["ENOSYS", "EPERM"] {
        nobody(&without("clone3", errno, &format!("spawn --all -- {script}")))
            .prints("time:\npid:\nuser:\nnet:".replace(':', "").as_str());
        root(&format!(
            "here=$(readlink /proc/self/ns/time); there=$({}); test $here != $there && echo new",
            without("clone3", errno, "spawn --time -- readlink /proc/self/ns/time")
        ))
        .prints("new");
    }
}

#[test]
fn without_clone3_offsets_are_still_set() {
    root(&without(
        "clone3",
        "ENOSYS",
        "spawn --monotonic 100 -- sed -n 's/ \\+/ /gp' /proc/self/timens_offsets",
    ))
    .ends_with(0);
}

#[test]
fn without_close_range_descriptors_are_still_closed() {
    root(&format!(
        "ulimit -n 100; exec 5</dev/null 7</dev/null; {}",
        without("close_range", "ENOSYS", "spawn --pid --keep-fd 7 -- ls /proc/self/fd")
    ))
    .prints("0\n1\n2\n3\n7");
}

#[test]
fn a_root_without_the_calls_for_mounts_of_linux_5_is_the_same_root() {
    // As far as /proc tells: what is mounted where, and whether it is read-only, nosuid and so on.
    let words = "spawn --pid --root $d --read-only --bind $d/from:/data:ro --bind /dev:/rw";
    let shown = "sh -c 'cut -d \" \" -f 4-6 /proc/self/mountinfo | sort; touch /data/x /data/below/x /sys/x /x 2>&1; touch /dev/shm/x'";
    for (run, user, more) in [
        (nobody as fn(&str) -> _, "--user", ""),
        (root, "", "mount -t tmpfs -o noexec,noatime tmpfs $d/from/below;"),
    ] {
        for (call, errno) in [
            ("mount_setattr", "ENOSYS"),
            ("mount_setattr", "EPERM"),
            ("move_mount", "ENOSYS"),
            ("open_tree", "EPERM"),
            ("open_tree,move_mount,mount_setattr", "ENOSYS"),
        ] {
            let without = without(call, errno, &format!("{words} {user} -- {shown}"));
            run(&format!(
                "d=$(mktemp -d); mkdir -p $d/bin $d/data $d/rw $d/proc $d/sys $d/dev $d/from/below; cp /bin/busybox $d/bin/sh; \
                 for one in cut sort touch; do ln $d/bin/sh $d/bin/$one; done; export PATH=$PATH:/bin; {more} \
                 $CLI {words} {user} -- {shown} >$d/plain; {without} >$d/older; cmp $d/plain $d/older && grep -c Read-only $d/older; \
                 grep -q '/data .*ro,' $d/older && echo protected; mountpoint -q $d/from/below && umount $d/from/below; rm -r $d"
            ))
            .prints("4\nprotected");
        }
    }
}

#[test]
fn a_disk_without_fsopen_is_refused() {
    let disk = "d=$(mktemp); truncate -s 1M $d; mke2fs -q $d; ";
    let without = without("fsopen", "ENOSYS", "spawn --mount --data-dir $d:/mnt -- true");
    root(&format!("{disk} {without}; s=$?; rm $d; exit $s"))
        .complains(125, &["mount", "ENOSYS", "that needs Linux 5.2"]);
}

#[test]
fn every_call_that_fails_is_one_line_with_status_125() {
    for (call, words) in [
        ("socketpair", "spawn -- true"),
        ("signalfd4", "spawn -- true"),
        ("mount", "spawn --mount -- true"),
        ("sethostname", "spawn --hostname x -- true"),
        ("setdomainname", "spawn --domainname x -- true"),
        ("socket", "spawn --net -- true"),
        ("clone", "spawn --pid -- true"),
        ("setresuid", "spawn --uid 1 -- true"),
        ("chdir", "spawn --cwd /tmp -- true"),
        ("unshare", "spawn --monotonic 1 -- true"),
        ("setns", "spawn --monotonic 1 -- true"),
        ("prctl", "spawn --die-with-parent -- true"),
    ] {
        root(&without(call, "ENOMEM", words)).complains(125, &["ENOMEM"]);
    }
}

#[test]
fn without_cgroups_in_the_kernel_a_cgroup_namespace_is_refused() {
    // Such a kernel takes the flag, and does nothing for it; and has no such files.
    for words in ["--cgroup", "--all"] {
        root(&format!(
            "strace -f -qq -o /dev/null -P /proc/cgroups -P /proc/self/ns/cgroup \
             -e inject=all:error=ENOENT $CLI spawn {words} -- true"
        ))
        .complains(125, &["EINVAL", "this kernel has no cgroup namespaces"]);
    }
    // Before Linux 4.6 there are cgroups without namespaces of them: of the looks at files, every second is
    // at the namespace's.
    root(
        "strace -f -qq -o /dev/null -e inject=clone3:error=ENOSYS \
         -e inject=newfstatat:error=ENOENT:when=2+2 $CLI spawn --cgroup -- true",
    )
    .complains(125, &["EINVAL", "this kernel has no cgroup namespaces"]);
}

#[test]
fn a_seccomp_filter_is_named_where_it_may_be_what_forbids() {
    for option in ["--user", "--uts"] {
        let script = "
import struct
# clone3, and clone with CLONE_NEWUSER or CLONE_NEWUTS: EPERM; anything else: allowed.
clone3, clone = 435, {'x86_64': 56, 'aarch64': 220}[os.uname().machine]
code = [(0x20, 0, 0, 0), (0x15, 3, 0, clone3), (0x15, 0, 3, clone), (0x20, 0, 0, 16),
        (0x45, 0, 1, 0x14000000), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *line) for line in code))
filter = struct.pack('HxxxxxxP', len(code), ctypes.addressof(program))
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
assert ctypes.CDLL(None).prctl(22, 2, filter) == 0
os.execv(os.environ['CLI'], ['cli', 'spawn', 'OPTION', '--', 'true'])
";
        python(&script.replace("OPTION", option)).complains(125, &["EPERM", "seccomp"]);
    }
}

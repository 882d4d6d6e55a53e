//! Who the payload is, inside and outside.
use crate::common::{nobody, root};

const IDS: &str = "sh -c 'id -u; id -g; tr -s \" \" </proc/self/uid_map; tr -s \" \" </proc/self/gid_map; cat /proc/self/setgroups'";

#[test]
fn user_maps_the_caller_to_root_and_denies_setgroups_only_where_it_must() {
    nobody(&format!("$CLI spawn --user -- {IDS}")).prints("0\n0\n 0 65534 1\n 0 65534 1\ndeny");
    root(&format!("$CLI spawn --user -- {IDS}")).prints("0\n0\n 0 0 1\n 0 0 1\nallow");
}

#[test]
fn root_that_may_not_change_ids_is_told_what_was_taken() {
    root("setpriv --bounding-set=-setgid --inh-caps=-setgid $CLI spawn --uid 5 --gid 5 -- true")
        .complains(125, &["EPERM", "CAP_SETUID and CAP_SETGID"]);
}

#[test]
fn root_that_may_not_set_groups_has_them_denied() {
    root("setpriv --bounding-set=-setgid --inh-caps=-setgid $CLI spawn --user -- cat /proc/self/setgroups")
        .prints("deny");
}

#[test]
fn map_current_user_keeps_the_ids() {
    nobody(&format!("$CLI spawn -c -- {IDS}"))
        .prints("65534\n65534\n 65534 65534 1\n 65534 65534 1\ndeny");
}

#[test]
fn root_maps_whatever_it_wants() {
    root(&format!(
        "$CLI spawn --map-users 0:100000:10 --map-users 10:5:1 --map-groups 0:200000:10 -- {IDS}"
    ))
    .prints("0\n0\n 0 100000 10\n 10 5 1\n 0 200000 10\nallow");
}

#[test]
fn files_made_inside_belong_to_the_mapped_id_outside() {
    root(
        "d=$(mktemp -d); chmod 777 $d; \
         $CLI spawn --map-users 0:100000:10 --map-groups 0:200000:10 --uid 3 --gid 4 -- touch $d/f; \
         stat -c '%u %g' $d/f; rm -r $d",
    )
    .prints("100003 200004");
}

#[test]
fn uid_and_gid_without_a_user_namespace_are_roots_to_choose() {
    root("$CLI spawn --pid --uid 1234 --gid 4321 -- sh -c 'id -u; id -g; id -G'")
        .prints("1234\n4321\n4321");
    nobody("$CLI spawn --uid 1 -- true").complains(125, &["setpriv --reuid 1", "EPERM", "--user"]);
}

#[test]
fn an_id_that_the_map_lacks_is_refused_before_anything_happens() {
    root("$CLI spawn --user --uid 5 -- true").complains(125, &["--uid 5", "maps only"]);
    nobody("$CLI spawn --user --gid 5 -- true").complains(125, &["--gid 5", "maps only"]);
}

#[test]
fn lines_that_overlap_are_refused() {
    root("$CLI spawn --map-users 0:1000:10 --map-users 9:2000:1 -- true")
        .complains(125, &["0:1000:10 and 9:2000:1 overlap"]);
    root("$CLI spawn --map-groups 0:1000:10 --map-groups 20:1009:1 -- true")
        .complains(125, &["overlap"]);
}

#[test]
fn malformed_and_out_of_range_lines_are_refused() {
    for line in
        ["", "0", "0:1", "0:1:2:3", "a:b:c", "0:0:0", "4294967295:0:1", "0:1:4294967295", "-1:0:1"]
    {
        nobody(&format!("$CLI spawn --map-users '{line}' -- true"))
            .complains(125, &["--map-users"]);
    }
}

#[test]
fn an_ordinary_user_cannot_map_what_it_was_not_given() {
    nobody("$CLI spawn --map-users 0:5:2 -- true").complains(125, &["newuidmap", "not allowed"]);
}

#[test]
fn map_auto_needs_subordinate_ids_and_says_how_to_get_them() {
    nobody("$CLI spawn --map-auto -- true")
        .complains(125, &["no subordinate ids of \"nobody\"", "usermod --add-subuids"]);
}

/// A file system view in which nobody has subordinate ids, without touching the host's files.
#[test]
fn map_auto_puts_subordinate_ids_behind_root() {
    root(
        "d=$(mktemp -d); printf 'nobody:100000:65536\\n' >$d/id; chmod 755 $d; chmod 644 $d/id; \
         unshare --mount sh -c \"mount --bind $d/id /etc/subuid && mount --bind $d/id /etc/subgid && \
            setpriv --reuid=65534 --regid=65534 --clear-groups $CLI spawn --map-auto -- \
               sh -c 'id -u; tr -s \\\" \\\" </proc/self/uid_map; tr -s \\\" \\\" </proc/self/gid_map'\"; \
         rm -r $d",
    )
    .prints("0\n 0 65534 1\n 1 100000 65536\n 0 65534 1\n 1 100000 65536");
}

#[test]
fn without_newuidmap_it_is_named() {
    nobody("PATH=/nowhere $CLI spawn --map-users 0:5:2 -- /bin/true")
        .complains(125, &["newuidmap", "ENOENT", "uidmap"]);
}

#[test]
fn the_limit_of_user_namespaces_is_named() {
    nobody(
        "$CLI spawn --user -- sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec $CLI spawn --user -- true'",
    )
    .complains(125, &["make new user namespace", "ENOSPC", "user.max_user_namespaces is 0"]);
}

#[test]
fn a_masked_proc_is_named() {
    root(
        "unshare --mount sh -c 'mount -t tmpfs none /proc/scsi 2>/dev/null || mount -t tmpfs none /proc/sys; \
         exec setpriv --reuid=65534 --regid=65534 --clear-groups $CLI spawn --user --pid -- true'",
    )
    .complains(125, &["mount proc", "EPERM", "hides part of /proc", "--no-proc"]);
}

/// A root made of the host's own folders: enough for the binary, which is static.
const CHROOT: &str = "d=$(mktemp -d); chmod 755 $d; mkdir $d/proc $d/bin; cp $CLI $d/bin/cli; cp $INIT $d/bin/init; \
                      trap 'umount $d/proc 2>/dev/null; rm -r $d' EXIT; ";

#[test]
fn a_chroot_in_which_no_user_namespace_can_be_made_is_named() {
    root(&format!(
        "{CHROOT} mount -t proc proc $d/proc; \
         setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all true; \
         chroot --userspec=65534:65534 $d /bin/cli spawn --user -- /bin/init --help"
    ))
    .complains(125, &["EPERM", "chroot"]);
}

#[test]
fn a_missing_proc_is_named_where_maps_have_to_be_written() {
    root(&format!("{CHROOT} unshare --mount --root=/ true; \
        unshare --mount sh -c \"mount --bind $d $d; cd $d; mkdir old; pivot_root . old; exec /bin/cli spawn --user -- /bin/init --help\""))
        .complains(125, &["write uid_map", "ENOENT", "/proc"]);
}

#[test]
fn a_missing_capability_to_map_root_is_named() {
    root("setpriv --bounding-set=-setfcap --inh-caps=-setfcap $CLI spawn --user -- true")
        .complains(125, &["write uid_map", "EPERM", "CAP_SETFCAP"]);
}

#[test]
fn a_silent_newuidmap_is_told_apart_by_its_status() {
    for (script, told) in [
        ("exit 1", "it ended with status 1"),
        ("kill -9 $$", "a signal ended it"),
        ("exit 127", "it ended with status 127"),
    ] {
        nobody(&format!(
            "d=$(mktemp -d); printf '#!/bin/sh\\n{script}\\n' >$d/newuidmap; chmod 755 $d/newuidmap; \
             PATH=$d:$PATH $CLI spawn --map-users 0:100000:5 -- true; s=$?; rm -r $d; exit $s"
        ))
        .complains(125, &["newuidmap", told]);
    }
}

#[test]
fn no_new_privs_is_named_where_it_keeps_newuidmap_from_its_work() {
    nobody("setpriv --no-new-privs $CLI spawn --map-users 0:100000:5 -- true")
        .complains(125, &["newuidmap", "EPERM", "no_new_privs is set here"]);
}

#[test]
fn a_map_longer_than_the_kernel_reads_is_named_in_a_line_that_can_be_read() {
    let lines: String = (0..300)
        .map(|line| format!(" --map-users {}:{}:1", 1_000_000 + 2 * line, 1_000_000 + 3 * line))
        .collect();
    let outcome = root(&format!("$CLI spawn --map-users 0:0:1 {lines} -- true"));
    assert!(outcome.err.len() < 400, "{outcome:?}");
    outcome.complains(125, &["uid_map", "and 296 more", "less than a page"]);
}

#[test]
fn the_limit_of_time_namespaces_is_named_with_offsets_too() {
    root("$CLI spawn --user --pid -- sh -c 'echo 0 >/proc/sys/user/max_time_namespaces; exec $CLI spawn --monotonic 5 -- true'")
        .complains(125, &["ENOSPC", "user.max_time_namespaces is 0"]);
}

#[test]
fn a_chroot_without_proc_is_recognized() {
    root(&in_chroot("mkdir $d/dev; chroot $d /cli spawn --user -- /cli"))
        .complains(125, &["make new user namespace", "EPERM", "in a chroot"]);
    root(&in_chroot("chroot $d /cli spawn --mount -- /cli"))
        .complains(125, &["EINVAL", "is a chroot and not a mount"]);
}

#[test]
fn a_chroot_with_nothing_in_it_is_recognized_by_statx() {
    root(&in_chroot("chroot $d /cli spawn --user -- /cli"))
        .complains(125, &["make new user namespace", "EPERM", "in a chroot"]);
}

/// Runs this with a root `$d` that holds nothing but our binary.
fn in_chroot(command: &str) -> String {
    format!("d=$(mktemp -d); chmod 755 $d; cp $CLI $d/cli; {command}; s=$?; rm -r $d; exit $s")
}

#[test]
fn a_chroot_that_is_a_mount_is_recognized_too() {
    for proc in ["", "mkdir $d/proc; mount -t proc proc $d/proc;"] {
        root(&format!(
            "d=$(mktemp -d); mkdir $d/below; cp $CLI $d/cli; \
             unshare --mount sh -c \"mount --bind $d $d; {proc} chroot $d /cli spawn --user -- /cli\"; \
             s=$?; rm -r $d; exit $s"
        ))
        .complains(125, &["make new user namespace", "EPERM", "in a chroot"]);
    }
}

#[test]
fn an_ordinary_user_in_a_chroot_that_is_a_mount_is_told_of_it() {
    for proc in ["", "mkdir $d/proc; mount -t proc proc $d/proc;"] {
        root(&format!(
            "d=$(mktemp -d); chmod 755 $d; mkdir $d/below; cp $CLI $d/cli; \
             unshare --mount sh -c \"mount --bind $d $d; {proc} chroot --userspec=65534:65534 $d /cli spawn --user -- /cli\"; \
             s=$?; rm -r $d; exit $s"
        ))
        .complains(125, &["make new user namespace", "EPERM", "a chroot that is a mount"]);
    }
}

/// Runs the CLI as an ordinary user who finds `1` or `0` in a file of /proc/sys/kernel, and whose calls
/// fail as `failing` says (strace(1)), as they do on a host that has such a file.
fn where_sysctl(file: &str, value: u8, failing: &str, words: &str) -> String {
    let calls = failing.split(':').next().unwrap();
    format!(
        "unshare --mount sh -c 'mount -t tmpfs none /proc/sys/kernel; echo {value} >/proc/sys/kernel/{file}; \
         exec setpriv --reuid=65534 --regid=65534 --clear-groups \
         strace -f -qq -o /dev/null -e trace={calls} -e inject={failing} $CLI {words}'"
    )
}

#[test]
fn a_sysctl_that_forbids_user_namespaces_is_named() {
    let words = "spawn --user -- true";
    root(&where_sysctl("unprivileged_userns_clone", 0, "clone3,clone:error=EPERM", words))
        .complains(125, &["EPERM", "kernel.unprivileged_userns_clone is 0: set it to 1"]);
    for (failing, words) in [
        ("write:error=EPERM:when=1", "spawn --user -- true"),
        ("sethostname:error=EPERM", "spawn --user --hostname x -- true"),
        ("mount:error=EPERM", "spawn --user --pid -- true"),
        ("setdomainname:error=EPERM", "spawn --user --domainname x -- true"),
    ] {
        root(&where_sysctl("apparmor_restrict_unprivileged_userns", 1, failing, words)).complains(
            125,
            &["EPERM", "kernel.apparmor_restrict_unprivileged_userns is 1; run as root"],
        );
    }
}

#[test]
fn the_limit_of_processes_of_a_user_is_named() {
    // No other process has this user, unless the same test runs once more.
    root(
        "prlimit --nproc=1 setpriv --reuid=471147 --regid=471147 --clear-groups $CLI spawn -- true",
    )
    .complains(
        125,
        &["fork: EAGAIN", "user 471147 has ", " processes, and RLIMIT_NPROC (ulimit -u) is 1"],
    );
}

#[test]
fn an_id_that_is_not_mapped_is_named_where_it_keeps_from_a_user_namespace() {
    root("$CLI spawn --map-users 1:100:1 --map-groups 1:100:1 -- $CLI spawn --user -- true")
        .complains(125, &["make new user namespace", "EPERM", "not mapped"]);
    root("$CLI spawn --map-users 1:100:1 --map-groups 0:100:1 -- $CLI spawn --user -- true")
        .complains(125, &["make new user namespace", "EPERM", "not mapped"]);
}

#[test]
fn an_ordinary_user_takes_on_its_own_ids() {
    nobody("$CLI spawn --uid 65534 --gid 65534 -- id -u").prints("65534");
    nobody("$CLI spawn --uid 65534 --pid --user --map-current-user -- id -u").prints("65534");
    nobody("$CLI spawn --uid 0 -- id -u").complains(125, &["EPERM", "only in a user namespace"]);
}

#[test]
fn supplementary_groups_that_cannot_be_dropped_are_named() {
    let outcome = root(
        "setpriv --reuid=65534 --regid=65534 --groups=5,65534 $CLI spawn --uid 65534 -- id -u",
    );
    outcome.complains(125, &["EPERM", "supplementary groups"]);
}

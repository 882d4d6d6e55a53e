//! `spawn --unpack`: a root that is unpacked for one run.
use crate::common::{Outcome, nobody, root};

/// Begins a script in a folder of its own, with an image that has a busybox.
const MAKE: &str = "export D=$(mktemp -d /tmp/unpack.XXXXXX); trap 'rm -rf $D' EXIT; chmod a+rx $D; cd $D; \
    mkdir -p files/bin roots; cp /bin/busybox files/bin; ln -s busybox files/bin/sh; \
    (cd files; find . | cpio -o -H newc --quiet) | gzip -1 >image; export UNSHARED_ROOT=$D/roots; ";

/// Runs a script as root, and as an ordinary user who has `--user` in `$U`.
fn both(script: &str, check: impl Fn(Outcome)) {
    check(root(&format!("U=; {MAKE}{script}")));
    check(nobody(&format!("U=--user; {MAKE}{script}")));
}

#[test]
fn the_image_is_the_root_and_nothing_of_it_is_left_afterwards() {
    both(
        "$CLI spawn $U --pid --root box --unpack image --cap-add all -- sh -c 'busybox touch /new; echo /* /.. /proc/1/root/*'
        find $D/roots | wc -l",
        |outcome| {
            outcome.prints(
                "/bin /dev /new /proc /sys /.. /proc/1/root/bin /proc/1/root/dev /proc/1/root/new /proc/1/root/proc /proc/1/root/sys\n1",
            );
        },
    );
}

#[test]
fn a_directory_that_the_root_has_is_where_it_is_mounted_and_stays_as_it_was() {
    both(
        "mkdir roots/box; : >roots/box/old
        $CLI spawn $U --root box --unpack image --pre-mount 'echo $ROOT' -- sh -c 'echo /*'; ls roots/box",
        |outcome| {
            let mut lines = outcome.out.lines();
            assert!(lines.next().is_some_and(|line| line.ends_with("/roots/box")), "{outcome:?}");
            assert_eq!(lines.collect::<Vec<_>>(), ["/bin /dev /proc /sys", "old"], "{outcome:?}");
        },
    );
}

#[test]
fn no_mount_of_the_old_root_is_left() {
    both(
        "$CLI spawn --all $U --root box --unpack image -- busybox cat /proc/self/mountinfo | cut -d ' ' -f 5 | grep -v '^/sys/\\|^/proc/' | tr '\\n' ' '",
        |outcome| {
            outcome.prints(
                "/ /proc /sys /dev /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/pts /dev/shm",
            );
        },
    );
}

#[test]
fn it_may_come_from_standard_input_be_read_only_and_have_mounts() {
    both(
        "$CLI spawn $U --pid --root box --unpack - --read-only --tmpfs /tmp --bind files:/srv -- sh -c 'echo >/tmp/x; echo /srv/* /tmp/*; echo >/x' <image 2>&1",
        |outcome| {
            assert!(outcome.out.starts_with("/srv/bin /tmp/x\n"), "{outcome:?}");
            assert!(outcome.out.contains("Read-only file system"), "{outcome:?}");
        },
    );
}

#[test]
fn what_is_wrong_with_the_image_is_the_message() {
    for (words, part) in [
        ("--unpack none", "open \"none\": ENOENT"),
        ("--unpack /bin/busybox", "unpack \"/bin/busybox\": neither a cpio archive nor compressed"),
        ("--unpack cut", "unpack \"cut\": truncated"),
    ] {
        let script = format!("head -c 100k image >cut; $CLI spawn $U --root box {words} -- sh");
        both(&script, |outcome| outcome.complains(125, &[part]));
    }
    for (words, part) in [
        ("--unpack image", "--unpack is for a --root"),
        ("--root box --overlay --unpack image", "--overlay with --unpack"),
        ("--root box --unpack", "--unpack"),
    ] {
        root(&format!("{MAKE} $CLI spawn {words} -- sh")).complains(125, &[part]);
    }
}

#[test]
fn a_signal_ends_the_unpacking() {
    both(
        "mkfifo slow; $CLI spawn $U --pid --root box --unpack slow -- sh 2>error & \
        exec 3>slow; head -c 100k image >&3; sleep 0.2; kill -TERM $!; wait $!; echo $?; exec 3>&-; cat error; ls roots",
        |outcome| outcome.prints("143\nunshared-cli: ended by SIGTERM"),
    );
}

#[test]
fn a_dry_run_prints_what_enters_it() {
    // What unmounts the old root, and what starts the command, is looked for in the new one.
    root(&format!(
        "{MAKE} for name in umount setpriv; do ln -s busybox files/bin/$name; done; (cd files; find . | cpio -o -H newc --quiet) >image
        $CLI spawn --pid --root box --unpack image --dry-run -- busybox id -u | sh 2>error || cat error"
    ))
    .prints("0");
}

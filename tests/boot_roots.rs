//! `--root` where the root directory is an initramfs, which pivot_root(2) refuses to leave.
use crate::common::boot::{End, Machine};

/// Makes a root in /r, and defines `user`, which runs a command as an ordinary user.
const MAKE: &str = "mkdir -p /r/bin; cp /bin/busybox /init /r/bin; ln -s init /r/bin/unshared-cli
    for name in sh cat cut grep test id sort tr; do ln -s busybox /r/bin/$name; done; chown -R 65534:65534 /r
    user() { unshared-cli spawn --uid 65534 --gid 65534 -- \"$@\"; }
    ";

#[test]
fn an_initramfs_is_left_as_any_other_root() {
    let look = "echo /* /.. /proc/1/root/* /proc/1/cwd/*
        cut -d \" \" -f 5 /proc/self/mountinfo | grep -v /sys/ | sort | tr \"\\n\" \" \"; echo";
    let seen = "/bin /dev /proc /sys /.. /proc/1/root/bin /proc/1/root/dev /proc/1/root/proc /proc/1/root/sys \
         /proc/1/cwd/bin /proc/1/cwd/dev /proc/1/cwd/proc /proc/1/cwd/sys\n\
         / /dev /dev/full /dev/null /dev/pts /dev/random /dev/shm /dev/tty /dev/urandom /dev/zero /proc /sys \n";
    Machine::new()
        .shell()
        .script(&format!(
            "{MAKE}
            unshared-cli spawn --pid --root /r -- sh -c '{look}; echo root $?'
            user unshared-cli spawn --user --pid --root /r -- sh -c '{look}; echo user $?'
            unshared-cli spawn --pid --root / --read-only -- sh -c 'echo /r/*; echo >/x'"
        ))
        .boot("")
        .ends(End::PowerOff)
        .says(&format!("{seen}root 0\n"))
        .says(&format!("{seen}user 0\n"))
        .says("/r/bin /r/dev /r/proc /r/sys\n")
        .says("x: Read-only file system\n");
}

#[test]
fn user_namespaces_can_be_made_in_a_root_for_which_an_initramfs_was_left() {
    let nested = "#!/bin/sh
        unshared-cli spawn --all --env IN=\"$*\" -- unshared-cli spawn --user --pid --root / -- \\
            sh -c 'echo \"in $IN:\" $(id -u) /*'";
    let mut boot = Machine::new()
        .shell()
        .file("/nested", 0o755, nested)
        .script(&format!(
            "{MAKE} cp /nested /r
            for shape in '' --pid --all; do
                unshared-cli spawn $shape --root /r --privileged -- /nested root $shape
                user unshared-cli spawn --user $shape --root /r --privileged -- /nested user $shape
            done"
        ))
        .boot("")
        .ends(End::PowerOff);
    for whose in ["root", "user", "root --pid", "user --pid", "root --all", "user --all"] {
        boot = boot.says(&format!("in {whose}: 0 /bin /dev /nested /proc /sys\n"));
    }
}

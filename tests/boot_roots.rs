//! `--root` where the root directory is an initramfs, which pivot_root(2) refuses to leave.
use crate::common::boot::{End, Machine};
use crate::common::root;
use std::path::PathBuf;

/// Makes a root in /r, and defines `user`, which runs a command as an ordinary user.
const MAKE: &str = "mkdir -p /r/bin; cp /bin/busybox /init /r/bin; ln -s init /r/bin/unshared-cli
    for name in sh cat cut grep test id sort tr; do ln -s busybox /r/bin/$name; done; chown -R 1000:1000 /r
    user() { unshared-cli spawn --uid 1000 --gid 1000 -- \"$@\"; }
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
            unshared-cli spawn --pid --root /r --privileged -- sh -c '{look}; echo root $?'
            user unshared-cli spawn --user --pid --root /r --privileged -- sh -c '{look}; echo user $?'
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

/// Makes images of filesystems with a file in each, in a folder that the caller removes.
fn filesystems() -> PathBuf {
    let outcome = root(
        "(set -e; d=$(mktemp -d); cd $d; mkdir files; echo hello >files/file; PATH=$PATH:/usr/sbin
        mksquashfs files squashfs -quiet -no-progress >&2; mkfs.erofs --quiet erofs files >&2
        truncate -s 16M btrfs; mkfs.btrfs -q --mixed --rootdir files btrfs >&2
        truncate -s 1M vfat; mkfs.vfat vfat >&2; mcopy -i vfat files/file ::
        genisoimage -quiet -R -o iso9660 files; truncate -s 300M xfs
        printf 'x\\n0 0\\nd--755 0 0\\nfile ---644 0 0 files/file\\n$\\n' >proto; mkfs.xfs -q -p proto xfs >&2
        echo $d)",
    )
    .ends_with(0);
    PathBuf::from(outcome.out.trim())
}

#[test]
fn every_filesystem_of_an_image_is_found_and_mounted() {
    let folder = filesystems();
    let (files, disk) = (["squashfs", "erofs", "btrfs", "vfat", "iso9660"], folder.join("xfs"));
    let mut machine = Machine::new()
        .shell()
        .modules(&[
            "loop",
            "squashfs",
            "erofs",
            "btrfs",
            "vfat",
            "nls_cp437",
            "nls_ascii",
            "isofs",
            "xfs",
        ])
        .disk(&disk);
    for name in files {
        machine =
            machine.file(&format!("/{name}"), 0o644, std::fs::read(folder.join(name)).unwrap());
    }
    let mut boot = machine
        .script(
            "for one in loop squashfs erofs btrfs vfat nls_cp437 nls_ascii isofs xfs; do modprobe $one; done; mkdir /mnt
            for disk in squashfs erofs btrfs vfat iso9660 dev/nvme0n1; do
                unshared-cli spawn --data-dir /$disk:/mnt -- sh -c 'echo $0: $(cat /mnt/file) \\
                    $(grep \" /mnt \" /proc/mounts | cut -d \" \" -f 3); echo 2>/dev/null >/mnt/new || echo $0 is read-only' $disk
            done",
        )
        .boot("")
        .ends(End::PowerOff)
        .says("dev/nvme0n1: hello xfs\n");
    for name in files {
        boot = boot.says(&format!("{name}: hello {name}\n"));
    }
    boot.says("squashfs is read-only")
        .says("iso9660 is read-only")
        .does_not_say("vfat is read-only");
    std::fs::remove_dir_all(folder).unwrap();
}

//! The machine's init, in real boots (common/boot.rs). Each boot takes seconds, so a boot tries as
//! much as does not disturb each other.
mod machine;
mod network;
mod pack;
mod roots;

use crate::common::boot::{End, Folder, Machine};
use std::process::Command;

#[test]
fn with_nothing_but_our_binary_a_machine_says_so_and_reboots() {
    Machine::new()
        .boot("")
        .ends(End::Reboot)
        .says("unshared-init: nothing to run: ")
        .says("unshared-init: reboot in 10 seconds");
}

#[test]
fn a_payload_has_what_it_expects() {
    Machine::new()
        .shell()
        .script(
            "echo $PATH $TERM $(umask) $(tty) $(hostname)
            ps -o pid,pgid,sid,tty,args | grep '[/]test'
            cat /proc/mounts | cut -d ' ' -f 2,3
            ip -o link show lo | grep -o LOOPBACK,UP
            ls -l /dev/fd /dev/null; id
            exit 3",
        )
        .boot("unshared.hostname=box")
        .ends(End::PowerOff)
        .says("/sbin:/bin vt220 0022 /dev/ttyS0 box\n")
        .says("/sys/fs/cgroup cgroup2\n")
        .says("LOOPBACK,UP")
        .says("unshared-init: the payload has ended with status 3\n");
}

#[test]
fn a_machine_ends_as_it_is_asked_to() {
    let stubborn = "trap '' TERM; (trap 'echo orphan; exit' TERM; while :; do sleep 0.1; done) &
        ulimit -c 0; unshared-cli";
    for (ask, said, end) in [
        ("poweroff", "power-off", End::PowerOff),
        ("halt", "halt", End::Halt),
        ("reboot; kill -INT 1", "reboot", End::Reboot),
    ] {
        Machine::new()
            .shell()
            .script(&format!("{stubborn} {ask}; while :; do sleep 0.1; done"))
            .boot("unshared.grace=1")
            .ends(end)
            .says("orphan\n")
            .says(&format!("unshared-init: {said}\n"));
    }
}

#[test]
fn the_signals_of_an_init_mean_what_they_mean_to_busybox() {
    for (signal, end) in [("PWR", End::PowerOff), ("INT", End::Reboot)] {
        Machine::new()
            .shell()
            .script(&format!(
                "trap 'kill -{signal} 1' HUP; kill -HUP 1; while :; do sleep 0.1; done"
            ))
            .boot("")
            .ends(end);
    }
}

#[test]
fn an_init_that_restarts_itself_boots_again_in_the_same_mounts() {
    Machine::new()
        .shell()
        .script(
            "if test -e /run/second; then cut -d ' ' -f 2 /proc/mounts | sort | uniq -d; exit 4; fi
            touch /run/second; kill -QUIT 1; sleep 100",
        )
        .boot("")
        .ends(End::PowerOff)
        .does_not_say("/dev/pts")
        .says("ended with status 4\n");
}

#[test]
fn a_person_at_the_console_has_job_control() {
    Machine::new()
        .shell()
        .types("$ ", "echo begin-$((1 + 1)); sleep 100; echo status-$?\n")
        .types("begin-2", "\x03")
        .types("$ ", "(exit 7); exit\n")
        .boot("unshared.exec=\"PS1='$ ' exec sh -i\"")
        .ends(End::PowerOff)
        .says("begin-2")
        .does_not_say("reboot in")
        .says("ended with status 7\n");
}

#[test]
fn a_machine_has_disks_and_modules() {
    let folder = Folder::new("disk");
    let image = folder.path("disk");
    let made = Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&image).arg("4M").output();
    assert!(made.unwrap().status.success());
    Machine::new()
        .shell()
        .modules(&["squashfs", "overlay"])
        .disk(&image)
        .script(
            "/sbin/modprobe squashfs; grep squashfs /proc/filesystems
            mkdir /o /l /u /w; mount -t overlay -o lowerdir=/l,upperdir=/u,workdir=/w o /o 2>/dev/null
            grep -c overlay /proc/filesystems; unshared-cli modprobe no-such
            mkdir /mnt; mount /dev/nvme0n1 /mnt && echo mounted",
        )
        .boot("")
        .says("\tsquashfs\n1\nunshared-cli: there is no module \"no-such\" in /lib/modules/")
        .says("mounted\n");
}

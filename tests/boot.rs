//! The machine's init, in real boots (common/boot.rs). Each boot takes seconds, so a boot tries as
//! much as does not disturb each other.
mod ends;
mod machine;
mod network;
mod pack;
mod roots;

use crate::common::boot::{End, Folder, Machine, output};

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
            ls -l /dev/fd /dev/null; id; echo log-$(cat /proc/sys/kernel/printk_devkmsg)
            exit 3",
        )
        .boot("unshared.hostname=box")
        .ends(End::PowerOff)
        .says("/sbin:/bin vt220 0022 /dev/ttyS0 box\n")
        .says("/sys/fs/cgroup cgroup2\n")
        .says("LOOPBACK,UP")
        .says("log-on\n")
        .says("unshared-init: the payload has ended with status 3\n");
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
    output(&["mke2fs", "-q", "-t", "ext4", image.to_str().unwrap(), "4M"]);
    Machine::new()
        .shell()
        .modules(&["squashfs", "overlay", "softdog"])
        .compress("squashfs", ".xz", &["xz", "--check=crc32"])
        .compress("overlay", ".zst", &["zstd", "-q"])
        .compress("softdog", ".gz", &["gzip", "-n"])
        .disk(&image)
        .script(
            "find /lib/modules -name '*.ko*' | sed 's/.*[.]//' | sort -u | tr '\\n' ' '
            /sbin/modprobe squashfs; grep squashfs /proc/filesystems
            /sbin/modprobe softdog; ls /sys/class/watchdog
            mkdir /o /l /u /w; mount -t overlay -o lowerdir=/l,upperdir=/u,workdir=/w o /o 2>/dev/null
            grep -c overlay /proc/filesystems; unshared-cli modprobe no-such
            mkdir /mnt; mount /dev/nvme0n1 /mnt && echo mounted",
        )
        .boot("")
        .says("gz ko xz zst \tsquashfs\nwatchdog0\n1\nunshared-cli: there is no module \"no-such\" in /lib/modules/")
        .says("mounted\n");
}

/// An init before ours, with which a kernel has neither devtmpfs nor devpts: mount(2) with those flags
/// (nosuid, noexec) is ENODEV. And ours gets the name of this one.
const WITHOUT_DEVTMPFS: &str = r#"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 40),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 10, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENODEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {6, filter};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        execv("/init", arguments);
    return count;
}
"#;

#[test]
fn without_devtmpfs_there_are_the_fewest_devices_and_a_terminal() {
    Machine::new()
        .shell()
        .program("/without", WITHOUT_DEVTMPFS)
        .script(
            "ls -l /dev | awk '/^c/ { printf \"%s %s%s %s, \", $1, $5, $6, $NF }'; echo
            tty; head -c 3 /dev/urandom | wc -c; unshared-cli spawn --uid 1000 -- sh -c 'echo >/dev/null && echo written'",
        )
        .boot("rdinit=/without")
        .ends(End::PowerOff)
        .says(
            "crw------- 5,1 console, crw-rw-rw- 1,7 full, crw-r--r-- 1,11 kmsg, crw-rw-rw- 1,3 null, \
             crw-rw-rw- 1,8 random, crw-rw-rw- 5,0 tty, crw------- 4,64 ttyS0, crw-rw-rw- 1,9 urandom, \
             crw-rw-rw- 1,5 zero, \n",
        )
        .says("/dev/ttyS0\n3\nwritten\n");
}

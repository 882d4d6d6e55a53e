//! Each way to end a machine.
use crate::common::boot::{End, Folder, Machine, output};

#[test]
fn a_machine_ends_as_it_is_asked_to() {
    let stubborn = "trap '' TERM; (trap 'echo orphan; exit' TERM; : >/run/trapped; while :; do sleep 0.1; done) &
        until [ -e /run/trapped ]; do sleep 0.1; done; ulimit -c 0; cd /run; for one in poweroff halt reboot; do ln -s /init $one; done;";
    for (ask, said, end) in [
        ("unshared-cli poweroff", "power-off", End::PowerOff),
        ("./halt", "halt", End::Halt),
        ("./reboot; kill -INT 1", "reboot", End::Reboot),
    ] {
        Machine::new()
            .shell()
            .script(&format!("{stubborn} {ask}; while :; do sleep 0.1; done"))
            .boot("unshared.grace=3")
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
        .modules(&["softdog"])
        .script(
            "if test -e /run/second; then cut -d ' ' -f 2 /proc/mounts | sort | uniq -d
                cat /sys/class/watchdog/watchdog0/state; dmesg | grep 'did not stop'; exit 4; fi
            touch /run/second; kill -QUIT 1; sleep 100",
        )
        .boot("unshared.modules=softdog unshared.watchdog=60")
        .ends(End::PowerOff)
        .does_not_say("/dev/pts")
        .does_not_say("did not stop!")
        .says("active\n")
        .says("ended with status 4\n");
}

#[test]
fn ctrl_alt_del_at_the_keyboard_is_a_reboot() {
    Machine::new()
        .shell()
        .monitor()
        .script("trap '' TERM; echo up-$((6 * 7)); while :; do sleep 0.1; done")
        .types("up-42", "\x01csendkey ctrl-alt-delete\n\x01c")
        .boot("unshared.grace=0.1")
        .ends(End::Reboot)
        .says("unshared-init: reboot\n");
}

#[test]
fn each_word_for_what_follows_on_a_payload_holds() {
    for (word, end) in [("poweroff", End::PowerOff), ("reboot", End::Reboot), ("halt", End::Halt)] {
        Machine::new()
            .shell()
            .boot(&format!("unshared.on-exit={word} -- /bin/true"))
            .ends(end)
            .says("unshared-init: the payload has ended\n");
    }
    Machine::new()
        .shell()
        .types("# ", "echo in-$((6 * 7)); exit\n")
        .boot("unshared.on-exit=shell -- /bin/false")
        .ends(End::PowerOff)
        .says("the payload has ended with status 1\n")
        .says("in-42\n");
}

/// A disk with ext4, and whether that is as it should be after the machine's end.
fn disk(folder: &Folder) -> String {
    let image = folder.path("disk").into_os_string().into_string().unwrap();
    output(&["mke2fs", "-q", "-t", "ext4", &image, "16M"]);
    image
}

fn is_clean(image: &str) -> bool {
    let said = String::from_utf8(output(&["dumpe2fs", "-h", image])).unwrap();
    let line = |name| said.lines().find(|line| line.starts_with(name)).unwrap();
    !line("Filesystem features:").contains("needs_recovery")
        && line("Filesystem state:").ends_with(" clean")
}

#[test]
fn swap_is_off_and_filesystems_are_unmounted_at_the_end() {
    let folder = Folder::new("swap");
    let image = disk(&folder);
    // What swaps to a file keeps its filesystem from being unmounted, or read-only.
    Machine::new()
        .shell()
        .disk(image.as_ref())
        .script(
            "mkdir -p /mnt '/a b'; mount -t ext4 /dev/nvme0n1 /mnt; mount --bind /mnt '/a b'
            dd if=/dev/zero of='/mnt/swap file' bs=64k count=64 2>/dev/null; mkswap '/mnt/swap file' >/dev/null
            swapon '/mnt/swap file'; tail -n 1 /proc/swaps; ln -s /init /run/poweroff; /run/poweroff; sleep 100",
        )
        .boot("")
        .ends(End::PowerOff)
        .says("/mnt/swap\\040file");
    assert!(is_clean(&image));
}

#[test]
fn a_process_that_nothing_ends_does_not_hold_the_machine() {
    let folder = Folder::new("stuck");
    let image = disk(&folder);
    Machine::new()
        .shell()
        .disk(image.as_ref())
        .script(
            "mkdir /mnt; mount -t ext4 /dev/nvme0n1 /mnt; fsfreeze --freeze /mnt
            echo >/mnt/file & until grep -q 'State:.D' /proc/$!/status; do sleep 0.1; done
            kill -KILL $!; sleep 0.2; grep State: /proc/$!/status; unshared-cli poweroff; sleep 100",
        )
        .boot("unshared.grace=0.5")
        .ends(End::PowerOff)
        .says("State:\tD (disk sleep)\n")
        .says("unshared-init: power-off\n");
}

//! Roots on disks, and the modules that it takes to find them.
use crate::common::boot::{End, Folder, Machine, output};
use std::path::{Path, PathBuf};

/// A folder with a root in it: busybox, and an init that says what it sees.
fn with_root(name: &str) -> Folder {
    let folder = Folder::new(name);
    let root = folder.path("root");
    for directory in ["bin", "sbin", "dev", "proc", "sys", "run"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    let init = "#!/bin/sh\nB=/bin/busybox\necho init $$ $(echo /*)\n\
        $B grep -E ' (/|/run|/proc|/sys|/dev|/dev/pts) ' /proc/mounts | $B cut -d ' ' -f 1-4\n\
        $B awk '/MemFree/ { print \"free\", ($2 > 180000) }' /proc/meminfo\n$B poweroff -f\n";
    let path = root.join("sbin/init");
    std::fs::write(&path, init).unwrap();
    output(&["chmod", "755", path.to_str().unwrap()]);
    folder
}

/// Its root as an ext4 image.
fn ext4(folder: &Folder, options: &[&str]) -> PathBuf {
    let image = folder.path("ext4");
    let (root, path) = (folder.path("root"), image.to_str().unwrap());
    let words = ["mke2fs", "-q", "-F", "-t", "ext4", "-d", root.to_str().unwrap()];
    output(&[&words[..], options, &[path, "16M"]].concat());
    image
}

fn virtio(machine: Machine, image: &Path) -> Machine {
    let drive = format!("if=none,id=virtio,format=raw,file={}", image.display());
    machine.qemu(&["-drive", &drive, "-device", "virtio-blk-pci,drive=virtio"])
}

#[test]
fn an_init_on_ext4_is_pid_1_with_the_mounts_and_the_memory_of_the_initramfs() {
    let folder = with_root("label");
    let image = ext4(&folder, &["-L", "the root"]);
    Machine::new()
        .file("/ballast", 0o644, vec![0; 32 << 20])
        .disk(&image)
        .boot("unshared.root=\"LABEL=the root\" rw")
        .ends(End::PowerOff)
        .says("init 1 /bin /dev /lost+found /proc /run /sbin /sys\n")
        .says("/dev/nvme0n1 / ext4 rw,")
        .says("devpts /dev/pts devpts ")
        .says("tmpfs /run tmpfs ")
        .says("free 1\n");
}

#[test]
fn devices_bring_their_modules_and_squashfs_is_a_root_for_a_payload() {
    let folder = with_root("squashfs");
    let (root, image) = (folder.path("root"), folder.path("squashfs"));
    output(&["mksquashfs", root.to_str().unwrap(), image.to_str().unwrap(), "-quiet"]);
    let machine = Machine::new()
        .modules(&["virtio_pci", "virtio_blk", "squashfs", "softdog"])
        .file("/ballast", 0o644, vec![0; 1 << 20]);
    virtio(machine, &image)
        .boot(
            "unshared.coldplug unshared.root=/dev/vda unshared.modules=softdog softdog.soft_margin=77 \
             unshared.exec=\"echo payload $$ $(echo /*); cat=/bin/busybox; $cat dmesg | $cat grep -o soft_margin=77; exit 3\"",
        )
        .ends(End::PowerOff)
        .does_not_say("load module")
        .says(" /bin /dev /proc /run /sbin /sys\nsoft_margin=77\n")
        .says("ended with status 3");
}

#[test]
fn a_partition_is_found_by_what_the_table_of_its_disk_says() {
    let folder = with_root("partition");
    let (part, disk) = (ext4(&folder, &[]), folder.path("disk"));
    let table = folder.path("table");
    let uuid = "0F0E0D0C-0102-4304-8506-0708090A0B0C";
    std::fs::write(&table, format!("label: gpt\nstart=2048, size=32768, uuid={uuid}\n")).unwrap();
    let (disk, part, table) =
        (disk.to_str().unwrap(), part.to_str().unwrap(), table.to_str().unwrap());
    output(&["truncate", "-s", "20M", disk]);
    output(&["sh", "-c", &format!("sfdisk -q {disk} <{table}")]);
    output(&[
        "dd",
        &format!("if={part}"),
        &format!("of={disk}"),
        "bs=1M",
        "seek=1",
        "conv=notrunc",
    ]);
    Machine::new()
        .disk(Path::new(disk))
        .boot(&format!("unshared.root=PARTUUID={}", uuid.to_lowercase()))
        .ends(End::PowerOff)
        .says("/dev/nvme0n1p1 / ext4 ro,");
}

#[test]
fn the_words_about_a_root_say_what_is_mounted_how_and_what_is_executed_there() {
    let folder = with_root("words");
    let init = folder.path("root/sbin/init");
    std::fs::rename(&init, init.with_file_name("other")).unwrap();
    let uuid = "0f0e0d0c-0102-4304-8506-0708090a0b0c";
    let image = ext4(&folder, &["-U", uuid]);
    Machine::new()
        .disk(&image)
        .boot(&format!(
            "unshared.root=UUID={} unshared.rootfstype=ext4 unshared.init=/sbin/other \
             unshared.rootflags=rw,noatime,data=journal",
            uuid.to_uppercase()
        ))
        .ends(End::PowerOff)
        .says("init 1 /bin")
        .says("/dev/nvme0n1 / ext4 rw,noatime,")
        .says("data=journal");
    Machine::new()
        .disk(&image)
        .boot(&format!(
            "unshared.root=UUID={uuid} unshared.rootfstype=vfat unshared.rescue-delay=0"
        ))
        .ends(End::Reboot)
        .says("unshared-init: mount \"/dev/nvme0n1\" as vfat: ENODEV (this kernel has no such filesystem)");
}

#[test]
fn a_root_that_is_not_there_or_has_no_init_is_a_case_for_rescue() {
    for (rescue, end) in [("halt", End::Halt), ("poweroff", End::PowerOff), ("reboot", End::Reboot)]
    {
        Machine::new()
            .boot(&format!(
                "unshared.root=UUID=none unshared.rootwait=1 unshared.rescue={rescue} \
                 unshared.rescue-delay=0"
            ))
            .ends(end)
            .says("unshared-init: no root device \"UUID=none\" (waited 1 seconds)\n")
            .says(&format!("unshared-init: {rescue} in 0 seconds\n"));
    }
    let folder = with_root("no-init");
    std::fs::remove_file(folder.path("root/sbin/init")).unwrap();
    let image = ext4(&folder, &[]);
    Machine::new()
        .shell()
        .types("# ", "test -x /init && echo still-$((6 * 7)); exit\n")
        .disk(&image)
        .boot("unshared.root=/dev/nvme0n1 unshared.rescue=shell")
        .ends(End::Reboot)
        .says("look for \"/sbin/init\" in the root: ENOENT")
        .says("still-42\n");
}

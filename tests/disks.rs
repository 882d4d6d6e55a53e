//! `--data-dir`: directories, files, and disks with the filesystem that they hold.
use crate::common::{Outcome, nobody, root};

/// Begins a script in a folder of its own, with an ext4 image that has a file.
const MAKE: &str = "D=$(mktemp -d /tmp/disks.XXXXXX); trap 'rm -rf $D' EXIT; chmod a+rx $D; cd $D; \
    mkdir files; echo hello >files/file; truncate -s 4M ext4; \
    mke2fs -q -t ext4 -d files ext4 2>/dev/null; ";

/// Runs a script as root, once without a user namespace and once with `--user` in `$U`.
fn as_root(script: &str, check: impl Fn(Outcome)) {
    check(root(&format!("U=; {MAKE}{script}")));
    check(root(&format!("U=--user; {MAKE}{script}")));
}

/// How many loop devices have a file of the test's folder behind them.
const LOOPS: &str = "losetup --noheadings --list --output BACK-FILE | grep -c ^$D/ || :; ";

#[test]
fn an_image_is_mounted_and_what_is_written_stays_in_it() {
    as_root(
        "$CLI spawn $U --data-dir ext4:/mnt -- sh -c 'cat /mnt/file; echo new >/mnt/new'
        $CLI spawn $U --pid --data-dir $D/ext4:/mnt -- cat /mnt/new",
        |outcome| outcome.prints("hello\nnew"),
    );
}

#[test]
fn an_image_is_mounted_in_a_root_where_its_directory_is_made() {
    as_root(
        "mkdir -p root/bin; cp /bin/busybox root/bin/
        $CLI spawn $U --pid --root $D/root --data-dir ext4:/var/deep -- /bin/busybox cat /var/deep/file",
        |outcome| outcome.prints("hello"),
    );
}

#[test]
fn no_image_is_busy_and_no_loop_device_is_left() {
    as_root(
        &format!(
            "$CLI spawn $U --pid --data-dir ext4:/mnt -- sh -c 'umount /mnt && ! test -e /mnt/file && echo unmounted'
            {LOOPS}
            $CLI spawn $U --pid --data-dir ext4:/mnt -- no-such-command 2>/dev/null; echo $?; {LOOPS}
            $CLI spawn $U --pid --data-dir ext4:/mnt --bind none:/mnt -- true 2>/dev/null; echo $?; {LOOPS}"
        ),
        |outcome| outcome.prints("unmounted\n0\n127\n0\n125\n0"),
    );
}

#[test]
fn a_killed_launcher_leaves_no_loop_device() {
    let outcome = root(&format!(
        "{MAKE} mkfifo up; $CLI spawn --pid --die-with-parent --data-dir ext4:/mnt -- sh -c 'echo up >up; exec sleep 20' & read <up
        {LOOPS} kill -KILL $!; wait $! 2>/dev/null
        for i in $(seq 200); do [ $({LOOPS}) = 0 ] && break; sleep 0.05; done; {LOOPS}"
    ));
    assert_eq!(outcome.out, "1\n0\n", "{outcome:?}");
}

#[test]
fn what_is_read_only_is_mounted_so() {
    as_root(
        "write='if echo x 2>/dev/null >/mnt/x; then echo written; else echo read-only; fi'
        $CLI spawn $U --data-dir ext4:/mnt:ro -- sh -c \"$write\"
        chmod a-w ext4; $CLI spawn $U --data-dir ext4:/mnt -- sh -c \"$write\"
        chmod u+w ext4; $CLI spawn $U --data-dir ext4:/mnt:rw -- sh -c \"$write\"",
        |outcome| outcome.prints("read-only\nread-only\nwritten"),
    );
}

#[test]
fn a_block_device_is_mounted() {
    as_root(
        "device=$(losetup --find --show ext4); trap 'losetup -d $device; rm -rf $D' EXIT
        $CLI spawn $U --data-dir $device:/mnt -- cat /mnt/file
        dd if=/dev/zero of=ext4 bs=1k count=8 conv=notrunc status=none
        $CLI spawn $U --data-dir $device:/mnt -- cat /mnt/file 2>&1 | sed s,$device,DEVICE,; echo ${PIPESTATUS[0]}",
        |outcome| {
            outcome.prints(
                "hello\nunshared-cli: no filesystem is known on \"DEVICE\" (ext2 to ext4, squashfs, erofs, xfs, btrfs, vfat and iso9660 are)\n125",
            );
        },
    );
}

#[test]
fn squashfs_is_read_only_by_itself() {
    as_root(
        "mksquashfs files squashfs -quiet -no-progress >/dev/null
        $CLI spawn $U --data-dir squashfs:/mnt -- sh -c 'cat /mnt/file; echo 2>/dev/null >/mnt/x || echo read-only'",
        |outcome| outcome.prints("hello\nread-only"),
    );
}

#[test]
fn directories_and_other_files_are_bound() {
    let script = format!(
        "{MAKE} : >target; head -c 100k /dev/zero >zeros
        $CLI spawn $U --data-dir files:/mnt --data-dir files/file:$D/target --data-dir zeros:/dev/null:ro -- sh -c 'cat /mnt/file $D/target; wc -c </dev/null'"
    );
    root(&format!("U=; export D; {script}")).prints("hello\nhello\n102400");
    nobody(&format!("U=--user; export D; {script}")).prints("hello\nhello\n102400");
}

#[test]
fn an_ordinary_user_is_told_that_only_root_mounts_images() {
    nobody(&format!("{MAKE} $CLI spawn --user --data-dir ext4:/mnt -- true"))
        .complains(125, &["loop device for \"ext4\": EACCES", "only root mounts disks and images"]);
}

#[test]
fn a_damaged_image_is_told_in_the_kernels_words() {
    root(&format!(
        "{MAKE} dd if=/dev/urandom of=ext4 bs=1 seek=1028 count=40 conv=notrunc status=none
        $CLI spawn --data-dir ext4:/mnt -- true"
    ))
    .complains(125, &["mount \"ext4\" as ext4: EINVAL (the kernel's log may say why: dmesg)"]);
    root(&format!(
        "{MAKE} mksquashfs files squashfs -quiet -no-progress >/dev/null
        printf '\\377\\377\\377' | dd of=squashfs bs=1 seek=12 conv=notrunc status=none
        $CLI spawn --data-dir squashfs:/mnt -- true"
    ))
    .complains(125, &["mount \"squashfs\" as squashfs: EINVAL (squashfs"]);
}

#[test]
fn what_is_not_there_is_named() {
    root("$CLI spawn --data-dir /no/such:/mnt -- true")
        .complains(125, &["look at \"/no/such\": ENOENT"]);
    root(&format!("{MAKE} head -c 9k /dev/zero >zeros; $CLI spawn --data-dir zeros:/mnt -- true"))
        .complains(125, &["bind \"zeros\" to \"/mnt\": E", " (a file in which no filesystem"]);
    for words in ["", "files", ":/mnt", "a:", "a:/b:x"] {
        root(&format!("$CLI spawn --data-dir '{words}' -- true")).complains(125, &["--data-dir"]);
    }
}

#[test]
fn a_dry_run_prints_a_mount() {
    let outcome = root(&format!("{MAKE} $CLI spawn --dry-run --data-dir ext4:/mnt:ro -- true"));
    assert!(outcome.out.contains("mount -t ext4 -o ro,nosuid,nodev ext4 /mnt\n"), "{outcome:?}");
    let outcome = root(&format!("{MAKE} $CLI spawn --dry-run --data-dir files:/mnt -- true"));
    assert!(outcome.out.contains("\nmount --rbind files /mnt\n"), "{outcome:?}");
}

//! What a root shows of the kernel.
use crate::common::{Outcome, nobody, root};

/// Runs a script in a root with a busybox, as root and as an ordinary user who is root inside.
fn both(options: &str, script: &str, check: impl Fn(Outcome)) {
    const MAKE: &str = "R=$(mktemp -d /tmp/kernel-files.XXXXXX); trap 'rm -rf $R' EXIT; mkdir $R/bin; \
        cp /bin/busybox $R/bin/; for name in sh ls cat wc umount; do ln -s busybox $R/bin/$name; done; \
        chmod -R a+rX $R; PATH=$PATH:/bin; ";
    check(root(&format!("{MAKE}$CLI spawn {options} --root $R -- sh -c '{script}'")));
    check(nobody(&format!("{MAKE}$CLI spawn --user {options} --root $R -- sh -c '{script}'")));
}

#[test]
fn what_is_the_machines_is_hidden() {
    let script = "for one in /proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/timer_list \
         /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do \
         if [ -d $one ]; then ls -A $one; elif [ -e $one ]; then cat $one; fi; done; echo end";
    for options in ["--pid", "--all", ""] {
        both(options, script, |outcome| outcome.prints("end"));
    }
    // It is there at all.
    both("--pid --privileged", "cat /proc/interrupts | wc -l", |outcome| {
        assert_ne!(outcome.out.trim(), "0", "{outcome:?}");
    });
}

#[test]
fn what_is_set_for_the_machine_cannot_be_written_to() {
    for options in ["--pid --uts", "--all", "--uts"] {
        both(
            options,
            "echo x >/proc/sys/kernel/hostname && echo yes; echo x >/proc/sys/kernel/core_pattern && echo yes; \
             umount /proc/sys && echo yes; cat /proc/sys/kernel/ostype",
            |outcome| {
                assert_eq!(outcome.out, "Linux\n", "{outcome:?}");
                assert!(outcome.err.contains("Read-only"), "{outcome:?}");
            },
        );
    }
    // Root of the host alone may write there.
    root("$CLI spawn --pid --uts --root / --privileged -- sh -c 'echo box >/proc/sys/kernel/hostname; hostname'")
        .prints("box");
}

//! The ways out of a container that others have found, tried. docs/security.md lists them all, also those
//! that are tried beside what defends against them.
use crate::common::{Outcome, nobody, root};

/// What a payload of a few lines cannot do by a shell.
const PROGRAM: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "fchdir")) {
        mkdir("/below", 0755);
        int above = open("/", O_RDONLY);
        if (chroot("/below") || fchdir(above)) return 9;
        for (int i = 0; i < 64; i++) chdir("..");
        if (chroot(".")) return 8;
        printf("%s\n", access(words[2], F_OK) ? "in" : "out");
    } else if (count > 1) {
        /* PID 1 is ours; a node of the first loop device would be the host's. */
        const char *traced = ptrace(PTRACE_ATTACH, 1, 0, 0) ? strerrorname_np(errno) : "ok";
        const char *memory = open("/proc/1/mem", O_RDWR) < 0 ? strerrorname_np(errno) : "ok";
        const char *node = mknod("/node", S_IFBLK | 0600, makedev(7, 0)) ? strerrorname_np(errno) : "ok";
        printf("ptrace %s, memory %s, node %s\n", traced, memory, node);
    } else {
        printf("%d\n", geteuid());
    }
    return 0;
}
"#;

/// Begins a script that has a root with a busybox and the program above in `$R`, a file `$R.out` outside of
/// it, for whoever runs it, and removes them.
fn make() -> String {
    format!(
        "R=$(mktemp -d /tmp/breakouts.XXXXXX); trap 'rm -rf $R $R.*' EXIT; chmod 755 $R; mkdir $R/bin $R/m; touch $R.out; \
         cp /bin/busybox $R/bin/; for name in sh cat mount umount kill sleep ls; do ln -s busybox $R/bin/$name; done; \
         cat >$R.c <<'END'\n{PROGRAM}\nEND\ngcc -static -o $R/program -x c $R.c; PATH=$PATH:/bin; "
    )
}

/// Runs a script as root, and as an ordinary user who has `--user` in `$U`.
fn both(script: &str, check: impl Fn(Outcome)) {
    check(root(&format!("U=; {}{script}", make())));
    check(nobody(&format!("U=--user; {}{script}", make())));
}

/// CVE-2019-5736: through /proc the binary of the launcher, which is the host's, is there to be
/// overwritten once nobody executes it. While PID 1 lives, it does; and afterwards nobody is left inside.
#[test]
fn the_binary_of_the_launcher_cannot_be_overwritten() {
    both(
        "cp $CLI $R.cli; before=$(cksum <$R.cli); printf '#!/proc/self/exe\\n' >$R/evil; chmod +x $R/evil; \
         for option in '' --privileged; do $R.cli spawn --pid $U --root $R $option -- sh -c 'echo x >>/proc/1/exe; \
            (exec 9</proc/1/exe; echo x >>/proc/self/fd/9; setsid sh -c \"sleep 1; echo x >>/proc/self/fd/9\" &); echo tried' 2>$R.err; \
            test -s $R.err && echo refused; done; \
         $R.cli spawn --pid $U --root $R -- /evil 2>$R.err; echo $?; \
         $R.cli spawn --pid $U --root $R --exec 'sh -c \"for i in 1 2 3 4 5 6 7 8 9; do for one in /proc/[0-9]*/exe; do echo x >>\\$one; done; done\" 2>/dev/null &' -- /evil 2>$R.err; \
         sleep 1.2; test \"$before\" = \"$(cksum <$R.cli)\" && echo same",
        |outcome| {
            let expected = "tried\nrefused\ntried\nrefused\n125\nsame\n";
            assert_eq!(outcome.out, expected, "{outcome:?}");
        },
    );
}

/// A directory that is open from above a chroot leads out of that; out of a root that was entered by
/// pivot_root nothing does.
#[test]
fn a_chroot_inside_leads_nowhere_by_fchdir() {
    for shape in ["", "--pid"] {
        both(&format!("$CLI spawn {shape} $U --root $R -- /program fchdir $R.out"), |outcome| {
            outcome.prints("in")
        });
    }
    // The same from a chroot, which is what the test would see if it were one.
    root(&format!("{} chroot $R /program fchdir $R.out", make())).prints("out");
}

/// CVE-2022-0492 begins with the mount of a hierarchy of cgroups, whose release_agent is run outside.
#[test]
fn nothing_of_the_hosts_is_mounted_or_made_writable() {
    for shape in ["--pid", "--all"] {
        both(
            &format!(
                "$CLI spawn {shape} $U --root $R -- sh -c 'for what in \"-t cgroup -o memory none /m\" \"-t cgroup2 none /m\" \
                 \"-t sysfs none /m\" \"-t proc none /m\" \"-t tmpfs none /m\" \"-o remount,rw /sys\" \"-o bind,remount,rw /sys\" \"-o bind / /m\"; do \
                 mount $what 2>/dev/null && echo yes $what; done; umount /sys 2>/dev/null && echo yes; umount /proc 2>/dev/null && echo yes; \
                 umount /proc/sys 2>/dev/null && echo yes; mount -o remount,rw /proc/sys 2>/dev/null && echo yes; \
                 mount -o bind,remount,rw /proc/sys 2>/dev/null && echo yes; core=$(cat /proc/sys/kernel/core_pattern) && \
                 echo \"$core\" >/proc/sys/kernel/core_pattern && echo yes core_pattern; \
                 echo /m/x >/sys/kernel/uevent_helper && echo yes; ls /m; echo tried' 2>/dev/null"
            ),
            |outcome| outcome.prints("tried"),
        );
    }
}

#[test]
fn no_signal_from_inside_reaches_the_launcher() {
    both(
        "bash -c 'exec $CLI spawn --pid '$U' --root '$R' -- sh -c \"for signal in TERM KILL STOP; do kill -\\$signal \\$0; kill -\\$signal -- -\\$0; done 2>/dev/null; kill -9 -1 2>/dev/null; echo alive; exit 3\" $$'; echo $?",
        |outcome| outcome.prints("alive\n3"),
    );
}

#[test]
fn pid_1_and_the_disks_of_the_host_are_out_of_reach() {
    both("$CLI spawn --pid $U --root $R -- /program reach", |outcome| {
        outcome.prints("ptrace EPERM, memory EACCES, node EPERM")
    });
}

/// What fills the disk of the host, or the memory of whoever keeps the log.
#[test]
fn a_log_that_is_kept_small_stays_so_whatever_is_written() {
    both(
        "for end in 'head -c 30000000 /dev/zero' 'yes \"$(head -c 3000 /dev/zero | tr \\0 x)\" | head -n 9000'; do \
         $CLI spawn --pid $U --log $R.log --log-max 64k -- sh -c \"$end; echo; echo last\"; echo $?; tail -n 1 $R.log; \
         test $(cat $R.log $R.log.1 | wc -c) -le 65536 && echo small; done; \
         $CLI spawn --pid $U --log $R.log --log-max 64k -- sh -c 'echo end; exec >&- 2>&-; sleep 0.1'; tail -n 1 $R.log",
        |outcome| outcome.prints("0\nlast\nsmall\n0\nlast\nsmall\nend"),
    );
}

#[test]
fn a_set_user_id_program_gives_nothing() {
    root(&format!(
        "{} chmod 4755 $R/program; for option in '' --privileged; do $CLI spawn --pid --root $R $option --uid 1000 --gid 1000 -- /program; done",
        make()
    ))
    .prints("1000\n0");
}

#[test]
fn a_name_cannot_break_a_message_or_speak_to_the_terminal() {
    let name = "$'no\\n\\e[31msuch\\xff'";
    let shown = "no\\n\\u{1b}[31msuch\\xff\"";
    root(&format!("$CLI spawn -- {name}")).complains(127, &["execute \"", shown]);
    root(&format!("$CLI spawn --pid -- /{name}")).complains(127, &["execute \"/", shown]);
    root(&format!("$CLI spawn --root /{name} -- true")).complains(125, &["bind root \"/", shown]);
    root(&format!("$CLI spawn --bind /{name}:/mnt -- true")).complains(125, &["bind \"/", shown]);
    root(&format!("$CLI spawn --env {name} -- true")).complains(125, &["--env \"", shown]);
    root(&format!("$CLI spawn --cwd /{name} -- true")).complains(125, &["directory \"/", shown]);
    root(&format!("PATH={name} $CLI spawn -- no-such")).complains(127, &["PATH no\\n\\u{1b}[31m"]);
    root(&format!("$CLI {name}")).complains(125, &["there is no command \"", shown]);
}

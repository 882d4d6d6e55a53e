//! `--root`: entered, with nothing of the old one left, as root and as an ordinary user.
use crate::common::{Outcome, nobody, root};

/// Begins a script that has a root with a busybox in `$R`, for whoever runs it, and removes it.
const MAKE: &str = "R=$(mktemp -d /tmp/root.XXXXXX); trap 'rm -rf $R' EXIT; mkdir $R/bin; \
    cp /bin/busybox $R/bin/; \
    for name in sh ls cat touch id mount stat mkdir ps readlink test head dd wc grep; do \
        ln -s busybox $R/bin/$name; done; PATH=$PATH:/bin; ";

/// Runs a script as root, and as an ordinary user who has `--user` in `$U`.
fn both(script: &str, check: impl Fn(Outcome)) {
    check(root(&format!("U=; {MAKE}{script}")));
    check(nobody(&format!("U=--user; {MAKE}{script}")));
}

#[test]
fn the_root_is_the_directory_and_the_old_one_is_gone() {
    for shape in ["", "--pid", "--pid --no-init", "--all"] {
        both(
            &format!(
                "touch $R/mark; $CLI spawn {shape} $U --root $R -- sh -c 'cd ..; cd ../..; ls; ls /..; ls /proc/1/root/; ls /proc/1/cwd/' 2>/dev/null | sort | uniq -c | sort -rn | head -n 5 | sed 's/^ *//; s/ .*/ &/' | cut -d ' ' -f 1,3 | grep -c mark"
            ),
            |outcome| outcome.prints("1"),
        );
    }
}

#[test]
fn no_mount_of_the_old_root_is_left() {
    both(
        "$CLI spawn --pid $U --root $R -- cat /proc/self/mountinfo | cut -d ' ' -f 5 | grep -v '^/sys/\\|^/proc/' | sort | tr '\\n' ' '",
        |outcome| {
            outcome.prints(
                "/ /dev /dev/full /dev/null /dev/pts /dev/random /dev/shm /dev/tty /dev/urandom /dev/zero /proc /sys",
            );
        },
    );
}

#[test]
fn every_way_back_leads_to_the_new_root() {
    both(
        "touch $R/mark; $CLI spawn --pid $U --root $R --cap-add all -- sh -c 'for way in / /.. /proc/1/root /proc/1/cwd /proc/self/root /proc/1/root/../..; do test -e $way/mark && echo in || echo out $way; done' | sort -u",
        |outcome| outcome.prints("in"),
    );
}

#[test]
fn no_descriptor_leads_back() {
    for shape in ["--pid", "--pid --no-init", "--all"] {
        // One of the caller's that was not named, one that was, and what PID 1 has.
        both(
            &format!(
                "echo text >$R.file; trap 'rm -rf $R $R.file' EXIT; exec 5</ 7<$R.file; \
                 $CLI spawn {shape} $U --root $R --keep-fd 7 -- sh -c 'for way in /proc/[0-9]*/fd/* /proc/self/fd/5; do \
                 test -d $way/. && echo out $way; done; cat <&7'"
            ),
            |outcome| outcome.prints("text"),
        );
    }
    for (words, number) in [("5</ --keep-fd 5", 5), ("</", 0)] {
        both(&format!("$CLI spawn $U --root $R {words} -- sh"), |outcome| {
            let lead =
                format!("descriptor {number} is a directory, which would lead out of the root");
            outcome.complains(125, &[&lead]);
        });
    }
}

#[test]
fn the_working_directory_is_inside() {
    both(
        "mkdir -p $R/some/where; ln -s / $R/some/link; cd /usr; \
         for cwd in /some/where some/link/some /some/link; do \
             $CLI spawn $U --pid --root $R --cwd $cwd -- readlink /proc/self/cwd; done; \
         $CLI spawn $U --pid --root $R -- readlink /proc/self/cwd",
        |outcome| outcome.prints("/some/where\n/some\n/\n/"),
    );
    both("$CLI spawn $U --root $R --cwd /usr -- sh", |outcome| {
        outcome.complains(125, &["\"/usr\": ENOENT"]);
    });
    // In the caller's own PID namespace there are processes outside, which root may follow.
    root(&format!("{MAKE}$CLI spawn --root $R --cwd /proc/$$/root/etc -- sh"))
        .complains(125, &["/root/etc\": EXDEV (it is outside of the root directory)"]);
}

#[test]
fn what_is_locked_stays_so_when_it_is_bound() {
    // Root mounts, in a mount namespace of its own; an ordinary user binds that.
    let flags = "ro,nosuid,nodev,noexec,noatime";
    let user = "setpriv --reuid=65534 --regid=65534 --clear-groups $CLI spawn --user";
    for options in [
        "--bind $0/src:/d",
        "--bind $0/src:/d:ro",
        "--data-dir $0/src:/d",
        "--bind $0/src:/d --read-only",
    ] {
        root(&format!(
            "{MAKE} mkdir $R/src; chown -R 65534:65534 $R; unshare -m sh -c 'mount -t tmpfs -o noatime,mode=755 none $0/src
             mkdir $0/src/below; mount -t tmpfs -o {flags} none $0/src/below; mount -o remount,bind,{flags} $0/src
             {user} --root $0 {options} -- grep \" /d[ /]\" /proc/self/mountinfo' $R | cut -d ' ' -f 5,6"
        ))
        .prints(&format!("/d {flags}\n/d/below {flags}"));
    }
}

#[test]
fn the_devices_that_programs_expect_are_there() {
    both(
        "$CLI spawn --pid $U --root $R -- sh -c 'echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; dd if=/dev/ptmx count=0 2>/dev/null && echo pty; touch /dev/shm/x && echo shm; readlink /dev/fd; readlink /dev/stdin'",
        |outcome| outcome.prints("3\n3\npty\nshm\n/proc/self/fd\n/proc/self/fd/0"),
    );
}

#[test]
fn proc_is_that_of_the_new_pid_namespace() {
    both("$CLI spawn --pid $U --root $R -- sh -c 'readlink /proc/self; echo $$'", |outcome| {
        let lines: Vec<&str> = outcome.out.lines().collect();
        assert!(lines.len() == 2 && lines[1] == "2", "{outcome:?}");
    });
}

#[test]
fn sys_cannot_be_written_to() {
    for shape in ["--pid", "--all"] {
        both(
            &format!(
                "$CLI spawn {shape} $U --root $R -- sh -c 'ls /sys | wc -l; echo >/sys/x' 2>&1"
            ),
            |outcome| {
                assert!(outcome.out.contains("Read-only file system"), "{outcome:?}");
            },
        );
    }
}

#[test]
fn a_read_only_root_is_so_and_what_is_mounted_in_it_is_as_it_was_asked_for() {
    both(
        "mkdir $R.src; trap 'rm -rf $R $R.src' EXIT; \
         $CLI spawn --pid $U --root $R --read-only --bind $R.src:/rw --bind $R.src:/ro:ro --tmpfs /tmp:1m -- sh -c \
         'for d in / /rw /ro /tmp /bin; do touch $d/x 2>/dev/null && echo yes $d || echo no $d; done'",
        |outcome| outcome.prints("no /\nyes /rw\nno /ro\nyes /tmp\nno /bin"),
    );
}

#[test]
fn a_read_only_bind_is_so_with_all_that_is_mounted_below() {
    both(
        "$CLI spawn $U --mount -- bash -c 'mkdir -p $0/src/below; mount -t tmpfs none $0/src/below; \
         $1 spawn --root $0 --bind $0/src:/d:ro -- sh -c \"touch /d/x; touch /d/below/x\"' $R $CLI 2>&1 | grep -c Read-only",
        |outcome| {
            assert_eq!(outcome.out.trim(), "2", "{outcome:?}");
        },
    );
}

#[test]
fn an_overlay_forgets_what_was_changed() {
    both(
        "echo old >$R/file; $CLI spawn --pid $U --root $R --overlay -- sh -c 'echo new >/file; cat /file; touch /more; mkdir /dir'; cat $R/file; ls $R",
        |outcome| {
            let outcome = outcome.ends_with(0);
            assert!(outcome.out.starts_with("new\nold\nbin\n"), "{outcome:?}");
            assert!(!outcome.out.contains("more") && !outcome.out.contains("dir"), "{outcome:?}");
        },
    );
}

#[test]
fn an_overlay_has_only_the_filesystem_of_the_root() {
    let mounted = |options: &str| {
        format!(
            "{MAKE} mkdir $R/below; chmod 755 $R; unshare -m sh -c 'mount -t tmpfs none $0/below; touch $0/below/x; \
             {options} spawn $U --root $0 --overlay -- ls /below' $R"
        )
    };
    root(&mounted("U=; $CLI")).prints("");
    root(&mounted("U=--user; setpriv --reuid=65534 --regid=65534 --clear-groups $CLI")).complains(
        125,
        &["mount overlay on \"/tmp/root.", "EINVAL (a mount at", "/below\" hides part"],
    );
}

#[test]
fn the_callers_own_root_is_one_too() {
    both(
        "cd $R; $CLI spawn $U --pid --root / --read-only --tmpfs /tmp --bind /etc:/mnt -- \
         sh -c 'pwd; echo x >/tmp/x; ls /tmp; test -e /mnt/passwd && ls /dev | wc -l; : >/y' 2>&1; ls $R",
        |outcome| {
            assert!(outcome.out.starts_with("/\nx\n13\n"), "{outcome:?}");
            assert!(outcome.out.contains("/y: Read-only file system\nbin\n"), "{outcome:?}");
        },
    );
    root("$CLI spawn --pid --root / --overlay -- sh -c 'echo new >/new-file; cat /new-file'; ls /new-file 2>&1 | wc -l")
        .prints("new\n1");
}

#[test]
fn a_file_is_bound_over_a_file_and_through_links_inside() {
    both(
        "mkdir -p $R/etc $R/run; ln -s ../run/real $R/etc/link; ln -s /etc/link $R/etc/far; echo bound >$R/source; \
         $CLI spawn --pid $U --root $R --bind $R/source:/etc/new --bind $R/source:/etc/far -- cat /etc/new /run/real",
        |outcome| outcome.prints("bound\nbound"),
    );
}

#[test]
fn no_link_in_the_root_leads_a_mount_out_of_it() {
    both(
        "mkdir $R.out; trap 'rm -rf $R $R.out' EXIT; ln -s $R.out $R/abs; ln -s ../$(basename $R).out $R/rel; \
         $CLI spawn --pid $U --root $R --tmpfs /abs/a --tmpfs /rel/b --bind /etc/hostname:/abs/c -- sh -c :; echo $?; ls $R.out | wc -l",
        |outcome| outcome.prints("0\n0"),
    );
}

#[test]
fn a_target_that_is_renamed_meanwhile_is_still_inside() {
    // $R/a is now a directory and now a link that leads out, a few thousand times a second.
    both(
        "mkdir $R.out $R/a; trap 'kill $!; rm -rf $R $R.out' EXIT; ln -s $R.out $R/b; \
         python3 -c '
import ctypes, sys
c = ctypes.CDLL(None)
a, b = (sys.argv[1] + name for name in (\"/a\", \"/b\"))
while True: c.renameat2(-100, a.encode(), -100, b.encode(), 2)
' $R & \
         for i in $(seq 60); do $CLI spawn $U --root $R --tmpfs /a/x --bind /etc/hostname:/a/y -- sh -c 'echo ran' 2>/dev/null; done | sort -u; \
         ls $R.out | wc -l",
        |outcome| outcome.prints("ran\n0"),
    );
}

#[test]
fn without_a_root_mounts_go_into_the_callers_own() {
    both(
        "$CLI spawn $U --bind /etc:/mnt --tmpfs /media -- sh -c 'test -e /mnt/passwd && touch /media/x && ls /media'; test -e /mnt/passwd; echo $?",
        |outcome| {
            outcome.prints("x\n1");
        },
    );
}

#[test]
fn nothing_is_made_on_the_host_to_be_mounted_on() {
    let made = "; ls -d $R.x $R/bin/x /dev/$(basename $R) 2>/dev/null | wc -l";
    for options in [
        "--tmpfs $R.x",
        "--bind /etc:$R.x/y",
        "--bind /etc/hostname:$R.x",
        "--data-dir /etc:$R/bin/x",
        "--root / --bind /etc:$R.x",
        "--root / --read-only --tmpfs $R.x",
        "--root /. --bind /etc:$R.x",
        "--root /proc/self/root --tmpfs $R.x",
        "--tmpfs /media --bind $R:/media/r --tmpfs /media/r/bin/x",
        "--tmpfs /media --tmpfs /media/../$R.x",
    ] {
        both(&format!("$CLI spawn $U {options} -- true; s=$?{made}; exit $s"), |outcome| {
            assert_eq!(outcome.out, "0\n", "{options}: {outcome:?}");
            outcome.complains(125, &["ENOENT", "on the host none is made"]);
        });
        both(
            &format!("$CLI spawn $U {options} --dry-run -- true | sh >/dev/null 2>&1; true{made}"),
            |outcome| outcome.prints("0"),
        );
    }
    for options in [
        "--tmpfs /media --bind /etc/hostname:/media/x/y",
        "--tmpfs /media/ --tmpfs /media/x",
        "--root / --bind /etc:/dev/$(basename $R)",
    ] {
        both(&format!("$CLI spawn $U {options} -- true || exit{made}"), |outcome| {
            outcome.prints("0");
        });
    }
    both(
        "$CLI spawn $U --tmpfs /media --bind /etc:/media/x --dry-run -- ls /media | sh",
        |outcome| {
            outcome.prints("x");
        },
    );
    both("$CLI spawn $U --root /. -- ls $R", |outcome| {
        outcome.prints("bin");
    });
    let overlay = "--root / --overlay --tmpfs $R.x/y";
    root(&format!("{MAKE}$CLI spawn {overlay} -- test -d $R.x || exit{made}")).prints("0");
}

#[test]
fn a_root_has_a_name_in_the_directory_of_roots() {
    both("UNSHARED_ROOT=${R%/*} $CLI spawn $U --root ${R##*/} -- sh -c 'echo here'", |outcome| {
        assert!(outcome.err.is_empty() || outcome.err.contains("no name of a root"), "{outcome:?}");
    });
    root(&format!("{MAKE} mkdir $R/roots; ln -s $R $R/roots/busy; UNSHARED_ROOT=$R/roots $CLI spawn --root busy -- sh -c 'echo here'"))
        .prints("here");
    root("UNSHARED_ROOT=/nowhere $CLI spawn --root busy -- sh")
        .complains(125, &["bind root \"/nowhere/busy\"", "ENOENT", "UNSHARED_ROOT"]);
    root("$CLI spawn --root a/b -- sh").complains(125, &["\"a/b\" is no name of a root"]);
}

#[test]
fn what_cannot_be_a_root_or_be_bound_is_named() {
    root("$CLI spawn --root /no/such -- sh").complains(125, &["bind root \"/no/such\"", "ENOENT"]);
    root("$CLI spawn --root /etc/passwd -- sh").complains(125, &["bind root", "ENOTDIR"]);
    let bind = "$CLI spawn --root $R --bind /no/such:/x -- sh";
    root(&format!("{MAKE}{bind}"))
        .complains(125, &["bind \"/no/such\" to \"/x\" in root", "ENOENT"]);
    for (option, told) in [
        ("--bind /a", "SRC:DST"),
        ("--bind /a:/b:rx", "only ro or rw"),
        ("--tmpfs /t:1q", "a size is"),
        ("--bind /a:b", "DST begins with"),
        ("--overlay", "for a --root"),
        ("--read-only", "for a --root"),
    ] {
        root(&format!("$CLI spawn {option} -- true")).complains(125, &[told]);
    }
}

#[test]
fn a_command_that_is_missing_is_missing_inside_the_root() {
    for shape in ["", "--pid"] {
        root(&format!("{MAKE}$CLI spawn {shape} --root $R -- /usr/bin/env"))
            .complains(127, &["execute \"/usr/bin/env\" inside root \"/tmp/root.", "ENOENT"]);
    }
}

#[test]
fn nothing_stays_mounted_after_a_failure() {
    root(&format!(
        "{MAKE}cut -d ' ' -f 3- /proc/self/mountinfo >$R/before; \
         $CLI spawn --pid --root $R --tmpfs /t --bind /no/such:/x -- sh 2>/dev/null; \
         cut -d ' ' -f 3- /proc/self/mountinfo | diff $R/before - && echo same"
    ))
    .prints("same");
}

#[test]
fn a_dry_run_prints_what_enters_it() {
    root(&format!(
        "{MAKE} ln -s busybox $R/bin/umount; ln -s busybox $R/bin/setpriv
        $CLI spawn --pid --root $R --tmpfs /t/mp --dry-run -- ls / | sh 2>$R/error || cat $R/error"
    ))
    .prints("bin\ndev\nerror\nproc\nsys\nt");
}

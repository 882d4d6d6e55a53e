//! Roots: where they are, and how they are made from images.
use crate::common::{Outcome, nobody, root};

/// A directory for the images and roots of one test, for which `$UNSHARED_ROOT` is `$D/roots`, and
/// which is gone afterwards. `$ARCHIVE` is a folder with one of everything, `a.cpio` its archive.
fn with_folder(script: &str) -> String {
    format!(
        r#"set -e; umask 022; D=$(mktemp -d); chmod 755 $D; trap 'chmod -R u+rwx $D; rm -rf $D' EXIT
        export UNSHARED_ROOT=$D/roots; cd $D
        archive() {{ (cd $1; find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H ${{2-newc}}); }}
        {script}"#
    )
}

/// A folder with one of everything that anyone may make, and what is to be seen of it.
const FOLDER: &str = r#"
    mkdir -p in/usr/bin in/deep/er/still in/empty; ln -s usr/bin in/bin
    echo one >in/usr/bin/tool; chmod 755 in/usr/bin/tool; ln in/usr/bin/tool in/usr/bin/other
    head -c 700000 /dev/urandom >in/deep/er/large; echo secret >in/deep/er/still/file
    chmod 400 in/deep/er/still/file; mkfifo in/fifo; ln -s /nowhere in/dangling; : >in/nothing
    touch -h -d @1000000000 in/bin in/dangling in/usr/bin/tool in/deep/er/still/file
    chmod 555 in/deep/er/still; touch -d @1111111111 in/deep/er/still in/deep/er in/empty
    chmod 1777 in/empty; touch -d @1111111111 in/empty in/deep in/usr/bin in/usr
    look() { (cd $1; find . -mindepth 1 -printf '%p %y %m %n %T@ %l\n' | sed 's/\.[0-9]* /.0 /' | LC_ALL=C sort
        find . -type f | LC_ALL=C sort | xargs cksum); }
"#;

fn as_both(script: &str, check: impl Fn(Outcome)) {
    check(root(script));
    check(nobody(script));
}

#[test]
fn a_root_is_where_the_environment_says() {
    root("unset UNSHARED_ROOT; HOME=/h XDG_DATA_HOME=/x $CLI get-root a").prints("/var/unshared/a");
    nobody("XDG_DATA_HOME=/x/data $CLI get-root a.b_c-9").prints("/x/data/unshared/a.b_c-9");
    nobody("XDG_DATA_HOME=rel HOME=/h $CLI get-root a").prints("/h/.local/share/unshared/a");
    for user in [root, nobody] {
        user("UNSHARED_ROOT=/r/ $CLI get-root a").prints("/r/a");
        user("UNSHARED_ROOT=/r $CLI get-root /some//where/").prints("/some//where/");
        user("UNSHARED_ROOT=r $CLI get-root a").complains(125, &["UNSHARED_ROOT is \"r\""]);
        for bad in [".", "..", "-- -a", ".a", "a/b", "''", "'a b'", "$(printf %065d 0)"] {
            assert_eq!(user(&format!("$CLI get-root {bad}")).status, Some(125), "{bad}");
        }
        user("$CLI get-root").complains(125, &["a type of root is needed"]);
        user("$CLI get-root a b").complains(125, &["one type of root is enough: \"b\""]);
    }
    nobody("unset HOME; $CLI get-root a").complains(125, &["set UNSHARED_ROOT or HOME"]);
}

#[test]
fn everything_in_an_archive_is_as_it_was() {
    for (tool, make) in [
        ("cat", "archive in >image"),
        ("crc", "archive in crc >image"),
        ("gzip", "archive in | gzip >image"),
        ("gzip with a name", "archive in >plain; gzip -c plain >image"),
        ("zstd", "archive in | zstd -q >image"),
        ("zstd -19, no checksum", "archive in | zstd -q -19 --no-check >image"),
        ("xz", "archive in | xz --check=crc32 >image"),
        ("xz with sha256", "archive in | xz -0 --check=sha256 >image"),
        ("xz with a filter", "archive in | xz --x86 --lzma2 >image"),
        (
            "xz with the filter of another processor",
            "archive in | xz --check=none --arm64 --lzma2=preset=1,lc=0,lp=3 >image",
        ),
        (
            "xz with differences",
            "archive in | xz --delta=dist=3 --lzma2=preset=1,lc=4,lp=0,pb=0 >image",
        ),
        ("xz that says its sizes", "archive in >plain; xz -T2 -0 -c plain >image"),
        ("xz of many blocks", "archive in | xz --block-size=50000 >image"),
        ("lzma", "archive in | xz --format=lzma >image"),
        ("lz4", "archive in | lz4 -q -l >image"),
    ] {
        let script = with_folder(&format!(
            "{FOLDER} {make}
            $CLI make-root a --initramfs image >said; look in >before; look roots/a | diff before - && cat said"
        ));
        as_both(&script, |outcome| {
            let outcome = outcome.ends_with(0);
            let start = "/roots/a: 14 entries, 700 kB in ";
            assert!(outcome.out.contains(start) && outcome.err.is_empty(), "{tool}: {outcome:?}");
        });
    }
}

#[test]
fn pieces_follow_on_each_other_as_the_kernel_takes_them() {
    for tool in ["gzip", "zstd -q", "xz", "xz --format=lzma", "lz4 -q -l"] {
        let script = with_folder(&PIECES.replace("PACK", tool));
        as_both(&script, |outcome| outcome.prints("1\n2\n3\n4\n1\na"));
    }
}

/// An uncompressed archive, two compressed ones, zeros between, and archives within one.
const PIECES: &str = r"
    for n in 1 2 3 4; do mkdir -p p$n/kernel; echo $n | tee p$n/kernel/$n >p$n/kernel/last; done
    { archive p1; head -c 1536 /dev/zero; archive p2; head -c 100 /dev/zero; archive p3 | PACK
      head -c 4 /dev/zero; { archive p4; head -c 512 /dev/zero; archive p1; } | PACK
      head -c 9 /dev/zero; } | $CLI make-root a --initramfs - >/dev/null
    cat roots/a/kernel/*; ls -A roots";

#[test]
fn one_stream_after_the_other_is_one_archive() {
    for tool in ["gzip", "zstd -q", "xz", "xz --format=lzma", "lz4 -q -l"] {
        let script = format!(
            "mkdir in; echo x >in/x; archive in >image
            {{ head -c 130 image | {tool}; tail -c +131 image | {tool}; }} >both
            $CLI make-root a --initramfs both >/dev/null; cat roots/a/x"
        );
        as_both(&with_folder(&script), |outcome| outcome.prints("x"));
    }
}

#[test]
fn a_root_that_is_there_is_replaced_by_force_only() {
    as_both(
        &with_folder(
            "mkdir -p in/ro; echo new >in/new; chmod 555 in/ro; archive in >image; mkdir -p roots/a/old/er; chmod 0 roots/a/old/er
            $CLI make-root a --initramfs image && exit 1; ls roots/a
            $CLI make-root a --initramfs image --force >/dev/null; ls -A roots roots/a
            $CLI make-root a --initramfs image --force >/dev/null; ls -A roots roots/a
            $CLI make-root b >/dev/null; ls -A roots roots/b; stat -c %a roots roots/a roots/b",
        ),
        |outcome| {
            let outcome = outcome.ends_with(0);
            let twice = "roots:\na\n\nroots/a:\nnew\nro\n".repeat(2);
            assert_eq!(
                outcome.out,
                format!("old\n{twice}roots:\na\nb\n\nroots/b:\n755\n755\n755\n"),
            );
            let said = "roots/a\": EEXIST (--force replaces it)\n";
            assert!(outcome.err.ends_with(said) && outcome.err.lines().count() == 1);
        },
    );
    root(&with_folder(
        "$CLI make-root $D/x >/dev/null; ls -A $D; $CLI make-root new >/dev/null; stat -c %a roots",
    ))
    .prints("x\n700");
    for place in ["/", "/.", "/tmp/..", "/dev/null"] {
        root(&format!("$CLI make-root --force {place}")).complains(125, &["make root"]);
    }
    nobody("$CLI make-root /var/x").complains(125, &["/var/.x.make-root", "EACCES"]);
}

#[test]
fn device_nodes_are_made_by_root_and_counted_for_others() {
    let script = |user: &str| {
        with_folder(&format!(
            "mkdir in; mknod in/null c 1 3; mknod in/loop b 7 0; echo x >in/x; chown 7:8 in/x; chmod 6755 in/x; archive in >image
            chmod 777 $D; {user} $CLI make-root a --initramfs image | grep -o ';.*' | cat; cd roots/a; stat -c '%n %t %T %u %a' *"
        ))
    };
    root(&script("")).prints("loop 7 0 0 644\nnull 1 3 0 644\nx 0 0 7 6755");
    root(&script("setpriv --reuid=65534 --regid=65534 --clear-groups"))
        .prints("; left out: 2 device nodes, which only root may make\nx 0 0 65534 755");
    root(&script("unshare --user --map-root-user")).ends_with(0);
}

#[test]
fn without_openat2_everything_is_the_same() {
    for errno in ["ENOSYS", "EPERM"] {
        root(&with_folder(&format!(
            "{FOLDER} archive in >image; look in >before
            without() {{ strace -f -qq -o /dev/null -e trace=openat2,renameat2 -e inject=openat2:error={errno} -e inject=renameat2:error=EINVAL $CLI make-root a $*; }}
            without --initramfs image >/dev/null; look roots/a | diff before -
            without --initramfs image --force >/dev/null; look roots/a | diff before - && ls -A roots"
        )))
        .prints("a");
    }
}

#[test]
fn a_signal_ends_it_and_nothing_stays() {
    for (signal, status) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let script = format!(
            "mkdir in; head -c 300000 /dev/urandom >in/x; archive in >image; mkfifo pipe
            $CLI make-root a --initramfs - <pipe & exec 9>pipe; head -c 50000 image >&9
            while ! test -e roots/.a.make-root/x; do sleep 0.02; done
            kill -{signal} $!; wait $! || echo $?; ls -A roots"
        );
        as_both(&with_folder(&script), |outcome| {
            assert_eq!(outcome.out, format!("{status}\n"), "{outcome:?}");
            assert_eq!(outcome.err, format!("unshared-cli: ended by SIG{signal}\n"));
        });
    }
}

#[test]
fn two_at_once_do_not_get_in_each_others_way() {
    as_both(
        &with_folder(
            "mkdir in; echo x >in/x; archive in >image; mkfifo pipe
            $CLI make-root a --initramfs - <pipe >/dev/null & exec 9>pipe
            until grep -q \":$(stat -c %i roots/.a.make-root 2>/dev/null) \" /proc/locks; do sleep 0.02; done
            $CLI make-root a && exit 1; cat image >&9; exec 9>&-; wait $!; cat roots/a/x
            mkdir -p roots/.b.make-root/left/over; $CLI make-root b >/dev/null; ls -A roots",
        ),
        |outcome| {
            let outcome = outcome.ends_with(0);
            assert_eq!(outcome.out, "x\na\nb\n");
            assert!(
                outcome.err.ends_with("EAGAIN (another make-root is making it)\n"),
                "{outcome:?}"
            );
        },
    );
}

#[test]
fn a_tmpfs_in_the_making_is_nobody_elses() {
    for options in ["", "--tmpfs"] {
        root(&with_folder(&format!(
            "mkdir in; echo x >in/x; archive in >image; mkfifo pipe
            $CLI make-root a --tmpfs --initramfs - <pipe >/dev/null & first=$!; exec 9>pipe
            until grep -q make-root /proc/self/mountinfo && ls -l /proc/$first/fd | grep -q make-root; do sleep 0.02; done
            $CLI make-root a {options} --initramfs image 2>&1 | grep -o 'EAGAIN (another.*'
            cat image >&9; exec 9>&-; wait $first; cat roots/a/x; stat -f -c %T roots/a; ls -A roots; umount roots/a"
        )))
        .prints("EAGAIN (another make-root is making it)\nx\ntmpfs\na");
    }
}

#[test]
fn of_two_that_begin_at_once_one_makes_the_root() {
    // The first is held up between its directory and the lock on that.
    root(&with_folder(
        "mkdir in; echo x >in/x; archive in >image; mkfifo pipe
        strace -qq -o /dev/null -e trace=flock -e inject=flock:delay_enter=2000000:when=1 $CLI make-root a --initramfs image >first 2>&1 & first=$!
        while ! test -e roots/.a.make-root; do sleep 0.02; done
        $CLI make-root a --initramfs - <pipe >second & second=$!; exec 9>pipe
        wait $first || grep -o 'EAGAIN (another.*' first; ls -A roots; cat image >&9; exec 9>&-; wait $second; ls -A roots; cat roots/a/x",
    ))
    .prints("EAGAIN (another make-root is making it)\n.a.make-root\na\nx");
}

#[test]
fn a_root_can_be_a_tmpfs_of_its_own() {
    let script = with_folder(
        "mkdir in; echo x >in/x; archive in >image; look() { stat -f -c %T roots/a; ls -A roots roots/a; }
        $CLI make-root a --initramfs image --tmpfs=1M >/dev/null; look
        $CLI make-root a --initramfs image --tmpfs --force >/dev/null; look
        $CLI make-root a --force && exit 1; look; umount roots/a; ls -A roots/a
        head -c 2M /dev/zero >in/big; archive in >image
        $CLI make-root b --initramfs image --tmpfs=1M && exit 1; ls -A roots; grep -c $D /proc/self/mountinfo || :",
    );
    let quoted = script.replace('\'', r"'\''");
    let outcome = root(&format!("unshare --mount bash -c '{quoted}'"));
    let look = "tmpfs\nroots:\na\n\nroots/a:\nx\n";
    assert_eq!(outcome.out, format!("{look}{look}{look}a\n0\n"), "{outcome:?}");
    assert!(outcome.err.contains("EBUSY (something is mounted there)"), "{outcome:?}");
    assert!(outcome.err.contains("write \"big\": ENOSPC"), "{outcome:?}");
    nobody(
        &with_folder("$CLI make-root a --tmpfs; ls -A roots; exit 125").replace("set -e", "set +e"),
    )
    .complains(125, &["mount tmpfs", "EPERM (--tmpfs needs root)"]);
}

#[test]
fn progress_is_for_a_terminal_only() {
    let script = with_folder(
        "mkdir in; head -c 2M /dev/urandom >in/x; archive in >image
        slow() { head -c 1M image; until test -e roots/.$1.make-root/x; do sleep 0.05; done; sleep 0.3; tail -c +1048577 image; }; export -f slow
        slow a | $CLI make-root a --initramfs - 2>&1 | grep -c $'\\r' || :
        SHELL=/bin/bash script -qec 'slow b | $CLI make-root b --initramfs - >/dev/null' /dev/null </dev/null | tr '\\r' '\\n' | grep -o '1 entry, .* in ' | head -n 1",
    );
    let outcome = root(&script).ends_with(0);
    // How much that is by then is a matter of how busy the machine is.
    assert!(outcome.out.starts_with("0\n1 entry, "), "{outcome:?}");
}

#[test]
fn a_root_with_something_mounted_in_it_is_not_replaced() {
    let script = with_folder(
        "mkdir -p roots/a/mnt precious; echo x >precious/x; mount --bind precious roots/a/mnt
        $CLI make-root a --force && exit 1; ls -A roots roots/a/mnt
        ln -s roots link; UNSHARED_ROOT=$D/link $CLI make-root a --force && exit 1; ls -A precious roots; umount roots/.a.make-root/mnt",
    );
    let script = script
        .replace("set -e;", "set -e; [ -n \"$IN\" ] || IN=1 exec unshare --mount bash \"$0\";");
    let script = format!("f=$(mktemp); cat >$f <<'END'\n{script}\nEND\nbash $f; rm $f");
    let outcome = root(&script);
    let looks = ["roots:\na\n\nroots/a/mnt:\nx\n", "precious:\nx\n\nroots:\n.a.make-root\na\n"];
    assert_eq!(outcome.out, looks.concat(), "{outcome:?}");
    assert!(outcome.err.contains("EBUSY (the new root is in its place; this is the old one)"));
    assert!(outcome.err.contains("EBUSY (something is mounted at \""), "{outcome:?}");
}

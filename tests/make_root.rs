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
        ("pipe", "archive in | gzip >real; exec <real; ln -s /dev/stdin image"),
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
    as_both(
        &with_folder(
            "for n in 1 2 3 4; do mkdir -p p$n/kernel; echo $n | tee p$n/kernel/$n >p$n/kernel/last; done
            { archive p1; head -c 1536 /dev/zero; archive p2; head -c 100 /dev/zero; archive p3 | gzip
              head -c 3 /dev/zero; { archive p4; head -c 512 /dev/zero; archive p1; } | gzip; head -c 9 /dev/zero; } |
            $CLI make-root a --initramfs - >/dev/null; cat roots/a/kernel/*; ls -A roots",
        ),
        |outcome| outcome.prints("1\n2\n3\n4\n1\na"),
    );
}

#[test]
fn one_stream_after_the_other_is_one_archive() {
    as_both(
        &with_folder(
            "mkdir in; echo x >in/x; archive in >image; { head -c 130 image | gzip; tail -c +131 image | gzip; } >both
            $CLI make-root a --initramfs both >/dev/null; cat roots/a/x",
        ),
        |outcome| outcome.prints("x"),
    );
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

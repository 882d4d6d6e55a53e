//! `pack`: roots that boot as they are.
use crate::common::boot::{End, Folder, Machine, release};
use crate::common::{nobody, root};

/// Begins a script with a root of busybox, named box, in a folder of its own.
const MAKE: &str = "D=$(mktemp -d /tmp/pack.XXXXXX); trap 'rm -rf $D' EXIT; chmod 755 $D; cd $D
    export UNSHARED_ROOT=$D; $CLI make-root box --bin busybox >/dev/null; B=$D/box
    ln $B/bin/busybox $B/bin/sh; mkfifo -m 600 $B/fifo; ln -s ../dangling $B/etc/link; ln -s /usr $B/u; ";

/// Prints what tells two trees apart.
const TREE: &str = "tree() { (cd $1; find . ! -path './init' -printf '%P %y %m %U:%G %n %l\\n' | sort; \
    find . -type f ! -path './init' -exec md5sum {} + | sort); }; ";

#[test]
fn what_is_packed_is_read_back_as_the_same_tree_and_the_same_bytes() {
    let script = format!(
        "{MAKE}{TREE}
        for how in gzip none; do
            $CLI pack box -o $how --compress $how | sed 's/[0-9]* bytes/N bytes/'; $CLI pack box -o again --compress $how >/dev/null
            cmp $how again && $CLI make-root back-$how --initramfs $how >/dev/null
            diff <(tree box) <(tree back-$how) && cmp $CLI back-$how/init && echo same
        done; gzip -t gzip && gzip -dc gzip | cmp - none; ls -A | tr '\\n' ' '"
    );
    let shape = "again back-gzip back-none box gzip none";
    let outcome = root(&script);
    assert!(
        outcome.out.contains("gzip: ") && outcome.out.ends_with(&format!("{shape} ")),
        "{outcome:?}"
    );
    assert_eq!(outcome.out.matches("same\n").count(), 2, "{outcome:?}");
    assert_eq!(outcome.err, "");
}

#[test]
fn files_are_not_newer_than_source_date_epoch_and_an_ordinary_users_are_roots() {
    let script = format!(
        "{MAKE} SOURCE_DATE_EPOCH=86400 $CLI pack box -o image --compress none >/dev/null
        cpio -tvn --quiet <image | awk '{{ print $3, $4, $7, $8 }}' | grep -v ' ->' | sort -u"
    );
    let outcome = nobody(&script);
    assert!(
        outcome.out.lines().all(|line| line.starts_with("0 0 ") && line.ends_with(" 1970")),
        "{outcome:?}"
    );
}

#[test]
fn what_cannot_be_packed_is_named_and_nothing_is_left() {
    for (words, part) in [
        ("no-such -o x", "look at "),
        ("box", "-o FILE is needed"),
        ("box -o x --exec a --services /b", "one of them"),
        ("box -o x --compress xz", "--compress \"xz\": gzip or none"),
        ("box -o /no/x", "make \"/no/.x."),
        (
            "box -o x --modules no-such --kernel $(ls /lib/modules | tail -n 1)",
            "no module \"no-such\"",
        ),
        ("box -o x --modules a --kernel 0", "modules.dep\": ENOENT"),
    ] {
        let outcome = root(
            &format!("{MAKE} $CLI pack {words}; s=$?; ls -A >&3; exit $s")
                .replace(">&3", "| tr '\\n' ' '"),
        );
        assert_eq!(outcome.out, "box ", "{words}");
        outcome.complains(125, &[part]);
    }
}

#[test]
fn a_packed_root_is_a_machine_with_its_words_and_modules() {
    let folder = Folder::new("packed");
    let script = format!(
        "cd {folder}; export UNSHARED_ROOT={folder}; $CLI make-root box --bin busybox >/dev/null; ln box/bin/busybox box/bin/sh
        $CLI pack box -o image --modules fs-squashfs,bridge --kernel {} \
            --cmdline 'unshared.hostname=packed unshared.on-exit=halt x.y=\"a b\"' \
            --exec 'PATH=/bin; set -e; busybox cat /etc/unshared/words; busybox hostname
                busybox ip link add b0 type bridge; busybox ls /sys/class/net' 2>&1 | tail -n 1",
        release()
    );
    let outcome = root(&script.replace("\n                ", "; "));
    assert!(outcome.out.starts_with("image: "), "{outcome:?}");
    Machine::packed(folder.path("image"))
        .boot("unshared.on-exit=poweroff")
        .ends(End::PowerOff)
        .says("unshared.hostname=packed\n")
        .says("x.y=a b\n")
        .says("\npacked\n")
        .says("b0")
        .says("payload has ended\n");
}

#[test]
fn erlang_is_a_machine_in_three_lines() {
    let folder = Folder::new("erlang");
    let script = format!(
        "cd {folder}; export UNSHARED_ROOT={folder}
        $CLI make-root app --bin erl --bin dirname --bin basename --add /usr/lib/erlang >/dev/null
        $CLI pack app -o app.img --exec \"erl -noshell -eval 'io:format(\\\"~s ~p~n\\\", [erlang:system_info(system_architecture), 6 * 7]), halt().'\""
    );
    let outcome = root(&script);
    assert!(outcome.out.starts_with("app.img: "), "{outcome:?}");
    Machine::packed(folder.path("app.img"))
        .boot("")
        .ends(End::PowerOff)
        .says("linux-gnu 42\n")
        .says("payload has ended\n");
}

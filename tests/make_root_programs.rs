//! make-root --bin, --add and --list: programs with all that they need.
use crate::common::{Outcome, has_erlang, nobody, root};

/// A script in a folder of its own, which is removed; `$R` is a root that is not there yet. `ldd` is
/// that of bash's libraries, for comparison only.
fn scripted(run: impl Fn(&str) -> Outcome, script: &str) -> Outcome {
    run(&format!(
        "export PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=xterm; unset LD_LIBRARY_PATH
         d=$(mktemp -d); chmod a+rx $d; cd $d; R=$d/root
         trap 'cd /; rm -rf $d' EXIT
         {script}"
    ))
}

fn as_root(script: &str) -> Outcome {
    scripted(root, script)
}

/// What the compiler makes of `int main(void) {...}` and of libraries.
const COMPILE: &str = r#"
    lib() { echo "int $2(void) { return $3; }" | gcc -shared -fPIC -Wl,-soname,$(basename $1) -o $1 -xc - "${@:4}"; }
    prog() { echo "int $2(void); int main(void) { return $2(); }" | gcc -o $1 -xc - "${@:3}"; }
"#;

/// That all that `ldd` names is in the list, and the other way round no library that it does not name,
/// but for those that the C library opens by itself, with what they need.
fn as_ldd_says(program: &str) {
    let script = format!(
        r#"p=$(readlink -f $(command -v {program})) || exit 0
        real() {{ while read -r f; do readlink -f "$f"; done | sort -u; }}
        ldd $p | grep -o '/[^ ]*' | real >ldd
        opened() {{ ls -d /lib/*/libnss_* /lib/*/libgcc_s* 2>/dev/null; }}
        opened | xargs -r ldd 2>/dev/null | grep -o '/[^ :]*' | cat - <(opened) | real >extra
        $CLI make-root $R --bin $p --list | cut -f1 | grep -v ' -> ' >all
        grep '\.so' all | real >ours
        comm -23 ldd ours | sed 's/^/not in the list: /'
        comm -13 ldd ours | comm -23 - extra | sed 's/^/not in ldd: /'
        grep -v '\.so\|terminfo' all | grep -vx $p
        test -s ours"#
    );
    as_root(&script).prints("");
}

#[test]
fn the_list_is_what_ldd_says() {
    for program in ["bash", "whoami", "/usr/bin/python3", "less", "ps", "ip", "strace", "gcc"] {
        as_ldd_says(program);
    }
}

#[test]
fn erlang_runs_in_a_root_that_was_made() {
    if has_erlang() {
        as_root(
            r#"$CLI make-root $R --bin erl --bin escript --bin dirname --bin basename \
                --add /usr/lib/erlang | grep -o '; .*'
            printf '#!/usr/bin/env escript\nmain(_) -> io:format("script~n").\n' >$R/s; chmod +x $R/s
            $CLI make-root $R --bin env >/dev/null; mknod $R/dev/null c 1 3
            unshare -m sh -c "mount -t proc proc $R/proc
                chroot $R erl -noshell -eval 'io:format(\"node~n\"), halt().'; chroot $R /s""#,
        )
        .prints("node\nscript");
    }
}

#[test]
fn erlangs_programs_are_as_ldd_says() {
    if !has_erlang() {
        return;
    }
    as_ldd_says("$(ls /usr/lib/erlang/erts-*/bin/beam.smp)");
    as_ldd_says("$(ls /usr/lib/erlang/erts-*/bin/erlexec)");
}

#[test]
fn programs_run_in_the_root_that_was_made() {
    as_root(
        "$CLI make-root $R --bin bash --bin whoami --bin ls >line
         grep -q \"^$R: [0-9]* files, [0-9]* links, [0-9]* bytes$\" line || cat line
         chroot $R /bin/bash -c 'whoami; ls -d /etc/passwd; test -L /lib64 -o -d /lib64'",
    )
    .prints("root\n/etc/passwd");
}

#[test]
fn an_ordinary_user_makes_a_root_too() {
    scripted(
        nobody,
        "export XDG_DATA_HOME=$d/data; $CLI make-root box --bin sh --bin id >line
         grep -q ^$d/data/unshared/box: line || cat line
         unset XDG_DATA_HOME; HOME=$d/home $CLI make-root box --bin id >line
         grep -q ^$d/home/.local/share/unshared/box: line || cat line
         UNSHARED_ROOT=$d/own $CLI make-root box --bin id >line
         grep -q ^$d/own/box: line || cat line
         $CLI spawn --user -- chroot data/unshared/box id -u",
    )
    .prints("0");
}

#[test]
fn a_program_that_may_not_be_read_is_named() {
    scripted(nobody, "cp /bin/true p; chmod 111 p; $CLI make-root $R --bin ./p")
        .complains(125, &["find program \"/tmp/", "/p\": EACCES"]);
}

#[test]
fn modes_times_and_owners_are_kept() {
    as_root(
        "mkdir -p tree/sub; echo text >tree/sub/file; mkfifo tree/pipe; ln -s sub/file tree/link
         chmod 4711 tree/sub/file; chmod 750 tree/sub; chown 12:34 tree/sub/file
         chmod 4711 tree/sub/file; touch -d 2001-02-03 tree/sub/file; touch -d 2002-03-04 tree/sub
         umask 077; $CLI make-root $R --add tree:/opt/tree --add $d/tree/sub/file >/dev/null
         show() { (cd $1; find . -printf '%p %y %m %U:%G %s %l %TY-%Tm-%Td\\n' | sort); }
         touch -r tree $R/opt/tree; diff <(show tree) <(show $R/opt/tree)
         cmp tree/sub/file $R/$d/tree/sub/file; stat -c %a $R $R/opt",
    )
    .prints("755\n755");
}

#[test]
fn runpath_rpath_and_origin_are_followed() {
    let script = [
        COMPILE,
        r#"mkdir -p a/lib b c
        lib a/lib/libone.so one 1; lib b/libtwo.so two 2; lib c/libdeep.so deep 3
        # What a library needs is not searched in the program's RUNPATH, but in its RPATH.
        echo 'int deep(void); int mid(void) { return deep(); }' |
            gcc -shared -fPIC -o b/libmid.so -xc - -Lc -ldeep
        prog a/origin one -La/lib -lone -Wl,--enable-new-dtags,-rpath,'$ORIGIN/lib'
        prog a/braces one -La/lib -lone -Wl,--disable-new-dtags,-rpath,'${ORIGIN}/../a/lib'
        prog a/plain two -Lb -ltwo -Wl,-rpath,$d/b
        prog a/rpath mid -Lb -lmid -Lc -Wl,--disable-new-dtags,-rpath,$d/b:$d/c
        prog a/runpath mid -Lb -lmid -Wl,-rpath-link,c -Wl,--enable-new-dtags,-rpath,$d/b:$d/c
        ln -s a/origin alias
        for p in a/origin a/braces a/plain a/rpath alias; do
            rm -rf $R; $CLI make-root $R --bin ./$p >/dev/null
            # glibc finds $ORIGIN in /proc/self/exe.
            unshare -m sh -c "mount -t proc proc $R/proc && exec chroot $R $d/$p"; echo $p $?
        done
        test ! -e $R/etc/passwd || readlink $R/$d/alias
        $CLI make-root $R --bin a/runpath --list | grep missing
        rm -rf $R; $CLI make-root $R --bin a/runpath 2>&1; echo $?; test ! -e $R"#,
    ]
    .concat();
    let outcome = as_root(&script).ends_with(0);
    let base = "a/origin 1\na/braces 1\na/plain 2\na/rpath 3\nalias 1\na/origin\nlibdeep.so\tmissing, for ";
    assert!(outcome.out.starts_with(base), "{outcome:?}");
    assert!(outcome.out.contains("unshared-cli: find library \"libdeep.so\": ENOENT (/tmp/"));
    assert!(outcome.out.ends_with("b/libmid.so needs it)\n125\n"), "{outcome:?}");
}

#[test]
fn a_missing_library_is_named_and_nothing_is_made() {
    let script = [
        COMPILE,
        "lib libgone.so gone 1; prog f gone -L. -lgone; rm libgone.so
         $CLI make-root $R --bin ./f; s=$?; test ! -e $R || echo made; exit $s",
    ]
    .concat();
    as_root(&script).complains(125, &["find library \"libgone.so\": ENOENT (", "/f needs it)"]);
}

#[test]
fn force_goes_on_without_it() {
    let script = [
        COMPILE,
        "lib libgone.so gone 1; prog f gone -L. -lgone; rm libgone.so
         $CLI make-root $R --bin ./f --bin sh --force | grep -o '; .*'; chroot $R /bin/sh -c 'echo ran'",
    ]
    .concat();
    as_root(&script).prints("; 1 missing (see --list)\nran");
}

#[test]
fn a_missing_loader_and_a_dangling_link_are_named() {
    let script = [
        COMPILE,
        "echo 'int main(void) {}' | gcc -o f -xc - -Wl,--dynamic-linker=/no/loader.so
         ln -s nowhere/f link; $CLI make-root $R --bin ./f; $CLI make-root $R --bin ./link",
    ]
    .concat();
    let outcome = as_root(&script).ends_with(125);
    assert!(outcome.err.contains("find loader \"/no/loader.so\": ENOENT ("), "{outcome:?}");
    assert!(outcome.err.contains("/f needs it)\n"), "{outcome:?}");
    assert!(outcome.err.contains("/link is a link to nowhere/f, which is not there)"));
}

#[test]
fn a_library_that_ld_so_conf_leads_to_is_found_in_the_root() {
    // The host's own configuration is in a mount namespace, where it can be another one.
    let script = [
        COMPILE,
        r#"mkdir conf; lib conf/libfar.so far 5; prog f far -Lconf -lfar
        echo $d/conf >extra.conf; echo "include $d/extra.*" >ld.so.conf
        unshare -m sh -c "mount --bind ld.so.conf /etc/ld.so.conf; $CLI make-root $R --bin ./f" >/dev/null
        chroot $R $d/f; echo $?"#,
    ]
    .concat();
    as_root(&script).prints("5");
}

#[test]
fn a_scripts_interpreter_and_its_interpreter_come_with_it() {
    as_root(
        "printf '#!/usr/bin/env inner\\n' >outer; printf '#! /bin/sh -e\\necho ran $1\\n' >inner
         chmod a+x outer inner; PATH=$d:$PATH
         $CLI make-root $R --bin outer >/dev/null
         chroot $R $d/outer 2>&1 | sed s,$d,D,",
    )
    .prints("ran D/outer");
    as_root(
        "printf '#!/no/interpreter\\n' >f; chmod +x f; $CLI make-root $R --bin ./f; s=$?
         test ! -e $R || echo made; exit $s",
    )
    .complains(125, &["find interpreter \"/no/interpreter\": ENOENT (", "/f needs it)"]);
}

#[test]
fn musl_programs_bring_their_own_loader() {
    let script = [
        COMPILE,
        "mkdir -p m/lib m/etc own; lib own/libm1.so m1 6; echo 'void x(void) {}' |
            gcc -shared -fPIC -nostdlib -o m/lib/ld-musl-x86_64.so.1 -xc -
         echo $d/own >m/etc/ld-musl-x86_64.path
         prog f m1 -Lown -lm1 -Wl,--dynamic-linker=$d/m/lib/ld-musl-x86_64.so.1
         $CLI make-root $R --bin ./f --list | cut -f1 | sed s,$d,D,",
    ]
    .concat();
    as_root(&script)
        .prints("D/f\nD/m/lib/ld-musl-x86_64.so.1\nD/m/etc/ld-musl-x86_64.path\nD/own/libm1.so");
}

#[test]
fn what_is_added_brings_its_libraries_and_stays_where_it_is_put() {
    let script = [
        COMPILE,
        r#"mkdir -p tree far; echo conf >app.conf; $CLI make-root $R --add app.conf:/etc/ >/dev/null
        cat $R/etc/app.conf; lib far/libx.so x 4; prog tree/f x -Lfar -lx -Wl,-rpath,$d/far
        lib far/liby.so y 4; prog tree/g y -Lfar -ly; echo data >tree/data
        $CLI make-root $R --add tree:/opt/t | grep -o '; .*'
        chroot $R /opt/t/f; echo $?; cat $R/opt/t/data
        $CLI make-root $R --add tree --list | grep liby | cut -d, -f1,2"#,
    ]
    .concat();
    as_root(&script)
        .prints("conf\n; 1 missing (see --list)\n4\ndata\nliby.so\tmissing, not essential");
}

#[test]
fn a_root_that_has_directories_where_the_host_has_links_works_too() {
    as_root(
        "mkdir -p $R/lib64 $R/lib/x86_64-linux-gnu $R/bin; echo keep >$R/bin/keep
         $CLI make-root $R --bin bash >/dev/null; test -d $R/bin -a ! -L $R/bin && cat $R/bin/keep
         chroot $R /bin/bash -c 'echo one'; chroot $R /usr/bin/bash -c 'echo two'
         rm -rf $R; mkdir -p $R/bin $R/lib; ln -s .. $R/usr; ln -s /lib $R/lib64
         $CLI make-root $R --bin bash >/dev/null; readlink $R/usr $R/lib64
         chroot $R /bin/bash -c 'echo three'",
    )
    .prints("keep\none\ntwo\n..\n/lib\nthree");
}

#[test]
fn nothing_is_written_through_a_link_out_of_the_root() {
    as_root(
        "mkdir $R out; ln -s $d/out $R/usr; ln -s ../out $R/etc; ln -s ../../../$d/out $R/opt
         echo data >f; $CLI make-root $R --bin sh --add f:/opt/f >/dev/null; echo $?
         ls out; chroot $R /bin/sh -c 'echo ran'",
    )
    .prints("0\nran");
}

#[test]
fn what_is_there_in_etc_is_left_alone() {
    as_root(
        "mkdir -p $R/etc; echo mine >$R/etc/passwd; ln -s /run/none $R/etc/resolv.conf
         $CLI make-root $R --bin true >/dev/null; cat $R/etc/passwd; readlink $R/etc/resolv.conf
         cd $R/etc; ls",
    )
    .prints("mine\n/run/none\ngroup\nhosts\nnsswitch.conf\npasswd\nresolv.conf");
}

#[test]
fn a_file_that_is_replaced_stays_with_who_has_it_open() {
    as_root(
        "$CLI make-root $R --bin sleep >/dev/null; chroot $R sleep 100 & sleep 0.2
         $CLI make-root $R --bin sleep >/dev/null; echo $?; kill $!; wait $!; find $R -name '.un*'",
    )
    .prints("0");
}

#[test]
fn nothing_half_made_stays_behind() {
    as_root(
        "mkdir $d/t; mount -t tmpfs -o size=300k none $d/t; $CLI make-root $d/t/new --bin bash
         s=$?; ls -A $d/t; umount $d/t; exit $s",
    )
    .complains(125, &["copy \"/usr/", "into the root: ENOSPC"]);
}

#[test]
fn a_list_writes_nothing_and_says_why() {
    let outcome = as_root("$CLI make-root $R --list --bin less; test ! -e $R").ends_with(0);
    assert!(outcome.out.starts_with("/usr/bin/less\n"), "{outcome:?}");
    assert!(outcome.out.contains("libc.so.6\tfor /usr/bin/less\n"), "{outcome:?}");
    assert!(outcome.out.contains("terminfo/x/xterm\tfor /usr/bin/less\n"), "{outcome:?}");
}

#[test]
fn a_wrong_command_line_is_explained() {
    for (arguments, part) in [
        ("", "a type of root is needed (see: unshared-cli help make-root)"),
        ("a b", "one type of root is enough: \"b\""),
        ("a --bin", "--bin needs a value"),
        ("a --bin ''", "--bin \"\": an empty value"),
        ("a --what", "there is no option \"--what\""),
        ("a/b", "is no name of a root"),
        ("/tmp/x --bin no-such-program", "it is in no directory of PATH"),
        ("/tmp/x --bin /etc", "EISDIR"),
        ("/tmp/x --add /no/such", "add \"/no/such\": ENOENT"),
    ] {
        root(&format!("$CLI make-root {arguments}")).complains(125, &[part]);
    }
    assert!(root("$CLI help make-root").ends_with(0).out.contains("--add PATH[:DST]"));
}

//! Images that are damaged, or made to do damage: a clear error, nothing touched outside of the root, and
//! no half-made root.
use crate::common::{Outcome, nobody, root};

/// Writes an image by Python: `e` an entry, `l` a symbolic link, `end` the trailer. `$D/outside` has a
/// victim; `D` is known to Python too.
fn forged(python: &str, shell: &str) -> String {
    format!(
        r#"set -e; umask 022; D=$(mktemp -d); export D; trap 'chmod -R u+rwx $D; rm -rf $D' EXIT
        export UNSHARED_ROOT=$D/roots; cd $D; mkdir outside roots; echo victim >outside/victim
        python3 - >image <<'END'
import os, sys
D, out = os.environ["D"], sys.stdout.buffer
def e(name, mode=0o100644, data=b"", nlink=1, ino=1, size=None, length=None, magic=b"070701", check=0, rdev=(0, 0)):
    name = name.encode() + b"\0"
    fields = [ino, mode, 0, 0, nlink, 0, len(data) if size is None else size, 0, 0, *rdev]
    fields += [len(name) if length is None else length, check]
    head = magic + b"".join(b"%08X" % field for field in fields) + name
    out.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))
def l(name, target): e(name, 0o120777, target.encode())
def end(): e("TRAILER!!!", 0)
{python}
END
        outside() {{ echo outside: $(ls -A outside) $(cat outside/victim); }}
        {shell}"#
    )
}

/// Makes a root of the image as root and as an ordinary user, by openat2(2) and without.
fn unpacked(python: &str, shell: &str, check: impl Fn(Outcome)) {
    let make = "make-root a --initramfs image >/dev/null";
    let script = |make: &str| forged(python, &format!("{make}; {shell}; outside"));
    let without = "strace -f -qq -o /dev/null -e trace=openat2 -e inject=openat2:error=ENOSYS";
    for make in [format!("$CLI {make}"), format!("{without} $CLI {make}")] {
        check(root(&script(&make)));
        check(nobody(&script(&make)));
    }
}

/// Fails unless that image is refused, with a line that has all these parts, and leaves nothing.
fn refused(python: &str, make: &str, parts: &[&str]) {
    let script = forged(python, &format!("{make} >said && exit 1; ls -A roots; outside"));
    for outcome in [root(&script), nobody(&script)] {
        assert_eq!(outcome.out, "outside: victim victim\n", "{python}: {outcome:?}");
        assert_eq!(outcome.err.lines().count(), 1, "{python}: {outcome:?}");
        for part in parts {
            assert!(outcome.err.contains(part), "{part:?} is not in {outcome:?}");
        }
    }
}

const MAKE: &str = "$CLI make-root a --initramfs image";

#[test]
fn links_on_the_way_lead_to_places_inside() {
    for (target, place) in [
        ("usr/bin", "usr/bin"),
        ("/usr/bin", "usr/bin"),
        ("../../../../../..", "."),
        ("..", "."),
        ("/outside", "outside"),
        ("sub/../../outside", "outside"),
    ] {
        unpacked(
            &format!(
                "e('sub', 0o40755); l('link', '{target}'); e('link/file', data=b'new'); end()"
            ),
            &format!("cat roots/a/{place}/file; echo"),
            |outcome| outcome.prints("new\noutside: victim victim"),
        );
    }
    unpacked(
        "l('link', D + '/outside'); e('link/victim', data=b'new'); end()",
        "cat roots/a$D/outside/victim; echo",
        |outcome| outcome.prints("new\noutside: victim victim"),
    );
}

#[test]
fn what_is_in_the_way_is_replaced_and_never_written_through() {
    for (python, file) in [
        ("l('f', D + '/outside/victim'); e('f', data=b'new')", "f"),
        ("l('f', D + '/outside'); e('f', 0o40755); e('f/victim', data=b'new')", "f/victim"),
        ("l('f', '../../outside/victim'); e('f', data=b'new')", "f"),
        ("e('f', 0o40755); e('f', data=b'new')", "f"),
        ("e('f', data=b'old'); e('f', data=b'new')", "f"),
        ("e('f', 0o10644); e('f', data=b'new')", "f"),
        ("e('f', nlink=2); l('f', D + '/outside/victim'); e('g', nlink=2, data=b'new')", "g"),
        (
            "e('f', nlink=2); e('g', nlink=2); l('g', D + '/outside/victim'); e('g', nlink=2, data=b'new')",
            "f",
        ),
        ("l('f', D + '/outside/victim'); e('f', nlink=2); e('g', nlink=2, data=b'new')", "f"),
        ("e('f', nlink=2); e('f', 0o20666, rdev=(1, 3)); e('g', nlink=2, data=b'new')", "g"),
        ("e('/f', data=b'new')", "f"),
        ("e('//f', data=b'new'); e('.', 0o40755)", "f"),
    ] {
        unpacked(
            &format!("{python}; end()"),
            &format!("test -f roots/a/{file}; cat roots/a/{file}; echo"),
            |outcome| outcome.prints("new\noutside: victim victim"),
        );
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (python, parts) in [
        ("e('../outside/x')", &["\"../outside/x\"", "\"..\" in it"][..]),
        ("e('a/../../outside/victim', data=b'x')", &["\"..\" in it"]),
        ("l('l', 'l'); e('l/x')", &["make file \"l/x\": ELOOP"]),
        ("e('f'); e('f/x')", &["make file \"f/x\": ENOTDIR"]),
        ("e('d', 0o40755); e('d/x'); e('d')", &["make file \"d\": ENOTEMPTY"]),
        ("e('.', data=b'x')", &["make file \"\": EISDIR"]),
        ("e('x', length=0xffffffff)", &["entry 1: a name of 4294967295 bytes"]),
        ("e('x', length=0)", &["entry 1: a name of 0 bytes"]),
        ("e('x', length=1)", &["entry 1: a name without its zero byte"]),
        ("e('x' * 4095); end()", &["ENAMETOOLONG"]),
        ("e('x', size=0xffffffff)", &["it is more than 4.2 GB (make-root --max-size allows more)"]),
        ("e('x', size=0x7fffffff)", &["truncated (it ends within \"x\")"]),
        ("e('x', 0o120777, size=0x7fffffff)", &["\"x\" is a link to a name of 2147483647 bytes"]),
        ("e('x', 0)", &["\"x\": mode 0 is that of no type of file"]),
        ("e('x', magic=b'070707')", &["entry 1: another cpio format; make it by cpio -H newc"]),
        ("e('x'); out.write(b'0123' * 30)", &["entry 2: no cpio header where one is due"]),
        (
            "out.write(b'070701' + b'g' * 200)",
            &["entry 1: a field of its header is not hexadecimal"],
        ),
        (
            "e('x', data=b'abc', magic=b'070702', check=1); end()",
            &["\"x\": broken data (its checksum is another)"],
        ),
        (
            "out.write(b'hello world')",
            &["neither a cpio archive nor compressed", "68 65 6c 6c 6f 20"],
        ),
        ("e('x'); end(); out.write(b'\\0\\0hello')", &["neither a cpio archive"]),
        ("out.write(b'\\x89LZO\\0\\r\\n')", &["compressed by lzo, which is not supported"]),
        ("out.write(b'\\x04\\x22\\x4d\\x18aaaa')", &["lz4 -l"]),
        ("pass", &["there is nothing in it"]),
        ("end()", &["there is nothing in it"]),
    ] {
        refused(python, MAKE, parts);
    }
    refused("pass", "$CLI make-root a --initramfs outside", &["read \"outside\": EISDIR"]);
    refused("pass", "$CLI make-root a --initramfs none", &["open \"none\": ENOENT"]);
}

#[test]
fn an_image_that_is_cut_off_or_damaged_is_an_error_in_every_format() {
    let python =
        "e('d', 0o40755); e('d/f', data=os.urandom(9000)); e('d/g', data=b'x' * 9000); end()";
    for tool in ["cat", "gzip", "zstd -q", "xz", "xz --format=lzma", "lz4 -q -l"] {
        let script = format!(
            "{tool} <image >whole; size=$(wc -c <whole)
            for at in 1 2 7 50 300 5000 $((size / 2)) $((size - 5)) $((size - 1)); do
                if [ $at -lt $size ]; then
                    head -c $at whole | $CLI make-root a --initramfs - 2>>said >/dev/null && echo cut off at $at: whole
                    ls -A roots; wc -l <said >>lines; rm said
                fi
            done
            uniq lines; outside"
        );
        let script = forged(python, &script);
        // What ends .lzma data may be missing a byte or more, and all that is in it be there; it has
        // no checksum either.
        let script = match tool {
            "xz --format=lzma" => script.replace(" $((size - 5)) $((size - 1))", ""),
            _ => script,
        };
        // lz4 does not say where its data ends: what is missing is the archive's trailer.
        root(&script).prints("1\noutside: victim victim");
        if tool != "cat" && !tool.starts_with("lz4") && !tool.ends_with("lzma") {
            let script = "PACK <image | python3 -c 'import sys; b = bytearray(sys.stdin.buffer.read()); b[5000] ^= 64; sys.stdout.buffer.write(b)' >bad; mv bad image; $CLI make-root a --initramfs image";
            refused(python, &script.replace("PACK", tool), &["unpack \"image\": broken"]);
        }
    }
}

#[test]
fn what_unpacks_to_too_much_is_stopped() {
    let big = "e('f', size=120 << 20); out.write(bytes(120 << 20)); end()";
    let stopped = "unpack \"image\": it is more than 104 MB (make-root --max-size allows more)";
    for tool in ["cat", "gzip -1", "zstd -q", "xz -0", "lz4 -q -l"] {
        let make = format!("{tool} <image >packed; mv packed image; {MAKE} --max-size 100M");
        refused(big, &make, &[stopped]);
    }
    for tool in ["cat", "gzip -1", "zstd -q"] {
        let make = format!("head -c 120M /dev/zero | {tool} >image; {MAKE} --max-size 100M");
        refused("pass", &make, &[stopped]);
    }
    let many = "for number in range(2000): e('f%d' % number)\nend()";
    refused(many, &format!("{MAKE} --max-size 1M"), &["it is more than 1.0 MB"]);
}

#[test]
fn memory_stays_small_however_large_the_image_is() {
    let big = "part = os.urandom(1 << 18) * 16\nfor number in range(24): e('f%d' % number, data=part)\nend()";
    for tool in ["cat", "gzip -1", "zstd -q -19 --long=22", "xz -1", "lz4 -q -l"] {
        let script = format!(
            "{tool} <image >packed; ulimit -v 65536; $CLI make-root a --initramfs packed >/dev/null; cat roots/a/* | wc -c"
        );
        root(&forged(big, &script)).prints("100663296");
    }
    refused(
        "e('f', data=os.urandom(1 << 20)); end()",
        "zstd -q --long=27 <image >packed; mv packed image; $CLI make-root a --initramfs image",
        &["zstd data with a window of 128 MB (32 MB are allowed"],
    );
    refused(
        "e('f', data=os.urandom(1 << 20)); end()",
        "xz --lzma2=dict=200MiB <image >packed; mv packed image; $CLI make-root a --initramfs image",
        &["xz data with a window of more than 64 MB"],
    );
}

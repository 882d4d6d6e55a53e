use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Made(BTreeMap<&'static str, Vec<u8>>);

impl Files for Made {
    fn contents(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.get(std::str::from_utf8(path).ok()?).cloned()
    }
    fn names(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        let prefix = [trim_slashes(directory), b"/"].concat();
        let names = self.0.keys().filter_map(|path| path.as_bytes().strip_prefix(&prefix[..]));
        names.filter(|name| !name.contains(&b'/')).map(<[u8]>::to_vec).collect()
    }
}

fn configured_by(files: &[(&'static str, &str)]) -> Vec<String> {
    let files = files.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())).collect();
    let found = configured(&Made(files));
    found.into_iter().map(|path| String::from_utf8(path).unwrap()).collect()
}

const AMD64: Kind = Kind { wide: true, big: false, machine: 62 };

#[test]
fn includes_are_read_in_their_place_and_sorted() {
    let found = configured_by(&[
        (
            "/etc/ld.so.conf",
            "/first\ninclude ld.so.conf.d/*.conf # all\n\n/last/=libc6\nhwcap 1 x\n",
        ),
        ("/etc/ld.so.conf.d/b.conf", "/b\n/first\n"),
        ("/etc/ld.so.conf.d/a.conf", "  /a  \n# /none\nrelative\n"),
        ("/etc/ld.so.conf.d/.hidden.conf", "/hidden\n"),
        ("/etc/ld.so.conf.d/a.other", "/other\n"),
    ]);
    assert_eq!(found, ["/first", "/a", "/b", "/last"]);
}

#[test]
fn a_file_that_includes_itself_comes_to_an_end() {
    let text = "/one\ninclude /etc/*\ninclude /etc/ld.so.conf\n";
    assert_eq!(configured_by(&[("/etc/ld.so.conf", text)]), ["/one"]);
}

/// Every directory has two hundred names, and every file includes everything.
#[derive(Default)]
struct Endless(std::cell::Cell<usize>);

impl Endless {
    fn count(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Files for Endless {
    fn contents(&self, _path: &[u8]) -> Option<Vec<u8>> {
        self.count();
        Some(b"include /*/*/* /*/*/*\n".repeat(100))
    }
    fn names(&self, _directory: &[u8]) -> Vec<Vec<u8>> {
        self.count();
        (0..200).map(|number: u32| number.to_string().into_bytes()).collect()
    }
}

#[test]
fn files_that_include_everything_are_not_all_looked_at() {
    let files = Endless::default();
    assert!(configured(&files).is_empty());
    assert_eq!(files.0.get(), MOST_LOOKS);
}

#[test]
fn patterns_match_as_those_of_the_shell() {
    for (pattern, name, expected) in [
        ("*.conf", "a.conf", true),
        ("*.conf", "a.confx", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("?", "", false),
        ("[a-c]x", "bx", true),
        ("[!a-c]x", "bx", false),
        ("[]]", "]", true),
        ("[a", "[a", true),
        ("\\*", "*", true),
        ("\\*", "x", false),
        ("**", "", true),
    ] {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
    }
}

#[test]
fn the_built_in_directories_follow_class_and_machine() {
    let text = |kind| {
        let list = built_in(kind).into_iter().map(|path| String::from_utf8(path).unwrap());
        list.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        text(AMD64),
        "/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /lib64 /usr/lib64 /lib /usr/lib"
    );
    assert_eq!(
        text(Kind { wide: false, big: false, machine: 3 }),
        "/lib/i386-linux-gnu /usr/lib/i386-linux-gnu /lib32 /usr/lib32 /lib /usr/lib"
    );
    assert_eq!(
        text(Kind { wide: true, big: true, machine: 9999 }),
        "/lib64 /usr/lib64 /lib /usr/lib"
    );
}

#[test]
fn musl_has_a_file_of_its_own() {
    assert_eq!(
        musl_file(b"/lib/ld-musl-x86_64.so.1").as_deref(),
        Some(&b"/etc/ld-musl-x86_64.path"[..])
    );
    assert_eq!(
        musl_file(b"/opt/m/lib/ld-musl-arm.so.1").as_deref(),
        Some(&b"/opt/m/etc/ld-musl-arm.path"[..])
    );
    assert_eq!(musl_file(b"/lib64/ld-linux-x86-64.so.2"), None);
    assert_eq!(musl_directories(Some(b"/a:/b/\n/c\n")), [b"/a", b"/b", b"/c"]);
    assert_eq!(musl_directories(None).len(), 3);
}

proptest! {
    #[test]
    fn no_text_makes_it_fail(text in "(include|/|\\*|\\[|[a-z\n #=\\\\!-]){0,60}", other: Vec<u8>) {
        let text = text.into_bytes();
        let files = [("/etc/ld.so.conf", text), ("/etc/x.conf", other.clone())];
        configured(&Made(files.into_iter().collect()));
        musl_directories(Some(&other));
        musl_file(&other);
    }

    #[test]
    fn no_pattern_takes_long(pattern in "[*a?\\[\\]b-]{0,40}", name in "[ab]{0,60}") {
        matches(pattern.as_bytes(), name.as_bytes());
    }

    #[test]
    fn a_name_without_special_bytes_matches_itself_only(name in "[a-z.]{0,9}", other in "[a-z.]{0,9}") {
        prop_assert!(matches(name.as_bytes(), name.as_bytes()));
        prop_assert_eq!(matches(name.as_bytes(), other.as_bytes()), name == other);
    }
}

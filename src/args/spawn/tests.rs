use super::*;
use proptest::prelude::*;
use std::ffi::CString;

/// What follows on `spawn`, read.
fn read(words: &[&str]) -> Result<Spec, Error> {
    let words = words.iter().map(|word| CString::new(*word).unwrap()).collect();
    match parse(crate::sys::arguments(words))? {
        Request::Spawn(spec) => Ok(*spec),
        _ => panic!("help was asked for"),
    }
}

fn command(spec: &Spec) -> Vec<&str> {
    spec.command.unwrap().map(|word| word.to_str().unwrap()).collect()
}

/// Every option that has one value, with one that it takes.
const VALUES: [(&str, &str); 14] = [
    ("--map-users", "0:1000:1"),
    ("--map-groups", "0:1000:1"),
    ("--monotonic", "5"),
    ("--boottime", "-5"),
    ("--hostname", "box"),
    ("--domainname", "net"),
    ("--cwd", "/usr"),
    ("--uid", "7"),
    ("--gid", "7"),
    ("--root", "/srv/root"),
    ("--bind", "/a:/b:ro"),
    ("--tmpfs", "/tmp:1m"),
    ("--keep-fd", "5"),
    ("--env", "A=1"),
];

proptest! {
    #[test]
    fn no_words_make_the_reader_fail(words in proptest::collection::vec(
        prop_oneof![
            "[^\0]{0,9}",
            "--?[a-z-]{0,9}(=[^\0]{0,3})?",
            proptest::sample::select(
                help::text("spawn", "all").unwrap().split_ascii_whitespace()
                    .map(ToOwned::to_owned).collect::<Vec<_>>(),
            ),
        ],
        0..9,
    )) {
        let words = words.into_iter().map(|word| CString::new(word).unwrap()).collect();
        if let Err(error) = parse(crate::sys::arguments(words)) {
            prop_assert_eq!(error.code(), crate::error::FAILED);
            prop_assert!(!error.message().contains('\n'));
        }
    }

    #[test]
    fn the_command_is_what_follows_on_two_dashes_whatever_it_is(
        words in proptest::collection::vec("[^\0]{0,5}|--?[a-z]{0,5}", 1..5),
    ) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let spec = read(&[&["--pid", "--env", "A=1", "--"][..], &words].concat()).unwrap();
        prop_assert_eq!(command(&spec), words);
    }

    #[test]
    fn the_command_begins_at_the_first_word_that_is_no_option(
        word in "[^-\0][^\0]{0,5}", rest in proptest::collection::vec("[^\0]{0,5}", 0..4),
    ) {
        // A "--" ends the options, wherever it is.
        prop_assume!(rest.iter().all(|word| word != "--"));
        let words: Vec<&str> = [&word].into_iter().chain(&rest).map(String::as_str).collect();
        let spec = read(&[&["-p", "--uid=3"][..], &words].concat()).unwrap();
        prop_assert_eq!(command(&spec), words);
    }

    #[test]
    fn the_order_of_options_means_nothing(
        chosen in proptest::sample::subsequence(VALUES.to_vec(), 0..VALUES.len()).prop_shuffle(),
    ) {
        let words = |options: &[(&'static str, &'static str)]| {
            let options = options.iter().flat_map(|(name, value)| [*name, *value]);
            options.chain(["--", "true"]).collect::<Vec<_>>()
        };
        let mut ordered = chosen.clone();
        ordered.sort_unstable();
        let same = |one: &Spec, other: &Spec| {
            let parts = |spec: &Spec| (
                spec.namespaces, spec.map_users.clone(), spec.map_groups.clone(), spec.monotonic,
                spec.boottime, spec.hostname.clone(), spec.domainname.clone(), spec.cwd.clone(),
                spec.uid, spec.gid, spec.root.clone(),
            );
            parts(one) == parts(other)
        };
        prop_assert!(same(&read(&words(&chosen)).unwrap(), &read(&words(&ordered)).unwrap()));
    }
}

#[test]
fn a_value_is_the_next_word_or_follows_at_once() {
    for (name, value) in VALUES {
        let apart = read(&[name, value, "--", "true"]).unwrap();
        let attached = read(&[&format!("{name}={value}"), "--", "true"]).unwrap();
        assert_eq!(apart.namespaces, attached.namespaces, "{name}");
        let twice = read(&[name, value, name, value, "--", "true"]);
        let repeatable = matches!(
            name,
            "--map-users" | "--map-groups" | "--bind" | "--tmpfs" | "--keep-fd" | "--env"
        );
        let refused = twice.err().map(|error| error.message()).unwrap_or_default();
        assert_eq!(refused.is_empty(), repeatable, "{name}: {refused}");
    }
}

/// All that the options can set, but the command, as a text.
fn shown(spec: &Spec) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        spec.namespaces,
        spec.persist,
        spec.map,
        spec.map_users,
        spec.map_groups,
        spec.root,
        spec.mounts,
        spec.preexec,
        spec.expressions,
        spec.monotonic,
        spec.boottime,
        spec.hostname,
        spec.variables,
        spec.cwd,
        spec.uid,
        spec.keep_fds,
        spec.name,
        command(spec),
    )
}

/// What `--dump-config` writes.
fn dumped(words: &[&str]) -> String {
    let words = words.iter().map(|word| CString::new(*word).unwrap()).collect();
    match parse(crate::sys::arguments(words)).unwrap() {
        Request::Dump(text) => String::from_utf8(text).unwrap(),
        _ => panic!("no dump"),
    }
}

/// A file with that text, for as long as it is needed.
struct Written(std::path::PathBuf);

impl Written {
    fn new(text: &str) -> Written {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("unshared-config.{}.{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Written(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

proptest! {
    #[test]
    fn what_is_dumped_is_read_to_the_same_spec(
        chosen in proptest::sample::subsequence(VALUES.to_vec(), 0..VALUES.len()).prop_shuffle(),
        flags in proptest::sample::subsequence(
            vec!["--pid", "-mu", "-U", "--net=/a b", "-r", "--exec=echo 'x'", "--preexec=a\nb", "-v"],
            0..8,
        ).prop_shuffle(),
        attached: bool,
        rest in proptest::collection::vec("[^\0]{1,5}", 1..4),
    ) {
        let options = chosen.iter().flat_map(|(name, value)| match attached {
            true => vec![format!("{name}={value}")],
            false => vec![(*name).to_owned(), (*value).to_owned()],
        });
        let options: Vec<String> = options.chain(flags.into_iter().map(str::to_owned)).collect();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let direct = read(&[&options[..], &["--"], &rest].concat()).unwrap();
        let text = dumped(&[&options[..], &["--dump-config", "--"], &rest].concat());
        let file = Written::new(&text);
        let again = read(&["--config", file.path()]).unwrap();
        prop_assert_eq!(shown(&again), shown(&direct));
        prop_assert_eq!(dumped(&["--config", file.path(), "--dump-config"]), text);
    }
}

#[test]
fn the_command_line_has_the_last_word() {
    let file = Written::new("--hostname box\n--env A=1\n-- sh -c 'a b'\n");
    let spec = read(&["--hostname=other", "--config", file.path(), "--env", "A=2"]).unwrap();
    assert_eq!(spec.hostname.as_deref(), Some(c"other"));
    assert_eq!(spec.variables, [c"A=1".to_owned(), c"A=2".to_owned()]);
    assert_eq!(command(&spec), ["sh", "-c", "a b"]);
    let spec = read(&["--config", file.path(), "true"]).unwrap();
    assert_eq!(command(&spec), ["true"]);
    let dump = dumped(&["--config", file.path(), "--dump-config", "--hostname", "x", "--", "y"]);
    assert_eq!(dump, "--env A=1\n--hostname x\n-- y\n");
    let twice = read(&["--config", file.path(), "--hostname", "x", "--hostname", "y"]);
    assert!(twice.err().unwrap().message().starts_with("--hostname is given twice"));
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_line() {
    for (text, problem) in [
        (
            "--pid\n\n--hostnam x\n",
            ":3: there is no option \"--hostnam\" (did you mean --hostname?",
        ),
        ("--uid x\n", ":1: --uid \"x\": an id is"),
        ("--uid 1\n--uid 2\n", ":2: --uid is given twice"),
        ("pid\n", ":1: a line has one option"),
        ("--pid now\n", ":1: a line has one option"),
        ("--help\n", ":1: a line has one option"),
        ("-- a\n--pid\n-- b\n", ":3: the command is given twice"),
        ("--\n", ":1: no command after"),
        ("--cwd\n", ":1: --cwd needs a value"),
        ("--cwd 'x\n", ":1: a quotation mark"),
        ("--config x\n", ":1: --config and --dump-config are for"),
    ] {
        let file = Written::new(text);
        let error = read(&["--config", file.path(), "true"]).err().unwrap().message();
        let expected = format!("{}{problem}", file.path());
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = read(&["--config", "/no/such", "true"]).err().unwrap().message();
    assert_eq!(error, "read \"/no/such\": ENOENT");
}

use super::*;
use proptest::prelude::*;

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
            prop_assert_eq!(error.code, crate::error::FAILED);
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

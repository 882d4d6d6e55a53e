use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Every command but init, and its options; forkn and help have none, and take any word.
#[cfg(all(feature = "machine", feature = "network"))]
const COMMANDS: [(&str, &str); 22] = [
    ("spawn", spawn::options::NAMES),
    ("exec", instances::EXEC),
    ("attach", instances::EXEC),
    ("list", instances::LIST),
    ("inspect", ""),
    ("logs", instances::LOGS),
    ("signal", ""),
    ("stop", instances::STOP),
    ("wait", ""),
    ("link", ""),
    ("gc", ""),
    ("make-root", make_root::OPTIONS),
    ("get-root", ""),
    ("pack", pack::OPTIONS),
    ("initnetns", network::OPTIONS),
    ("destroynetns", ""),
    ("service", service::OPTIONS),
    ("modprobe", machine::MODPROBE),
    ("poweroff", machine::END),
    ("reboot", machine::END),
    ("halt", machine::END),
    ("doctor", DOCTOR),
];

/// What a help text says of an option, `-o, --output FILE`, as a table has it: `o|output=`.
fn entry(row: &str) -> String {
    let names: Vec<&str> = row.split(", ").collect();
    let (last, before) = names.split_last().unwrap();
    let (name, kind) = match last.split_once(' ') {
        Some((name, value)) => (name, if value == "WORD..." { "+" } else { "=" }),
        None => last.split_once("[=").map_or((*last, ""), |(name, _)| (name, "?")),
    };
    let letters: String =
        before.iter().map(|letter| format!("{}|", letter.trim_start_matches('-'))).collect();
    format!("{letters}{}{kind}", name.trim_start_matches('-'))
}

#[test]
#[cfg(all(feature = "machine", feature = "network"))]
fn the_help_has_the_options_that_are_read_and_no_others() {
    for (command, options) in COMMANDS {
        let text = help::text(command, "all").unwrap();
        // The first page of spawn has some of them in short.
        let text = text.split_once("\nspawn, ").map_or(text.as_str(), |(_, topics)| topics);
        let rows = text.lines().filter_map(|line| line.strip_prefix("  "));
        let rows = rows.filter(|row| row.starts_with('-'));
        let said: BTreeSet<String> =
            rows.map(|row| entry(row.split("  ").next().unwrap())).collect();
        // A file of it is refused, and that is explained.
        let options = options.replace("p|pid?", "p|pid");
        let read: BTreeSet<String> = options.split_ascii_whitespace().map(str::to_owned).collect();
        assert_eq!(read, said, "{command}");
    }
    let listed = |name: &&str| COMMANDS.iter().any(|(command, _)| command == name);
    let missing: Vec<&str> = help::commands().filter(|name| !listed(name)).collect();
    assert_eq!(missing, ["forkn", "help", "", "init"]);
}

/// What is taken in of those words: each option with its value, and the words that are none.
fn taken(options: &'static str, words: &[&str]) -> Result<Vec<String>, String> {
    let words = words.iter().map(|word| CString::new(*word).unwrap()).collect();
    let mut words = Words::new("x", crate::sys::arguments(words));
    let mut taken = Vec::new();
    while let Some(name) = words.next(options).map_err(|error| error.message())? {
        let value = words.optional_value().map(|value| value.to_str().unwrap());
        taken.push(match value {
            Some(value) => format!("{name}:{value}"),
            None => name.to_owned(),
        });
    }
    if words.wants_help {
        taken.push("help".to_owned());
    }
    Ok(taken)
}

#[test]
fn words_are_taken_apart_as_by_getopt() {
    let options = "a o|output= net? n|nets? exec+ w=";
    for (words, expected) in [
        (&["-a", "x", "-"][..], &["a", ":x", ":-"][..]),
        (
            &["-aofile", "-o", "-a", "-o=x", "-o", ""],
            &["a", "output:file", "output:-a", "output:x", "output:"],
        ),
        (&["--output=a=b", "--output", "--a"], &["output:a=b", "output:--a"]),
        (
            &["--net", "x", "--net=", "--nets=y", "-na"],
            &["net", ":x", "net:", "nets:y", "nets", "a"],
        ),
        (&["--exec", "a", "b", "-", "-a"], &["exec:a b -", "a"]),
        (&["--exec=a", "b", "-w1", "--", "-a", "--"], &["exec:a", ":b", "w:1", ":-a", ":--"]),
        (&["-an=1=2", "-n="], &["a", "nets", "nets:1=2", "nets", "nets:"]),
        (&["-ah", "--none"], &["a", "help"]),
        (&["x", "--help"], &[":x", "help"]),
    ] {
        let expected = expected.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(taken(options, words), Ok(expected), "{words:?}");
    }
    for (words, expected) in [
        (&["-a=1"][..], "--a takes no value"),
        (&["-an=1", "-a=1"], "-a takes no value"),
        (&["--help=x"], "--help takes no value"),
        (&["-w"], "-w needs a value"),
        (&["-o", "--", "x"], "--output needs a value"),
        (&["--exec", "-a"], "--exec needs a value"),
        (&["--w", "1"], "there is no option \"--w\""),
        (&["--=1"], "there is no option \"--\""),
        (&["--outpu", "1"], "there is no option \"--outpu\""),
        (&["-aé"], "there is no option \"-é\""),
    ] {
        let problem = taken(options, words).unwrap_err();
        let expected = expected.replace("--a ", "-a ");
        assert!(problem.starts_with(&expected), "{words:?}: {problem}");
    }
}

proptest! {
    #[test]
    fn no_words_make_the_reader_fail(
        command in proptest::sample::select(help::commands().collect::<Vec<_>>()),
        words in proptest::collection::vec(
            prop_oneof![
                "[^\0]{0,9}",
                "--?[a-z-]{0,9}(=[^\0]{0,3})?",
                proptest::sample::select(
                    "a b:1 10.0.0.2/24 5 -q --json --grace --force -o --exec --".split(' ').collect::<Vec<_>>(),
                ).prop_map(str::to_owned),
            ],
            0..6,
        ),
    ) {
        let words = words.into_iter().map(|word| CString::new(word).unwrap()).collect();
        if let Err(error) = parse_other(command.as_bytes(), crate::sys::arguments(words)) {
            prop_assert!(!error.message().contains('\n'));
        }
    }
}

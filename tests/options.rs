//! The command line: what is refused, and what is taken as it is.
use crate::common::{nobody, root};

#[test]
fn without_arguments_usage_goes_to_standard_output() {
    let outcome = root("$CLI").ends_with(0);
    assert!(outcome.out.starts_with("Usage: unshared-cli"), "{outcome:?}");
    assert_eq!(outcome.err, "");
}

#[test]
fn help_and_version_are_printed_and_fit_a_terminal() {
    let pages = "'' --help help spawn exec attach list inspect signal stop wait logs link gc make-root \
        get-root pack initnetns destroynetns forkn doctor init service modprobe poweroff reboot halt";
    let topics = "namespaces network ids root process rights hooks life";
    let script = format!(
        "for page in {pages}; do echo \"== $page\"; $CLI help $page || exit; done 2>&1; \
         for page in {topics}; do echo \"== $page\"; $CLI help spawn $page || exit; done 2>&1"
    );
    let script = script.replace("$CLI help --help", "$CLI --help").replace("'' --help ", "'' ");
    let outcome = root(&script).ends_with(0);
    let pages: Vec<&str> = outcome.out.split("== ").skip(1).collect();
    assert_eq!(pages.len(), 34, "{outcome:?}");
    for page in pages {
        assert!(page.contains("Example: "), "{page}");
        // A terminal has 24 lines; the prompt is on the last. One line is the name's, above.
        assert!(page.lines().count() <= 24, "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    }
    root("test \"$($CLI spawn --help)\" = \"$($CLI help spawn)\" && $CLI spawn -h | cmp - <($CLI help spawn)")
        .prints("");
    root("$CLI --help | cmp - <($CLI help); $CLI make-root -h | cmp - <($CLI help make-root)")
        .prints("");
    assert!(root("$CLI --version").out.starts_with("unshared-cli 0."));
    assert!(root("$INIT --version").out.starts_with("unshared-init 0."));
}

#[test]
fn help_spawn_all_is_every_topic() {
    let outcome = root("$CLI help spawn all").ends_with(0);
    for option in
        ["--mount", "--bridge", "--map-auto", "--root", "--env", "--rlimit", "--preexec", "-v"]
    {
        assert!(outcome.out.contains(&format!(" {option}")), "{option}: {outcome:?}");
    }
    root("$CLI help spawn netwrok").complains(125, &["no help on spawn", "did you mean network?"]);
    root("$CLI help list all | cmp - <($CLI help list)").prints("");
}

#[test]
fn what_may_have_been_meant_is_said() {
    for (words, meant) in [
        ("spwan --pid", "spawn"),
        ("lst", "list"),
        ("help mak-root", "make-root"),
        ("spawn --hostnam x -- true", "--hostname"),
        ("spawn --hotsname=x -- true", "--hostname"),
        ("spawn --die-wiht-parent -- true", "--die-with-parent"),
        ("make-root box --initramsf x", "--initramfs"),
        ("pack box --ouput x", "--output"),
        ("stop web --grcae 3", "--grace"),
        ("exec web --evn A=1 true", "--env"),
        ("modprobe --quite x", "--quiet"),
    ] {
        root(&format!("$CLI {words}"))
            .complains(125, &[&format!("did you mean {meant}?"), "see: "]);
    }
    root("$INIT --notification-df 3 true")
        .init_complains(125, &["did you mean --notification-fd?"]);
    for words in ["nonsense", "spawn --nonsense true", "spawn -Z true", "x", "''"] {
        let outcome = root(&format!("$CLI {words}")).ends_with(125);
        assert!(!outcome.err.contains("did you mean"), "{outcome:?}");
    }
}

#[test]
fn called_as_init_it_is_init() {
    for name in ["init", "unshared-init"] {
        root(&format!(
            "d=$(mktemp -d); ln -s $CLI $d/{name}; $d/{name} -- sh -c 'exit 6' 2>/dev/null; echo $?; rm -r $d"
        ))
        .prints("6");
    }
}

#[test]
fn unknown_commands_and_options_are_125() {
    root("$CLI nonsense").complains(125, &["there is no command \"nonsense\""]);
    for option in ["--nonsense", "-Z", "--v", "--r", "--nonsense=1"] {
        root(&format!("$CLI spawn {option} -- true")).complains(125, &["there is no option"]);
    }
}

#[test]
fn an_option_with_one_value_is_given_once_to_every_command() {
    for words in [
        "spawn --cwd / --cwd /",
        "stop --grace 1 --grace 1",
        "exec --user 0 --user 0",
        "exec --cwd / --cwd /",
        "make-root --initramfs x --initramfs x",
        "pack -o x -o x",
        "pack --cmdline x --cmdline x",
        "pack --kernel x --kernel x",
        "pack --compress none --compress none",
    ] {
        root(&format!("$CLI {words} -- x y")).complains(125, &["is given twice"]);
    }
    root("$CLI service -w 1 -w 1 x y").complains(100, &["-w is given twice"]);
}

#[test]
fn a_word_too_many_is_refused_everywhere() {
    for words in ["help spawn all extra", "--version extra", "-V --", "--help extra", "help x y z"]
    {
        let outcome = root(&format!("$CLI {words}"));
        match words {
            "-V --" => assert_eq!(outcome.status, Some(0)),
            _ => outcome.complains(125, &["one word too many"]),
        }
    }
    for words in ["spawn --help=x", "list --help=x"] {
        root(&format!("$CLI {words}")).complains(125, &["--help takes no value"]);
    }
    for words in ["--version=x", "--help=x"] {
        root(&format!("$CLI {words}")).complains(125, &["there is no command"]);
    }
}

#[test]
fn an_option_that_is_no_text_is_shown_as_other_bytes_are() {
    for (option, shown) in [("--\\377x=1", "--\\xffx"), ("-v\\377", "-v\\xff")] {
        root(&format!("$CLI spawn \"$(printf -- '{option}')\" -- true"))
            .complains(125, &[&format!("there is no option \"{shown}\"")]);
    }
}

#[test]
fn a_namespace_is_kept_by_its_letter_too() {
    root("d=$(mktemp -d); $CLI spawn -u=$d/uts --hostname kept -- true; nsenter --uts=$d/uts hostname; umount $d/uts; rm -r $d")
        .prints("kept");
    root("$CLI spawn -p=/x -- true").complains(125, &["pid"]);
    root("$CLI spawn -r=x -- true").complains(125, &["takes no value"]);
}

#[test]
fn every_option_with_a_value_refuses_to_go_without() {
    for option in [
        "--map-users",
        "--map-groups",
        "--monotonic",
        "--boottime",
        "--hostname",
        "--domainname",
        "--cwd",
        "--uid",
        "--gid",
        "--grace",
        "--status-fd",
        "--keep-fd",
        "--env",
        "--exec",
    ] {
        root(&format!("$CLI spawn {option}")).complains(125, &[option, "needs a value"]);
        root(&format!("$CLI spawn {option} -- true")).complains(125, &[option, "needs a value"]);
        root(&format!("$CLI spawn {option} '' -- true")).complains(125, &[option]);
    }
}

#[test]
fn every_option_refuses_what_it_cannot_mean() {
    for words in [
        "--monotonic 1.5",
        "--boottime x",
        "--uid -1",
        "--uid 4294967295",
        "--uid 1x",
        "--gid root",
        "--grace -1",
        "--grace 1s",
        "--status-fd x",
        "--keep-fd -1",
        "--keep-fd 2147483648",
        "--env =x",
        "--env NAME",
        "--all=x",
        "--no-init=1",
        "--map-root-user=1",
        "--net=",
    ] {
        let option = words.split([' ', '=']).next().unwrap();
        root(&format!("$CLI spawn {words} -- true")).complains(125, &[option]);
    }
}

#[test]
fn a_value_given_twice_is_refused_and_a_flag_given_twice_is_not() {
    for option in [
        "--monotonic 1",
        "--boottime 1",
        "--hostname a",
        "--domainname a",
        "--cwd /",
        "--uid 0",
        "--gid 0",
        "--grace 1",
        "--status-fd 1",
        "--uts=/tmp/x",
    ] {
        root(&format!("$CLI spawn {option} {option} -- true")).complains(125, &["twice"]);
    }
    root("$CLI spawn -r -c -- true").complains(125, &["only one of"]);
    nobody("$CLI spawn --user --user -r -r --pid -p -v -v --all -- true 2>/dev/null").prints("");
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    for words in ["--no-init", "--no-proc", "--grace 1", "--pid --no-init --grace 1"] {
        root(&format!("$CLI spawn {words} -- true")).complains(125, &["--"]);
    }
    root("$CLI spawn --pid --no-init --exec true -- true").complains(125, &["--no-init"]);
}

#[test]
fn help_and_version_are_meant_where_they_are_mistyped() {
    for (words, part) in
        [("--verison", "did you mean --version?"), ("--hlep", "did you mean --help?")]
    {
        root(&format!("$CLI {words}")).complains(125, &[part]);
    }
    let help = root("$CLI help help").out;
    assert!(!help.is_empty());
    root("$CLI help --help").prints(help.trim_end());
}

#[test]
fn there_must_be_a_command() {
    root("$CLI spawn").complains(125, &["no command"]);
    root("$CLI spawn --pid --").complains(125, &["no command"]);
}

#[test]
fn options_end_at_the_command() {
    root("$CLI spawn echo --pid -v --").prints("--pid -v --");
    root("$CLI spawn -- echo -- --pid").prints("-- --pid");
}

#[test]
fn a_descriptor_that_is_not_open_is_refused() {
    root("$CLI spawn --keep-fd 77 -- true").complains(125, &["--keep-fd 77", "EBADF"]);
    root("$CLI spawn --status-fd 77 -- true").complains(125, &["--status-fd 77", "EBADF"]);
    root("$CLI spawn --status-fd 5 -- true 5</dev/null")
        .complains(125, &["--status-fd 5", "not open for writing"]);
}

#[test]
fn a_command_line_of_two_megabytes_goes_through() {
    // As much as the kernel takes in one: strings of less than 128 KiB, and 3/4 of 8 MiB in all.
    root("ulimit -s 65536; a=$(head -c 100000 /dev/zero | tr '\\0' x); \
          $CLI spawn --pid -- sh -c 'echo $# ${#20}' $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a; \
          $CLI spawn --pid sh -c 'echo $#' $(seq 200000)")
    .prints("20 100000\n199999");
}

#[test]
fn names_need_not_be_utf_8() {
    nobody("$CLI spawn --user --hostname $'\\xff\\xfe' --env $'A=\\xff' -- sh -c 'uname -n; echo $A' | od -An -tx1")
        .prints("ff fe 0a ff 0a");
}

#[test]
fn the_environment_is_what_was_asked_for() {
    root("A=1 B=2 $CLI spawn --env A=3 --env C=4 --env C=5 -- env | grep '^[ABC]=' | sort")
        .prints("A=3\nB=2\nC=5");
    root("$CLI spawn --clear-env --env A= -- /usr/bin/env").prints("A=");
}

#[test]
fn the_directory_is_what_was_asked_for() {
    root("$CLI spawn --pid --cwd /usr -- pwd").prints("/usr");
    root("$CLI spawn --pid --cwd /no/such -- pwd").complains(125, &["\"/no/such\"", "ENOENT"]);
}

#[test]
fn expressions_run_in_order_and_the_last_is_the_payload() {
    nobody("$CLI spawn --all --exec echo one two --exec 'echo $((1+2))' --exec 'exit 4'; echo $?")
        .prints("one two\n3\n4");
    nobody("$CLI spawn --user --exec 'echo a' -- sh -c 'echo b; exit 5'; echo $?")
        .prints("a\nb\n5");
}

#[test]
fn the_first_expression_that_fails_ends_the_run() {
    nobody("$CLI spawn --all --exec 'echo a; false' --exec 'echo b' -- echo c; echo $?")
        .prints("a\n1");
    nobody("$CLI spawn --exec 'exit 9' -- echo c; echo $?").prints("9");
}

#[test]
fn words_of_an_expression_meet_again_in_the_shell() {
    nobody("$CLI spawn --exec \"'echo\" \"die'\"").ends_with(127);
    nobody("$CLI spawn --exec echo \"'a\" \"b'\"").prints("a b");
}

#[test]
fn of_many_variables_the_last_of_a_name_counts() {
    root("$CLI spawn $(seq -f '--env V%g=x' 20000) --env A=1 --env A=2 --env PATH=$PATH -- sh -c 'env | grep -c ^V; env | grep ^A='")
        .prints("20000\nA=2");
}

#[test]
fn what_is_restarted_needs_an_init() {
    root("$CLI spawn --restart always -- true").complains(125, &["--restart without an init"]);
    root("$CLI spawn --pid --restart sometimes -- true")
        .complains(125, &["--restart", "never, on-failure or always"]);
}

#[test]
fn options_can_stand_in_a_file() {
    let file = "f=$(mktemp); printf '%s\\n' '# a box' --uts '--hostname box # inside' '--env \"A=1 2\"' \
                '-- sh -c \"hostname; echo \\$A\"' >$f;";
    root(&format!("{file} $CLI spawn --config $f; rm $f")).prints("box\n1 2");
    root(&format!("{file} $CLI spawn --config=$f --hostname other -- hostname; rm $f"))
        .prints("other");
    root(&format!(
        "{file} $CLI spawn --hostname a --config $f --dump-config -- echo \"it's\"; rm $f"
    ))
    .prints("--uts\n--env 'A=1 2'\n--hostname a\n-- echo 'it'\\''s'");
    root(&format!(
        "{file} $CLI spawn --config $f --pid --dump-config >$f.2; $CLI spawn --config $f.2 --dump-config | cmp - $f.2; rm $f $f.2"
    ))
    .prints("");
    let outcome = root(
        "f=$(mktemp); printf -- '--pid\\n--pod\\n' >$f; cd ${f%/*}; $CLI spawn --config ${f##*/} true; echo $?; rm $f",
    );
    assert!(
        outcome.err.contains(":2: there is no option \"--pod\" (did you mean --pid?"),
        "{outcome:?}"
    );
    assert_eq!(outcome.out, "125\n");
    root("$CLI spawn --config /no/such true").complains(125, &["read \"/no/such\": ENOENT"]);
}

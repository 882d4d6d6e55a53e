//! Why a command cannot be executed in a root, and what would bring in what it lacks.
use crate::common::{Outcome, has_erlang, nobody, root};

/// Begins a script that has a root in `$R`, which is removed.
const MAKE: &str = "export PATH=/usr/sbin:/usr/bin:/sbin:/bin; unset LD_LIBRARY_PATH LD_PRELOAD
    R=$(mktemp -d /tmp/lack.XXXXXX); trap 'rm -rf $R $R.*' EXIT; mkdir -p $R/usr/bin; ln -s usr/bin $R/bin
    loader=$(readelf -lW /usr/bin/id | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p'); ";

/// Runs a script as root and as an ordinary user, who has `--user` in `$U`; once directly and once under
/// PID 1.
fn all(script: &str, check: impl Fn(Outcome)) {
    for shape in ["", "--pid"] {
        check(root(&format!("U='{shape}'; {MAKE}{script}")));
        check(nobody(&format!("U='--user {shape}'; {MAKE}{script}")));
    }
}

/// The message is this one; `R` is the root.
fn says(script: &str, status: i32, message: &str) {
    all(&format!("({script}) 2> >(sed s,$R,R,g >&2); s=$?; sleep 0.1; exit $s"), |outcome| {
        assert_eq!(outcome.err, format!("unshared-cli: {message}\n"), "{outcome:?}");
        assert_eq!(outcome.status, Some(status));
    });
}

#[test]
fn a_missing_interpreter_is_named_with_the_line_that_brings_it_in() {
    says(
        "echo '#!/usr/bin/less -x' >$R/bin/f; chmod +x $R/bin/f; $CLI spawn $U --root $R -- /bin/f",
        127,
        "execute \"/bin/f\" inside root \"R\": ENOENT (the interpreter /usr/bin/less, which /usr/bin/f needs, \
         is not in the root; unshared-cli make-root R --bin /usr/bin/less brings it in)",
    );
    says(
        "echo '#!/no/such' >$R/bin/f; chmod +x $R/bin/f; $CLI spawn $U --root $R -- f",
        127,
        "execute \"f\" inside root \"R\": ENOENT (the interpreter /no/such, which /usr/bin/f needs, is not in \
         the root)",
    );
}

#[test]
fn a_missing_loader_is_named() {
    all(
        "cp /usr/bin/id $R/bin; $CLI spawn $U --root $R -- id; s=$?; echo $loader; exit $s",
        |outcome| {
            let loader = outcome.out.trim().to_owned();
            let lacks =
                format!("(the loader {loader}, which /usr/bin/id needs, is not in the root; ");
            outcome.complains(127, &[&lacks, " --bin /usr/bin/id brings it in)"]);
        },
    );
}

#[test]
fn a_missing_library_is_named_after_the_loader_has_failed() {
    let make = "cp /usr/bin/id $R/bin; mkdir -p $R$(dirname $loader); cp $loader $R$loader; ";
    all(&format!("{make} $CLI spawn $U --root $R -- id"), |outcome| {
        let lines: Vec<&str> = outcome.err.lines().collect();
        assert!(lines.len() == 2 && lines[0].contains("error while loading"), "{outcome:?}");
        assert!(
            lines[1].starts_with("unshared-cli: \"id\" ended with 127 inside root \"/tmp/lack.")
        );
        assert!(
            lines[1].contains("\" (the library lib")
                && lines[1].contains("which /usr/bin/id needs")
        );
        assert!(lines[1].ends_with(" --bin /usr/bin/id brings it in)"), "{outcome:?}");
        assert_eq!(outcome.status, Some(127));
    });
    // What it may have been led to, nobody has looked at.
    for options in ["--env LD_LIBRARY_PATH=/x", "--bind /tmp:/usr/lib", "--exec true --root $R"] {
        let script = format!("{make} $CLI spawn $U --root $R {options} -- id");
        all(&script, |outcome| assert!(!outcome.err.contains("the library"), "{outcome:?}"));
    }
}

#[test]
fn a_link_that_leads_out_of_what_is_there_is_named_by_path_and_in_path() {
    for (link, command) in [
        ("/usr/lib/none/gone", "/usr/bin/gone"),
        ("/usr/lib/none/gone", "gone"),
        ("../lib/none/gone", "/bin/gone"),
        ("../lib/none/gone", "gone"),
    ] {
        says(
            &format!(
                "ln -s {link} $R/bin/gone; $CLI spawn $U --root $R --clear-env --env PATH=/none:/usr/bin -- {command}"
            ),
            127,
            &format!(
                "execute \"{command}\" inside root \"R\": ENOENT (/usr/bin/gone is a link to {link}, which is \
                 not in the root)"
            ),
        );
    }
}

#[test]
fn erlang_as_debian_has_it_is_a_link_out_of_a_root_with_nothing_else() {
    if has_erlang() {
        says(
            "cp -d /usr/bin/erl $R/bin; $CLI spawn $U --root $R -- erl",
            127,
            "execute \"erl\" inside root \"R\": ENOENT (/usr/bin/erl is a link to ../lib/erlang/bin/erl, which \
             is not in the root; unshared-cli make-root R --bin /usr/bin/erl brings it in)",
        );
    }
}

#[test]
fn the_line_is_there_where_the_host_has_the_program_and_it_does_bring_it_in() {
    let line = "unshared-cli make-root R --bin";
    for (make, command, why) in [
        (
            "ln -s ../lib/none $R/bin/id",
            "id",
            "/usr/bin/id is a link to ../lib/none, which is not in the root",
        ),
        (":", "/usr/bin/id", "/usr/bin/id is not in the root"),
        (":", "id", "not found in PATH /usr/sbin:/usr/bin:/sbin:/bin"),
    ] {
        let wanted = if command == "id" && make == ":" { "id" } else { "/usr/bin/id" };
        says(
            &format!("{make}; $CLI spawn $U --root $R -- {command}"),
            127,
            &format!(
                "execute \"{command}\" inside root \"R\": ENOENT ({why}; {line} {wanted} brings it in)"
            ),
        );
        all(
            &format!(
                "{make}; line=$($CLI spawn $U --root $R -- {command} 2>&1 | sed 's/.*; unshared-cli \\(.*\\) brings.*/\\1/')
                 $CLI $line >$R/made && $CLI spawn $U --root $R -- {command} -u"
            ),
            |outcome| outcome.prints("0"),
        );
    }
}

#[test]
fn a_root_is_called_as_it_was_called() {
    all(
        "mkdir -p $R.roots; ln -s $R $R.roots/my-box; UNSHARED_ROOT=$R.roots $CLI spawn $U --root my-box -- id",
        |outcome| {
            outcome.complains(
                127,
                &["inside root \"my-box\"", "make-root my-box --bin id brings it in"],
            );
        },
    );
}

#[test]
fn nothing_is_said_of_what_was_not_looked_at() {
    // What is there in the directory is not what the command saw.
    for (make, options) in [
        ("mkdir $R.d", "--bind $R.d:/usr"),
        ("mkdir $R.d", "--bind $R.d:/bin"),
        (":", "--tmpfs /usr/bin"),
        ("mkdir $R.d", "--data-dir $R.d:/usr/bin"),
        ("mkdir $R.d", "--bind $R.d:/"),
        (":", "--pre-mount :"),
        ("cp /bin/busybox $R/bin/sh", "--exec :"),
        ("(cd $R; find . | cpio -oH newc --quiet) >$R.image", "--unpack $R.image"),
        ("ln -s /proc/none $R/bin/id", ""),
        ("echo '#!/dev/none' >$R/bin/id; chmod +x $R/bin/id", ""),
    ] {
        all(&format!("{make}; $CLI spawn $U --root $R {options} -- id"), |outcome| {
            assert!(!outcome.err.contains("make-root"), "{options} {make}: {outcome:?}");
            outcome.complains(127, &["execute \"id\" inside root", "ENOENT ("]);
        });
    }
}

#[test]
fn what_is_mounted_elsewhere_changes_nothing() {
    all(
        "mkdir $R.d; $CLI spawn $U --root $R --overlay --bind $R.d:/data --tmpfs /tmp -- id",
        |outcome| outcome.complains(127, &["not found in PATH", " --bin id brings it in"]),
    );
}

#[test]
fn a_command_that_ends_with_127_itself_is_left_alone() {
    all(
        "cp /bin/busybox $R/bin/sh; $CLI spawn $U --root $R -- sh -c 'exit 127'; echo $?",
        |outcome| outcome.prints("127"),
    );
}

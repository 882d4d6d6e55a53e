//! Every way in which a command cannot be executed, with and without an init in between.
use crate::common::{Outcome, root};

/// Runs a script that makes a file `f` in a folder of its own and ends with `$CLI spawn … ./f`,
/// once directly and once under PID 1.
fn both(make: &str, check: impl Fn(Outcome)) {
    for options in ["", "--pid", "--pid --no-init"] {
        check(root(&format!(
            "d=$(mktemp -d); cd $d; {make}; $CLI spawn {options} -- ./f; s=$?; cd /; rm -r $d; exit $s"
        )));
    }
}

#[test]
fn a_missing_command_is_127() {
    both("true", |outcome| outcome.complains(127, &["execute \"./f\"", "ENOENT"]));
    root("$CLI spawn -- no-such-command").complains(127, &["not found in PATH"]);
}

#[test]
fn a_file_that_is_not_executable_is_126() {
    both("echo >f", |outcome| outcome.complains(126, &["EACCES", "no execute permission"]));
}

#[test]
fn a_directory_is_126() {
    both("mkdir f", |outcome| outcome.complains(126, &["EACCES", "is a directory"]));
}

#[test]
fn a_missing_interpreter_is_127_and_named() {
    both("echo '#!/no/such/thing -x' >f; chmod +x f", |outcome| {
        outcome.complains(127, &["ENOENT", "its interpreter /no/such/thing is not"]);
    });
}

#[test]
fn a_line_that_ends_in_a_carriage_return_is_named() {
    both("printf '#!/bin/sh\\r\\necho\\r\\n' >f; chmod +x f", |outcome| {
        outcome.complains(127, &["carriage return"]);
    });
}

#[test]
fn a_missing_loader_is_127_and_named() {
    both(
        "cp /bin/true f; old=$(readelf -lW f | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p'); \
         new=$(echo $old | sed 's/ld/xx/g'); sed -i \"s|$old|$new|\" f",
        |outcome| outcome.complains(127, &["its loader /", "xx"]),
    );
}

#[test]
fn a_program_for_another_machine_is_126_and_named() {
    // Byte 18 of an ELF file is the machine: 8 is MIPS, which nothing here emulates.
    both(
        "cp /bin/true f; printf '\\010\\000' | dd of=f bs=1 seek=18 conv=notrunc 2>/dev/null",
        |outcome| outcome.complains(126, &["ENOEXEC", "is a program for mips"]),
    );
}

#[test]
fn a_script_without_an_interpreter_is_run_by_the_shell() {
    both("echo 'echo ran \"$0\" \"$@\"' >f; chmod +x f", |outcome| {
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(outcome.out, "ran ./f\n");
    });
}

#[test]
fn a_link_that_leads_nowhere_is_named_with_its_target() {
    both("ln -s /no/target f", |outcome| {
        outcome.complains(127, &["is a link to /no/target, which is not there"]);
    });
}

#[test]
fn an_empty_name_is_127() {
    root("$CLI spawn -- ''").complains(127, &["execute \"\""]);
}

#[test]
fn a_directory_of_path_without_permission_does_not_hide_the_next() {
    root(
        "d=$(mktemp -d); mkdir $d/a $d/b; echo >$d/a/f; printf '#!/bin/sh\\necho b' >$d/b/f; \
         chmod +x $d/b/f; PATH=$d/a:$d/b:$PATH $CLI spawn -- f; rm -r $d",
    )
    .prints("b");
}

#[test]
fn path_is_that_of_the_new_environment() {
    root("$CLI spawn --env PATH=/nowhere -- true").complains(127, &["not found in PATH /nowhere"]);
    root("$CLI spawn --clear-env -- true").prints("");
}

#[test]
fn a_message_stays_one_line_whatever_the_name_holds() {
    root("$CLI spawn -- $'a\\nb\\e[31m\\xff'")
        .complains(127, &["execute \"a\\nb\\u{1b}[31m\\xff\""]);
}

#[test]
fn an_interpreter_for_another_machine_is_126_and_not_run_by_the_shell() {
    both(
        "cp /bin/true g; printf '\\010\\000' | dd of=g bs=1 seek=18 conv=notrunc 2>/dev/null; \
         echo \"#!$PWD/g\" >f; chmod +x f",
        |outcome| outcome.complains(126, &["the interpreter of ./f", "/g, cannot be executed"]),
    );
}

#[test]
fn an_interpreter_that_may_not_be_executed_is_named() {
    both("echo '#!/etc/passwd' >f; chmod +x f", |outcome| {
        outcome.complains(126, &["EACCES", "the interpreter of ./f, /etc/passwd, may not be"]);
    });
}

#[test]
fn what_is_no_regular_file_is_126_and_not_blamed_on_its_filesystem() {
    both("mkfifo f; chmod 755 f", |outcome| {
        outcome.complains(126, &["EACCES", "is no regular file"]);
    });
}

#[test]
fn a_script_that_names_no_interpreter_is_told_so() {
    for line in ["#!", "#!\\n", "#! \\t\\n"] {
        root(&format!(
            "f=$(mktemp); printf '{line}' >$f; chmod +x $f; $CLI spawn -- $f; s=$?; rm $f; exit $s"
        ))
        .complains(126, &["has a #! line that names no interpreter"]);
    }
}

#[test]
fn a_program_that_is_written_to_and_a_circle_of_interpreters_are_named() {
    root("f=$(mktemp); cp /bin/true $f; chmod +x $f; exec 9>>$f; $CLI spawn -- $f; s=$?; rm $f; exit $s")
        .complains(126, &["ETXTBSY", "is open for writing"]);
    root("f=$(mktemp); echo \"#!$f\" >$f; chmod +x $f; $CLI spawn -- $f; s=$?; rm $f; exit $s")
        .complains(126, &["ELOOP", "from one interpreter to the next"]);
}

#[test]
fn a_filesystem_from_which_nothing_is_executed_is_named() {
    root("unshare --mount sh -c 'mount -t tmpfs -o noexec none /mnt; cp /bin/true /mnt/; exec $CLI spawn -- /mnt/true'")
        .complains(126, &["execute \"/mnt/true\"", "EACCES", "mounted noexec"]);
}

//! `--ro-path`, `--rw-path`: what a payload without a root of its own may open.
use crate::common::{Outcome, nobody, root};

/// Begins a script that has a directory `$D`, with files in it, for whoever runs it, and removes it.
const MAKE: &str = "D=$(mktemp -d /tmp/landlock.XXXXXX); trap 'rm -rf $D' EXIT; mkdir $D/ro $D/rw; \
    echo text | tee $D/ro/file $D/rw/file >$D/file; cp /bin/sh $D/shell; ";

/// Runs a script as root, and as an ordinary user who has `--user` in `$U`.
fn both(script: &str, check: impl Fn(Outcome)) {
    if !has_landlock() {
        return;
    }
    check(root(&format!("U=; {MAKE}{script}")));
    check(nobody(&format!("U=--user; {MAKE}{script}")));
}

/// Whether the kernel has enough of it; says that a test is skipped where it has not.
fn has_landlock() -> bool {
    let outcome = root("$CLI spawn --ro-path / -- true");
    let there = outcome.status == Some(0);
    if !there {
        assert!(std::env::var_os("UNSHARED_MUST_WORK").is_none(), "{outcome:?}");
        eprintln!("skipped: {}", outcome.err.trim());
    }
    there
}

const SYSTEM: &str = "--ro-path /usr --ro-path /bin --ro-path /lib --ro-path /lib64 --ro-path /etc";

#[test]
fn what_is_below_no_path_cannot_be_opened_and_what_is_read_only_cannot_be_changed() {
    for shape in ["", "--pid", "--all"] {
        both(
            &format!(
                "$CLI spawn $U {shape} {SYSTEM} --ro-path $D/ro --rw-path $D/rw -- sh -c '
                cat $0/ro/file $0/rw/file; cat $0/file; ls $0; echo new >$0/rw/file && cat $0/rw/file
                echo x >$0/ro/file; echo x >>$0/ro/file; rm $0/ro/file; touch $0/ro/new; truncate -s 0 $0/ro/file
                mv $0/rw/file $0/ro/; mkdir $0/rw/new && mv $0/rw/file $0/rw/new/ && cat $0/rw/new/file' $D 2>$D/errors; cat $D/ro/file; wc -l <$D/errors"
            ),
            |outcome| outcome.prints("text\ntext\nnew\nnew\ntext\n8"),
        );
    }
}

#[test]
fn a_path_may_be_a_file() {
    both(
        &format!(
            "$CLI spawn $U {SYSTEM} --rw-path $D/file --ro-path $D/ro/file -- sh -c 'echo new >$0/file; cat $0/file $0/ro/file; ls $0/ro; cat $0/rw/file' $D 2>/dev/null"
        ),
        |outcome| assert_eq!(outcome.out, "new\ntext\n", "{outcome:?}"),
    );
}

#[test]
fn nothing_that_the_payload_starts_is_free_of_it_and_pid_1_cannot_be_used() {
    both(
        &format!(
            "$CLI spawn $U --pid {SYSTEM} --rw-path /proc -- sh -c 'sh -c \"cat $0/file\"; cat /proc/1/root$0/file; grep NoNewPrivs /proc/self/status' $D 2>/dev/null"
        ),
        |outcome| outcome.prints("NoNewPrivs:\t1"),
    );
    both(
        &format!(
            "$CLI spawn $U --pid {SYSTEM} --rw-path /proc -- strace -qq -p 1 true 2>&1 | grep -c 'not permitted'"
        ),
        |outcome| outcome.prints("1"),
    );
}

#[test]
fn paths_are_those_that_the_payload_sees() {
    both(
        &format!(
            "$CLI spawn $U {SYSTEM} --bind $D/ro:/mnt --rw-path /mnt -- sh -c 'cat /mnt/file; cat $0/rw/file' $D 2>/dev/null; \
             cd $D; $CLI spawn $U {SYSTEM} --cwd $D/ro --ro-path . -- cat file; $CLI spawn $U {SYSTEM} --cwd $D/ro --ro-path . -- cat ../file 2>/dev/null"
        ),
        |outcome| assert_eq!(outcome.out, "text\ntext\n", "{outcome:?}"),
    );
}

#[test]
fn hooks_may_open_what_they_will() {
    both(
        &format!(
            "$CLI spawn $U --pid {SYSTEM} --pre-mount \"cat $D/file\" --post-mount \"cat $D/file\" -- cat $D/file 2>/dev/null"
        ),
        |outcome| {
            assert_eq!(outcome.out, "text\ntext\n", "{outcome:?}");
        },
    );
}

#[test]
fn a_command_that_cannot_be_opened_is_told() {
    both(&format!("$CLI spawn $U {SYSTEM} -- $D/shell -c true"), |outcome| {
        outcome.complains(126, &["/shell\": EACCES", "below no --ro-path or --rw-path"])
    });
    both("$CLI spawn $U --ro-path /usr --ro-path /no/such -- true", |outcome| {
        outcome.complains(
            125,
            &["restrict paths to \"/usr\", \"/no/such\": ENOENT", "there is no \"/no/such\""],
        );
    });
}

#[test]
fn a_kernel_without_landlock_is_told_and_nothing_is_run() {
    let with = |injected: &str| {
        root(&format!(
            "strace -f -qq -o /dev/null -e trace=landlock_create_ruleset -e inject=landlock_create_ruleset:{injected} $CLI spawn --ro-path / -- echo no"
        ))
    };
    with("error=ENOSYS").complains(125, &["--ro-path, --rw-path: ENOSYS", "no Landlock"]);
    with("error=EOPNOTSUPP").complains(125, &["EOPNOTSUPP", "lsm="]);
    with("retval=2").complains(125, &["version 2 of Landlock", "Linux 6.2"]);
}

#[test]
fn with_a_root_it_is_refused() {
    root("$CLI spawn --root / --ro-path /usr -- true").complains(125, &["--ro-path", "see --bind"]);
}

#[test]
fn what_is_executed_in_an_instance_is_restricted_as_well() {
    if has_landlock() {
        root(&format!(
            "{MAKE} mkfifo $D/rw/up; $CLI spawn --name box --pid {SYSTEM} --rw-path $D/rw -- sh -c 'echo >$0/rw/up; exec sleep 100' $D & read up <$D/rw/up; \
             $CLI exec box -- cat $D/rw/file $D/file 2>/dev/null; $CLI stop box; wait"
        ))
        .prints("text");
    }
}

//! Capabilities and no_new_privs: what a payload keeps.
use crate::common::{Outcome, nobody, root};

/// Begins a script that has a root with a busybox in `$R`, and removes it.
const MAKE: &str = "R=$(mktemp -d /tmp/capabilities.XXXXXX); trap 'rm -rf $R' EXIT; mkdir $R/bin; \
    cp /bin/busybox $R/bin/; for name in sh grep mknod; do ln -s busybox $R/bin/$name; done; \
    chmod -R a+rX $R; PATH=$PATH:/bin; ";

/// The sets of capabilities(7), in the order of /proc.
const SETS: &str = "grep ^Cap /proc/self/status";

/// What [`SETS`] prints.
fn sets(inheritable: u64, permitted: u64, bounding: u64, ambient: u64) -> String {
    format!(
        "CapInh:\t{inheritable:016x}\nCapPrm:\t{permitted:016x}\nCapEff:\t{permitted:016x}\n\
         CapBnd:\t{bounding:016x}\nCapAmb:\t{ambient:016x}"
    )
}

/// A spawn with a root, by root and by an ordinary user who is root inside.
fn both(options: &str, command: &str, check: impl Fn(Outcome)) {
    check(root(&format!("{MAKE}$CLI spawn --pid --root $R {options} -- {command}")));
    check(nobody(&format!("{MAKE}$CLI spawn --user --pid --root $R {options} -- {command}")));
}

/// What a root has by itself: 13 capabilities.
const CONTAINER: u64 = 0xa004_25fb;
const MKNOD: u64 = 1 << 27;
const KILL: u64 = 1 << 5;
const CHOWN: u64 = 1;
const NET_BIND_SERVICE: u64 = 1 << 10;

#[test]
fn a_root_has_what_containers_have_but_mknod() {
    both("", SETS, |outcome| outcome.prints(&sets(0, CONTAINER, CONTAINER, 0)));
    both("", "mknod /bin/null c 1 3", |outcome| {
        assert!(outcome.ends_with(1).err.contains("not permitted"));
    });
    // PID 1 keeps what it has.
    nobody(&format!("{MAKE}$CLI spawn --user --pid --root $R -- grep ^CapEff /proc/1/status"))
        .prints("CapEff:\t000001ffffffffff");
}

#[test]
fn capabilities_are_added_and_dropped_by_name() {
    for (options, kept) in [
        ("--cap-drop all", 0),
        ("--cap-drop ALL --cap-add CAP_KILL", KILL),
        ("--cap-add mknod --cap-drop chown", CONTAINER - CHOWN + MKNOD),
        ("--cap-drop cap_chown --cap-drop kill", CONTAINER - CHOWN - KILL),
        ("--cap-drop mknod", CONTAINER),
    ] {
        both(options, SETS, |outcome| outcome.prints(&sets(0, kept, kept, 0)));
    }
    let all = sets(0, 0x1ff_ffff_ffff, 0x1ff_ffff_ffff, 0);
    nobody(&format!("{MAKE}$CLI spawn --user --root $R --privileged -- {SETS}")).prints(&all);
    nobody(&format!("{MAKE}$CLI spawn --user --root $R --cap-add all -- {SETS}")).prints(&all);
    nobody(&format!("$CLI spawn --user --cap-drop all --cap-add kill -- {SETS}"))
        .prints(&sets(0, KILL, KILL, 0));
    let but_kill = 0x1ff_ffff_ffff - KILL;
    nobody(&format!("$CLI spawn --user --cap-drop kill -- {SETS}"))
        .prints(&sets(0, but_kill, but_kill, 0));
}

#[test]
fn who_is_not_root_has_only_what_was_added() {
    let bind = NET_BIND_SERVICE;
    root(&format!("{MAKE}$CLI spawn --pid --root $R --uid 7 --gid 7 -- {SETS}"))
        .prints(&sets(0, 0, CONTAINER, 0));
    root(&format!(
        "{MAKE}$CLI spawn --pid --root $R --uid 7 --gid 7 --cap-add net_bind_service -- {SETS}"
    ))
    .prints(&sets(bind, bind, CONTAINER, bind));
    root(&format!("$CLI spawn --uid 7 --cap-drop all --cap-add net_bind_service -- {SETS}"))
        .prints(&sets(bind, bind, bind, bind));
    nobody(&format!(
        "$CLI spawn --map-current-user --cap-drop all --cap-add net_bind_service -- {SETS}"
    ))
    .prints(&sets(bind, bind, bind, bind));
    root("$CLI spawn --user --net --map-users 0:100000:10 --map-groups 0:100000:10 --uid 7 \
          --cap-add net_bind_service -- python3 -c 'import socket; socket.socket().bind((\"127.0.0.1\", 80)); print(1)'")
        .prints("1");
}

#[test]
fn who_is_not_root_gets_no_more_by_becoming_root() {
    const SETUID: u64 = 1 << 7;
    // The second spawn changes the user id to 0, and executes.
    for (option, permitted) in [("", SETUID), ("--new-privs", CONTAINER)] {
        root(&format!(
            "{MAKE}cp $CLI $R/bin/cli; $CLI spawn --pid --root $R --uid 7 --gid 7 --cap-add setuid {option} -- \
             cli spawn --uid 0 -- grep ^CapPrm /proc/self/status"
        ))
        .prints(&format!("CapPrm:\t{permitted:016x}"));
    }
}

#[test]
fn root_has_its_capabilities_where_the_caller_made_it_a_user_like_others() {
    let plain = "setpriv --securebits=+noroot --inh-caps=+all,-sys_resource --ambient-caps=+all,-sys_resource";
    root(&format!("{MAKE}{plain} $CLI spawn --pid --root $R -- {SETS}"))
        .prints(&sets(CONTAINER, CONTAINER, CONTAINER, CONTAINER));
}

#[test]
fn every_way_of_becoming_the_payload_has_the_limit() {
    for options in ["--no-init --pid", "--pid", "", "--exec true", "--pid --exec true"] {
        nobody(&format!("$CLI spawn --user {options} --cap-drop all -- {SETS}"))
            .prints(&sets(0, 0, 0, 0));
    }
    let look = "grep ^CapBnd /proc/self/status";
    let all = "CapBnd:\t000001ffffffffff";
    nobody(&format!(
        "$CLI spawn --user --pid --cap-drop all --pre-mount {look} --post-mount {look} -- {look}"
    ))
    .prints(&format!("{all}\nCapBnd:\t0000000000000000\n{all}"));
}

#[test]
fn programs_gain_no_privileges_in_a_root_or_a_user_namespace() {
    let look = "grep ^NoNewPrivs /proc/self/status";
    for (options, value) in [
        ("--user", 1),
        ("--user --new-privs", 0),
        ("--user --pid --new-privs --seccomp default", 0),
        ("--no-new-privs", 1),
        ("--new-privs", 0),
        ("", 0),
    ] {
        nobody(&format!("$CLI spawn {options} -- {look}")).prints(&format!("NoNewPrivs:\t{value}"));
    }
    root(&format!("{MAKE}$CLI spawn --pid --root $R -- {look}")).prints("NoNewPrivs:\t1");
    root(&format!("{MAKE}$CLI spawn --pid --root $R --new-privs -- {look}"))
        .prints("NoNewPrivs:\t0");
    root("$CLI spawn --uid 7 --new-privs --seccomp default --ro-path / -- grep ^Seccomp: /proc/self/status")
        .prints("Seccomp:\t2");
    nobody("$CLI spawn --new-privs --seccomp default -- true")
        .complains(125, &["seccomp", "EACCES", "CAP_SYS_ADMIN"]);
}

#[test]
fn what_cannot_be_had_is_refused() {
    nobody("$CLI spawn --cap-drop all -- true")
        .complains(125, &["limit the capabilities", "EPERM", "CAP_SETPCAP"]);
    root("setpriv --bounding-set -sys_time --inh-caps -sys_time $CLI spawn --cap-add sys_time -- true")
        .complains(125, &["limit the capabilities", "EPERM", "nobody can add"]);
    for word in ["--cap-add", "--cap-drop"] {
        for name in ["", "nonsense", "cap_", "12", "chown,kill"] {
            root(&format!("$CLI spawn {word} '{name}' -- true"))
                .complains(125, &[word, "capabilities(7)"]);
        }
    }
    root("$CLI spawn --cap-add kill --cap-drop kill -- true").complains(125, &["the same"]);
    root("$CLI spawn --cap-add all --cap-drop all -- true").complains(125, &["the same"]);
    root("$CLI spawn --new-privs --no-new-privs -- true").complains(125, &["only one of"]);
}

#[test]
fn a_dry_run_prints_the_limit() {
    let outcome = root("$CLI spawn --dry-run --cap-drop all --cap-add kill -- true");
    let line = "setpriv --inh-caps -all,+kill --ambient-caps -all,+kill --bounding-set -all,+kill";
    assert!(outcome.out.contains(line), "{outcome:?}");
}

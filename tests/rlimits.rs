//! Resource limits of the payload.
use crate::common::{nobody, root};

#[test]
fn a_limit_is_the_payloads_and_not_pid_1s() {
    let script = "sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c; grep files /proc/1/limits | tr -s \" \" | cut -d \" \" -f 4'";
    let options = "--pid --rlimit nofile=50:60 --rlimit CORE=0";
    root(&format!("ulimit -Sn 99; $CLI spawn {options} -- {script}")).prints("50\n60\n0\n99");
    nobody(&format!("ulimit -Sn 99; $CLI spawn --user {options} -- {script}"))
        .prints("50\n60\n0\n99");
}

#[test]
fn every_way_of_becoming_the_payload_has_the_limit() {
    for options in ["", "--pid --no-init", "--uid 7", "--exec true", "--pid --exec 'ulimit -n'"] {
        let before = if options.contains("ulimit") { "50\n" } else { "" };
        root(&format!("$CLI spawn --rlimit nofile=50 {options} -- sh -c 'ulimit -n'"))
            .prints(&format!("{before}50"));
    }
}

#[test]
fn a_limit_that_cannot_be_raised_is_an_error() {
    for options in ["", "--user"] {
        nobody(&format!("ulimit -n 100; $CLI spawn {options} --rlimit nofile=200 -- true"))
            .complains(125, &["set limit nofile=200:200", "EPERM", "CAP_SYS_RESOURCE"]);
    }
    nobody("ulimit -n 100; $CLI spawn --rlimit nofile=90:100 -- sh -c 'ulimit -n'").prints("90");
}

#[test]
fn what_is_no_limit_is_refused() {
    for word in ["nofile", "nofile=", "nofile=1k", "nofile=2:1", "files=3", "nofile=-1"] {
        root(&format!("$CLI spawn --rlimit {word} -- true")).complains(125, &["--rlimit", word]);
    }
    root("$CLI spawn --rlimit nofile=5 --rlimit NOFILE=6 -- true").complains(125, &["twice"]);
}

#[test]
fn what_dry_run_prints_limits_too() {
    root("$CLI spawn --rlimit nofile=50:60 --dry-run -- sh -c 'ulimit -n; ulimit -Hn' | sh")
        .prints("50\n60");
}

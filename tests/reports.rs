//! --status-fd, --verbose, --dry-run.
use crate::common::{nobody, root};

#[test]
fn the_status_is_json_one_object_a_line() {
    for shape in ["", "--pid", "--all"] {
        root(&format!(
            "$CLI spawn {shape} --status-fd 3 -- sh -c 'exit 125' 3>&1 | sed 's/[0-9]*}}/N}}/'"
        ))
        .prints("{\"event\":\"started\",\"pid\":N}\n{\"event\":\"exited\",\"status\":N}");
        root(&format!("$CLI spawn {shape} --status-fd 3 -- sh -c 'kill $$' 3>&1 | tail -n 1"))
            .prints("{\"event\":\"killed\",\"signal\":\"SIGTERM\",\"status\":143}");
        root(&format!("$CLI spawn {shape} --status-fd 3 -- '/no\"such' 3>&1 2>/dev/null | cat"))
            .prints("{\"event\":\"failed\",\"status\":127,\"message\":\"execute \\\"/no\\\\\\\"such\\\": ENOENT\"}");
    }
}

#[test]
fn the_pid_is_that_of_a_living_child() {
    root(
        "$CLI spawn --pid --status-fd 3 -- sleep 100 3>/tmp/st.$$ & \
          until grep -q pid /tmp/st.$$ 2>/dev/null; do sleep 0.05; done; \
          pid=$(sed -n 's/.*\"pid\":\\([0-9]*\\).*/\\1/p' /tmp/st.$$); \
          test \"$(ps -o ppid= -p $pid | tr -d ' ')\" = $! && echo child; kill $!; wait; rm /tmp/st.$$",
    )
    .prints("child");
}

#[test]
fn a_reader_of_the_status_is_not_kept_waiting_by_what_is_left() {
    root("$CLI spawn --pid --status-fd 3 -- sh -c 'exit 0' 3>&1 >/dev/null | cat | wc -l")
        .prints("2");
}

#[test]
fn verbose_tells_each_step_of_each_side() {
    let outcome = nobody("$CLI spawn --all --hostname x -v -- true").ends_with(0);
    for line in [
        "parent: echo deny > /proc/",
        "parent: printf '0 65534 1\\n' > /proc/",
        "child: mount --make-rprivate /",
        "child: mount -t proc",
        "child: ip link set lo up",
        "child: hostname x",
        "payload: exec",
    ] {
        assert!(outcome.err.contains(line), "{line:?} is not in {outcome:?}");
    }
}

const LOOK: &str = "sh -c 'id -u; id -g; uname -n; pwd; echo \"$A\"; cd /proc/self/ns; for one in *; do readlink $one | sed s/:.*//; done'";

#[test]
fn what_dry_run_prints_does_the_same() {
    for options in [
        "--all --hostname box --cwd /usr --env 'A=x y'",
        "--all -c",
        "--pid --user --uts --hostname 'it'",
        "--net --user --exec 'echo first'",
        "--user --pid --no-init",
        "--monotonic 500 --user",
        "--user --domainname=-x --env=-u=3 --env A=4",
    ] {
        let direct = nobody(&format!("$CLI spawn {options} -- {LOOK}")).ends_with(0);
        let script = nobody(&format!("$CLI spawn {options} --dry-run -- {LOOK} | sh")).ends_with(0);
        assert_eq!(direct.out, script.out, "{options}: {script:?}");
    }
    let direct = root(&format!("$CLI spawn --all --map-users 0:100000:9 --uid 3 -- {LOOK}"));
    let script =
        root(&format!("$CLI spawn --all --map-users 0:100000:9 --uid 3 --dry-run -- {LOOK} | sh"));
    assert_eq!(direct.out, script.out, "{script:?}");
}

#[test]
fn dry_run_makes_different_namespaces_than_the_hosts() {
    nobody(
        "here=$(cd /proc/self/ns; readlink *); there=$($CLI spawn --all --dry-run -- sh -c 'cd /proc/self/ns; readlink *' | sh); \
         comm -12 <(echo \"$here\" | sort -u) <(echo \"$there\" | sort -u) | wc -l",
    )
    .prints("0");
}

#[test]
fn what_dry_run_prints_ends_where_the_root_cannot_be_entered() {
    root(
        "d=$(mktemp -d); printf '#!/bin/sh\\nexit 1\\n' >$d/pivot_root; chmod +x $d/pivot_root; mkdir $d/root; \
         $CLI spawn --dry-run --pid --root $d/root -- echo payload | PATH=$d:$PATH sh 2>/dev/null; echo $?; rm -r $d",
    )
    .prints("1");
}

#[test]
fn dry_run_does_nothing() {
    root("$CLI spawn --uts=/tmp/dry.$$ --dry-run -- touch /tmp/dry2.$$ >/dev/null; ls /tmp/dry.$$ /tmp/dry2.$$ 2>/dev/null")
        .ends_with(2);
}

#[test]
fn a_failure_before_the_child_exists_is_reported_too() {
    nobody("$CLI spawn --net --status-fd 3 -- true 3>&1 >/dev/null 2>&1 | cut -c -34")
        .prints("{\"event\":\"failed\",\"status\":125,\"me");
}

#[test]
fn reboot_inside_is_reported_as_such() {
    for (command, word, status) in [("0x1234567", "restart", 129), ("0x4321fedc", "power-off", 130)]
    {
        root(&format!(
            "$CLI spawn --pid --status-fd 3 -- python3 -c 'import ctypes; ctypes.CDLL(None).reboot({command})' 3>&1 2>/dev/null | tail -n 1"
        ))
        .prints(&format!("{{\"event\":\"rebooted\",\"command\":\"{word}\",\"status\":{status}}}"));
        root(&format!(
            "$CLI spawn --pid -- python3 -c 'import ctypes; ctypes.CDLL(None).reboot({command})'"
        ))
        .complains(status, &["reboot(2) was called", word]);
    }
}

#[test]
fn the_signal_that_killed_the_payload_kills_the_launcher_if_it_is_to() {
    for shape in ["", "--pid", "--all"] {
        for signal in [9, 15, 34] {
            // A shell says 128 and the number of either; python3 tells them apart.
            root(&format!(
                "python3 -c 'import subprocess, sys; print(subprocess.run(sys.argv[1:]).returncode)' \
                 $CLI spawn {shape} --re-raise -- sh -c 'kill -{signal} $$'"
            ))
            .prints(&format!("-{signal}"));
        }
        root(&format!("$CLI spawn {shape} --re-raise -- sh -c 'exit 143'")).ends_with(143);
    }
}

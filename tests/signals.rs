//! Signals that the launcher gets.
use crate::common::{nobody, root};

/// Starts a payload that says what it gets, sends the launcher a signal, and prints what it said.
fn forwarded(shape: &str, signal: &str) -> String {
    format!(
        "f=$(mktemp); chmod 666 $f; \
         $CLI spawn {shape} -- bash -c 'trap \"echo got {signal}; exit 3\" {signal}; echo up; while :; do sleep 0.05; done' >$f & \
         until grep -q up $f; do sleep 0.05; done; kill -{signal} $!; wait $!; s=$?; tail -n 1 $f; rm $f; exit $s"
    )
}

#[test]
fn every_kind_of_signal_is_forwarded() {
    for shape in ["", "--pid", "--all"] {
        for signal in ["TERM", "HUP", "USR1", "WINCH", "RTMIN+3", "RTMAX"] {
            let outcome = root(&forwarded(shape, signal)).ends_with(3);
            assert_eq!(outcome.out, format!("got {signal}\n"));
        }
    }
    nobody(&forwarded("--user --pid", "USR2")).ends_with(3);
}

#[test]
fn a_signal_that_comes_at_once_is_not_lost() {
    root(
        "for i in $(seq 50); do $CLI spawn --all -- sleep 100 & kill -TERM $!; wait $!; echo $?; done | sort -u",
    )
    // Before the launcher blocks signals it is the launcher that dies; the status is the same.
    .prints("143");
}

#[test]
fn a_payload_that_changed_its_uid_is_no_reason_to_fail() {
    root(
        "f=$(mktemp -u); mkfifo $f; $CLI spawn --pid --uid 65534 -- sh -c 'echo up; exec sleep 100' >$f & \
         read up <$f; rm $f; kill -USR1 $!; wait $!",
    )
    .ends_with(138);
}

#[test]
fn a_stopped_payload_is_seen_as_a_stopped_launcher_and_continues_with_it() {
    for shape in ["", "--all"] {
        root(&format!(
            "exec 2>/dev/null; set -m; $CLI spawn {shape} -- sh -c 'kill -STOP $$; exit 4' & \
             for i in $(seq 400); do s=$(ps -o stat= -p $!); case $s in T*) break;; esac; sleep 0.05; done; echo ${{s%%[!T]*}}; \
             kill -CONT $!; s=147; while [ $s = 147 ]; do wait $!; s=$?; done; echo $s"
        ))
        .prints("T\n4");
    }
}

#[test]
fn a_payload_that_somebody_else_continues_is_waited_for() {
    for shape in ["", "--pid"] {
        root(&format!(
            "$CLI spawn {shape} -- sh -c '(kill -STOP $$; sleep 0.1; kill -CONT $$) & wait; exit 5'"
        ))
        .ends_with(5);
    }
}

#[test]
fn a_signal_between_two_commands_is_not_lost() {
    for shape in ["", "--pid"] {
        root(&format!(
            "for i in $(seq 40); do \
               $CLI spawn {shape} --exec : --exec : --exec : --exec : -- sleep 5 & \
               sleep 0.00$((i % 10)); kill -TERM $!; wait $!; echo $?; done | sort -u"
        ))
        .prints("143");
    }
}

#[test]
fn an_inherited_alarm_still_ends_the_payload() {
    for shape in ["", "--all"] {
        root(&format!("python3 -c 'import os,signal; signal.alarm(1); os.execv(\"'$CLI'\", \"x spawn {shape} -- sleep 50\".split())'"))
            .ends_with(142);
    }
}

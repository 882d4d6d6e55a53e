//! PID 1: reaping, sweeping, statuses.
use crate::common::{leaves_orphans, nobody, root};

#[test]
fn the_status_is_the_payloads_exactly() {
    for shape in ["", "--pid", "--all", "--pid --no-init"] {
        for status in [0, 1, 2, 124, 125, 126, 127, 128, 255] {
            root(&format!("$CLI spawn {shape} -- sh -c 'exit {status}'")).ends_with(status);
        }
    }
    for shape in ["", "--pid", "--all"] {
        for signal in [1, 2, 6, 9, 11, 15, 34, 64] {
            root(&format!("ulimit -c 0; $CLI spawn {shape} -- sh -c 'kill -{signal} $$'"))
                .ends_with(128 + signal);
        }
    }
}

#[test]
fn orphans_are_reaped() {
    // PID 1 and the shell are all, once they are gone.
    nobody("$CLI spawn --pid --user -- sh -c '(sleep 0.1 & sleep 0.1 & true) & until set -- /proc/[0-9]*; [ $# = 2 ]; do sleep 0.05; done; echo $#'")
        .prints("2");
}

#[test]
fn what_is_left_gets_term_and_the_main_status_is_kept() {
    nobody(
        "f=$(mktemp); $CLI spawn --pid --user -- bash -c '(trap \"echo term; exit\" TERM; echo ready | tee $0; while :; do sleep 0.1; done) 2>/dev/null & \
           until [ -s $0 ]; do sleep 0.05; done; exit 7' $f; echo $?; rm $f",
    )
    .prints("ready\nterm\n7");
}

#[test]
fn a_stopped_leftover_hears_term_too() {
    nobody("$CLI spawn --pid --user --grace 50 -- bash -c 'sleep 100 & kill -STOP $!; exit 8'")
        .ends_with(8);
}

#[test]
fn what_ignores_term_is_killed_after_the_grace_period() {
    nobody("$CLI spawn --pid --user --grace 0.2 -- bash -c '(trap \"\" TERM; while :; do sleep 1; done) & sleep 0.2; exit 9'")
        .ends_with(9);
}

#[test]
fn a_second_term_ends_the_grace_period() {
    // Were it not ended, the harness would end the run by its limit, with another status.
    nobody(
        "said() { until grep -q $1 /tmp/up.$$; do sleep 0.05; done; }; \
         $CLI spawn --pid --user --grace 1000 -- bash -c '(trap \"echo spared\" TERM; echo up; while :; do sleep 0.1; done) 2>/dev/null & exec sleep 1000' >/tmp/up.$$ & \
         said up; kill -TERM $!; said spared; kill -TERM $!; wait $!; s=$?; rm /tmp/up.$$; exit $s",
    )
    .ends_with(143);
}

#[test]
fn ten_thousand_orphans_ending_at_once_lose_no_status() {
    root(&format!("$CLI spawn --pid -- {}", leaves_orphans(10_000))).ends_with(77);
}

#[test]
fn killing_pid_1_from_outside_ends_everything() {
    root(
        "f=$(mktemp); $CLI spawn --pid -- sh -c 'echo up >$0; sleep 1000; true' $f & until [ -s $f ]; do sleep 0.05; done; rm $f; \
         init=$(ps -o pid= --ppid $!); kill -KILL $init; wait $!",
    )
    .ends_with(137);
}

#[test]
fn the_payload_dies_with_the_launcher_where_that_was_asked_for() {
    for shape in ["", "--pid", "--all", "--pid --no-init", "--uid 65534", "--user --pid"] {
        root(&format!(
            "exec 8>/tmp/alive.$$; $CLI spawn {shape} --die-with-parent --keep-fd 8 -- sh -c 'echo >&8; exec sleep 500' & \
             exec 8>&-; until [ -s /tmp/alive.$$ ]; do sleep 0.05; done; kill -KILL $!; wait $! 2>/dev/null; \
             for i in $(seq 100); do ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q alive.$$ || break; sleep 0.1; done; \
             ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c alive.$$; rm /tmp/alive.$$"
        ))
        .prints("0");
    }
}

#[test]
fn the_payload_outlives_a_killed_launcher_otherwise() {
    // A PID 1 has the descriptor too, and ends with the payload.
    for shape in ["", "--pid"] {
        root(&format!(
            "exec 8>/tmp/outlives.$$; $CLI spawn {shape} --keep-fd 8 -- sh -c 'echo >&8; exec sleep 500' & \
             exec 8>&-; until [ -s /tmp/outlives.$$ ]; do sleep 0.05; done; \
             kill -KILL $!; wait $! 2>/dev/null; sleep 0.2; \
             for fd in /proc/[0-9]*/fd/8; do [ \"$(readlink $fd)\" = /tmp/outlives.$$ ] || continue; pid=${{fd#/proc/}}; pid=${{pid%%/*}}; \
             grep -q unshared /proc/$pid/comm || {{ kill -KILL $pid; echo lives; break; }}; done; rm /tmp/outlives.$$"
        ))
        .prints("lives");
    }
}

#[test]
fn the_reaper_alone_does_the_same() {
    root("unshare --pid --fork --mount-proc $INIT -- sh -c '(sleep 0.1 &) ; until set -- /proc/[0-9]*; [ $# = 2 ]; do sleep 0.05; done; echo $#; exit 5'; echo $?")
        .prints("2\n5");
    root("unshare --pid --fork $INIT -- /no/such").ends_with(127);
    root("unshare --pid --fork $INIT --grace 0.1 -- sh -c '(trap \"\" TERM; sleep 100) & sleep 0.2; exit 6'").ends_with(6);
}

#[test]
fn a_payload_that_fails_is_started_again_until_it_succeeds() {
    root(
        "d=$(mktemp -d); $CLI spawn --pid --restart on-failure -- sh -c \
         'echo >>$0/n; test $(wc -l <$0/n) = 3' $d; echo $? $(wc -l <$d/n); rm -r $d",
    )
    .prints("0 3");
}

#[test]
fn a_term_ends_restarts() {
    root(
        "d=$(mktemp -d); $CLI spawn --pid --restart always -- sh -c 'echo >>$0/n; exec sleep 100' $d & \
         until [ -s $d/n ]; do sleep 0.05; done; kill $!; wait $!; echo $? $(wc -l <$d/n); rm -r $d",
    )
    .prints("143 1");
}

#[test]
fn what_cannot_be_executed_is_not_started_again_and_again() {
    root("$CLI spawn --pid --restart always -- /no/such").complains(127, &["ENOENT"]);
}

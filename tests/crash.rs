//! The launcher, PID 1, or both killed at every system call, and every system call failing once: what
//! is left is nothing, and what is said is one line.
use crate::common::boot::{End, Machine};
use crate::common::{Outcome, python_within};
use std::process::Command;

fn crash(script: &str) -> Outcome {
    const BEFORE: &str = include_str!("common/crash.py");
    // Each run has a limit of its own; all of them take minutes where others are busy as well.
    python_within(&format!("{BEFORE}\n{script}"), 900)
}

#[test]
fn a_launcher_killed_at_any_system_call_leaves_nothing_once_healed() {
    crash("print(kills(FULL + HOOKS + PAYLOAD, 0) > 150)").prints("True");
}

#[test]
fn pid_1_or_both_killed_at_any_system_call_leave_nothing_once_healed() {
    // The hooks' own processes would be killed as well.
    crash("print(kills(FULL + PAYLOAD, 1) > 250)").prints("True");
}

#[test]
fn a_monitor_killed_at_any_system_call_leaves_nothing_once_healed() {
    // PID 1 as well, at what both call.
    crash(
        "words = ['spawn', '--detach', '--name', 'one', '--pid', '--uts=' + KEPT, '--log-max', '4k', '--grace', '1', *HOOKS, '--',\n\
         'sh', '-c', 'i=0; while [ $i -lt 120 ]; do echo $i; i=$((i + 1)); echo ' + 'x' * 60 + '; done; sleep 100 & exit 0']\n\
         print(kills(words, 1) > 200)",
    )
    .prints("True");
}

#[test]
fn what_a_killed_launcher_of_a_plain_spawn_left_ends_by_itself_before_it_begins() {
    // Once the payload runs, it stays without --die-with-parent; here it would be found.
    crash(
        "words = ['spawn', '--pid', '--die-with-parent', '--', 'sh', '-c', 'sleep 100 & exit 0']\n\
         print(kills(words, 0) > 10)",
    )
    .prints("True");
}

#[test]
fn every_call_of_the_launcher_that_fails_is_made_good_or_one_line() {
    crash("calls, runs = faults(FULL + PAYLOAD, 0, lambda place: ERRORS); print(calls > 100, runs > 500)")
        .prints("True True");
}

/// Every fourth call of PID 1, beginning with that one; some are the launcher's as well, and then
/// both fail.
fn faults_of_pid_1(part: usize) {
    crash(&format!(
        "errors = lambda place: ERRORS if place % 4 == {part} else []\n\
         calls, runs = faults(FULL + PAYLOAD, 1, errors)\n\
         print(calls > 250, runs > 400)"
    ))
    .prints("True True");
}

#[test]
fn every_call_of_pid_1_that_fails_is_made_good_or_one_line() {
    faults_of_pid_1(0);
}

#[test]
fn every_call_of_pid_1_that_fails_is_made_good_or_one_line_continued() {
    faults_of_pid_1(1);
}

#[test]
fn every_call_of_pid_1_that_fails_is_made_good_or_one_line_further() {
    faults_of_pid_1(2);
}

#[test]
fn every_call_of_pid_1_that_fails_is_made_good_or_one_line_concluded() {
    faults_of_pid_1(3);
}

/// With controllers, which need a kernel that has given them to version 2.
#[test]
fn a_launcher_killed_at_any_fourth_system_call_leaves_no_cgroup_with_limits() {
    let mut machine = Machine::new().shell().host("/usr/bin/strace");
    for line in
        String::from_utf8(Command::new("ldd").arg("/usr/bin/strace").output().unwrap().stdout)
            .unwrap()
            .lines()
    {
        if let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')) {
            machine = machine.host(path);
        }
    }
    machine
        .modules(&["overlay", "bridge", "veth"])
        .script(
            r#"mkdir -p /r/bin /tmp; cp /bin/busybox /r/bin/sh; ip link set lo up
            words="spawn --name one --all --uts=/tmp/uts --root /r --overlay --limit memory.max=32M --limit pids.max=20
                --bridge br0 --bridge-address 10.9.0.1/24 --address 10.9.0.2/24 -- sh -c :"
            evidence() {
                find /sys/fs/cgroup -type d | sort; cut -d ' ' -f 2,3 /proc/mounts; ls /sys/class/net; find /run /tmp | sort
                grep -l . /proc/[0-9]*/cmdline | wc -l
            }
            check() {
                umount /tmp/uts 2>/dev/null; rm -f /tmp/uts
                for i in $(seq 300); do evidence >/after; cmp -s /before /after && return; sleep 0.1; done
                echo "left at $1:"; diff /before /after; poweroff -f
            }
            evidence >/before
            strace -qq -o /trace -e signal=none unshared-cli $words || poweroff -f
            check first
            calls=$(awk -F '(' 'NF > 1 && $1 !~ /^(execve|exit_group)$/ { print $1 ":" ++n[$1] }' /trace)
            place=0 killed=0
            for call in $calls; do
                place=$((place + 1)); [ $((place % 4)) = 1 ] || continue
                strace -qq -o /dev/null -e signal=none -e inject=${call%:*}:signal=KILL:when=${call#*:} unshared-cli $words >/dev/null 2>&1
                [ $? = 137 ] && killed=$((killed + 1))
                unshared-cli gc 2>&1 | grep -v '^one$'
                check $call
            done
            [ $((killed * 4 + 20)) -ge $place ] && [ $place -gt 90 ] && echo all were killed: $killed of $place
            echo nothing is left; poweroff -f"#,
        )
        .boot("")
        .ends(End::PowerOff)
        .says("all were killed")
        .says("nothing is left");
}

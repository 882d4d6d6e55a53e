//! The launcher, PID 1, or both killed at every system call, and every system call failing once: what
//! is left is nothing, and what is said is one line.
//!
//! UNSHARED_ALL_FAULTS=1 has each call of PID 1 fail with each errno, rather than with one of them.
use crate::common::{Outcome, python};

fn crash(script: &str) -> Outcome {
    const BEFORE: &str = include_str!("common/crash.py");
    python(&format!("{BEFORE}\n{script}"))
}

#[test]
fn a_launcher_killed_at_any_system_call_leaves_nothing_once_healed() {
    crash("print(kills(FULL + HOOKS + PAYLOAD, 0) > 90)").prints("True");
}

#[test]
fn pid_1_or_both_killed_at_any_system_call_leave_nothing_once_healed() {
    // The hooks' own processes would be killed as well.
    crash("print(kills(FULL + PAYLOAD, 1) > 200)").prints("True");
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
    crash("calls, runs = faults(FULL + PAYLOAD, 0, lambda place: ERRORS); print(calls > 70, runs > 450)")
        .prints("True True");
}

/// Every third call of PID 1, beginning with that one; some are the launcher's as well, and then
/// both fail.
fn faults_of_pid_1(part: usize) {
    crash(&format!(
        "def errors(place):\n    \
             if place % 3 != {part}:\n        return []\n    \
             return ERRORS if 'UNSHARED_ALL_FAULTS' in os.environ else [ERRORS[place // 3 % len(ERRORS)]]\n\
         calls, runs = faults(FULL + PAYLOAD, 1, errors)\n\
         print(calls > 200, runs > 60)"
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
fn every_call_of_pid_1_that_fails_is_made_good_or_one_line_concluded() {
    faults_of_pid_1(2);
}

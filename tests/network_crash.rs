//! What connects networks, killed at every system call: the next run of that name, or `gc`, leaves nothing
//! but what was asked for.
use crate::common::{Outcome, python};

fn crash(script: &str) -> Outcome {
    const BEFORE: &str = include_str!("common/crash.py");
    const NETWORK: &str = include_str!("common/crash_network.py");
    python(&format!("{BEFORE}\n{NETWORK}\n{script}"))
}

#[test]
fn a_named_namespace_whose_making_is_killed_is_whole_or_gone_once_gc_has_passed() {
    crash(
        "def after():\n    \
             gc()\n    \
             if has_name(): succeeds(DESTROY_NETNS)\n\
         print(each_kill(INIT_NETNS, nothing, after) > 40)",
    )
    .prints("True");
}

#[test]
fn a_named_namespace_whose_making_is_killed_is_made_by_the_next_run() {
    crash(
        "def after():\n    \
             succeeds(INIT_NETNS)\n    \
             if not has_name(): sys.exit('nothing was made')\n    \
             succeeds(DESTROY_NETNS)\n\
         print(each_kill(INIT_NETNS, nothing, after) > 40)",
    )
    .prints("True");
}

#[test]
fn a_named_namespace_whose_removal_is_killed_is_whole_or_gone_once_gc_has_passed() {
    crash(
        "def after():\n    \
             gc()\n    \
             if has_name(): succeeds(DESTROY_NETNS)\n\
         print(each_kill(DESTROY_NETNS, lambda: succeeds(INIT_NETNS), after) > 20)",
    )
    .prints("True");
}

#[test]
fn a_named_namespace_whose_removal_is_killed_is_removed_by_the_next_one() {
    crash(
        "def after():\n    \
             run = subprocess.run([CLI, *DESTROY_NETNS], capture_output=True, text=True)\n    \
             if run.returncode and 'there is none of that name' not in run.stderr: sys.exit(run)\n\
         print(each_kill(DESTROY_NETNS, lambda: succeeds(INIT_NETNS), after) > 20)",
    )
    .prints("True");
}

/// A third of the calls each: all of them take long.
fn killed_with_nat(after: &str, part: usize) {
    crash(&format!("print(each_kill(NAT, nothing, {after}, {part}, 3) > 100)")).prints("True");
}

#[test]
fn a_launcher_with_bridge_and_rules_killed_at_any_call_leaves_nothing_once_gc_has_passed() {
    killed_with_nat("gc", 0);
}

#[test]
fn a_launcher_with_bridge_and_rules_killed_at_any_call_leaves_nothing_continued() {
    killed_with_nat("gc", 1);
}

#[test]
fn a_launcher_with_bridge_and_rules_killed_at_any_call_leaves_nothing_concluded() {
    killed_with_nat("gc", 2);
}

#[test]
fn what_a_killed_launcher_with_bridge_and_rules_left_is_taken_over_by_the_next_run() {
    killed_with_nat("lambda: succeeds(NAT)", 0);
}

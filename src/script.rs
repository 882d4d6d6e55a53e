//! `--dry-run`: the plan as a shell script that does roughly the same with unshare(1) and friends.
use crate::plan::Plan;
use crate::spec::Spec;
use crate::spec::idmap::{Extent, IdMap};
use crate::spec::namespace::{Namespace, Namespaces};
use crate::step::{Side, Step, word};
use std::ffi::CString;

/// The script for a plan.
pub(crate) fn script(spec: &Spec, plan: &Plan) -> String {
    let mut script = String::from("#!/bin/sh\n# Roughly what unshared-cli would do:\n");
    let mut unshare = String::from("unshare");
    let mut namespaces = plan.namespaces;
    for (_, step) in plan.steps.iter().filter(|(side, _)| *side == Side::Parent) {
        unshare.push_str(&outside(step, &mut script, &mut namespaces));
    }
    for namespace in namespaces.iter() {
        unshare.push_str(&format!(" --{}", namespace.option()));
    }
    if namespaces.has(Namespace::Pid) || spec.die_with_parent {
        unshare.push_str(" --fork");
    }
    if spec.die_with_parent {
        unshare.push_str(" --kill-child");
    }
    if keeps_other_id(plan) {
        // So that the shell can set up what it is to; execve(2) takes them from all but root.
        unshare.push_str(" --keep-caps");
    }
    let mut lines = vec![String::from("set -e")];
    for (side, step) in &plan.steps {
        match (side, step) {
            (
                Side::Child,
                Step::SetTimeOffsets {
                    monotonic,
                    boottime,
                },
            ) => {
                unshare.push_str(&format!(
                    " --time --fork --monotonic={monotonic} --boottime={boottime}"
                ));
            }
            // The shell may not be root inside, and mount(8) is for root.
            (Side::Child, Step::MountProc) => unshare.push_str(" --mount-proc"),
            // unshare(1) does both by itself.
            (Side::Child, Step::MakeMountsPrivate | Step::SetParentDeathSignal) => {}
            // The rest of the lines runs with the ids that root inside has.
            (Side::Child, Step::SetIds { uid, gid, .. }) => {
                for (option, id) in [("setuid", uid), ("setgid", gid)] {
                    if let Some(id) = id {
                        unshare.push_str(&format!(" --{option} {id}"));
                    }
                }
            }
            (Side::Child, step) => lines.push(step.shell(0)),
            (Side::Payload, Step::ChangeDirectory(_)) => lines.push(step.shell(0)),
            (Side::Parent | Side::Payload, _) => {}
        }
    }
    lines.extend(payload(spec, plan));
    let inside = lines.join("\n");
    script.push_str(&format!(
        "{unshare} sh -c {}\n",
        word(format!("{inside}\n").as_bytes())
    ));
    script
}

/// Whether the user namespace maps nobody to root inside.
fn keeps_other_id(plan: &Plan) -> bool {
    plan.steps.iter().any(|(_, step)| match step {
        Step::WriteUidMap(map) | Step::RunNewuidmap(map) => !map.has_inner(0),
        _ => false,
    })
}

/// A step on the host: an option of unshare(1), and perhaps a line before it.
fn outside(step: &Step, script: &mut String, namespaces: &mut Namespaces) -> String {
    match step {
        Step::WriteUidMap(map) | Step::RunNewuidmap(map) => map_options(map, "user"),
        Step::WriteGidMap(map) | Step::RunNewgidmap(map) => map_options(map, "group"),
        Step::BindNamespace(namespace, file) => {
            let file = word(file.as_bytes());
            script.push_str(&format!("touch {file}\n"));
            *namespaces = namespaces.without(*namespace);
            format!(" --{}={file}", namespace.option())
        }
        // unshare(1) sees to it where the map needs it.
        Step::DenySetgroups => String::new(),
        Step::SetTimeOffsets { .. }
        | Step::SetIds { .. }
        | Step::SetParentDeathSignal
        | Step::MakeMountsPrivate
        | Step::MountProc
        | Step::SetLoopbackUp
        | Step::SetHostname(_)
        | Step::SetDomainname(_)
        | Step::ChangeDirectory(_)
        | Step::Execute => String::new(),
    }
}

/// The options for a map. unshare(1) takes one line for the caller and one range.
fn map_options(map: &IdMap, kind: &str) -> String {
    map.0
        .iter()
        .map(
            |Extent {
                 inner,
                 outer,
                 count,
             }| match count {
                1 => format!(" --map-{kind}={inner}"),
                _ => format!(" --map-{kind}s={outer},{inner},{count}"),
            },
        )
        .collect()
}

/// The expressions and the command, with what is done right before each.
fn payload(spec: &Spec, plan: &Plan) -> Vec<String> {
    let mut prefix = String::new();
    for (side, step) in &plan.steps {
        if let (Side::Payload, Step::SetIds { .. }) = (side, step) {
            // unshare(1) denies setgroups(2) wherever it maps a group.
            let mapped = spec.namespaces.has(Namespace::User);
            let groups = if mapped {
                "--keep-groups"
            } else {
                "--clear-groups"
            };
            prefix.push_str(&step.shell(0).replace("--clear-groups", groups));
            prefix.push(' ');
        }
    }
    if spec.clear_env || !spec.variables.is_empty() {
        prefix.push_str(if spec.clear_env { "env -i " } else { "env " });
        for variable in &spec.variables {
            prefix.push_str(&word(variable.as_bytes()));
            prefix.push(' ');
        }
    }
    let shell = |expression: &CString| format!("{prefix}sh -c {}", word(expression.as_bytes()));
    let mut lines: Vec<String> = spec.expressions.iter().map(shell).collect();
    if let Some(command) = spec.command {
        let words: Vec<String> = command.map(|argument| word(argument.to_bytes())).collect();
        lines.push(format!("{prefix}{}", words.join(" ")));
    }
    if spec.namespaces.has(Namespace::Pid) && spec.has_init() {
        // Keeps the shell as PID 1, where our reaper would be.
        lines.push(String::from("exit $?"));
    } else if let Some(last) = lines.last_mut() {
        *last = format!("exec {last}");
    }
    lines
}

//! `--dry-run`: the plan as a shell script that does roughly the same with unshare(1) and friends.
use crate::host::Host;
#[cfg(feature = "network")]
use crate::network::pasta;
use crate::plan::Plan;
use crate::spec::Spec;
use crate::spec::capability::Capabilities;
use crate::spec::idmap::IdMap;
use crate::spec::namespace::{Namespace, Namespaces};
use crate::step::{Side, Step, ended, sh, word};
use std::ffi::CString;

/// The script for a plan.
#[cold]
#[inline(never)]
pub(crate) fn script(spec: &Spec, plan: &Plan, host: &Host) -> String {
    let mut script = String::from("#!/bin/sh\n# Roughly what unshared-cli would do:\n");
    if spec.restart.is_some() {
        script.push_str("# left out: --restart, for which unshare(1) has nothing\n");
    }
    if !host.filter.is_empty() {
        script.push_str("# left out: the filter of system calls\n");
    }
    if limits_by_itself(spec) {
        // The setpriv(1) of a small root, busybox's, cannot do it.
        script.push_str("# left out: the limit of capabilities that comes with a root\n");
    }
    if !spec.paths.is_empty() {
        script.push_str("# left out: --ro-path and --rw-path\n");
    }
    let has_hooks = [&spec.preexec, &spec.postexec, &spec.pre_mount, &spec.post_mount];
    if spec.chroot.is_some() || has_hooks.iter().any(|hooks| !hooks.is_empty()) {
        let name = spec.name.as_ref().map_or("unshared".into(), |name| name.to_string_lossy());
        let root = host.root.as_ref().map_or("/".into(), |root| root.to_string_lossy());
        let (name, root) = (word(name.as_bytes()), word(root.as_bytes()));
        script.push_str(&format!("NAME={name} ROOT={root}\nexport NAME ROOT\n"));
    }
    for expression in &spec.preexec {
        script.push_str(&format!("{} || exit 2\n", sh(expression)));
    }
    let mapping = Mapping::of(plan, host);
    let mut unshare = Unshare::new(plan);
    let mut lines = vec![String::from("set -e")];
    let mut become_root = String::new();
    let mut outside = Vec::new();
    for (side, step) in &plan.steps {
        match (side, step) {
            (Side::Parent, Step::BindNamespace(Namespace::User, file)) => {
                // From inside its namespace, as it tries to, unshare(1) may not mount on the host.
                script.push_str(&format!(
                    "# left out: unshare(1) cannot keep a user namespace in a file: {}\n",
                    word(file.as_bytes())
                ));
            }
            (Side::Parent, Step::BindNamespace(namespace, file)) => {
                let file = word(file.as_bytes());
                script.push_str(&format!("touch {file}\n"));
                unshare.namespace(*namespace, Some(&file));
            }
            (Side::Parent, step @ Step::EnterCgroup(_)) => {
                // The script itself goes there, and takes what it starts along.
                script.push_str(&format!("{}\n", step.shell("$$")));
            }
            (Side::Child, Step::UnshareCgroup) => unshare.namespace(Namespace::Cgroup, None),
            (Side::Child, Step::SetTimeOffsets { monotonic, boottime }) => {
                unshare.namespace(Namespace::Time, None);
                unshare.add(&format!("--monotonic={monotonic} --boottime={boottime}"));
            }
            // Mounted by unshare(1) where that is not too early: mount(8) is for root.
            (Side::Child, Step::MountProc) if mapping == Mapping::ByUnshare => {
                unshare.add("--mount-proc");
            }
            #[cfg(feature = "network")]
            (Side::Parent, Step::Net(step)) => {
                if outside.is_empty() {
                    let pasta = spec.network.pasta.then_some(pasta::LINK);
                    lines.extend(spec.network.main().or(pasta).map(|link| {
                        let link = word(link.to_bytes());
                        format!(
                            "n=0\nuntil ip link show dev {link} >/dev/null 2>&1; do \
                             n=$((n + 1)); [ $n -lt 100 ]; sleep 0.1; done"
                        )
                    }));
                }
                outside.push(step.shell("$pid"));
            }
            // unshare(1) does both by itself.
            (Side::Child, Step::MakeMountsPrivate | Step::SetParentDeathSignal) => {}
            (Side::Child, step @ Step::SetIds { .. }) => become_root = step.shell("0") + " ",
            (Side::Child, step) => lines.push(step.shell("0")),
            (Side::Payload, step @ Step::ChangeDirectory(_)) => lines.push(step.shell("0")),
            (Side::Parent | Side::Payload, _) => {}
        }
    }
    lines.extend(payload(spec, plan, mapping));
    let inside = word(format!("{}\n", lines.join("\n")).as_bytes());
    let mut command = format!("sh -c {inside}");
    match mapping {
        Mapping::None => {}
        Mapping::ByUnshare => {
            for step in maps(plan) {
                unshare.add(&map_option(step));
            }
            if keeps_other_id(plan) {
                // execve(2) takes the capabilities from all but root.
                unshare.add("--keep-caps");
            }
        }
        Mapping::FromOutside => {
            unshare.add("--keep-caps");
            let wait = "until grep -q . /proc/self/gid_map; do sleep 0.1; done";
            let inside = word(format!("{wait}\nexec {become_root}{command}\n").as_bytes());
            command = format!("sh -c {inside}");
            outside.splice(0..0, maps(plan).map(|step| step.shell("$pid")));
        }
    }
    let line = unshare.line(spec, &command);
    if outside.is_empty() {
        script.push_str(&line);
    } else {
        from_outside(&mut script, &line, plan, &outside);
    }
    if !spec.postexec.is_empty() {
        script.push_str("UNSHARED_STATUS=$?\nexport UNSHARED_STATUS\n");
        for expression in &spec.postexec {
            script.push_str(&format!("{}\n", sh(expression)));
        }
        script.push_str("exit $UNSHARED_STATUS\n");
    }
    script
}

/// Starts the line in the background, and does what is done from outside once its namespaces are
/// there. A bridge that was made goes at the end.
fn from_outside(script: &mut String, line: &str, plan: &Plan, outside: &[String]) {
    let namespace =
        if plan.namespaces.has(Namespace::User) { Namespace::User } else { Namespace::Net };
    let file = namespace.file();
    script.push_str(&format!("{} <&0 &\n", line.trim_end()));
    script.push_str(&format!("pid=$! made=\nhere=$(readlink /proc/$$/ns/{file})\n"));
    script.push_str(&format!(
        "while [ \"$(readlink /proc/$pid/ns/{file})\" = \"$here\" ]; do sleep 0.1; done\n"
    ));
    for line in outside {
        script.push_str(&format!("{line}\n"));
    }
    script.push_str("wait $pid\n");
    if outside.iter().any(|line| line.contains("made=")) {
        script.push_str("status=$?\nfor link in $made; do ip link delete dev $link; done\n");
        script.push_str("(exit $status)\n");
    }
}

/// How the script gets the ids mapped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mapping {
    None,
    /// Nothing but the caller's own ids: options of unshare(1).
    ByUnshare,
    /// Anything else: written from outside, once the namespace is there.
    FromOutside,
}

impl Mapping {
    fn of(plan: &Plan, host: &Host) -> Mapping {
        let own = |step: &Step| match step {
            Step::WriteUidMap(map) => map.is_only(host.uid),
            Step::WriteGidMap(map) => map.is_only(host.gid),
            _ => true,
        };
        match plan.namespaces.has(Namespace::User) {
            false => Mapping::None,
            true if maps(plan).all(own) && !maps(plan).any(is_helper) => Mapping::ByUnshare,
            true => Mapping::FromOutside,
        }
    }
}

fn is_helper(step: &Step) -> bool {
    matches!(step, Step::RunNewuidmap(_) | Step::RunNewgidmap(_))
}

/// The steps that are about id maps.
fn maps(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.steps.iter().map(|(_, step)| step).filter(|step| {
        is_helper(step)
            || matches!(step, Step::DenySetgroups | Step::WriteUidMap(_) | Step::WriteGidMap(_))
    })
}

/// The option of unshare(1) for a map of the caller's own id. It denies setgroups by itself.
fn map_option(step: &Step) -> String {
    let inner = |map: &IdMap| map.0.first().map_or(0, |extent| extent.inner);
    match step {
        Step::WriteUidMap(map) => format!("--map-user={}", inner(map)),
        Step::WriteGidMap(map) => format!("--map-group={}", inner(map)),
        _ => String::new(),
    }
}

/// Whether the user namespace maps nobody to root inside.
fn keeps_other_id(plan: &Plan) -> bool {
    maps(plan).any(|step| matches!(step, Step::WriteUidMap(map) if !map.has_inner(0)))
}

/// The command line of unshare(1).
struct Unshare {
    namespaces: Namespaces,
    options: String,
}

impl Unshare {
    fn new(plan: &Plan) -> Unshare {
        Unshare { namespaces: plan.namespaces, options: String::new() }
    }

    fn add(&mut self, option: &str) {
        if !option.is_empty() {
            self.options.push(' ');
            self.options.push_str(option);
        }
    }

    /// A namespace of its own, perhaps kept in a file; named once.
    fn namespace(&mut self, namespace: Namespace, file: Option<&str>) {
        self.namespaces = self.namespaces.without(namespace);
        let option = format!("--{}", namespace.option());
        match file {
            Some(file) => {
                self.options = self.options.replace(&format!(" {option} "), " ");
                self.add(&format!("{option}={file}"));
            }
            None => self.add(&option),
        }
    }

    fn line(&self, spec: &Spec, command: &str) -> String {
        let mut line = String::from("unshare");
        for namespace in self.namespaces.iter() {
            line.push_str(&format!(" --{}", namespace.option()));
        }
        let wants_fork = [Namespace::Pid, Namespace::Time];
        if spec.die_with_parent {
            line.push_str(" --kill-child");
        } else if wants_fork.into_iter().any(|namespace| spec.namespaces.has(namespace)) {
            line.push_str(" --fork");
        }
        format!("{line}{} {command}\n", self.options)
    }
}

/// Whether capabilities are limited though nobody named one.
fn limits_by_itself(spec: &Spec) -> bool {
    let none = Capabilities::default();
    spec.capabilities().is_some() && spec.cap_add == none && spec.cap_drop == none
}

/// The expressions and the command, with what is done right before each.
fn payload(spec: &Spec, plan: &Plan, mapping: Mapping) -> Vec<String> {
    let mut prefix = String::new();
    for (side, step) in &plan.steps {
        let is_limit = matches!(step, Step::SetCapabilities { .. }) && !limits_by_itself(spec);
        let is_limit = is_limit || matches!(step, Step::SetResourceLimit(_));
        if *side == Side::Payload && (is_limit || matches!(step, Step::SetNoNewPrivs)) {
            prefix.push_str(&step.shell("0"));
            prefix.push(' ');
        }
        if let (Side::Payload, Step::SetIds { .. }) = (side, step) {
            // unshare(1) denies setgroups(2) where it maps the group.
            let groups =
                if mapping == Mapping::ByUnshare { "--keep-groups" } else { "--clear-groups" };
            prefix.push_str(&step.shell("0").replace("--clear-groups", groups));
            prefix.push(' ');
        }
    }
    if spec.clear_env || !spec.variables.is_empty() {
        prefix.push_str(if spec.clear_env { "env -i " } else { "env " });
        prefix.push_str(spec.variables.first().map_or("", |variable| ended(variable)));
        for variable in &spec.variables {
            prefix.push_str(&word(variable.as_bytes()));
            prefix.push(' ');
        }
    }
    if let Some(expression) = &spec.chroot {
        let way = [expression.as_bytes(), b" \"$@\""].concat();
        let way = CString::new(way).unwrap_or_default();
        prefix.push_str(&format!("{} sh \"$ROOT\" ", sh(&way)));
    }
    let shell = |expression: &CString| format!("{prefix}{}", sh(expression));
    let mut lines: Vec<String> = spec.expressions.iter().map(shell).collect();
    if let Some(command) = spec.command {
        let words: Vec<String> = command.map(|argument| word(argument.to_bytes())).collect();
        lines.push(format!("{prefix}{}", words.join(" ")));
    }
    if !spec.post_mount.is_empty() {
        if let Some(last) = lines.last_mut() {
            *last = format!("status=0; {last} || status=$?");
        }
        let hook = |expression: &CString| format!("{} || :", sh(expression));
        lines.extend(spec.post_mount.iter().map(hook));
        lines.push(String::from("exit $status"));
    } else if spec.namespaces.has(Namespace::Pid) && spec.has_init() {
        // Keeps the shell as PID 1, where our reaper would be.
        lines.push(String::from("exit $?"));
    } else if let Some(last) = lines.last_mut() {
        *last = format!("exec {last}");
    }
    lines
}

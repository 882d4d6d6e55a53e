//! From what was asked for to the ordered list of steps. Pure: the same spec on the same host gives
//! the same plan.
use crate::error::Error;
use crate::host::Host;
use crate::network;
use crate::seccomp::Seccomp;
use crate::spec::idmap::{Extent, IdMap};
use crate::spec::mount::Mount;
use crate::spec::namespace::{Namespace, Namespaces};
use crate::spec::{MapChoice, Spec};
use crate::step::{Side, Step};
use std::ffi::{CStr, CString};

/// Everything that both processes do, in order. Both hold the same plan.
pub(crate) struct Plan {
    /// The namespaces that the child is cloned into.
    pub(crate) namespaces: Namespaces,
    pub(crate) steps: Vec<(Side, Step)>,
}

impl Plan {
    /// Whether a step of it leaves something on the host, which has an entry in the journal.
    pub(crate) fn leaves_something(&self) -> bool {
        self.steps.iter().any(|(_, step)| {
            matches!(step, Step::BindNamespace(..) | Step::EnterCgroup(_))
                || matches!(step, Step::Net(step) if step.leaves_something())
        })
    }
}

/// The two maps of a user namespace, and whether setgroups(2) is denied in it.
struct Maps {
    users: IdMap,
    groups: IdMap,
    deny_setgroups: bool,
}

/// Makes the plan.
pub(crate) fn plan(spec: &Spec, host: &Host) -> Result<Plan, Error> {
    let mut steps = Steps(Vec::new());
    let mut namespaces = spec.namespaces;
    let maps = if spec.namespaces.has(Namespace::User) { Some(maps(spec, host)?) } else { None };
    if let Some(maps) = &maps {
        steps.map(maps, host);
    }
    for step in network::on_host(spec) {
        steps.parent(Step::Net(step));
    }
    if !spec.limits.is_empty() {
        steps.parent(Step::EnterCgroup(spec.limits.clone()));
        if namespaces.has(Namespace::Cgroup) {
            // A namespace begins at the cgroup of whoever calls; clone3(2) takes its caller's.
            namespaces = namespaces.without(Namespace::Cgroup);
            steps.child(Step::UnshareCgroup);
        }
    }
    let kept = spec.persist.iter().any(|(namespace, _)| *namespace == Namespace::Time);
    if kept || spec.monotonic.is_some() || spec.boottime.is_some() {
        // Offsets can be written only while the namespace is empty, so nobody is cloned into it.
        // One that is to be kept is a step as well, so that the parent waits for it whichever way
        // the kernel has of making it.
        namespaces = namespaces.without(Namespace::Time);
        let (monotonic, boottime) = (spec.monotonic.unwrap_or(0), spec.boottime.unwrap_or(0));
        steps.child(Step::SetTimeOffsets { monotonic, boottime });
    }
    if let Some(step) = maps.as_ref().and_then(|maps| root_inside(maps, host)) {
        steps.child(step);
    }
    if spec.die_with_parent && spec.has_reaper() {
        // After the ids have changed, since that forgets the signal (prctl(2)).
        steps.child(Step::SetParentDeathSignal);
    }
    if spec.namespaces.has(Namespace::Net) {
        steps.child(Step::SetLoopbackUp);
    }
    for step in network::inside(&spec.network) {
        steps.child(Step::Net(step));
    }
    steps.inside(spec, host);
    steps.payload(spec, host, maps.as_ref());
    Ok(Plan { namespaces, steps: steps.0 })
}

struct Steps(Vec<(Side, Step)>);

impl Steps {
    fn parent(&mut self, step: Step) {
        self.0.push((Side::Parent, step));
    }

    fn child(&mut self, step: Step) {
        self.0.push((Side::Child, step));
    }

    /// Writes the maps: ourselves where the kernel lets us, else through newuidmap(1).
    fn map(&mut self, maps: &Maps, host: &Host) {
        if maps.deny_setgroups {
            self.parent(Step::DenySetgroups);
        }
        let users = maps.users.clone();
        let groups = maps.groups.clone();
        self.parent(if host.may_map || users.is_only(host.uid) {
            Step::WriteUidMap(users)
        } else {
            Step::RunNewuidmap(users)
        });
        self.parent(if host.may_map || groups.is_only(host.gid) {
            Step::WriteGidMap(groups)
        } else {
            Step::RunNewgidmap(groups)
        });
    }

    /// A root is made of what was asked for while the old one is still there, and then entered.
    fn root(&mut self, spec: &Spec, host: &Host, root: &CString) {
        let root = || root.clone();
        self.child(if let Some(image) = spec.unpack.clone() {
            Step::UnpackRoot { root: root(), image }
        } else if spec.overlay {
            let in_user_namespace = spec.namespaces.has(Namespace::User);
            Step::OverlayRoot { root: root(), in_user_namespace }
        } else {
            Step::BindRoot { root: root(), read_only: spec.read_only }
        });
        // Proc and sysfs show one PID and one network namespace each. If it is the caller's, so are
        // the mounts; in a user namespace others cannot be had.
        if !spec.no_proc {
            let is_new = spec.namespaces.has(Namespace::Pid);
            self.child(Step::MountProcIn { root: root(), is_new });
        }
        let is_new = spec.namespaces.has(Namespace::Net);
        self.child(Step::MountSysIn { root: root(), is_new });
        if spec.is_confined() {
            self.child(Step::ProtectKernelFiles { root: root() });
        }
        self.child(Step::MountDevIn { root: root() });
        self.mounts(spec, host, root());
        if spec.read_only {
            self.child(Step::ProtectRoot { root: root() });
        }
        if spec.chroot.is_none() {
            self.child(Step::PivotRoot { root: root() });
        }
    }

    /// What was asked for, in that order.
    fn mounts(&mut self, spec: &Spec, host: &Host, root: CString) {
        for (index, mount) in spec.mounts.iter().enumerate() {
            let earlier = spec.mounts.get(..index).unwrap_or_default();
            let makes = root.as_c_str() != c"/"
                || spec.overlay
                || spec.unpack.is_some()
                || is_in_memory(mount.target(), earlier, spec.root.is_some());
            let root = root.clone();
            self.child(match (mount.clone(), host.filesystems.get(index).copied().flatten()) {
                (Mount::Data { source, target, read_only }, Some(kind)) => {
                    Step::MountDisk { root, source, target, kind, read_only, makes }
                }
                (Mount::Data { source, target, read_only }, None) => {
                    let mount = Mount::Bind { source, target, read_only };
                    Step::MountIn { root, mount, makes }
                }
                (mount, _) => Step::MountIn { root, mount, makes },
            });
        }
        for (target, text) in network::files(spec) {
            self.child(Step::MountFile { root: root.clone(), target, text });
        }
    }

    /// What is set up inside, once the ids are.
    fn inside(&mut self, spec: &Spec, host: &Host) {
        if spec.namespaces.has(Namespace::Mount) {
            self.child(Step::MakeMountsPrivate);
        }
        for (namespace, file) in &spec.persist {
            // After the child's mounts are private: a mount namespace cannot be bound where the
            // binding would spread into it.
            self.parent(Step::BindNamespace(*namespace, file.clone()));
        }
        for expression in &spec.pre_mount {
            self.child(Step::RunPreMount(expression.clone()));
        }
        match &host.root {
            Some(root) => self.root(spec, host, root),
            None => {
                if spec.mounts_proc() {
                    self.child(Step::MountProc);
                }
                self.mounts(spec, host, c"/".to_owned());
            }
        }
        if let Some(name) = &spec.hostname {
            self.child(Step::SetHostname(name.clone()));
        }
        if let Some(name) = &spec.domainname {
            self.child(Step::SetDomainname(name.clone()));
        }
    }

    /// What each process does that is about to execute something.
    fn payload(&mut self, spec: &Spec, host: &Host, maps: Option<&Maps>) {
        for limit in &spec.rlimits {
            self.at_last(Step::SetResourceLimit(limit.clone()));
        }
        if let Some(path) = &spec.cwd {
            self.at_last(Step::ChangeDirectory(path.clone()));
        }
        let no_new_privs = spec.no_new_privs();
        if !no_new_privs {
            // These take CAP_SYS_ADMIN then, which may be gone afterwards.
            self.filters(spec, host);
        }
        let capabilities = spec.capabilities();
        if spec.uid.is_some() || spec.gid.is_some() {
            self.at_last(Step::SetIds {
                uid: spec.uid,
                gid: spec.gid,
                clear_groups: maps.is_none_or(|maps| !maps.deny_setgroups),
                keeps_capabilities: capabilities.is_some(),
            });
        }
        if let Some((kept, added)) = capabilities {
            self.at_last(Step::SetCapabilities { kept, added, locks_root: no_new_privs });
        }
        if spec.die_with_parent && !spec.has_init() {
            self.at_last(Step::SetParentDeathSignal);
        }
        if no_new_privs {
            self.at_last(Step::SetNoNewPrivs);
            // Last, since they may refuse what the steps before them do.
            self.filters(spec, host);
        }
        self.at_last(Step::Execute);
    }

    fn at_last(&mut self, step: Step) {
        self.0.push((Side::Payload, step));
    }

    /// What the payload may open, and what it may call.
    fn filters(&mut self, spec: &Spec, host: &Host) {
        if !spec.paths.is_empty() {
            self.at_last(Step::RestrictPaths(spec.paths.clone()));
        }
        let name = match spec.seccomp() {
            Seccomp::None => return,
            #[cfg(feature = "seccomp")]
            Seccomp::Default => c"default".to_owned(),
            #[cfg(feature = "seccomp")]
            Seccomp::File(file) => file.clone(),
        };
        let (filter, log) = (host.filter.clone(), spec.seccomp_log);
        self.at_last(Step::SetSeccomp { name, filter, log });
    }
}

/// Whether a path is in a tmpfs that was mounted before it, or in the /dev of a root: what is made there
/// is not left on the host.
fn is_in_memory(path: &CStr, earlier: &[Mount], has_dev: bool) -> bool {
    let below = |above: &CStr| {
        let rest = path.to_bytes().strip_prefix(above.to_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"/") || above.to_bytes().ends_with(b"/"))
    };
    let is_plain = path.to_bytes().split(|byte| *byte == b'/').all(|name| name != b"..");
    is_plain
        && match earlier.iter().rfind(|mount| below(mount.target())) {
            Some(mount) => matches!(mount, Mount::Tmpfs { .. }),
            None => has_dev && below(c"/dev"),
        }
}

/// The maps that were asked for, checked as the kernel will.
fn maps(spec: &Spec, host: &Host) -> Result<Maps, Error> {
    let users = map(spec, host.uid, &spec.map_users, &host.subordinate_uids);
    let groups = map(spec, host.gid, &spec.map_groups, &host.subordinate_gids);
    for (map, option) in [(&users, "--map-users"), (&groups, "--map-groups")] {
        if let Some(problem) = map.problem() {
            return Err(Error::usage(format!("{option}: {problem}"), "spawn"));
        }
    }
    for (map, id, option) in [(&users, spec.uid, "--uid"), (&groups, spec.gid, "--gid")] {
        if let Some(id) = id
            && !map.has_inner(id)
        {
            let problem =
                format!("{option} {id}: the user namespace maps only \"{}\"", map.shown());
            return Err(Error::plain(problem).hint("see --map-users, --map-groups, --map-auto"));
        }
    }
    // Without CAP_SETGID a group map needs it (user_namespaces(7)); newgidmap(1) sees to it itself.
    let deny_setgroups = !host.may_map && groups.is_only(host.gid);
    Ok(Maps { users, groups, deny_setgroups })
}

/// One of the two maps.
fn map(spec: &Spec, caller: u32, given: &[Extent], subordinate: &[(u32, u32)]) -> IdMap {
    let choice = match spec.map {
        None if given.is_empty() => Some(MapChoice::Root),
        choice => choice,
    };
    let mut extents = Vec::new();
    match choice {
        Some(MapChoice::Root) => extents.push(Extent::one(0, caller)),
        Some(MapChoice::Current) => extents.push(Extent::one(caller, caller)),
        Some(MapChoice::Auto) => {
            extents.push(Extent::one(0, caller));
            let mut inner = 1;
            for (outer, count) in subordinate {
                extents.push(Extent { inner, outer: *outer, count: *count });
                inner = inner.saturating_add(*count);
            }
        }
        None => {}
    }
    extents.extend_from_slice(given);
    IdMap(extents)
}

/// What makes the child root inside where the maps leave its own ids out.
fn root_inside(maps: &Maps, host: &Host) -> Option<Step> {
    let wanted = |map: &IdMap, own| (!map.has_outer(own) && map.has_inner(0)).then_some(0);
    let uid = wanted(&maps.users, host.uid);
    let gid = wanted(&maps.groups, host.gid);
    let clear_groups = !maps.deny_setgroups;
    let keeps_capabilities = false;
    (uid.is_some() || gid.is_some()).then_some(Step::SetIds {
        uid,
        gid,
        clear_groups,
        keeps_capabilities,
    })
}

#[cfg(test)]
mod tests;

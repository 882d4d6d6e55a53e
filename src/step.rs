//! The steps of a plan, and what each is called when it fails.
use crate::cgroup::Limit;
use crate::error::quote;
use crate::landlock::Access;
use crate::network::NetStep;
use crate::seccomp::Instruction;
use crate::spec::capability::Capabilities;
use crate::spec::idmap::IdMap;
use crate::spec::mount::Mount;
use crate::spec::namespace::Namespace;
use crate::spec::rlimit::ResourceLimit;
use std::ffi::{CStr, CString};

mod shell;

pub(crate) use shell::{ended, sh, word};

/// Which process performs a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// The launcher, in the caller's namespaces.
    Parent,
    /// The process that was cloned into the new namespaces; with `--pid`, PID 1.
    Child,
    /// Each process that is about to execute an expression or the command.
    Payload,
}

/// One thing to do, named for the call that does it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Writes "deny" to /proc/PID/setgroups.
    DenySetgroups,
    /// Writes /proc/PID/uid_map.
    WriteUidMap(IdMap),
    /// Writes /proc/PID/gid_map.
    WriteGidMap(IdMap),
    /// Has newuidmap(1) write /proc/PID/uid_map.
    RunNewuidmap(IdMap),
    /// Has newgidmap(1) write /proc/PID/gid_map.
    RunNewgidmap(IdMap),
    /// Moves the child to the cgroup that was made for it, unless clone3(2) has put it there.
    EnterCgroup(Vec<Limit>),
    /// unshare(2) of the cgroup namespace, whose root is where we are by then.
    UnshareCgroup,
    /// Binds /proc/PID/ns/… to a file, which keeps the namespace alive.
    BindNamespace(Namespace, CString),
    /// Unshares the time namespace, writes its offsets while it is empty, and enters it.
    SetTimeOffsets {
        /// Seconds to add to CLOCK_MONOTONIC.
        monotonic: i64,
        /// Seconds to add to CLOCK_BOOTTIME.
        boottime: i64,
    },
    /// setgroups(2), setresgid(2), setresuid(2), in this order.
    SetIds {
        /// The user id to take on.
        uid: Option<u32>,
        /// The group id to take on.
        gid: Option<u32>,
        /// Whether supplementary groups are dropped.
        clear_groups: bool,
        /// Whether capabilities outlive a change of the user id, until execve(2).
        keeps_capabilities: bool,
    },
    /// prctl(PR_SET_PDEATHSIG, SIGKILL).
    SetParentDeathSignal,
    /// Makes every mount private, recursively, so that none of ours gets out.
    MakeMountsPrivate,
    /// Mounts a /proc for the new PID namespace.
    MountProc,
    /// Runs a hook inside, before anything is mounted there.
    RunPreMount(CString),
    /// Makes the root's directory a mount, which pivot_root(2) demands.
    BindRoot { root: CString, read_only: bool },
    /// Mounts an overlay on the root's directory, whose upper layer is a tmpfs.
    OverlayRoot { root: CString, in_user_namespace: bool },
    /// Mounts a tmpfs on the root's directory, and unpacks an image into it.
    UnpackRoot { root: CString, image: CString },
    /// Mounts proc in the root: a new one, or the caller's.
    MountProcIn { root: CString, is_new: bool },
    /// Mounts sysfs in the root, read-only: a new one, or the caller's.
    MountSysIn { root: CString, is_new: bool },
    /// Hides files of /proc and /sys in the root, and makes others read-only.
    ProtectKernelFiles { root: CString },
    /// Mounts a /dev with the devices that every program expects.
    MountDevIn { root: CString },
    /// Mounts what was asked for in the root; what it is mounted on may be made there, or must be there.
    MountIn { root: CString, mount: Mount, makes: bool },
    /// Mounts the filesystem of a disk in the root; the parent has opened it before.
    MountDisk {
        root: CString,
        source: CString,
        target: CString,
        kind: &'static CStr,
        read_only: bool,
        makes: bool,
    },
    /// Mounts a file of its own in the place of one that the root has.
    MountFile { root: CString, target: &'static CStr, text: String },
    /// Makes the root read-only.
    ProtectRoot { root: CString },
    /// pivot_root(2), and umount2(2) of the old root.
    PivotRoot { root: CString },
    /// Brings `lo` up.
    SetLoopbackUp,
    /// What connects the network namespace.
    Net(NetStep),
    /// sethostname(2).
    SetHostname(CString),
    /// setdomainname(2).
    SetDomainname(CString),
    /// setrlimit(2).
    SetResourceLimit(ResourceLimit),
    /// chdir(2).
    ChangeDirectory(CString),
    /// prctl(PR_CAPBSET_DROP), capset(2) and, for whoever is not root, prctl(PR_CAP_AMBIENT_RAISE).
    SetCapabilities {
        /// What stays.
        kept: Capabilities,
        /// What of it is also for whoever is not root.
        added: Capabilities,
        /// prctl(PR_SET_SECUREBITS): for whoever is not root, user id 0 means nothing from then on.
        locks_root: bool,
    },
    /// prctl(PR_SET_NO_NEW_PRIVS).
    SetNoNewPrivs,
    /// landlock_restrict_self(2): only what is below these paths can be opened.
    RestrictPaths(Vec<(CString, Access)>),
    /// seccomp(2) with a filter, which has a name or is a file's.
    SetSeccomp { name: CString, filter: Vec<Instruction>, log: bool },
    /// execve(2) of the command or the expression.
    Execute,
}

impl Step {
    /// The attempt and its object, as a message has them. `pid` is the child's.
    #[cold]
    #[inline(never)]
    pub(crate) fn attempt(&self, pid: i32) -> String {
        match self {
            Step::DenySetgroups => format!("write setgroups \"deny\" of pid {pid}"),
            Step::WriteUidMap(map) => format!("write uid_map \"{}\" of pid {pid}", map.shown()),
            Step::WriteGidMap(map) => format!("write gid_map \"{}\" of pid {pid}", map.shown()),
            Step::RunNewuidmap(map) => format!("newuidmap \"{}\" for pid {pid}", map.shown()),
            Step::RunNewgidmap(map) => format!("newgidmap \"{}\" for pid {pid}", map.shown()),
            Step::EnterCgroup(_) => format!("move pid {pid} to its cgroup"),
            Step::UnshareCgroup => "make new cgroup namespace".to_owned(),
            Step::BindNamespace(namespace, file) => {
                format!("keep the {} namespace at {}", namespace.option(), quote(file.as_bytes()))
            }
            Step::SetTimeOffsets { monotonic, boottime } => {
                format!("set the clock offsets monotonic {monotonic}, boottime {boottime}")
            }
            Step::SetIds { .. } => format!("change ids: {}", self.shell("")),
            Step::SetParentDeathSignal => "set the parent death signal".to_owned(),
            Step::MakeMountsPrivate => "make the mounts under \"/\" private".to_owned(),
            Step::MountProc => "mount proc at \"/proc\"".to_owned(),
            Step::RunPreMount(expression) => format!("pre-mount {}", quote(expression.as_bytes())),
            Step::BindRoot { root, .. } => format!("bind root {}", quote(root.as_bytes())),
            Step::OverlayRoot { root, .. } => {
                format!("mount overlay on {}", quote(root.as_bytes()))
            }
            Step::UnpackRoot { root, .. } => format!("mount tmpfs on {}", quote(root.as_bytes())),
            Step::MountProcIn { root, .. } => format!("mount {}", at(root, c"/proc")),
            Step::MountSysIn { root, .. } => format!("mount {}", at(root, c"/sys")),
            Step::ProtectKernelFiles { root } => {
                format!("hide files of the kernel in root {}", quote(root.as_bytes()))
            }
            Step::MountDevIn { root } => format!("mount {}", at(root, c"/dev")),
            Step::MountIn { root, mount: Mount::Bind { source, target, .. }, .. }
            | Step::MountIn { root, mount: Mount::Data { source, target, .. }, .. } => {
                format!("bind {} to {}", quote(source.as_bytes()), at(root, target))
            }
            Step::MountDisk { root, source, target, kind, .. } => {
                let (source, kind) = (quote(source.as_bytes()), kind.to_string_lossy());
                format!("mount {source} as {kind} at {}", at(root, target))
            }
            Step::MountIn { root, mount: Mount::Tmpfs { target, .. }, .. } => {
                format!("mount tmpfs at {}", at(root, target))
            }
            Step::MountFile { root, target, .. } => format!("mount {}", at(root, target)),
            Step::ProtectRoot { root } => {
                format!("make root {} read-only", quote(root.as_bytes()))
            }
            Step::PivotRoot { root } => format!("pivot_root to {}", quote(root.as_bytes())),
            Step::SetLoopbackUp => "bring up link \"lo\"".to_owned(),
            Step::Net(step) => step.attempt(),
            Step::SetHostname(name) => format!("set hostname {}", quote(name.as_bytes())),
            Step::SetDomainname(name) => format!("set domainname {}", quote(name.as_bytes())),
            Step::SetResourceLimit(limit) => format!("set limit {}", limit.shown()),
            Step::ChangeDirectory(path) => {
                format!("change to directory {}", quote(path.as_bytes()))
            }
            Step::SetCapabilities { .. } => "limit the capabilities".to_owned(),
            Step::SetNoNewPrivs => "set no_new_privs".to_owned(),
            Step::RestrictPaths(paths) => {
                let paths: Vec<_> = paths.iter().map(|(path, _)| quote(path.as_bytes())).collect();
                format!("restrict paths to {}", paths.join(", "))
            }
            Step::SetSeccomp { name, .. } => {
                format!("set seccomp filter {}", quote(name.as_bytes()))
            }
            Step::Execute => "execute".to_owned(),
        }
    }
}

/// Where something is in a root, as a message has it.
fn at(root: &CStr, target: &CStr) -> String {
    let target = quote(target.to_bytes());
    if root == c"/" { target } else { format!("{target} in root {}", quote(root.to_bytes())) }
}

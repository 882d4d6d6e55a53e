//! The eight namespaces of namespaces(7).
use linux_raw_sys::general as kernel;

/// A kind of namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Namespace {
    /// user_namespaces(7). The first, because it owns the others that are made with it.
    User,
    /// mount_namespaces(7)
    Mount,
    /// uts_namespaces(7)
    Uts,
    /// ipc_namespaces(7)
    Ipc,
    /// network_namespaces(7)
    Net,
    /// pid_namespaces(7)
    Pid,
    /// cgroup_namespaces(7)
    Cgroup,
    /// time_namespaces(7)
    Time,
}

impl Namespace {
    /// All of them.
    pub(crate) const ALL: [Namespace; 8] = [
        Namespace::User,
        Namespace::Mount,
        Namespace::Uts,
        Namespace::Ipc,
        Namespace::Net,
        Namespace::Pid,
        Namespace::Cgroup,
        Namespace::Time,
    ];

    /// Its option, without the dashes.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Namespace::User => "user",
            Namespace::Mount => "mount",
            Namespace::Uts => "uts",
            Namespace::Ipc => "ipc",
            Namespace::Net => "net",
            Namespace::Pid => "pid",
            Namespace::Cgroup => "cgroup",
            Namespace::Time => "time",
        }
    }

    /// Its file in /proc/PID/ns, and its name in user.max_NAME_namespaces.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Namespace::Mount => "mnt",
            Namespace::User
            | Namespace::Uts
            | Namespace::Ipc
            | Namespace::Net
            | Namespace::Pid
            | Namespace::Cgroup
            | Namespace::Time => self.option(),
        }
    }

    /// Its flag for clone(2).
    pub(crate) const fn flag(self) -> u32 {
        match self {
            Namespace::User => kernel::CLONE_NEWUSER,
            Namespace::Mount => kernel::CLONE_NEWNS,
            Namespace::Uts => kernel::CLONE_NEWUTS,
            Namespace::Ipc => kernel::CLONE_NEWIPC,
            Namespace::Net => kernel::CLONE_NEWNET,
            Namespace::Pid => kernel::CLONE_NEWPID,
            Namespace::Cgroup => kernel::CLONE_NEWCGROUP,
            Namespace::Time => kernel::CLONE_NEWTIME,
        }
    }
}

/// A set of namespaces, as flags for clone(2).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Namespaces(u32);

impl Namespaces {
    /// The flags.
    pub(crate) const fn flags(self) -> u32 {
        self.0
    }

    /// Adds one.
    pub(crate) fn add(&mut self, namespace: Namespace) {
        self.0 |= namespace.flag();
    }

    /// The set without that one.
    pub(crate) const fn without(self, namespace: Namespace) -> Namespaces {
        Namespaces(self.0 & !namespace.flag())
    }

    /// Whether that one is in the set.
    pub(crate) const fn has(self, namespace: Namespace) -> bool {
        self.0 & namespace.flag() != 0
    }

    /// Those that are in the set.
    pub(crate) fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL.into_iter().filter(move |namespace| self.has(*namespace))
    }
}

//! The capabilities of capabilities(7): their names, and which of them a payload keeps.

/// A set of capabilities: bit N is the one with number N.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Capabilities(pub(crate) u64);

/// Their names in the order of their numbers, without the `cap_`.
const NAMES: &str = "\
    chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap \
    linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner \
    sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice \
    sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap \
    mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf \
    checkpoint_restore";

impl Capabilities {
    /// All, also those that are newer than this list.
    pub(crate) const ALL: Capabilities = Capabilities(u64::MAX);

    /// What container engines keep by default, but for mknod.
    pub(crate) const CONTAINER: Capabilities = Capabilities(
        1 | 1 << 1
            | 1 << 3
            | 1 << 4
            | 1 << 5
            | 1 << 6
            | 1 << 7
            | 1 << 8
            | 1 << 10
            | 1 << 13
            | 1 << 18
            | 1 << 29
            | 1 << 31,
    );

    /// `all`, or a name with or without `cap_`, in any case.
    pub(crate) fn parse(word: &str) -> Option<Capabilities> {
        let word = word.to_ascii_lowercase();
        if word == "all" {
            return Some(Capabilities::ALL);
        }
        let name = word.strip_prefix("cap_").unwrap_or(&word);
        let number = NAMES.split(' ').position(|one| one == name)?;
        Some(Capabilities(1 << number))
    }

    pub(crate) const fn has(self, number: u32) -> bool {
        self.0 & (1 << number) != 0
    }

    pub(crate) const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & !other.0)
    }

    /// Those that have a name here.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        (0..)
            .zip(NAMES.split(' '))
            .filter(move |(number, _)| self.has(*number))
            .map(|(_, name)| name)
    }
}

/// What `--cap-add` and `--cap-drop` leave of `base`. An `all` is meant first, whichever option has
/// it; `None` where both have the same.
pub(crate) fn kept(
    base: Capabilities,
    added: Capabilities,
    dropped: Capabilities,
) -> Option<Capabilities> {
    match (added == Capabilities::ALL, dropped == Capabilities::ALL) {
        (true, true) => None,
        (true, false) => Some(Capabilities::ALL.without(dropped)),
        (false, true) => Some(added),
        (false, false) if added.0 & dropped.0 != 0 => None,
        (false, false) => Some(base.without(dropped).with(added)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> Capabilities {
        names
            .split_ascii_whitespace()
            .fold(Capabilities::default(), |set, name| set.with(Capabilities::parse(name).unwrap()))
    }

    #[test]
    fn a_name_is_taken_in_every_spelling() {
        for name in ["net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN"] {
            assert_eq!(Capabilities::parse(name), Some(Capabilities(1 << 12)), "{name}");
        }
        for name in ["", "cap_", "net-admin", "12", "all,chown"] {
            assert_eq!(Capabilities::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn numbers_are_the_kernels() {
        use linux_raw_sys::general as kernel;
        assert_eq!(set("mknod").0, 1 << kernel::CAP_MKNOD);
        assert_eq!(set("checkpoint_restore").0, 1 << kernel::CAP_CHECKPOINT_RESTORE);
        let container = "chown dac_override fowner fsetid kill setgid setuid setpcap \
             net_bind_service net_raw sys_chroot audit_write setfcap";
        assert_eq!(Capabilities::CONTAINER, set(container));
    }

    #[test]
    fn all_is_meant_first() {
        let base = set("chown kill");
        assert_eq!(kept(base, set("bpf"), set("kill")), Some(set("chown bpf")));
        assert_eq!(kept(base, set("bpf"), Capabilities::ALL), Some(set("bpf")));
        let but_bpf = Capabilities::ALL.without(set("bpf"));
        assert_eq!(kept(base, Capabilities::ALL, set("bpf")), Some(but_bpf));
        assert_eq!(kept(base, set("bpf"), set("bpf")), None);
        assert_eq!(kept(base, Capabilities::ALL, Capabilities::ALL), None);
    }
}

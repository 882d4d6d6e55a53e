//! What the words on the kernel's command line ask of us. Pure.
use super::words::{Word, Words};
use crate::error::quote;
use std::ffi::{CStr, CString};
use std::net::IpAddr;
use unshared_init::number::{SECOND, decimal, seconds};
use unshared_init::supervise::DEFAULT_GRACE;

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    PowerOff,
    Reboot,
    Halt,
}

impl End {
    /// What it is called, on a command line as in a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::PowerOff => "poweroff",
            End::Reboot => "reboot",
            End::Halt => "halt",
        }
    }

    /// By that name.
    pub(crate) fn parse(text: &[u8]) -> Option<End> {
        [End::PowerOff, End::Reboot, End::Halt]
            .into_iter()
            .find(|end| end.name().as_bytes() == text)
    }
}

/// What follows on the end of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnExit {
    End(End),
    Respawn,
    Shell,
}

/// What follows when the machine cannot be brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rescue {
    Shell,
    End(End),
}

/// What there is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// An expression for the shell; where there is none, its words.
    Expression(Vec<u8>),
    /// A command's words.
    Command(Vec<Vec<u8>>),
}

/// The root that the machine is to be in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) device: Vec<u8>,
    /// As mount(2) calls it; otherwise it is looked for on the device.
    pub(crate) kind: Option<CString>,
    /// Mount options, separated by commas.
    pub(crate) flags: Vec<u8>,
    /// How long its device is waited for, in nanoseconds.
    pub(crate) wait: u64,
    /// The kernel's own word `rw`: without it, a root is read-only to begin with.
    pub(crate) writable: bool,
}

/// An address for an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: Vec<u8>,
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
    pub(crate) gateway: Option<IpAddr>,
}

impl Interface {
    /// `NAME:ADDRESS/PREFIX[:GATEWAY]`; an IPv6 address has colons of its own.
    fn parse(text: &[u8]) -> Option<Interface> {
        let (name, rest) = std::str::from_utf8(text).ok()?.split_once(':')?;
        let (address, rest) = rest.split_once('/')?;
        let (prefix, gateway) = match rest.split_once(':') {
            Some((prefix, gateway)) => (prefix, Some(gateway.parse().ok()?)),
            None => (rest, None),
        };
        let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        let fits = gateway.is_none_or(|gateway: IpAddr| gateway.is_ipv4() == address.is_ipv4());
        let name = name.as_bytes().to_vec();
        (prefix <= most && fits && !name.is_empty()).then_some(Interface {
            name,
            address,
            prefix,
            gateway,
        })
    }
}

/// Everything that can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) run: Option<Run>,
    pub(crate) on_exit: OnExit,
    pub(crate) rescue: Rescue,
    /// Nanoseconds before the machine is given up, for somebody who reads the console.
    pub(crate) rescue_delay: u64,
    /// Nanoseconds between TERM and KILL.
    pub(crate) grace: u64,
    pub(crate) hostname: Option<Vec<u8>>,
    /// A folder of services, in the place of a payload.
    pub(crate) services: Option<CString>,
    pub(crate) interfaces: Vec<Interface>,
    /// After how many seconds without PID 1 a watchdog resets the machine.
    pub(crate) watchdog: Option<u32>,
    pub(crate) modules: Vec<Vec<u8>>,
    pub(crate) coldplug: bool,
    pub(crate) root: Option<Root>,
    /// What is executed in that root.
    init: Option<CString>,
    /// The first thing that is wrong with the words; the machine is not brought up then.
    pub(crate) wrong: Option<String>,
}

impl Settings {
    fn new() -> Settings {
        Settings {
            run: None,
            on_exit: OnExit::End(End::PowerOff),
            rescue: Rescue::End(End::Reboot),
            rescue_delay: 10 * SECOND,
            grace: DEFAULT_GRACE,
            hostname: None,
            services: None,
            interfaces: Vec::new(),
            watchdog: None,
            modules: Vec::new(),
            coldplug: false,
            root: None,
            init: None,
            wrong: None,
        }
    }

    /// Of two words of one name the later one counts. What is not ours is passed over.
    pub(crate) fn read(words: Words) -> Settings {
        let mut settings = Settings::new();
        let mut root = Root { wait: 10 * SECOND, ..Root::default() };
        for word in words.words {
            match word.name.as_slice() {
                b"ro" => root.writable = false,
                b"rw" => root.writable = true,
                _ => {}
            }
            if let Some(name) = own_name(&word.name)
                && !str::from_utf8(&name).is_ok_and(|name| {
                    settings.set(&mut root, name, word.value.as_deref()).is_some()
                })
                && settings.wrong.is_none()
            {
                settings.wrong = Some(complaint(&word));
            }
        }
        if let Some(rest) = words.rest
            && !rest.is_empty()
            && settings.run.is_none()
            && settings.services.is_none()
        {
            settings.run = Some(Run::Command(rest));
        }
        settings.root = (!root.device.is_empty()).then_some(root);
        settings
    }

    /// `None` where there is no such word, or its value is none.
    fn set(&mut self, root: &mut Root, name: &str, value: Option<&[u8]>) -> Option<()> {
        if name == "coldplug" && value.is_none() {
            self.coldplug = true;
            return Some(());
        }
        let value = value.filter(|value| !value.is_empty())?;
        let text = match name {
            "services" => Some(&mut self.services),
            "rootfstype" => Some(&mut root.kind),
            "init" => Some(&mut self.init),
            _ => None,
        };
        if let Some(text) = text {
            *text = Some(CString::new(value).ok()?);
        }
        let time = match name {
            "rescue-delay" => Some(&mut self.rescue_delay),
            "grace" => Some(&mut self.grace),
            "rootwait" => Some(&mut root.wait),
            _ => None,
        };
        if let Some(time) = time {
            *time = seconds(value)?;
        }
        match name {
            "services" => self.run = None,
            "exec" => {
                self.run = Some(Run::Expression(value.to_vec()));
                self.services = None;
            }
            "ip" => self.interfaces.push(Interface::parse(value)?),
            "watchdog" => {
                let seconds = u32::try_from(decimal(value)?).ok()?;
                self.watchdog = Some(seconds).filter(|seconds| *seconds > 0);
            }
            "on-exit" => {
                self.on_exit = match str::from_utf8(value).ok()? {
                    "respawn" => OnExit::Respawn,
                    "shell" => OnExit::Shell,
                    _ => OnExit::End(End::parse(value)?),
                }
            }
            "rescue" => {
                self.rescue = match str::from_utf8(value).ok()? {
                    "shell" => Rescue::Shell,
                    _ => Rescue::End(End::parse(value)?),
                }
            }
            "hostname" => self.hostname = Some(value.to_vec()),
            "modules" => {
                for name in value.split(|byte| *byte == b',') {
                    if !name.is_empty() {
                        self.modules.push(name.to_vec());
                    }
                }
            }
            "root" => root.device = value.to_vec(),
            "rootflags" => root.flags = value.to_vec(),
            "rootfstype" | "init" | "rescue-delay" | "grace" | "rootwait" => {}
            _ => return None,
        }
        Some(())
    }

    /// What is executed in the new root; `None` where there is something to run, and no word about
    /// an init: then we stay PID 1.
    pub(crate) fn init_of_root(&self) -> Option<&CStr> {
        match &self.init {
            Some(init) => Some(init),
            None if self.run.is_none() && self.services.is_none() => Some(c"/sbin/init"),
            None => None,
        }
    }
}

/// The part behind `unshared.`, where `_` is as good as `-`, as it is to the kernel.
fn own_name(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_prefix(b"unshared.")?;
    Some(name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect())
}

fn complaint(word: &Word) -> String {
    let text = word.clone().join();
    format!("kernel command line: {} is no word of ours, or has no such value", quote(text))
}

#[cfg(test)]
mod tests {
    use super::super::words::parse;
    use super::*;

    fn read(line: &str) -> Settings {
        Settings::read(parse(line.as_bytes()))
    }

    #[test]
    fn without_a_word_the_machine_fails_closed() {
        let settings = read("console=ttyS0 quiet single");
        assert_eq!(settings, Settings::new());
        assert_eq!(settings.rescue, Rescue::End(End::Reboot));
    }

    #[test]
    fn of_two_words_the_later_one_counts() {
        let settings = read("unshared.on-exit=halt unshared.on_exit=respawn unshared.grace=2");
        assert_eq!(settings.on_exit, OnExit::Respawn);
        assert_eq!(settings.grace, 2 * SECOND);
    }

    #[test]
    fn the_payload_is_an_expression_or_what_stands_behind_two_dashes() {
        let settings = read("unshared.exec=\"a b\" -- c");
        assert_eq!(settings.run, Some(Run::Expression(b"a b".to_vec())));
        let words = ["c", "d e"].map(|word| word.as_bytes().to_vec()).to_vec();
        assert_eq!(read("-- c \"d e\"").run, Some(Run::Command(words)));
        assert_eq!(read("--").run, None);
    }

    #[test]
    fn an_address_may_have_colons() {
        let settings =
            read("unshared.ip=eth0:10.0.2.15/24:10.0.2.2 unshared.ip=eth1:fd00::2/64:fd00::1");
        let one = Interface {
            name: b"eth0".to_vec(),
            address: [10, 0, 2, 15].into(),
            prefix: 24,
            gateway: Some([10, 0, 2, 2].into()),
        };
        let [first, second] = settings.interfaces.as_slice() else {
            panic!("{settings:?}");
        };
        assert_eq!(first, &one);
        assert_eq!(second.gateway, "fd00::1".parse().ok());
        for wrong in
            ["eth0", "eth0:1.2.3.4", "eth0:1.2.3.4/33", ":1.2.3.4/8", "e:1.2.3.4/8:fd00::1"]
        {
            assert!(read(&format!("unshared.ip={wrong}")).wrong.is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_later_one_of_a_payload_and_services_counts() {
        let settings = read("unshared.services=/etc/sv unshared.exec=sh");
        assert_eq!((settings.services, settings.run.is_some()), (None, true));
        let settings = read("unshared.exec=sh unshared.services=/etc/sv -- x");
        assert_eq!((settings.services.as_deref(), settings.run), (Some(c"/etc/sv"), None));
    }

    #[test]
    fn a_root_is_read_only_unless_the_kernel_is_told_rw() {
        let root = read("unshared.root=LABEL=x unshared.rootfstype=ext4 rw").root.unwrap();
        assert_eq!((root.device.as_slice(), root.writable), (&b"LABEL=x"[..], true));
        assert!(!read("unshared.root=/dev/x").root.unwrap().writable);
        assert_eq!(read("rw").root, None);
        assert_eq!(read("unshared.root=x").init_of_root(), Some(c"/sbin/init"));
        assert_eq!(read("unshared.root=x unshared.exec=y").init_of_root(), None);
        assert_eq!(read("unshared.exec=y unshared.init=/z").init_of_root(), Some(c"/z"));
    }

    #[test]
    fn the_first_wrong_word_is_told() {
        for wrong in
            ["unshared.resuce=shell", "unshared.rescue=x", "unshared.exec", "unshared.grace="]
        {
            let settings = read(&format!("{wrong} unshared.nothing"));
            assert!(settings.wrong.unwrap().contains(&format!("\"{wrong}\"")));
        }
    }
}

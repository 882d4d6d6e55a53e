//! What has to be there before the payload: modules, addresses, the root. A child of PID 1 does it,
//! since it may wait, and needs memory that PID 1 is better without.
use super::console::say;
use super::device;
use super::end::{self, Ends};
use super::modules::{self, Index};
use super::settings::{Interface, Root, Settings};
use super::switch_root::{PLACE, is_initramfs};
use crate::disk;
use crate::error::{Error, quote};
use crate::link::{Found, Socket};
use crate::perform::Failure;
use crate::spec::namespace::Namespaces;
use crate::sys::{self, Cloned};
use rustix::fs::{Access, Mode, OFlags, access, open};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use unshared_init::signal::{Sender, Signal};
use unshared_init::supervise::{Payload, Started};
use unshared_init::sys::now;
use unshared_netlink::address::Address;
use unshared_netlink::message::Verb;
use unshared_netlink::route::Route;

/// The child's work, for the loop of PID 1.
pub(super) struct Preparation<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ends: &'a Ends<'a>,
}

impl Payload for Preparation<'_> {
    fn start(&mut self, _index: usize) -> Result<Started, Errno> {
        match sys::clone_into(Namespaces::default(), None)? {
            Cloned::Parent(pid) => Ok(Started { pid, executed: true }),
            Cloned::Child { .. } => {
                let result = prepare(self.settings);
                if let Err(error) = &result {
                    say(&error.message());
                }
                unshared_init::sys::exit(result.is_err().into());
            }
        }
    }

    fn stopped(&mut self, _main: Pid, _signal: Signal) {}

    fn wait(&mut self, timeout: Option<u64>) -> Option<(Signal, Sender)> {
        end::wait(timeout, self.ends)
    }
}

/// Child of PID 1: everything, in this order.
fn prepare(settings: &Settings) -> Result<(), Error> {
    let index = Index::of_this_kernel();
    if !settings.modules.is_empty() || settings.coldplug {
        let index = index.as_ref().map_err(Error::again)?;
        for name in &settings.modules {
            modules::load(index, name)?;
        }
        if settings.coldplug {
            modules::coldplug(index);
        }
    }
    for interface in &settings.interfaces {
        bring_up(interface)?;
    }
    match settings.root.as_ref().filter(|_| is_initramfs()) {
        Some(root) => mount_root(root, settings, index.as_ref().ok()),
        None => Ok(()),
    }
}

/// Gives an interface its address, and a way to everybody else.
fn bring_up(interface: &Interface) -> Result<(), Error> {
    let name = quote(&interface.name);
    let mut what = "look for";
    let result = connect(interface, &mut what);
    if result.map_err(|failure| failure.of(format!("{what} {name}")))? {
        return Ok(());
    }
    Err(Error::plain(format!("there is no interface {name}")))
}

/// Whether there is one. `what` is what is done at the moment.
fn connect(interface: &Interface, what: &mut &str) -> Result<bool, Failure> {
    let mut socket = Socket::open()?;
    let Some(Found { index, .. }) = socket.find(&interface.name)? else { return Ok(false) };
    *what = "bring up";
    socket.bring_up(index)?;
    *what = "set the address of";
    let address = Address::new(index, interface.address, interface.prefix);
    // From an init before us it may have both.
    let verb = Verb::Replace;
    socket.address(verb, address)?;
    if let Some(gateway) = interface.gateway {
        *what = "set the route by";
        let route = Route { index: Some(index), ..Route::default_through(gateway) };
        socket.route(verb, route)?;
    }
    Ok(true)
}

/// Waits for the device, mounts it, and looks whether its init is there.
fn mount_root(root: &Root, settings: &Settings, index: Option<&Index>) -> Result<(), Error> {
    let device = wait_for(root, settings, index)?;
    let kind = match &root.kind {
        Some(kind) => kind.clone(),
        None => disk::look(&device)?.ok_or_else(|| nothing_on(&device))?.to_owned(),
    };
    if let Some(index) = index {
        // It may be built in, and then there need not be anything that says so.
        let _ = modules::load(index, kind.to_bytes());
    }
    let (flags, data) = root.options();
    let attempt = format!("mount {} as {}", quote(device.to_bytes()), kind.to_string_lossy());
    match rustix::fs::mkdir(PLACE, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(Error::system("make a place for the root", errno)),
    }
    mount(&device, PLACE, &kind, flags, data.as_c_str()).map_err(|errno| {
        let error = Error::system(attempt, errno);
        if errno == Errno::NODEV { error.hint("this kernel has no such filesystem") } else { error }
    })?;
    look_for_init(settings)
}

fn nothing_on(device: &CStr) -> Error {
    Error::plain(format!("no filesystem is known on {}", quote(device.to_bytes())))
        .hint("unshared.rootfstype= names one")
}

fn wait_for(root: &Root, settings: &Settings, index: Option<&Index>) -> Result<CString, Error> {
    let until = now().saturating_add(root.wait);
    loop {
        if let Some(device) = device::find(&root.device) {
            return Ok(device);
        }
        if now() >= until {
            let seconds = root.wait / unshared_init::number::SECOND;
            let problem = format!("no root device {}", quote(&root.device));
            return Err(Error::plain(problem).hint(format!("waited {seconds} seconds")));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        if let Some(index) = index
            && settings.coldplug
        {
            modules::coldplug(index);
        }
    }
}

/// Child of PID 1: goes into the new root, where its links lead, and back.
fn look_for_init(settings: &Settings) -> Result<(), Error> {
    let Some(init) = settings.init_of_root() else {
        return Ok(());
    };
    let look = || {
        let old = open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        rustix::process::chroot(PLACE)?;
        let found = access(init, Access::EXEC_OK);
        rustix::process::fchdir(&old)?;
        rustix::process::chroot(c".")?;
        found
    };
    look().map_err(|errno| {
        Error::system(format!("look for {} in the root", quote(init.to_bytes())), errno)
            .hint("unshared.init= names another")
    })
}

/// Mount options in their two kinds: flags of mount(2), and what the filesystem is told.
impl Root {
    fn options(&self) -> (MountFlags, CString) {
        let mut read_only = !self.writable;
        let mut flags = MountFlags::empty();
        let mut data: Vec<&[u8]> = Vec::new();
        for option in self.flags.split(|byte| *byte == b',').filter(|option| !option.is_empty()) {
            match (option, crate::mounts::read_only::flag(option)) {
                (b"ro", _) => read_only = true,
                (b"rw", _) => read_only = false,
                (_, Some(flag)) => flags |= flag,
                (_, None) => data.push(option),
            }
        }
        flags.set(MountFlags::RDONLY, read_only);
        (flags, CString::new(data.join(&b","[..])).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_options_are_flags_or_the_filesystems() {
        let root = |flags: &str, writable| Root {
            flags: flags.as_bytes().to_vec(),
            writable,
            ..Root::default()
        };
        let (flags, data) = root("noatime,data=ordered,rw,x", false).options();
        assert_eq!((flags, data.as_c_str()), (MountFlags::NOATIME, c"data=ordered,x"));
        assert_eq!(root("", false).options().0, MountFlags::RDONLY);
        assert_eq!(root("", true).options().0, MountFlags::empty());
        assert_eq!(root("ro", true).options().0, MountFlags::RDONLY);
    }
}

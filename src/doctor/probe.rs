//! What is tried by a call of its own.
use crate::spec::namespace::{Namespace, Namespaces};
use crate::sys::{self, Cloned};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::process::{PidfdFlags, WaitOptions};
use unshared_init::sys::exit;

/// clone3(2), which starts nothing here.
pub(super) fn clone3() -> Result<(), Errno> {
    match sys::doctor::clone3_of_nothing() {
        // It has looked at what it should do.
        Errno::INVAL => Ok(()),
        errno => Err(errno),
    }
}

/// pidfd_open(2).
pub(super) fn pidfd() -> Result<(), Errno> {
    rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).map(drop)
}

/// nf_tables answers in a network namespace of our own.
pub(super) fn nf_tables() -> Result<(), Errno> {
    let mut namespaces = Namespaces::default();
    namespaces.add(Namespace::Net);
    namespaces.add(Namespace::User);
    match sys::clone_into(namespaces, None)? {
        Cloned::Child { .. } => {
            // Child, all capabilities in its namespaces.
            let errno = ask_nf_tables().err().map_or(0, Errno::raw_os_error);
            exit(u8::try_from(errno).unwrap_or(u8::MAX))
        }
        Cloned::Parent(pid) => loop {
            match rustix::process::waitpid(Some(pid), WaitOptions::empty()) {
                Err(Errno::INTR) => {}
                other => {
                    let status = other?.and_then(|(_, status)| status.exit_status());
                    return match status {
                        Some(0) => Ok(()),
                        Some(errno) => Err(Errno::from_raw_os_error(errno)),
                        None => Err(Errno::INTR),
                    };
                }
            }
        },
    }
}

/// NFT_MSG_GETGEN, which changes nothing.
fn ask_nf_tables() -> Result<(), Errno> {
    const NFNL_SUBSYS_NFTABLES: u8 = 10;
    const NFT_MSG_GETGEN: u8 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const NLMSG_ERROR: u16 = 2;
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(rustix::net::netlink::NETFILTER),
    )?;
    // nlmsghdr: length, type, flags, sequence, port; then nfgenmsg: family, version, resource.
    let [a, b, c, d] = 20_u32.to_ne_bytes();
    let [e, f] = u16::from_be_bytes([NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN]).to_ne_bytes();
    let [g, h] = NLM_F_REQUEST.to_ne_bytes();
    let request = [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    rustix::net::send(&socket, &request, SendFlags::empty())?;
    let mut answer = [0_u8; 512];
    rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let [_, _, _, _, a, b, _, _, _, _, _, _, _, _, _, _, c, d, e, f, ..] = answer;
    match (u16::from_ne_bytes([a, b]), i32::from_ne_bytes([c, d, e, f])) {
        (NLMSG_ERROR, errno) if errno != 0 => Err(unshared_init::errno::of(-errno)),
        (_, _) => Ok(()),
    }
}

//! The system calls that rustix does not offer: clone3(2) and its fallback, close_range(2),
//! signalfd(2), and the lists of strings that execve(2) reads. Unsafe code is here, below, and in `main`.
#![allow(unsafe_code)]

mod arena;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod copy;
mod descriptors;
pub(crate) mod doctor;
pub(crate) mod landlock;
pub(crate) mod loop_device;
pub(crate) mod machine;
mod strings;
pub(crate) mod thread;

pub(crate) use descriptors::{become_standard, close, close_all_but, descriptor};
#[cfg(fuzzing)]
pub(crate) use strings::with_arguments;
pub(crate) use strings::{arguments, environment, variable_name};

use crate::seccomp::Instruction;
use crate::spec::namespace::{Namespace, Namespaces};
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, c_char};
use unshared_init::signal::{Sender, Signal};

/// Which of the two processes returned from [`clone_into`].
pub(crate) enum Cloned {
    /// The new process. `time_left` says that the time namespace is still to be unshared.
    Child {
        /// The kernel could not do it in the same call.
        time_left: bool,
    },
    /// The caller.
    Parent(Pid),
}

/// setsockopt(2): has the kernel explain its refusals on a netlink socket, and leave out of its
/// answers what was asked. Before Linux 4.12 there are no explanations (ENOPROTOOPT), and before 4.2
/// nothing is left out.
pub(crate) fn explain_refusals(socket: &OwnedFd) {
    use linux_raw_sys::netlink::{NETLINK_CAP_ACK, NETLINK_EXT_ACK};
    let on: libc::c_int = 1;
    for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK] {
        // SAFETY: the kernel reads the integer and its length during the call.
        unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_NETLINK,
                option as libc::c_int,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
    }
}

/// clone3(2) with the flags of all `namespaces`; the child has a copy of everything, as after
/// fork(2).
///
/// Where there is no clone3 (before Linux 5.3, or refused by a filter with ENOSYS or EPERM),
/// clone(2) does it, but for the time namespace, whose flag it takes for something else.
///
/// What a kernel lacks, it refuses; but without CONFIG_CGROUPS that namespace's flag does nothing: look for
/// /proc/cgroups first.
pub(crate) fn clone_into(
    namespaces: Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Cloned, Errno> {
    // SAFETY: an all-zero clone_args asks for a plain fork.
    let mut arguments: linux_raw_sys::general::clone_args = unsafe { core::mem::zeroed() };
    arguments.flags = namespaces.flags().into();
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= linux_raw_sys::general::CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: the arguments live through the call. Without CLONE_VM the child has its own copy of
    // the stack and returns here as from fork(2); we have one thread, so no lock stays taken.
    let mut pid =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) };
    if pid < 0 && cgroup.is_some() {
        // CLONE_INTO_CGROUP is there from Linux 5.7 on; it is moved there later, then.
        return clone_into(namespaces, None);
    }
    let mut time_left = false;
    if pid < 0 && matches!(last_error(), Errno::NOSYS | Errno::PERM) {
        // Before Linux 4.6 clone(2) takes the flag for something else.
        if namespaces.has(Namespace::Cgroup) && lacks(Namespace::Cgroup) {
            return Err(Errno::INVAL);
        }
        time_left = namespaces.has(Namespace::Time);
        let flags = namespaces.without(Namespace::Time).flags() | libc::SIGCHLD as u32;
        // SAFETY: as above; the other four arguments are not used without their flags.
        pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_ulong::from(flags), 0, 0, 0, 0) };
    }
    if pid < 0 {
        return Err(last_error());
    }
    Ok(match Pid::from_raw(pid as i32) {
        None => Cloned::Child { time_left },
        Some(pid) => Cloned::Parent(pid),
    })
}

/// fork(3) of the C library, which keeps its own number right in the child ([`own_pid`]); `None` there.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: we have one thread, so the child's copy of the memory is whole.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(last_error()) } else { Ok(Pid::from_raw(pid)) }
}

/// Whether /proc is there and says that the kernel has no such namespace.
pub(crate) fn lacks(namespace: Namespace) -> bool {
    let file = format!("/proc/self/ns/{}", namespace.file());
    rustix::fs::lstat(file).err() == Some(Errno::NOENT) && rustix::fs::stat("/proc/self/ns").is_ok()
}

/// getpid(2) without a system call where the C library is musl, which keeps the number of each
/// thread; and we have one. Not for a child that clone3(2) made: it has its parent's there.
pub(crate) fn own_pid() -> u32 {
    // SAFETY: takes nothing and returns a number, which is never negative.
    unsafe { libc::gettid() as u32 }
}

/// Our effective user id, which the kernel has put into the auxiliary vector (getauxval(3)). We
/// never change it in the process that asks.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: takes and returns numbers only.
    unsafe { libc::getauxval(libc::AT_EUID) as u32 }
}

/// Our effective group id, from the auxiliary vector as well.
pub(crate) fn effective_gid() -> u32 {
    // SAFETY: takes and returns numbers only.
    unsafe { libc::getauxval(libc::AT_EGID) as u32 }
}

/// unshare(2) of the time namespace: future children are in the new one.
pub(crate) fn unshare_time() -> Result<(), Errno> {
    // SAFETY: only unsharing the descriptor table could take something from under our feet.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWTIME) }
}

/// unshare(2) of the cgroup namespace.
pub(crate) fn unshare_cgroup() -> Result<(), Errno> {
    // SAFETY: as above.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWCGROUP) }
}

/// ioctl(2) SIOCETHTOOL, ETHTOOL_STXCSUM: has the kernel fill in the checksums of what a link sends,
/// which it would leave to the hardware. EOPNOTSUPP if the link has no choice.
pub(crate) fn fill_in_checksums(link: &CStr) -> Result<(), Errno> {
    const SIOCETHTOOL: u32 = 0x8946;
    const ETHTOOL_STXCSUM: u32 = 0x17;
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    // struct ethtool_value: the command, and whether the hardware does it.
    let mut value = [ETHTOOL_STXCSUM, 0];
    // SAFETY: an all-zero ifreq is one without a name.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    // The last byte stays zero.
    for (place, byte) in request.ifr_name.iter_mut().take(15).zip(link.to_bytes()) {
        *place = *byte as c_char;
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    // SAFETY: request and value live through the call, and are what the kernel takes them for.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) } {
        0 => Ok(()),
        _ => Err(last_error()),
    }
}

/// unshare(2) of the network namespace.
pub(crate) fn unshare_net() -> Result<(), Errno> {
    // SAFETY: as above.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
}

/// signalfd(2) for every signal; reads of it do not block.
pub(crate) fn signal_descriptor() -> Result<OwnedFd, Errno> {
    let all = u64::MAX;
    // SAFETY: the set is 8 bytes, as the kernel's; the new descriptor is ours.
    unsafe {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let descriptor = libc::syscall(libc::SYS_signalfd4, -1, &raw const all, 8, flags);
        if descriptor < 0 { Err(last_error()) } else { Ok(OwnedFd::from_raw_fd(descriptor as i32)) }
    }
}

/// Blocks the signals that ask a process to end, in this thread and those that it starts, and makes a
/// signalfd(2) for them; reads of it do not block. SIGXFSZ is blocked too: a file that grows too
/// large is an error of write(2) instead.
pub(crate) fn end_signals() -> Result<OwnedFd, Errno> {
    let bits = |signals: &[i32]| signals.iter().fold(0_u64, |set, one| set | 1 << (one - 1));
    let ends = bits(&[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM]);
    let blocked = ends | bits(&[libc::SIGXFSZ]);
    // SAFETY: the sets are 8 bytes, as the kernel's; the new descriptor is ours.
    unsafe {
        let nothing = core::ptr::null::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, &raw const blocked, nothing, 8);
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        let descriptor = libc::syscall(libc::SYS_signalfd4, -1, &raw const ends, 8, flags);
        if descriptor < 0 { Err(last_error()) } else { Ok(OwnedFd::from_raw_fd(descriptor as i32)) }
    }
}

/// One signal from a descriptor of [`signal_descriptor`] or [`end_signals`]; `None` when none is waiting. Signals that
/// we sent ourselves (SIGPIPE for our own messages) are left out.
pub(crate) fn read_signal(descriptor: &OwnedFd) -> Option<(Signal, Sender)> {
    loop {
        let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(descriptor, &mut bytes[..]) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        }
        // SAFETY: the structure is plain numbers, valid whatever the bytes are.
        let info: libc::signalfd_siginfo =
            unsafe { core::ptr::read_unaligned(bytes.as_ptr().cast()) };
        let own = info.ssi_signo == libc::SIGPIPE as u32 && info.ssi_pid == std::process::id();
        if let Some(signal) = Signal::new(info.ssi_signo as i32)
            && !own
        {
            return Some((signal, Sender::from_code(info.ssi_code)));
        }
    }
}

/// pidfd_send_signal(2) (Linux 5.1), which takes any of the 64 signals.
pub(crate) fn send_through(process: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    let (process, number) = (process.as_raw_fd(), signal.number());
    let nothing = core::ptr::null::<libc::siginfo_t>();
    // SAFETY: takes numbers, and no information about the sender.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process, number, nothing, 0) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// A call whose failure nobody could make good: as often as it is interrupted, and once more after any
/// other error. That there is nothing to be had (EAGAIN) is none.
pub(crate) fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    let mut failed = false;
    loop {
        match call() {
            Err(Errno::INTR) => {}
            Err(errno) if errno != Errno::AGAIN && !failed => failed = true,
            result => return result,
        }
    }
}

/// The error of the C library call that just failed.
fn last_error() -> Errno {
    // SAFETY: the C library's errno is always there to read.
    unshared_init::errno::of(unsafe { *libc::__errno_location() })
}

/// seccomp(2) with a filter, for this task alone; before Linux 3.17, or where somebody says that there
/// is no such call, prctl(2). `log` is SECCOMP_FILTER_FLAG_LOG (Linux 4.14).
pub(crate) fn set_seccomp(filter: &[Instruction], log: bool) -> Result<(), Errno> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?,
        filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let flags = if log { libc::SECCOMP_FILTER_FLAG_LOG } else { 0 };
    // SAFETY: the kernel reads the program, whose instructions are laid out as its own, and copies it.
    unsafe {
        let mode = libc::SECCOMP_SET_MODE_FILTER;
        let mut result = libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program);
        if result != 0 && last_error() == Errno::NOSYS && !log {
            let mode = libc::SECCOMP_MODE_FILTER;
            result = libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program).into();
        }
        if result == 0 { Ok(()) } else { Err(last_error()) }
    }
}

/// What [`set_read_only`] does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReadOnly {
    /// This mount becomes read-only.
    Alone,
    /// This mount and all below it become read-only.
    WithAllBelow,
    /// This mount is no longer read-only.
    NoLonger,
}

/// mount_setattr(2) of MOUNT_ATTR_RDONLY (Linux 5.12), for the mount that is open. What else holds
/// for it stays, what is locked in a user namespace too.
pub(crate) fn set_read_only(mount: BorrowedFd<'_>, how: ReadOnly) -> Result<(), Errno> {
    /// `struct mount_attr`.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    const READ_ONLY: u64 = linux_raw_sys::general::MOUNT_ATTR_RDONLY as u64;
    let (set, clear) = if how == ReadOnly::NoLonger { (0, READ_ONLY) } else { (READ_ONLY, 0) };
    let attributes = Attributes { set, clear, propagation: 0, user_namespace: 0 };
    let recursive = if how == ReadOnly::WithAllBelow { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is null-terminated, and the structure is as long as said.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

//! The system calls that rustix does not offer, and the memory that crosses them: argument lists,
//! signal masks, a child on a stack of its own. The only unsafe code of this crate's library.
#![allow(unsafe_code)]

mod datagram;
mod descriptor;
mod jobs;
#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
mod start;
mod strings;

pub use datagram::{Address, Receiver};
pub use descriptor::{Descriptor, Kind, pipe, poll, process_descriptor, signal_descriptor};
pub use jobs::{
    die_by, foreground, has_foreground, is_controlling_terminal, is_gone, is_in_callers_group,
    leads_group, leads_session, leave_terminal, own_group, send_to_group, set_foreground,
    stop_own_group_but_self, stop_with_payload, take_abandoned_terminal, take_terminal,
};
pub use strings::{
    Arguments, Environment, execute_expression, execute_words, replace_in_own_environment,
};

use crate::errno;
use crate::number::SECOND;
use crate::reaper::{Change, Ended};
use crate::signal::{Sender, Signal};
use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// What a process does about signals: the state that a payload gets back from us unchanged.
#[derive(Clone, Copy)]
pub struct SignalState {
    mask: u64,
    child_ignored: bool,
}

/// Blocks every signal and makes SIGCHLD's action the default one, so that children can be waited
/// for; returns what was. Blocked signals, ignored ones too, stay pending until they are read.
///
/// The raw call, because the C library keeps the first real-time signals to itself.
pub fn take_signals() -> SignalState {
    let all = u64::MAX;
    let mut mask = 0_u64;
    // SAFETY: both point to 8 bytes, the kernel's signal set.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const all,
            &raw mut mask,
            8,
        );
    }
    SignalState { mask, child_ignored: set_child_action(libc::SIG_DFL) == libc::SIG_IGN }
}

/// Gives the caller's signal state back to a process that is about to execute something.
pub fn give_back_signals(state: SignalState) {
    if state.child_ignored {
        set_child_action(libc::SIG_IGN);
    }
    // SAFETY: points to 8 bytes, the kernel's signal set.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const state.mask,
            core::ptr::null::<u64>(),
            8,
        );
    }
}

/// sigaction(2) for SIGCHLD; returns the action that was.
fn set_child_action(action: usize) -> usize {
    // SAFETY: an all-zero sigaction is a valid one; the action is SIG_DFL or SIG_IGN, so no code of
    // ours ever runs as a handler.
    unsafe {
        let mut new: libc::sigaction = core::mem::zeroed();
        let mut old: libc::sigaction = core::mem::zeroed();
        new.sa_sigaction = action;
        libc::sigaction(libc::SIGCHLD, &raw const new, &raw mut old);
        old.sa_sigaction
    }
}

/// sigtimedwait(2) for any signal; `None` when `timeout`, in nanoseconds, is over.
#[must_use]
pub fn wait_for_signal(timeout: Option<u64>) -> Option<(Signal, Sender)> {
    wait_for(None, timeout)
}

/// sigtimedwait(2) for one signal, or for any.
fn wait_for(one: Option<Signal>, timeout: Option<u64>) -> Option<(Signal, Sender)> {
    let limit = timeout.map(|timeout| libc::timespec {
        tv_sec: (timeout / SECOND) as _,
        tv_nsec: (timeout % SECOND) as _,
    });
    loop {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the set is filled before it is read, `info` is written by the kernel and is valid
        // as all zeros, and the limit outlives the call.
        let (number, sender, own) = unsafe {
            match one {
                None => {
                    all.as_mut_ptr().cast::<u8>().write_bytes(0xff, size_of::<libc::sigset_t>())
                }
                Some(one) => {
                    libc::sigemptyset(all.as_mut_ptr());
                    libc::sigaddset(all.as_mut_ptr(), one.number());
                }
            }
            let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
            let number = libc::sigtimedwait(all.as_ptr(), info.as_mut_ptr(), limit);
            let info = info.assume_init();
            let marked = info.si_code == libc::SI_QUEUE
                && info.si_value().sival_ptr == core::ptr::without_provenance_mut(TERMINAL);
            let sender = if marked { Sender::Terminal } else { Sender::from_code(info.si_code) };
            let by_write = number == libc::SIGPIPE || number == libc::SIGXFSZ;
            let own = by_write && info.si_code == libc::SI_USER && info.si_pid() == libc::getpid();
            (number, sender, own)
        };
        match Signal::new(number) {
            // A message of ours that nobody could read, or that its file had no room for.
            Some(_) if own => {}
            Some(signal) => return Some((signal, sender)),
            None if last_error() == Errno::AGAIN => return None,
            None => {}
        }
    }
}

/// kill(2) for one process. Takes every signal, the real-time ones too.
pub fn send(pid: Pid, signal: Signal) -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::kill(pid.as_raw_nonzero().get(), signal.number()) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// A set of signals, as the kernel has it.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub struct SignalSet(u64);

impl SignalSet {
    /// sigpending(2): the blocked signals that have come and are not read yet.
    #[must_use]
    pub fn pending() -> SignalSet {
        let mut set = 0_u64;
        // SAFETY: points to 8 bytes, the kernel's signal set.
        unsafe {
            libc::syscall(libc::SYS_rt_sigpending, &raw mut set, 8);
        }
        SignalSet(set)
    }

    /// Whether a signal is in.
    #[must_use]
    pub fn has(self, signal: Signal) -> bool {
        self.0 & SignalSet::of(signal).0 != 0
    }

    /// Takes a signal out; says whether it was in.
    pub fn take(&mut self, signal: Signal) -> bool {
        let had = self.has(signal);
        self.0 &= !SignalSet::of(signal).0;
        had
    }

    /// The set of one signal.
    fn of(signal: Signal) -> SignalSet {
        SignalSet(1_u64.wrapping_shl(signal.number().wrapping_sub(1).unsigned_abs()))
    }
}

/// pidfd_send_signal(2).
pub fn send_through(process: &Descriptor, signal: Signal) -> Result<(), Errno> {
    // SAFETY: takes numbers and a null pointer only.
    let result = unsafe {
        let none = core::ptr::null::<libc::siginfo_t>();
        let number = signal.number();
        libc::syscall(libc::SYS_pidfd_send_signal, process.number(), number, none, 0)
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// The value that goes with a signal of the terminal's that is passed on.
const TERMINAL: usize = 0x7474_7974;

/// sigqueue(3): passes on to a reaper what the terminal sent to our process group. The reaper keeps
/// it from a payload that shares the group, and so has it already.
pub fn send_as_terminal(pid: Pid, signal: Signal) {
    let value = libc::sigval { sival_ptr: core::ptr::without_provenance_mut(TERMINAL) };
    // SAFETY: takes numbers only; the value is never used as a pointer.
    unsafe {
        libc::sigqueue(pid.as_raw_nonzero().get(), signal.number(), value);
    }
}

/// kill(2) for every process that there is but ourselves. Only a namespace's PID 1 may want that.
pub fn send_to_all(signal: Signal) {
    // SAFETY: takes numbers only.
    unsafe {
        libc::kill(-1, signal.number());
    }
}

/// What waitpid(2) has to say of any child, without waiting: a change, nothing yet (`Ok(None)`), or
/// `ECHILD` when there are no children.
pub fn next_change() -> Result<Option<(Pid, Change)>, Errno> {
    let mut failed = false;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(None) => return Ok(None),
            Ok(Some((pid, status))) => {
                if let Some(change) = change_of(status) {
                    return Ok(Some((pid, change)));
                }
            }
            Err(Errno::INTR) => {}
            // There is no other, unless a filter says so; an end that is missed is never told again.
            Err(errno) if errno != Errno::CHILD && !failed => failed = true,
            Err(errno) => return Err(errno),
        }
    }
}

/// A wait status in our words.
#[must_use]
pub fn change_of(status: WaitStatus) -> Option<Change> {
    if let Some(code) = status.exit_status() {
        return Some(Change::Ended(Ended::Exited(code as u8)));
    }
    if let Some(signal) = status.terminating_signal() {
        return Signal::new(signal).map(|signal| Change::Ended(Ended::Killed(signal)));
    }
    status.stopping_signal().and_then(Signal::new).map(Change::Stopped)
}

/// Nanoseconds since some fixed point, by the monotonic clock.
#[must_use]
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is written by the call.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    (time.tv_sec as u64).wrapping_mul(SECOND).wrapping_add(time.tv_nsec as u64)
}

/// Asks for a signal at the end of our parent (PR_SET_PDEATHSIG of prctl(2)); any of the 64, unlike
/// rustix's.
pub fn set_parent_death_signal(signal: Signal) -> Result<(), Errno> {
    let number = signal.number().unsigned_abs();
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(number)) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Whether a child borrows our memory until it executes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// As after vfork(2): no page is copied.
    Shared,
    /// A copy, as after fork(2). For a child that changes its credentials: while memory is shared, somebody
    /// who may trace the child could write to ours.
    Copied,
}

/// The child's stack. It lies in .bss, where a page costs nothing until it is touched; it begins, and so
/// ends, with one.
#[repr(align(4096))]
struct Stack(UnsafeCell<[MaybeUninit<u8>; Stack::SIZE]>);

impl Stack {
    const SIZE: usize = 64 * 1024;
}

// SAFETY: only `start` uses it; it is called by one thread, and with shared memory it returns only
// once the child is off the stack.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([MaybeUninit::uninit(); Stack::SIZE]));

/// Starts a child that runs `child` and ends with the status that it returns. Comes back once the
/// child has executed something or ended.
///
/// With [`Memory::Shared`], `child` must leave our memory as it found it, but for what we are to
/// see. Falls back to a copy where the kernel refuses to share (after an unshare of the time
/// namespace, some do with `EINVAL`).
pub fn start(memory: Memory, child: &mut dyn FnMut() -> u8) -> Result<Pid, Errno> {
    extern "C" fn run(child: *mut c_void) -> c_int {
        // SAFETY: `start` passes a pointer to its own `child`, which outlives this call: with
        // shared memory the parent waits, and with copied memory the child has its own.
        let child = unsafe { &mut *child.cast::<&mut dyn FnMut() -> u8>() };
        c_int::from(child())
    }
    let share = match memory {
        Memory::Shared => libc::CLONE_VM,
        Memory::Copied => 0,
    };
    let mut child = child;
    // SAFETY: the stack is ours for as long as the child runs on it (see STACK), its end is aligned
    // to 16, and `run` takes what it is given.
    let pid = unsafe {
        let end = STACK.0.get().cast::<u8>().add(Stack::SIZE).cast::<c_void>();
        let argument = (&raw mut child).cast::<c_void>();
        libc::clone(run, end, share | libc::CLONE_VFORK | libc::SIGCHLD, argument)
    };
    if pid > 0
        && let Some(pid) = Pid::from_raw(pid)
    {
        return Ok(pid);
    }
    match last_error() {
        Errno::INVAL if memory == Memory::Shared => start(Memory::Copied, child),
        errno => Err(errno),
    }
}

/// The standard streams that are written to.
#[derive(Clone, Copy)]
pub enum Stream {
    /// Standard output, for what was asked for.
    Output = 1,
    /// Standard error, for messages.
    Error = 2,
}

/// Writes all of `bytes`.
pub fn write(stream: Stream, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: reads `rest` only. The stream may be closed: then the error is EBADF.
        let written = unsafe { libc::write(stream as c_int, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
            Err(_) => match last_error() {
                Errno::INTR => {}
                errno => return Err(errno),
            },
        }
    }
    Ok(())
}

/// _exit(2): nothing is flushed, and no handler runs.
pub fn exit(code: u8) -> ! {
    // SAFETY: takes a number only.
    unsafe { libc::_exit(c_int::from(code)) }
}

/// The error of the C library call that just failed.
fn last_error() -> Errno {
    // SAFETY: the C library's errno is always there to read.
    errno::of(unsafe { *libc::__errno_location() })
}

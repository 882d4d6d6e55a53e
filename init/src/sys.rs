//! The system calls that rustix does not offer, and the memory that crosses them: argument lists,
//! signal masks, a child on a stack of its own. The only unsafe code of this crate's library.
#![allow(unsafe_code)]

use crate::errno;
use crate::reaper::{Change, Ended};
use crate::signal::{Sender, Signal};
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::MaybeUninit;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus};

/// A null-terminated list of strings for execve(2), with one spare place in front of it.
///
/// The spare place is for the shell that runs a script without `#!`.
#[derive(Clone, Copy)]
pub struct Arguments {
    first: *mut *const c_char,
}

impl Arguments {
    /// The list that begins at `first`.
    ///
    /// # Safety
    /// `first` points into an array of pointers to C strings that ends with a null pointer; the
    /// element before `first` is part of the array; array and strings live and stay put as long
    /// as the process does, and nobody else writes to the array.
    #[must_use]
    pub const unsafe fn new(first: *mut *const c_char) -> Arguments {
        Arguments { first }
    }

    /// The string at `index`; `None` at the end of the list.
    fn at(&self, index: usize) -> Option<&'static CStr> {
        // SAFETY: callers count up from 0 and stop at the first `None`, so `index` is at most that
        // of the null pointer that ends the list; the strings live as long as the process.
        unsafe {
            let string = *self.first.add(index);
            if string.is_null() { None } else { Some(CStr::from_ptr(string)) }
        }
    }

    /// The first string of the list.
    #[must_use]
    pub fn first(&self) -> Option<&'static CStr> {
        self.at(0)
    }

    /// The list without its first string; an empty list stays as it is.
    #[must_use]
    pub fn rest(&self) -> Arguments {
        if self.first().is_none() {
            return *self;
        }
        // SAFETY: there is a string at `first`, so the next element is in the array, at the latest
        // its null pointer.
        Arguments { first: unsafe { self.first.add(1) } }
    }

    /// execve(2). Returns only to say why not.
    pub fn execute(&self, path: &CStr, environment: Environment) -> Errno {
        // SAFETY: all three are null-terminated, as the types promise.
        unsafe {
            libc::execve(path.as_ptr(), self.first.cast(), environment.0);
        }
        last_error()
    }

    /// Runs `script` by `interpreter`: the arguments become interpreter, script, and the rest.
    /// Returns only to say why not.
    pub fn execute_by(
        &self,
        interpreter: &'static CStr,
        script: &CStr,
        environment: Environment,
    ) -> Errno {
        // SAFETY: the array has a place before `first`, and `first` itself is a place that holds a
        // string (a command was looked up by it). What is written points to strings that outlive
        // the call; on failure the process ends without reading the list again.
        unsafe {
            let interpreted = self.first.sub(1);
            *interpreted = interpreter.as_ptr();
            *self.first = script.as_ptr();
            libc::execve(interpreter.as_ptr(), interpreted.cast(), environment.0);
        }
        last_error()
    }
}

impl Iterator for Arguments {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        let first = self.first();
        *self = self.rest();
        first
    }
}

/// A null-terminated list of `NAME=value` strings (environ(7)).
#[derive(Clone, Copy)]
pub struct Environment(*const *const c_char);

impl Environment {
    /// The environment that this process was started with.
    #[must_use]
    pub fn inherited() -> Environment {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        // SAFETY: the C library sets it before main, and nothing here ever calls setenv(3).
        Environment(unsafe { environ })
    }

    /// The list that begins at `first`.
    ///
    /// # Safety
    /// `first` points to an array of pointers to C strings that ends with a null pointer; array and
    /// strings live and stay put as long as the process does.
    #[must_use]
    pub const unsafe fn new(first: *const *const c_char) -> Environment {
        Environment(first)
    }

    /// The value of the variable `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&'static [u8]> {
        let mut entries = *self;
        entries.find_map(|entry| {
            entry.to_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"="))
        })
    }
}

impl Iterator for Environment {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the list is null-terminated, and this stops at the null pointer.
        unsafe {
            let entry = *self.0;
            if entry.is_null() {
                return None;
            }
            self.0 = self.0.add(1);
            Some(CStr::from_ptr(entry))
        }
    }
}

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

/// Nanoseconds of a second.
pub const SECOND: u64 = 1_000_000_000;

/// sigtimedwait(2) for any signal; `None` when `timeout`, in nanoseconds, is over.
#[must_use]
pub fn wait_for_signal(timeout: Option<u64>) -> Option<(Signal, Sender)> {
    let limit = timeout.map(|timeout| libc::timespec {
        tv_sec: (timeout / SECOND) as _,
        tv_nsec: (timeout % SECOND) as _,
    });
    loop {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the set is filled before it is read, `info` is written by the kernel and is valid
        // as all zeros, and the limit outlives the call.
        let (number, sender) = unsafe {
            all.as_mut_ptr().cast::<u8>().write_bytes(0xff, size_of::<libc::sigset_t>());
            let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
            let number = libc::sigtimedwait(all.as_ptr(), info.as_mut_ptr(), limit);
            let info = info.assume_init();
            let marked = info.si_code == libc::SI_QUEUE
                && info.si_value().sival_ptr == core::ptr::without_provenance_mut(TERMINAL);
            let sender = if marked { Sender::Terminal } else { Sender::from_code(info.si_code) };
            (number, sender)
        };
        match Signal::new(number) {
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

/// A set of signals.
#[derive(Clone, Copy, Default)]
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

    /// Takes a signal out; says whether it was in.
    pub fn take(&mut self, signal: Signal) -> bool {
        let bit = 1_u64.wrapping_shl(signal.number().wrapping_sub(1).unsigned_abs());
        let had = self.0 & bit != 0;
        self.0 &= !bit;
        had
    }
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

/// Whether a child of ours is still in the process group that it was started in: ours, or, for
/// PID 1 of a namespace, one outside of it, which is number 0 inside.
#[must_use]
pub fn is_in_callers_group(child: Pid) -> bool {
    // SAFETY: both take and return numbers only.
    let (group, own) = unsafe { (libc::getpgid(child.as_raw_nonzero().get()), libc::getpgid(0)) };
    group == 0 || group == own
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
    loop {
        match rustix::process::wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(None) => return Ok(None),
            Ok(Some((pid, status))) => {
                if let Some(change) = change_of(status) {
                    return Ok(Some((pid, change)));
                }
            }
            Err(Errno::INTR) => {}
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

/// Whether a child borrows our memory until it executes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// As after vfork(2): no page is copied.
    Shared,
    /// A copy, as after fork(2). For a child that changes its credentials: while memory is shared, somebody
    /// who may trace the child could write to ours.
    Copied,
}

/// The child's stack. It lies in .bss, where a page costs nothing until it is touched.
#[repr(align(16))]
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

/// Reads the beginning of a file, as far as it can be read; returns how many bytes that is.
pub fn read_beginning(path: &CStr, buffer: &mut [u8]) -> usize {
    // SAFETY: `path` is null-terminated, the descriptor is ours and closed again, and the kernel
    // writes no more than the buffer's length. NONBLOCK, because opening a FIFO would wait for
    // somebody who writes to it.
    let length = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK);
        if file < 0 {
            return 0;
        }
        let length = libc::read(file, buffer.as_mut_ptr().cast(), buffer.len());
        libc::close(file);
        length
    };
    usize::try_from(length).unwrap_or(0)
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

//! Calls that only the machine's init makes.
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use unshared_init::number::SECOND;

/// TIOCGDEV: major and minor number of the terminal that is behind /dev/console.
pub(crate) fn terminal_of(console: &OwnedFd) -> Result<(u32, u32), Errno> {
    let mut device = 0_u32;
    // SAFETY: the kernel writes one unsigned int.
    if unsafe { libc::ioctl(console.as_raw_fd(), libc::TIOCGDEV as _, &raw mut device) } != 0 {
        return Err(super::last_error());
    }
    let device = u64::from(device);
    Ok((rustix::fs::major(device), rustix::fs::minor(device)))
}

/// swapoff(2).
pub(crate) fn swap_off(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the path is null-terminated.
    if unsafe { libc::swapoff(path.as_ptr()) } == 0 { Ok(()) } else { Err(super::last_error()) }
}

/// setitimer(2): SIGALRM again and again, with so many nanoseconds between; with 0, no more.
pub(crate) fn set_alarm(interval: u64) -> Result<(), Errno> {
    let time = libc::timeval {
        tv_sec: (interval / SECOND) as _,
        tv_usec: (interval % SECOND / 1000) as _,
    };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the structure is read only, and nothing is to be written.
    let result =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, core::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(super::last_error()) }
}

/// WDIOC_SETTIMEOUT: after how many seconds a watchdog that is not fed resets the machine.
pub(crate) fn set_watchdog(device: &OwnedFd, seconds: u32) -> Result<(), Errno> {
    const SET_TIMEOUT: u32 = 0xc004_5706;
    let mut seconds = seconds;
    // SAFETY: the kernel reads and writes one int.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), SET_TIMEOUT as _, &raw mut seconds) };
    if result == 0 { Ok(()) } else { Err(super::last_error()) }
}

/// What ends a process that goes wrong.
const FATAL: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// Where the handler runs, since the stack may be what has gone wrong.
struct Stack(UnsafeCell<[MaybeUninit<u8>; Stack::SIZE]>);

impl Stack {
    const SIZE: usize = 16 * 1024;
}

// SAFETY: only the kernel uses it, for the handler of the one thread that has it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([MaybeUninit::uninit(); Stack::SIZE]));

/// PID 1: whatever would end it, a fault or abort(3), has it reap orphans for ever instead.
pub(crate) fn survive() {
    // SAFETY: the stack is static and nobody else's; an all-zero sigaction is a valid one, and the
    // handler makes only calls that are safe in one. The set is 8 bytes, as the kernel's.
    unsafe {
        let stack =
            libc::stack_t { ss_sp: STACK.0.get().cast(), ss_flags: 0, ss_size: Stack::SIZE };
        libc::sigaltstack(&raw const stack, core::ptr::null_mut());
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = fatal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in FATAL {
            libc::sigaction(signal, &raw const action, core::ptr::null_mut());
        }
        // A fault whose signal is blocked ends a process whatever handler it has.
        let set = FATAL.iter().fold(0_u64, |set, one| set | 1 << (one - 1));
        let none = core::ptr::null::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_UNBLOCK, &raw const set, none, 8);
    }
}

/// The handler. In a child of PID 1 that has not executed anything yet, the signal does what it does.
extern "C" fn fatal(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes its siginfo; all calls are safe in a handler.
    unsafe {
        let is_first = libc::getpid() == 1;
        let code = (*info).si_code;
        let is_own = code <= 0 && (*info).si_pid() == libc::getpid();
        if !is_first {
            libc::signal(signal, libc::SIG_DFL);
            if code <= 0 {
                libc::raise(signal);
            }
            return;
        }
        // Somebody's kill(2).
        if code <= 0 && !is_own {
            return;
        }
        let log = libc::open(c"/dev/kmsg".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let text = b"<2>unshared-init: a fault in PID 1; only orphans are reaped from here on\n";
        libc::write(log, text.as_ptr().cast(), text.len());
        loop {
            if libc::waitpid(-1, core::ptr::null_mut(), 0) < 0 {
                let second = libc::timespec { tv_sec: 1, tv_nsec: 0 };
                libc::nanosleep(&raw const second, core::ptr::null_mut());
            }
        }
    }
}

//! File descriptors. rustix has a type for them, but without std that one asserts that its number is
//! not -1 at each use; here nothing may be able to panic.
use super::last_error;
use crate::number::SECOND;
use core::ffi::{CStr, c_int};
use core::mem::size_of;
use rustix::io::Errno;

/// An open file descriptor of ours, closed on exec, and when it is dropped.
#[derive(PartialEq, Eq, Debug)]
pub struct Descriptor(c_int);

/// What is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file, to be read. Opening does not wait for anybody (a FIFO).
    File,
    /// A directory, to be listed.
    Directory,
    /// A terminal, to be asked and told; it does not become ours.
    Terminal,
}

impl Kind {
    const fn flags(self) -> c_int {
        libc::O_CLOEXEC
            | match self {
                Kind::File => libc::O_RDONLY | libc::O_NONBLOCK,
                Kind::Directory => libc::O_RDONLY | libc::O_DIRECTORY,
                Kind::Terminal => libc::O_RDWR | libc::O_NOCTTY,
            }
    }
}

impl Descriptor {
    /// What a system call returned: a descriptor that is nobody else's, or a negative number.
    ///
    /// Where standard streams are closed, new descriptors get their numbers; then it is moved: what
    /// is written to standard error is for nothing of ours.
    pub(super) fn of(result: c_int) -> Result<Descriptor, Errno> {
        match result {
            ..0 => Err(last_error()),
            0..=2 => {
                let standard = Descriptor(result);
                // SAFETY: takes numbers only.
                let moved = unsafe { libc::fcntl(standard.0, libc::F_DUPFD_CLOEXEC, 3) };
                if moved < 0 { Err(last_error()) } else { Ok(Descriptor(moved)) }
            }
            3.. => Ok(Descriptor(result)),
        }
    }

    /// open(2).
    pub fn open(path: &CStr, kind: Kind) -> Result<Descriptor, Errno> {
        // SAFETY: the path is null-terminated.
        Descriptor::of(unsafe { libc::open(path.as_ptr(), kind.flags()) })
    }

    /// openat(2) in this directory.
    pub fn open_in(&self, path: &CStr, kind: Kind) -> Result<Descriptor, Errno> {
        // SAFETY: the path is null-terminated.
        Descriptor::of(unsafe { libc::openat(self.0, path.as_ptr(), kind.flags()) })
    }

    /// Takes over a descriptor that whoever started us left open for us; the payload does not get
    /// it. Only before any other has been opened: its number must not be that of one of ours.
    pub fn inherit(number: i32) -> Result<Descriptor, Errno> {
        // SAFETY: takes numbers only.
        if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(last_error());
        }
        Ok(Descriptor(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0
    }

    /// read(2); 0 also where nothing can be read.
    pub fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the kernel writes no more than the buffer's length.
        let length = unsafe { libc::read(self.0, buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(length).unwrap_or(0)
    }

    /// dup2(2) to a number that the payload knows, not to be closed on exec.
    pub fn hand_over(&self, to: i32) -> Result<(), Errno> {
        // SAFETY: take numbers only. dup2 to the same number would leave it to be closed on exec.
        let result = unsafe {
            if self.0 == to { libc::fcntl(to, libc::F_SETFD, 0) } else { libc::dup2(self.0, to) }
        };
        if result < 0 { Err(last_error()) } else { Ok(()) }
    }

    /// The names in this directory (getdents64(2)), each passed to `take`.
    pub fn list(&self, take: &mut dyn FnMut(&[u8])) {
        /// The kernel wants the records aligned.
        #[repr(C, align(8))]
        struct Records([u8; 2048]);
        /// Where in a record its own length is, and its name (struct linux_dirent64).
        const LENGTH: usize = 16;
        const NAME: usize = 19;
        let mut records = Records([0; 2048]);
        loop {
            // SAFETY: the kernel writes no more than the buffer's length.
            let length = unsafe {
                let size = records.0.len();
                libc::syscall(libc::SYS_getdents64, self.0, records.0.as_mut_ptr(), size)
            };
            let length = usize::try_from(length).unwrap_or(0);
            let mut rest = records.0.get(..length).unwrap_or(&[]);
            if rest.is_empty() {
                return;
            }
            while let Some(&[low, high]) = rest.get(LENGTH..LENGTH + 2) {
                let next = usize::from(u16::from_ne_bytes([low, high]));
                let name = rest.get(NAME..next).unwrap_or(&[]);
                take(name.split(|byte| *byte == 0).next().unwrap_or(&[]));
                match rest.get(next..) {
                    Some(after) if next > 0 => rest = after,
                    _ => break,
                }
            }
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the number is ours, and is not used after this.
        unsafe {
            libc::close(self.0);
        }
    }
}

/// pipe2(2): the reading end, and the writing one.
pub fn pipe() -> Result<(Descriptor, Descriptor), Errno> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
        return Err(last_error());
    }
    let [reading, writing] = ends.map(Descriptor::of);
    Ok((reading?, writing?))
}

/// poll(2) for `timeout` nanoseconds at most: which of these can be read, or are hung up. `None` is
/// passed over.
pub fn poll<const N: usize>(
    descriptors: [Option<&Descriptor>; N],
    timeout: Option<u64>,
) -> Result<[bool; N], Errno> {
    // A negative number is passed over by the kernel too.
    let mut waits = descriptors.map(|descriptor| libc::pollfd {
        fd: descriptor.map_or(-1, Descriptor::number),
        events: libc::POLLIN,
        revents: 0,
    });
    let limit = timeout.map(|timeout| libc::timespec {
        tv_sec: (timeout / SECOND) as _,
        tv_nsec: (timeout % SECOND) as _,
    });
    // SAFETY: the array and the limit are as long as said, and outlive the call.
    let result = unsafe {
        let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        libc::ppoll(waits.as_mut_ptr(), N as libc::nfds_t, limit, core::ptr::null())
    };
    if result < 0 {
        return Err(last_error());
    }
    Ok(waits.map(|wait| wait.revents != 0))
}

/// A descriptor that is readable while any signal is pending (signalfd(2)). Only for [`poll`]: what
/// is pending is read by [`super::wait_for_signal`].
pub fn signal_descriptor() -> Result<Descriptor, Errno> {
    let all = u64::MAX;
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: points to the kernel's signal set, whose size is given.
    let number =
        unsafe { libc::syscall(libc::SYS_signalfd4, -1, &raw const all, size_of::<u64>(), flags) };
    Descriptor::of(number as c_int)
}

/// A descriptor that stays that process's, whoever gets its number next (pidfd_open(2), Linux 5.3).
pub fn process_descriptor(pid: rustix::process::Pid) -> Result<Descriptor, Errno> {
    // SAFETY: takes numbers only.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw_nonzero().get(), 0) };
    Descriptor::of(number as c_int)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_listed_whole() {
        let folder = std::env::temp_dir().join(format!("unshared-init-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut made: Vec<String> =
            (0..200).map(|number| format!("{number}-{}", "x".repeat(number))).collect();
        for name in &made {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let path = std::ffi::CString::new(folder.to_str().unwrap()).unwrap();
        let mut found = Vec::new();
        Descriptor::open(&path, Kind::Directory).unwrap().list(&mut |name| {
            found.push(String::from_utf8(name.to_vec()).unwrap());
        });
        std::fs::remove_dir_all(&folder).unwrap();
        made.extend([".".to_owned(), "..".to_owned()]);
        made.sort();
        found.sort();
        assert_eq!(found, made);
    }

    #[test]
    fn what_is_not_there_is_not_opened() {
        assert_eq!(Descriptor::open(c"/no/such", Kind::File), Err(Errno::NOENT));
        assert_eq!(Descriptor::open(c"/dev/null", Kind::Directory), Err(Errno::NOTDIR));
    }

    #[test]
    fn only_what_has_something_to_tell_is_ready() {
        let (quiet, _writing) = pipe().unwrap();
        let (closed, writing) = pipe().unwrap();
        drop(writing);
        assert_eq!(poll([Some(&quiet), None, Some(&closed)], Some(0)), Ok([false, false, true]));
    }
}

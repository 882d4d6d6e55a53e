//! Descriptors that the caller passed by number, and those that it did not mean us to have.
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

/// Closes every descriptor from 3 on that is not in `keep`.
pub(crate) fn close_all_but(keep: &[i32]) {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    let mut first = 3;
    for end in keep.iter().copied().chain([i32::MAX]) {
        if end > first && !close_range(first as u32, end as u32 - 1) {
            return close_one_by_one(&keep);
        }
        first = first.max(end.saturating_add(1));
    }
}

/// close_range(2), which there is from Linux 5.9 on.
fn close_range(first: u32, last: u32) -> bool {
    // SAFETY: no descriptor above 2 is owned by anything of ours yet; closing is all it does.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) == 0 }
}

/// The same by looking: in /proc, or, where that is missing, by trying every number up to the limit.
fn close_one_by_one(keep: &[i32]) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let end = limit.and_then(|limit| i32::try_from(limit).ok()).unwrap_or(i32::MAX);
    let open = open_descriptors().unwrap_or_else(|_| (3..end).collect());
    for descriptor in open.into_iter().filter(|one| *one > 2 && !keep.contains(one)) {
        close(descriptor);
    }
}

/// The numbers in /proc/self/fd.
fn open_descriptors() -> Result<Vec<i32>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(c"/proc/self/fd", flags, Mode::empty())?;
    let mut numbers = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let number: Option<i32> =
            entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    // The one that was open for looking is closed by its owner.
    let own = directory.as_raw_fd();
    numbers.retain(|number| *number != own);
    Ok(numbers)
}

/// close(2) for a descriptor that the caller passed by number.
pub(crate) fn close(descriptor: i32) {
    // SAFETY: no object of ours owns a descriptor that the caller passed.
    unsafe {
        libc::close(descriptor);
    }
}

/// Makes `descriptor` a standard stream, for a child that is about to execute something, or that does
/// without the caller's.
pub(crate) fn become_standard(descriptor: &OwnedFd, stream: i32) {
    // SAFETY: the number, 0 to 2, is replaced on purpose; nothing of ours owns it.
    unsafe {
        libc::dup2(descriptor.as_raw_fd(), stream);
    }
}

/// A descriptor that the caller passed by number.
pub(crate) fn descriptor(number: i32) -> BorrowedFd<'static> {
    // SAFETY: the caller of the program gave it to us to use for as long as we run, and nothing
    // here closes it before.
    unsafe { BorrowedFd::borrow_raw(number) }
}

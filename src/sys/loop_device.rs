//! Loop devices (loop(4)): a block device that is a file.
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;

/// LOOP_CTL_GET_FREE of linux/loop.h.
const CTL_GET_FREE: libc::Ioctl = 0x4c82;
/// LOOP_CONFIGURE, from Linux 5.8 on.
const CONFIGURE: libc::Ioctl = 0x4c0a;
/// LOOP_SET_FD, LOOP_SET_STATUS64 and LOOP_CLR_FD, which together were that before.
const SET_FD: libc::Ioctl = 0x4c00;
const SET_STATUS64: libc::Ioctl = 0x4c04;
const CLR_FD: libc::Ioctl = 0x4c01;

/// LO_FLAGS_READ_ONLY.
const READ_ONLY: u32 = 1;
/// LO_FLAGS_AUTOCLEAR: with its last user the device is free again.
const AUTOCLEAR: u32 = 4;

/// `struct loop_info64`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    device: u64,
    inode: u64,
    real_device: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: u32,
    key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct Config {
    file: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// A loop device of ours; free again once this and all that is mounted of it are gone.
pub(crate) struct LoopDevice {
    /// /dev/loopN.
    pub(crate) path: CString,
    /// Holds it.
    _device: OwnedFd,
}

/// How often another may take the free device that we were told of.
const ATTEMPTS: u32 = 64;

/// Makes a free loop device this file.
pub(crate) fn attach(file: &OwnedFd, read_only: bool) -> Result<LoopDevice, Errno> {
    let open = |path: &std::ffi::CStr, access| {
        rustix::fs::openat(CWD, path, access | OFlags::CLOEXEC, Mode::empty())
    };
    let control = open(c"/dev/loop-control", OFlags::RDWR)?;
    for _ in 0..ATTEMPTS {
        // SAFETY: it takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), CTL_GET_FREE) };
        if number < 0 {
            return Err(super::last_error());
        }
        let path = CString::new(format!("/dev/loop{number}")).map_err(|_| Errno::INVAL)?;
        let device = open(&path, if read_only { OFlags::RDONLY } else { OFlags::RDWR })?;
        match configure(&device, file, read_only) {
            Err(Errno::BUSY) => {}
            Err(errno) => return Err(errno),
            Ok(()) => return Ok(LoopDevice { path, _device: device }),
        }
    }
    Err(Errno::BUSY)
}

fn configure(device: &OwnedFd, file: &OwnedFd, read_only: bool) -> Result<(), Errno> {
    let flags = AUTOCLEAR | if read_only { READ_ONLY } else { 0 };
    let info = Info {
        device: 0,
        inode: 0,
        real_device: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encryption: 0,
        key_size: 0,
        flags,
        file_name: [0; 64],
        crypt_name: [0; 64],
        key: [0; 32],
        init: [0; 2],
    };
    let number = file.as_raw_fd();
    let config = Config { file: number.cast_unsigned(), block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the structure is the one that the request is for, and only read.
    if unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) } == 0 {
        return Ok(());
    }
    match super::last_error() {
        Errno::INVAL | Errno::NOTTY => {}
        errno => return Err(errno),
    }
    // SAFETY: takes a number.
    if unsafe { libc::ioctl(device.as_raw_fd(), SET_FD, number) } != 0 {
        return Err(super::last_error());
    }
    // SAFETY: as for the first.
    if unsafe { libc::ioctl(device.as_raw_fd(), SET_STATUS64, &raw const info) } == 0 {
        return Ok(());
    }
    let errno = super::last_error();
    // SAFETY: takes no argument that is used.
    unsafe { libc::ioctl(device.as_raw_fd(), CLR_FD, 0) };
    Err(errno)
}

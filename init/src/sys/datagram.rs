//! Datagrams between local processes, with the credentials and descriptors that travel with them
//! (unix(7)). Not through rustix: to it a sender in another PID namespace, who is number 0 here, is
//! undefined behaviour.
use super::{Descriptor, last_error};
use core::ffi::c_int;
use core::mem::{offset_of, size_of};
use rustix::io::Errno;

/// As many descriptors as the kernel sends at once (SCM_MAX_FD).
const MOST_RIGHTS: usize = 253;

/// Where the path begins in a `sockaddr_un`.
const PATH_OFFSET: usize = offset_of!(libc::sockaddr_un, sun_path);

/// The address of a local socket.
#[derive(Clone, Copy)]
pub struct Address {
    raw: libc::sockaddr_un,
    length: libc::socklen_t,
}

impl Address {
    /// No address yet: binding to it lets the kernel choose an abstract one.
    fn unnamed() -> Address {
        // SAFETY: all zeros are a valid sockaddr_un.
        let mut raw: libc::sockaddr_un = unsafe { core::mem::zeroed() };
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t;
        Address { raw, length: PATH_OFFSET as libc::socklen_t }
    }

    /// As NOTIFY_SOCKET has it (sd_notify(3)): a path, or `@` and an abstract name.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Address> {
        let (first, rest) = text.split_first()?;
        let is_abstract = match first {
            b'@' => true,
            b'/' => false,
            _ => return None,
        };
        let mut address = Address::unnamed();
        // An abstract name begins with a zero byte, and has no end but its length; a path has a
        // zero byte at its end.
        let taken = text.len() + usize::from(!is_abstract);
        if taken > address.raw.sun_path.len() || rest.is_empty() {
            return None;
        }
        for (place, byte) in address.raw.sun_path.iter_mut().zip(text) {
            *place = *byte as _;
        }
        if is_abstract && let Some(place) = address.raw.sun_path.first_mut() {
            *place = 0;
        }
        address.length = (PATH_OFFSET + taken) as libc::socklen_t;
        Some(address)
    }

    /// The abstract name, without the zero byte that it begins with.
    pub fn abstract_name(&self) -> impl Iterator<Item = u8> {
        let length = (self.length as usize).saturating_sub(PATH_OFFSET);
        self.raw.sun_path.iter().take(length).skip(1).map(|byte| *byte as u8)
    }
}

/// A socket with an abstract address of its own, which receives datagrams.
pub struct Receiver {
    socket: Descriptor,
}

/// What was received.
pub struct Datagram {
    /// How much of the buffer it fills.
    pub length: usize,
    /// It was longer than the buffer.
    pub is_cut_off: bool,
    /// The sender's process id, 0 if it has none in our PID namespace, and its user id.
    pub sender: Option<(i32, u32)>,
    /// The descriptors that came with it.
    pub rights: heapless::Vec<Descriptor, MOST_RIGHTS>,
}

/// Space for the messages that go beside the data.
#[repr(C, align(8))]
struct Control([u8; Control::SIZE]);

impl Control {
    const SIZE: usize = MOST_RIGHTS * size_of::<c_int>() + size_of::<libc::ucred>() + 128;
}

impl Receiver {
    /// Makes one.
    pub fn new() -> Result<Receiver, Errno> {
        let address = Address::unnamed();
        let on: c_int = 1;
        let patience = libc::timeval { tv_sec: 1, tv_usec: 0 };
        // SAFETY: a descriptor that is returned is nobody else's; the kernel reads the address and
        // the options, whose sizes are given.
        unsafe {
            let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
            let socket = Descriptor::of(libc::socket(libc::AF_UNIX, kind, 0))?;
            let number = socket.number();
            let set = |option, value: *const libc::c_void, size: usize| {
                libc::setsockopt(number, libc::SOL_SOCKET, option, value, size as libc::socklen_t)
            };
            // The manager may be stuck; we may not.
            let timed =
                set(libc::SO_SNDTIMEO, (&raw const patience).cast(), size_of_val(&patience));
            if timed < 0
                || set(libc::SO_PASSCRED, (&raw const on).cast(), size_of_val(&on)) < 0
                || libc::bind(number, (&raw const address.raw).cast(), address.length) < 0
            {
                return Err(last_error());
            }
            Ok(Receiver { socket })
        }
    }

    /// The descriptor, to wait for.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        &self.socket
    }

    /// The address that the kernel chose (getsockname(2)).
    pub fn address(&self) -> Result<Address, Errno> {
        let mut address = Address::unnamed();
        address.length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: the kernel writes at most the length that it is given.
        let result = unsafe {
            let raw = (&raw mut address.raw).cast();
            libc::getsockname(self.socket.number(), raw, &raw mut address.length)
        };
        if result < 0 { Err(last_error()) } else { Ok(address) }
    }

    /// recvmsg(2), without waiting.
    pub fn receive(&self, buffer: &mut [u8]) -> Option<Datagram> {
        let mut control = Control([0; Control::SIZE]);
        let mut data = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: the message refers to buffers of the lengths given; the control messages are
        // walked by the C library's own macros, and what each holds is read as far as its length
        // says; received descriptors are nobody else's.
        unsafe {
            let mut message: libc::msghdr = core::mem::zeroed();
            message.msg_iov = &raw mut data;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = Control::SIZE as _;
            let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
            let length = libc::recvmsg(self.socket.number(), &raw mut message, flags);
            let length = usize::try_from(length).ok()?;
            let mut datagram = Datagram {
                length,
                is_cut_off: message.msg_flags & libc::MSG_TRUNC != 0,
                sender: None,
                rights: heapless::Vec::new(),
            };
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while !header.is_null() {
                let data = libc::CMSG_DATA(header);
                let size = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                match ((*header).cmsg_level, (*header).cmsg_type) {
                    (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                        for index in 0..size / size_of::<c_int>() {
                            let number = data.cast::<c_int>().add(index).read_unaligned();
                            if let Ok(right) = Descriptor::of(number) {
                                let _ = datagram.rights.push(right);
                            }
                        }
                    }
                    (libc::SOL_SOCKET, libc::SCM_CREDENTIALS)
                        if size >= size_of::<libc::ucred>() =>
                    {
                        let sender = data.cast::<libc::ucred>().read_unaligned();
                        datagram.sender = Some((sender.pid, sender.uid));
                    }
                    _ => {}
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
            Some(datagram)
        }
    }

    /// sendmsg(2) to an address, waiting for a second at most, or not at all.
    pub fn send(
        &self,
        to: &Address,
        bytes: &[u8],
        rights: &[Descriptor],
        waits: bool,
    ) -> Result<(), Errno> {
        let flags = libc::MSG_NOSIGNAL | if waits { 0 } else { libc::MSG_DONTWAIT };
        let mut control = Control([0; Control::SIZE]);
        let mut data =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let size = size_of_val(rights).min(MOST_RIGHTS * size_of::<c_int>());
        // SAFETY: the message refers to buffers of the lengths given, which are only read; the
        // control buffer has room for as many descriptors as are written.
        let result = unsafe {
            let mut message: libc::msghdr = core::mem::zeroed();
            message.msg_name = (&raw const to.raw).cast_mut().cast();
            message.msg_namelen = to.length;
            message.msg_iov = &raw mut data;
            message.msg_iovlen = 1;
            if size > 0 {
                message.msg_control = control.0.as_mut_ptr().cast();
                message.msg_controllen = libc::CMSG_SPACE(size as u32) as _;
                let header = libc::CMSG_FIRSTHDR(&raw const message);
                (*header).cmsg_level = libc::SOL_SOCKET;
                (*header).cmsg_type = libc::SCM_RIGHTS;
                (*header).cmsg_len = libc::CMSG_LEN(size as u32) as _;
                let places = libc::CMSG_DATA(header).cast::<c_int>();
                for (index, right) in rights.iter().take(MOST_RIGHTS).enumerate() {
                    places.add(index).write_unaligned(right.number());
                }
            }
            libc::sendmsg(self.socket.number(), &raw const message, flags)
        };
        if result < 0 { Err(last_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_with_its_sender_and_its_descriptors() {
        let (receiver, sender) = (Receiver::new().unwrap(), Receiver::new().unwrap());
        let (pipe, _write) = super::super::pipe().unwrap();
        sender.send(&receiver.address().unwrap(), b"READY=1\n", &[pipe], true).unwrap();
        let mut buffer = [0; 64];
        let datagram = receiver.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..datagram.length], b"READY=1\n");
        let (pid, _) = datagram.sender.unwrap();
        assert_eq!(pid, rustix::process::getpid().as_raw_nonzero().get());
        assert_eq!(datagram.rights.len(), 1);
        assert!(receiver.receive(&mut buffer).is_none());
    }

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        let name = |text: &[u8]| {
            Address::parse(text).map(|address| address.abstract_name().collect::<Vec<u8>>())
        };
        assert_eq!(name(b"@abc"), Some(b"abc".to_vec()));
        assert!(Address::parse(b"/run/systemd/notify").is_some());
        for text in [&b""[..], b"@", b"/", b"relative", b"vsock:2:1", &[b'/'; 108], &[b'@'; 109]] {
            assert!(Address::parse(text).is_none(), "{text:?}");
        }
        assert!(Address::parse(&[b'/'; 107]).is_some());
        assert!(Address::parse(&[b'@'; 108]).is_some());
    }

    #[test]
    fn an_abstract_address_is_reached_by_its_name() {
        let (receiver, sender) = (Receiver::new().unwrap(), Receiver::new().unwrap());
        let text: Vec<u8> =
            b"@".iter().copied().chain(receiver.address().unwrap().abstract_name()).collect();
        sender.send(&Address::parse(&text).unwrap(), b"x", &[], true).unwrap();
        assert_eq!(receiver.receive(&mut [0; 4]).unwrap().length, 1);
    }
}

//! The names of errors, as errno(3) has them.
use rustix::io::Errno;

macro_rules! names {
    ($($constant:ident $name:literal)*) => {
        /// The name of an error; `E?` for one that is not in errno(3).
        #[must_use]
        pub const fn name(errno: Errno) -> &'static str {
            match errno {
                $(Errno::$constant => $name,)*
                _ => "E?",
            }
        }

        /// The error of a number, and EIO for a number that is not in errno(3).
        ///
        /// `Errno`'s own conversion panics outside of the kernel's range.
        #[must_use]
        pub const fn of(number: i32) -> Errno {
            $(const $constant: i32 = Errno::$constant.raw_os_error();)*
            match number {
                $($constant => Errno::$constant,)*
                _ => Errno::IO,
            }
        }
    };
}

names! {
    PERM "EPERM" NOENT "ENOENT" SRCH "ESRCH" INTR "EINTR" IO "EIO" NXIO "ENXIO" TOOBIG "E2BIG"
    NOEXEC "ENOEXEC" BADF "EBADF" CHILD "ECHILD" AGAIN "EAGAIN" NOMEM "ENOMEM" ACCESS "EACCES"
    FAULT "EFAULT" NOTBLK "ENOTBLK" BUSY "EBUSY" EXIST "EEXIST" XDEV "EXDEV" NODEV "ENODEV"
    NOTDIR "ENOTDIR" ISDIR "EISDIR" INVAL "EINVAL" NFILE "ENFILE" MFILE "EMFILE" NOTTY "ENOTTY"
    TXTBSY "ETXTBSY" FBIG "EFBIG" NOSPC "ENOSPC" SPIPE "ESPIPE" ROFS "EROFS" MLINK "EMLINK"
    PIPE "EPIPE" DOM "EDOM" RANGE "ERANGE" DEADLK "EDEADLK" NAMETOOLONG "ENAMETOOLONG"
    NOLCK "ENOLCK" NOSYS "ENOSYS" NOTEMPTY "ENOTEMPTY" LOOP "ELOOP" NODATA "ENODATA"
    TIME "ETIME" NOLINK "ENOLINK" PROTO "EPROTO" BADMSG "EBADMSG" OVERFLOW "EOVERFLOW"
    ILSEQ "EILSEQ" USERS "EUSERS" NOTSOCK "ENOTSOCK" MSGSIZE "EMSGSIZE" NOPROTOOPT "ENOPROTOOPT"
    PROTONOSUPPORT "EPROTONOSUPPORT" OPNOTSUPP "EOPNOTSUPP" AFNOSUPPORT "EAFNOSUPPORT"
    ADDRINUSE "EADDRINUSE" ADDRNOTAVAIL "EADDRNOTAVAIL" NETDOWN "ENETDOWN"
    NETUNREACH "ENETUNREACH" CONNRESET "ECONNRESET" NOBUFS "ENOBUFS" ISCONN "EISCONN"
    NOTCONN "ENOTCONN" TIMEDOUT "ETIMEDOUT" CONNREFUSED "ECONNREFUSED" HOSTUNREACH "EHOSTUNREACH"
    ALREADY "EALREADY" INPROGRESS "EINPROGRESS" STALE "ESTALE" DQUOT "EDQUOT"
    CANCELED "ECANCELED" LIBBAD "ELIBBAD" LIBACC "ELIBACC"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_errno_3() {
        assert_eq!(name(of(libc::EPERM)), "EPERM");
        assert_eq!(name(of(libc::ENOSPC)), "ENOSPC");
        assert_eq!(name(of(libc::EUSERS)), "EUSERS");
        assert_eq!(of(0), Errno::IO);
        assert_eq!(of(5000), Errno::IO);
    }
}

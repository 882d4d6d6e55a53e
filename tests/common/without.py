# Runs a command on a kernel of Linux 3.8, as far as system calls go: a filter answers in the place of newer
# ones. UNSHARED_WITHOUT=all:ENOSYS, or one call or more: clone3,openat2:EPERM.
import ctypes, errno, os, signal, struct, sys

# On x86-64 and on others alike, calls from 424 on have one number; these are x86-64's.
NUMBERS = {
    "renameat2": 316, "seccomp": 317, "getrandom": 318, "memfd_create": 319, "execveat": 322, "membarrier": 324,
    "copy_file_range": 326, "preadv2": 327, "pwritev2": 328, "statx": 332, "rseq": 334, "pidfd_send_signal": 424,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437, "pidfd_getfd": 438, "faccessat2": 439,
    "mount_setattr": 442, "landlock_create_ruleset": 444,
}
# sched_setattr(2), of Linux 3.14, is the first after finit_module(2) of 3.8; no kernel has so many yet.
FIRST_NEWER, PAST_ALL = 314, 512
LOAD, JEQ, JGE, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x35, 0x06, 0x7FFF0000, 0x00050000

names, code = os.environ["UNSHARED_WITHOUT"].split(":")
refuse = (RETURN, 0, 0, ERRNO | getattr(errno, code))
program = [(LOAD, 0, 0, 0)]
if names == "all":
    program += [(JGE, 0, 2, FIRST_NEWER), (JGE, 1, 0, PAST_ALL), refuse]
else:
    for name in names.split(","):
        program += [(JEQ, 0, 1, NUMBERS[name]), refuse]
program.append((RETURN, 0, 0, ALLOW))

code = b"".join(struct.pack("HBBI", *line) for line in program)
text = ctypes.create_string_buffer(code)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


libc = ctypes.CDLL(None, use_errno=True)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
filter = Program(len(program), ctypes.addressof(text))
# As root: without no_new_privs, which the tests would see.
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filter), 0, 0) != 0:
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
# What Python has made of it is not for the tests.
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])

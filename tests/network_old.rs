//! A kernel before Linux 4.11, which makes a link a port of nothing: a supervisor takes that word out of the
//! message that makes the pair (seccomp_unotify(2)).
use crate::common::python;

#[test]
fn a_kernel_that_makes_no_link_a_port_is_asked_once_more() {
    python(
        r#"
import array, ctypes, fcntl, struct
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x40000000): raise OSError("unshare")
SENDTO, SECCOMP = {"x86_64": (44, 317), "aarch64": (206, 277)}[os.uname().machine]
ours, theirs = socket.socketpair()
pid = os.fork()
if pid == 0:
    code = b"".join(struct.pack("HBBI", *line) for line in [(0x20, 0, 0, 0), (0x15, 0, 1, SENDTO), (6, 0, 0, 0x7fc00000), (6, 0, 0, 0x7fff0000)])
    text = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(text))
    listener = libc.syscall(SECCOMP, 1, 8, program)
    theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.execv(os.environ["CLI"], ["cli", "spawn", "--pid", "--bridge", "br0", "--bridge-address", "10.1.0.1/24", "--address", "10.1.0.2/24", "--",
        "sh", "-c", "ping -q -c1 -W5 10.1.0.1 >/dev/null && echo reached"])
theirs.close()
_, given, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
listener = array.array("i", given[0][2])[0]
dropped = 0

def without_master(message):
    """What makes a link, without IFLA_MASTER."""
    length, kind, flags = struct.unpack("IHH", message[:8])
    if kind != 16 or not flags & 0x400: return message
    kept, rest = message[:32], message[32:length]
    while rest:
        size, name = struct.unpack("HH", rest[:4])
        size = (size + 3) & ~3
        if name != 10: kept += rest[:size]
        rest = rest[size:]
    return struct.pack("I", len(kept)) + kept[4:]

import select
while os.waitpid(pid, os.WNOHANG) == (0, 0):
    if not select.select([listener], [], [], 0.05)[0]: continue
    notice = bytearray(80)
    try: fcntl.ioctl(listener, 0xC0502100, notice)
    except OSError: continue
    number, who = struct.unpack("QI", notice[:12])
    args = struct.unpack("6Q", notice[32:80])
    with open(f"/proc/{who}/mem", "rb") as memory:
        memory.seek(args[1]); message = memory.read(args[2])
    answer = struct.pack("QqiI", number, 0, 0, 1)
    # A word of ours to the child is short.
    if len(message) > 32 and without_master(message) != message:
        sender = libc.syscall(438, libc.syscall(434, who, 0), int(args[0]), 0)
        os.write(sender, without_master(message)); os.close(sender)
        dropped += 1
        answer = struct.pack("QqiI", number, len(message), 0, 0)
    fcntl.ioctl(listener, 0xC0182101, answer)
print("dropped", dropped)
"#,
    )
    .prints("reached\ndropped 1");
}

import atexit, ctypes, os, random, signal, socket, subprocess, sys, time

INIT, ME = os.environ["INIT"], sys.executable
# What cannot be passed on: KILL and STOP are never seen, CHLD is the reaper's own.
NEVER = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
ALL = 2**64 - 1

# The harness's time is over.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("too long"))


def until(what):
    """Waits until something is so, and says what it was."""
    for _ in range(12000):
        result = what()
        if result:
            return result
        time.sleep(0.005)
    sys.exit("waited in vain")


def raw_mask(bits):
    """Blocks these signals, those that the C library keeps to itself among them."""
    number = {"x86_64": 14, "aarch64": 135}[os.uname().machine]
    ctypes.CDLL(None).syscall(number, signal.SIG_SETMASK, ctypes.byref(ctypes.c_uint64(bits)), None, 8)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def end(pid):
    """Kills a process and what descends from it."""
    try:
        below = children(pid)
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
    for child in below:
        end(child)


@atexit.register
def end_all():
    for child in children(os.getpid()):
        end(child)


def start(*words, **more):
    """Starts something whose standard output is read here."""
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **more)


def as_pid_1(*words, **more):
    """Starts the reaper as PID 1; returns its launcher, and its number here."""
    launcher = start("unshare", "--pid", "--fork", "--kill-child", *words, **more)
    return launcher, until(lambda: children(launcher.pid))[0]

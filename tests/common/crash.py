# Faults in a spawn and what they leave, in namespaces of its own: everything there is ours.
import collections, stat

CLI, ROOT, KEPT = os.environ["CLI"], "/mnt/root", "/tmp/work/uts"
os.environ.pop("UNSHARED_STATE", None)


def own_cgroup():
    """Enters a cgroup of our own, if there is a hierarchy of version 2; returns what takes it away."""
    with open("/proc/mounts") as file:
        points = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    if not points:
        return lambda: None
    with open("/proc/self/cgroup") as file:
        home = points[0] + next(line[3:].strip() for line in file if line.startswith("0::"))
    own = f"{home}/crash-test-{os.getpid()}"

    def enter(path):
        with open(path + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))

    def leave():
        enter(home)
        # What was killed with its namespace may still be in there.
        for _ in range(4000):
            try:
                return os.rmdir(own)
            except OSError:
                time.sleep(0.01)
        sys.exit("a cgroup is left")

    os.mkdir(own)
    enter(own)
    os.environ["CGROUP"] = "yes"
    return leave


if "UNSHARED_CRASH" not in os.environ:
    os.environ["UNSHARED_CRASH"] = "1"
    # From in there, it is the root of its hierarchy.
    leave = own_cgroup()
    try:
        status = subprocess.run([
            "unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child", "--mount-proc",
            "sh", "-c",
            "if [ $CGROUP ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit; fi; "
            "mount -t tmpfs tmpfs /mnt && cp $CLI $INIT /mnt && export CLI=/mnt/unshared-cli INIT=/mnt/unshared-init && "
            "mkdir -p /mnt/root/bin && cp /bin/busybox /mnt/root/bin/sh && ln /mnt/root/bin/sh /mnt/root/bin/sleep && "
            "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /tmp && mkdir /tmp/work && ip link set lo up && exec $INIT -- \"$@\"",
            "sh", ME, "-c", sys.orig_argv[2],
        ]).returncode
    finally:
        leave()
    sys.exit(status)

# Everything that leaves something on the host, or would if it were not undone.
FULL = ["spawn", "--name", "one", "--all", "--uts=" + KEPT, "--hostname", "box", "--root", ROOT, "--overlay",
        "--bridge", "br0", "--bridge-address", "10.9.0.1/24", "--address", "10.9.0.2/24", "--gateway", "10.9.0.1",
        "--tmpfs", "/scratch", "--grace", "1"]
if "CGROUP" in os.environ:
    FULL += ["--limit", "cgroup.max.descendants=3"]
HOOKS = ["--preexec", "touch /tmp/work/pre", "--postexec", "rm -f /tmp/work/pre"]
PAYLOAD = ["--", "sh", "-c", "sleep 100 & exit 0"]


def evidence():
    """What there is: mounts, links, files, cgroups, processes and their namespaces."""
    with open("/proc/self/mountinfo") as file:
        mounts = collections.Counter(" ".join(line.split()[3:]) for line in file)
    files = [os.path.join(top, name) for root in ("/run", "/tmp")
             for top, below, names in os.walk(root) for name in below + names]
    groups = [top for top, _, _ in os.walk("/sys/fs/cgroup")]
    processes, namespaces = [], set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read()
            namespaces |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in os.listdir(f"/proc/{pid}/ns")}
        except OSError:
            continue
        processes.append(f"{pid} {words}")
    return {"mounts": mounts, "links": socket.if_nameindex(), "files": sorted(files), "cgroups": groups,
            "processes": sorted(processes), "namespaces": namespaces}


def forget_kept():
    """The file of a namespace stays once the payload was executed; it must be one then."""
    if os.path.ismount(KEPT) or os.path.exists(KEPT) and os.stat(KEPT).st_size == 0 and is_mounted(KEPT):
        subprocess.run(["umount", KEPT], check=True)
        os.unlink(KEPT)


def is_mounted(path):
    with open("/proc/self/mountinfo") as file:
        return any(line.split()[4] == path for line in file)


BEFORE = evidence()


def check(what):
    """Nothing is left; the kernel may still be burying what was killed."""
    forget_kept()
    for _ in range(4000):
        now = evidence()
        if now == BEFORE:
            return
        time.sleep(0.01)
    left = {key: (BEFORE[key], now[key]) for key in now if now[key] != BEFORE[key]}
    sys.exit(f"{what}: left {left}")


def traced(inject, words, follow=False):
    """Runs the CLI with a fault; returns status and standard error."""
    tracer = ["strace", *(["-f", "-b", "execve"] if follow else []), "-qq", "-o", "/dev/null", "-e", "trace=all", "-e", "signal=none",
              *(["-e", "inject=" + inject] if inject else []), CLI, *words]
    # A new session: a launcher that gives up the terminal, or kills its group, shall not hit us.
    run = subprocess.run(tracer, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, start_new_session=True)
    return run.returncode, run.stderr


def gc():
    run = subprocess.run([CLI, "gc"], capture_output=True, text=True, timeout=60)
    if run.returncode != 0 or run.stderr:
        sys.exit(f"gc: {run}")
    return run.stdout


def calls(words, of=0):
    """The system calls of the launcher (0), or of the process that it clones (1), as (name, which of that name)."""
    for name in os.listdir("/mnt"):
        if name.startswith("trace."):
            os.unlink("/mnt/" + name)
    tracer = ["strace", "-ff", "-qq", "-o", "/mnt/trace", "-e", "signal=none", CLI, *words]
    subprocess.run(tracer, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    # A detached instance leaves its record.
    gc()
    check("traced")
    traces = {}
    for name in os.listdir("/mnt"):
        if name.startswith("trace."):
            with open("/mnt/" + name) as file:
                traces[int(name.removeprefix("trace."))] = [line.split("(")[0] for line in file if "(" in line]
    launcher = min(traces)
    with open(f"/mnt/trace.{launcher}") as file:
        cloned = [int(line.split("=")[-1]) for line in file if line.startswith(("clone3(", "fork("))]
    count, named = collections.Counter(), []
    for name in traces[[launcher, *cloned][of]]:
        count[name] += 1
        named.append((name, count[name]))
    # The first is what executes us, and the last never returns.
    return [call for call in named if call[0] not in ("execve", "exit_group", "_exit")]


# What wait4(2), mount(2) and the others may say, or a filter in their place.
ERRORS = ["EPERM", "ENOMEM", "ENOSPC", "EMFILE", "EINTR", "ENOSYS", "EIO"]
# They cannot fail, but for memory that is not ours; the C library does not look either.
CANNOT_FAIL = {"arch_prctl", "set_tid_address", "rt_sigprocmask", "rt_sigaction", "rt_sigpending", "getpid", "gettid",
               "uname", "munmap", "madvise", "brk"}


def faults(words, of, errors):
    """Every call fails once; errors(n) are those of the n-th. Returns how many calls and runs there were."""
    which = [call for call in calls(words, of) if call[0] not in CANNOT_FAIL]
    # The C library's first, for its own thread, has nobody to tell.
    which = [call for call in which if of == 1 or call != ("mmap", 1)]
    runs = 0
    for place, (name, number) in enumerate(which):
        for errno in errors(place):
            if name == "mmap" and errno != "ENOMEM":
                continue
            what = f"{name} {number} {errno}"
            status, error = traced(f"{name}:error={errno}:when={number}", words, of == 1)
            succeeded = status == 0 and error == ""
            complained = status == 125 and error.count("\n") == 1 and error.startswith("unshared-cli: ")
            if not (succeeded or complained):
                sys.exit(f"{what}: {status} {error!r}")
            check(what)
            runs += 1
    return len(which), runs


def kills(words, of):
    """Killed before every call, and so after the one before it; healed."""
    which = calls(words, of)
    for name, number in which:
        status, _ = traced(f"{name}:signal=KILL:when={number}", words, of == 1)
        if of == 0 and status != -9:
            sys.exit(f"{name} {number}: not killed, but {status}")
        gc()
        check(f"killed at {name} {number}")
    return len(which)

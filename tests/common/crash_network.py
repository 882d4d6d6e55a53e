# After crash.py: bridges, rules, and named network namespaces, in a network namespace that is all ours.
subprocess.run("echo 1 >/proc/sys/net/ipv4/ip_forward; mkdir /run/netns; mount --bind /run/netns /run/netns; "
               "mount --make-shared /run/netns", shell=True, check=True)
evidence_before = evidence


def evidence():
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    # No cgroup is made here, but perhaps by another test.
    return {**evidence_before(), "tables": tables, "cgroups": []}


BEFORE = evidence()
INIT_NETNS = ["initnetns", "br0", "one", "10.1.0.2/24", "fd01::2/64", "--gateway", "10.1.0.1"]
DESTROY_NETNS = ["destroynetns", "br0", "one"]
NAT = ["spawn", "--name", "one", "--pid", "--bridge", "br0", "--bridge-address", "10.1.0.1/24", "--address", "10.1.0.2/24",
       "--gateway", "10.1.0.1", "--nat", "--publish", "8080:80", *PAYLOAD]


def succeeds(words):
    run = subprocess.run([CLI, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if run.returncode != 0 or run.stderr:
        sys.exit(f"{words}: {run}")


def has_name():
    """Whether the namespace is there; then it has all that was asked for."""
    if not is_mounted("/run/netns/one"):
        return False
    words = "ip -n one -o addr show eth0; ip -n one route; ip -n one -o link show lo; ip -o link show master br0"
    found = subprocess.run(words, shell=True, capture_output=True, text=True, check=True).stdout
    for part in ("10.1.0.2/24", "fd01::2/64", "default via 10.1.0.1", "LOOPBACK,UP", ": one-"):
        if part not in found:
            sys.exit(f"{part} is not in {found}")
    return True


def each_kill(words, before, after, part=0, parts=1):
    """Killed before every call, or one in so many; `after` heals. Returns how many calls there are."""
    before()
    trace = ["strace", "-qq", "-o", "/mnt/trace", "-e", "signal=none", CLI, *words]
    subprocess.run(trace, stdin=subprocess.DEVNULL, check=True, timeout=60)
    with open("/mnt/trace") as file:
        names = [line.split("(")[0] for line in file if "(" in line]
    after()
    count = collections.Counter()
    # The first is what executes us, and the last never returns.
    for place, name in enumerate(names[1:-1]):
        count[name] += 1
        if place % parts == part:
            what = f"{words[0]} killed at {name} {count[name]}"
            before()
            status, _ = traced(f"{name}:signal=KILL:when={count[name]}", words)
            if status != -9:
                sys.exit(f"{what}: not killed, but {status}")
            after()
            check(what)
    return len(names)


def nothing():
    pass

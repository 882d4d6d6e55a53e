//! The reaper alone, with thousands of processes and signals: every one is accounted for.
use crate::common::{python, root};

/// Starts random processes under a reaper that tells each orphan's end, while random signals come;
/// prints nothing unless something is missing. `UNSHARED_SEED` repeats a run.
fn stress(start: &str, orphans: u32, signals: u32) {
    let seed = std::env::var("UNSHARED_SEED").unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.subsec_nanos().to_string()
    });
    let outcome = python(&format!(
        r#"
import collections, threading
payload = r'''
import os, random, resource, signal, sys
random.seed({seed})
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
counted = range(34, 65)
signal.pthread_sigmask(signal.SIG_BLOCK, counted)
got, stopped, own, wrong = dict.fromkeys(counted, 0), [], {{}}, 0

def live(end):
    """In a new process: stops maybe, and ends so."""
    stop, how = end
    signal.pthread_sigmask(signal.SIG_UNBLOCK, counted)
    if stop: os.kill(os.getpid(), signal.SIGSTOP)
    if how < 0: os.kill(os.getpid(), -how)
    os._exit(how)

def orphan(end):
    r, w = os.pipe()
    if os.fork() == 0:
        pid = os.fork()
        if pid == 0: live(end)
        os.write(w, str(pid).encode())
        os._exit(0)
    os.close(w); pid = int(os.read(r, 20)); os.close(r)
    os.wait()
    os.write(1, f"orphan {{pid}} {{end[1]}}\n".encode())
    return pid

os.write(1, b"up\n")
total = orphans = 0
while orphans < {orphans} or total < {signals}:
    while info := signal.sigtimedwait(counted, 0 if orphans < {orphans} else 10):
        got[info.si_signo] += 1; total += 1
        # The sender has only so many on the way.
        if total % 100 == 0: os.write(1, b"ack\n")
        if total == {signals}: break
    if orphans >= {orphans}:
        if total < {signals}: break
        continue
    end = random.random() < 0.2, random.choice([0, 0, 1, 77, 255, random.randrange(256), -9, -15, -6, -34, -11])
    pid = orphan(end); orphans += 1
    if end[0]: stopped.append(pid)
    # One of its own, whose status is its own to read.
    if orphans % 10 == 0:
        how = random.choice([0, 3, -9, -64])
        pid = os.fork()
        if pid == 0: live((False, how))
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != how: wrong += 1
    # It wakes those that stopped themselves; one that has not yet is woken the next time.
    for pid in stopped[:]:
        try: state = open(f"/proc/{{pid}}/stat").read().rsplit(")")[1].split()[0]
        except OSError: state = "gone"
        if state == "T": os.kill(pid, signal.SIGCONT)
        if state in ("gone", "Z"): stopped.remove(pid)
# Nobody is ended by the sweep: the reaper's last child is this process.
reaper = os.getppid()
for _ in range(10000):
    for pid in stopped[:]:
        try: os.kill(pid, signal.SIGCONT)
        except OSError: stopped.remove(pid)
    if open(f"/proc/{{reaper}}/task/{{reaper}}/children").read().split() == [str(os.getpid())]: break
    signal.sigtimedwait([], 0.002)
os.write(1, f"total {{total}} {{sorted(got.items())}} {{wrong}}\n".encode())
os._exit(66)
'''.replace("    ", " ")
random.seed({seed})
launcher, init = {start}
said = launcher.stderr
ends = collections.Counter()

def read_ends():
    for line in said:
        words = line.split()
        if "reaped:" in words: ends[words[words.index("pid") + 1].strip(",") + " " + ("" if "status" in words else "by ") + words[-1]] += 1
        else: print("unexpected:", line)

reader = threading.Thread(target=read_ends, daemon=True)
reader.start()
assert launcher.stdout.readline() == "up\n"
sent, room = collections.Counter(), threading.Semaphore(1000)
def send():
    for number in range({signals}):
        room.acquire()
        s = random.randrange(34, 65)
        os.kill(init, s); sent[s] += 1
        # It may be stopped itself, or be told what it is not to count.
        if number % 500 == 250: os.kill(init, signal.SIGSTOP); time.sleep(0.01); os.kill(init, signal.SIGCONT)
        if number % 50 == 0: os.kill(init, random.choice([signal.SIGCONT, signal.SIGWINCH, signal.SIGURG]))
sender = threading.Thread(target=send, daemon=True)
sender.start()
names = {{"SIGKILL": -9, "SIGTERM": -15, "SIGABRT": -6, "34": -34, "SIGSEGV": -11}}
wanted, total = collections.Counter(), None
for line in launcher.stdout:
    words = line.split()
    if words[0] == "ack":
        for _ in range(100): room.release()
    elif words[0] == "orphan": wanted[words[1] + " " + words[2]] += 1
    else: total = line
status = launcher.wait()
reader.join(10)
seen = collections.Counter()
for key, number in ends.items():
    pid, *by, how = key.split()
    seen[f"{{pid}} {{names[how] if by else how}}"] += number
counts = sorted((s, sent[s]) for s in range(34, 65))
if total != f"total {signals} {{counts}} 0\n": print("signals:", total, counts)
if seen != wanted: print("ends:", dict(seen - wanted), dict(wanted - seen))
if status != 66: print("status", status)
if sum(wanted.values()) != {orphans}: print("orphans", sum(wanted.values()))
"#
    ));
    assert_eq!((outcome.out.as_str(), outcome.err.as_str()), ("", ""), "UNSHARED_SEED={seed}");
    assert_eq!(outcome.status, Some(0), "UNSHARED_SEED={seed}");
}

const WORDS: &str = "INIT, '-q', '-w', '--', ME, '-S', '-c', payload";

#[test]
fn every_status_and_every_signal_is_accounted_for_as_pid_1() {
    stress(&format!("as_pid_1('--mount-proc', {WORDS}, stderr=subprocess.PIPE)"), 2000, 10_000);
}

#[test]
fn every_status_and_every_signal_is_accounted_for_as_a_subreaper() {
    let words = WORDS.replacen("INIT", "INIT, '-s'", 1);
    stress(
        &format!("(lambda p: (p, p.pid))(start({words}, stderr=subprocess.PIPE))"),
        1000,
        10_000,
    );
}

#[test]
fn no_memory_is_allocated_after_the_start() {
    // PID 1 has the first number of its namespace; strace says the number outside, and which
    // process called what. The reaper's is the one that clones without having been cloned by it.
    let payload = "for i in 1 2 3 4 5; do (sleep 0.05 &); kill -USR1 $PPID; done; sleep 0.3; \
                   trap \"\" TERM; sleep 100 & setsid sleep 100 & exit 3";
    for (options, environment) in [
        ("-s", ""),
        ("-s -g -vvv", ""),
        ("-s --notification-fd 9 -w", "NOTIFY_SOCKET=@unshared-test-none"),
    ] {
        root(&format!(
            "f=$(mktemp); {environment} strace -qq -o $f $INIT {options} --grace 0.3 -- bash -c 'trap : USR1; {payload}' 2>/dev/null; s=$?; \
             sed 1,/clone/d $f | grep -E -c 'kill|wait4|sigtimedwait' | grep -q ..; echo $? $s; \
             sed 1,/clone/d $f | grep -E '^(brk|mmap|mremap|munmap|mprotect|madvise)'; rm $f"
        ))
        .prints("0 3");
    }
    root(&format!(
        "f=$(mktemp -d); strace -ff -qq -o $f/t unshare --pid --fork --mount-proc $INIT --grace 0.3 -- bash -c 'trap : USR1; {payload}' 2>/dev/null; s=$?; \
         own=$(grep -l 'kill(-1, SIGTERM)' $f/t*); sed 1,/clone/d $own | grep -E -c 'kill|wait4|sigtimedwait' | grep -q ..; echo $? $s; \
         sed '1,/^clone/d' $own | grep -E '^(brk|mmap|mremap|munmap|mprotect|madvise)'; rm -r $f"
    ))
    .prints("0 3");
}

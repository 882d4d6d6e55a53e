//! The reaper alone: a payload that says that it is ready.
use crate::common::{python, root};

const WAYS: [&str; 3] = ["$INIT -q", "$INIT -s -g", "unshare --pid --fork --mount-proc $INIT"];

#[test]
fn a_newline_is_readiness() {
    for init in WAYS {
        for fd in [3, 7, 100] {
            let run = |payload: &str| {
                root(&format!(
                    "export F=$(mktemp -u); {init} --notification-fd {fd} --ready-exec 'echo ready; : >$F' -- \
                     bash -c '{payload}; until [ -e $F ]; do sleep 0.05; done; echo end; exit 4'; echo $?; rm $F"
                ))
            };
            run(&format!("echo >&{fd}")).prints("ready\nend\n4");
            run(&format!("echo one >&{fd}; exec {fd}>&-")).prints("ready\nend\n4");
            run(&format!("printf part >&{fd}; sleep 0.1; echo >&{fd}")).prints("ready\nend\n4");
        }
    }
}

#[test]
fn without_a_newline_nothing_is_ready() {
    for init in WAYS {
        for payload in [":", "printf part >&3", "exec 3>&-", "exec 3>&-; sleep 0.2"] {
            root(&format!(
                "{init} --notification-fd 3 --ready-exec 'echo ready' -- bash -c '{payload}; exit 5'; echo $?"
            ))
            .prints("5");
        }
    }
}

#[test]
fn readiness_is_told_once_for_each_start() {
    root(
        "export F=$(mktemp -u); $INIT -s --notification-fd 3 --ready-exec 'echo ready; : >$F' -- \
         bash -c 'printf \"\\n\\n\\n\" >&3; until [ -e $F ]; do sleep 0.05; done; sleep 0.3'; rm $F",
    )
    .prints("ready");
    root(
        "export F=$(mktemp); $INIT -q -s --restart on-failure --notification-fd 3 --ready-exec 'echo ready; : >$F.up' -- \
         bash -c 'echo >>$F; echo >&3; until [ -e $F.up ]; do sleep 0.05; done; rm $F.up; [ $(wc -l <$F) = 3 ]'; rm $F",
    )
    .prints("ready\nready\nready");
}

#[test]
fn a_payload_that_does_not_care_is_not_disturbed() {
    // More than a pipe holds, after the newline and without a reader.
    root("$INIT -q --notification-fd 3 -- bash -c 'echo >&3; sleep 0.1; trap \"\" PIPE; head -c 200000 /dev/zero >&3 2>/dev/null; exit 6'")
        .ends_with(6);
    root("$INIT -q --notification-fd 3 -- sh -c 'exit 7'").ends_with(7);
}

#[test]
fn what_runs_at_readiness_has_the_payloads_signals_and_no_say_in_the_status() {
    let file = "export F=$(mktemp -u);";
    let until = "until [ -e $F ]; do sleep 0.05; done";
    root(&format!("{file} env --ignore-signal=USR1 $INIT -q --notification-fd 3 --ready-exec 'kill -USR1 $$; echo alive; : >$F; exit 9' -- bash -c 'echo >&3; {until}; exit 3' 2>/dev/null; echo $?; rm $F"))
        .prints("alive\n3");
    root(&format!("{file} $INIT -q --notification-fd 3 --ready-exec 'sh -c \"exec grep SigBlk /proc/self/status\"; : >$F' -- bash -c 'echo >&3; {until}'; rm $F"))
        .prints("SigBlk:\t0000000000000000");
}

/// A manager's socket, and a payload that speaks to it through the reaper.
const MANAGER: &str = r#"
import array, tempfile
folder = tempfile.mkdtemp()
atexit.register(lambda: subprocess.run(["rm", "-r", folder]))
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.settimeout(20)

def listen(abstract):
    manager.bind("\0unshared-test-%d" % os.getpid() if abstract else folder + "/notify")
    os.environ["NOTIFY_SOCKET"] = "@unshared-test-%d" % os.getpid() if abstract else folder + "/notify"

def take():
    """The sender, the lines, and what the descriptors that came along lead to."""
    data, parts, _, _ = manager.recvmsg(8192, 4096)
    sender, files = 0, []
    for level, kind, value in parts:
        if kind == socket.SCM_RIGHTS:
            fds = array.array("i"); fds.frombytes(value[:len(value) // 4 * 4])
            for fd in fds: files.append(os.readlink(f"/proc/self/fd/{fd}")); os.close(fd)
        else: sender = array.array("i", value)[0]
    return sender, data.decode().split("\n"), files

SAY = """
import array, os, socket
def say(text, *fds):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = os.environ["NOTIFY_SOCKET"]
    s.connect("\\0" + address[1:] if address[0] == "@" else address)
    s.sendmsg([text.encode()], [(1, 1, array.array("i", fds))] if fds else [])
"""
"#;

#[test]
fn what_the_payload_says_to_its_manager_is_passed_on() {
    for (abstract_name, start) in [
        ("False", "(lambda p: (p, p.pid))(start(INIT, '-q', *words))"),
        ("True", "(lambda p: (p, p.pid))(start(INIT, '-s', *words))"),
        ("True", "(lambda p: (p, p.pid))(start(INIT, '-g', '-q', *words))"),
        ("False", "as_pid_1(INIT, *words)"),
        ("False", "as_pid_1('setpriv', '--reuid', '65534', INIT, *words)"),
    ] {
        python(&format!(
            r#"{MANAGER}
listen({abstract_name})
os.chmod(folder, 0o777)
if not {abstract_name}: os.chmod(folder + "/notify", 0o777)
words = ["--ready-exec", ": >" + folder + "/hook", "--", "python3", "-c", SAY + '''
say("MAINPID=" + str(os.getpid()) + "\\nSTATUS=a b")
f = open("/dev/null"); say("FDSTORE=1\\nFDNAME=x", f.fileno(), f.fileno())
say("READY=1\\nSTATUS=up")
if os.fork() == 0:
    say("X=child")
    os._exit(0)
os.wait()
for _ in range(2000):
    if os.path.exists("''' + folder + '''/hook"): os._exit(6)
    import time; time.sleep(0.01)
''']
launcher, init = {start}
for _ in range(4):
    sender, lines, files = take()
    print(sender == init, [line for line in lines if line], files)
print(launcher.wait())
"#
        ))
        .prints(
            "True ['STATUS=a b'] []\nTrue ['FDSTORE=1', 'FDNAME=x'] ['/dev/null', '/dev/null']\n\
             True ['READY=1', 'STATUS=up'] []\nTrue ['X=child'] []\n6",
        );
    }
}

#[test]
fn a_newline_is_told_to_the_manager_too() {
    for start in ["start(INIT, '-q', *words)", "as_pid_1(INIT, *words)[0]"] {
        python(&format!(
            r#"{MANAGER}
listen(False)
words = ["--notification-fd", "3", "--", "bash", "-c", "echo >&3; sleep 0.2"]
launcher = {start}
print(take()[1][0], launcher.wait())
"#
        ))
        .prints("READY=1 0");
    }
}

#[test]
fn a_manager_that_is_not_there_is_no_reason_to_fail() {
    for address in ["/no/such/socket", "@unshared-test-nobody", "/etc/passwd"] {
        root(&format!(
            "export F=$(mktemp -u); NOTIFY_SOCKET={address} $INIT -q --notification-fd 3 --ready-exec 'echo ready; : >$F' -- \
             bash -c 'echo >&3; until [ -e $F ]; do sleep 0.05; done; exit 3'; echo $?; rm $F"
        ))
        .prints("ready\n3");
    }
    // An address of another kind is the payload's own affair.
    root("NOTIFY_SOCKET=vsock:2:1 $INIT -q -- printenv NOTIFY_SOCKET").prints("vsock:2:1");
}

#[test]
fn a_stranger_does_not_speak_for_the_payload() {
    python(&format!(
        r#"{MANAGER}
listen(False)
os.chmod(folder, 0o755); os.chmod(folder + "/notify", 0o777)
p = start("setpriv", "--reuid", "65534", INIT, "-q", "--", "python3", "-c", SAY + 'print(os.environ["NOTIFY_SOCKET"], flush=True); input(); say("STATUS=mine")', stdin=subprocess.PIPE)
os.environ["NOTIFY_SOCKET"] = p.stdout.readline().strip()
subprocess.run(["setpriv", "--reuid", "65533", "python3", "-c", SAY + 'say("STATUS=stranger")'])
p.stdin.write("\n"); p.stdin.flush()
print(take()[1][0], p.wait())
"#
    ))
    .prints("STATUS=mine 0");
}

#[test]
fn a_command_that_cannot_be_executed_is_not_ready_though_all_streams_are_closed() {
    root("f=$(mktemp -u); $INIT -s --notification-fd 7 --ready-exec \"touch $f\" -- /no/such <&- >&- 2>&-; echo $?; [ ! -e $f ]")
        .prints("127");
}

#[test]
fn ready_exec_runs_once_for_each_start() {
    root(
        "f=$(mktemp); $INIT -q -s --notification-fd 7 --ready-exec \"echo >>$f\" -- sh -c 'echo >&7; echo >&7; until [ -s $0 ]; do sleep 0.05; done; echo >&7; sleep 0.3' $f; wc -l <$f; rm $f",
    )
    .prints("1");
}

#[test]
fn what_a_payload_says_right_before_its_end_is_passed_on() {
    // The reaper is stopped until it is over, so that its first look finds all of it.
    for start in [
        "(lambda p: (p, p.pid))(start(INIT, '-q', *words, stdin=subprocess.PIPE))",
        "as_pid_1(INIT, *words, stdin=subprocess.PIPE)",
    ] {
        python(&format!(
            r#"{MANAGER}
def state(pid):
    with open(f"/proc/{{pid}}/stat") as file:
        return file.read().rsplit(") ")[1][0]

def says(*words):
    launcher, init = {start}
    child = until(lambda: children(init))[0]
    os.kill(init, signal.SIGSTOP)
    launcher.stdin.write("\n"); launcher.stdin.flush()
    until(lambda: state(child) == "Z")
    os.kill(init, signal.SIGCONT)
    return launcher

listen(True)
launcher = says("--notification-fd", "3", "--", "sh", "-c", "read line; echo >&3; exit 4")
print(take()[1][0], launcher.wait())
launcher = says("--", "python3", "-c", SAY + "input(); say('READY=1'); say('STATUS=done'); exit(5)")
print(take()[1][0], take()[1][0], launcher.wait())
"#
        ))
        .prints("READY=1 4\nREADY=1 STATUS=done 5");
    }
}

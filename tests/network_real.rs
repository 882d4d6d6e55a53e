//! What real programs find: Erlang nodes that know each other by name, and frames as they are sent.
use super::network::host;
use crate::common::{has_erlang, python};

#[test]
fn two_erlang_nodes_in_two_instances_find_each_other_by_name() {
    if !has_erlang() {
        return;
    }
    host(
        "export HOME=/tmp; up() { exec $CLI spawn --name $1 --hostname $1 --pid --ipc --bridge br0 --address $2/24 --hosts one=10.1.0.2 --hosts two=10.1.0.3 -- \
           erl -noinput -sname node -setcookie cookie -eval \"$3\"; }; \
         up one 10.1.0.2 'receive stop -> ok end.' >/dev/null 2>&1 & \
         (up two 10.1.0.3 'P = fun P(0) -> pang; P(N) -> case net_adm:ping(node@one) of pong -> pong; pang -> timer:sleep(100), P(N - 1) end end, \
           io:format(\"~p ~p~n\", [P(200), nodes()]), halt().'); kill $!; wait $!; echo $?",
    )
    .prints("pong [node@one]\n0");
}

#[test]
fn frames_that_an_instance_sends_have_the_right_checksums() {
    // From the bridge, as a capture has them.
    python(
        r#"
import ctypes, socket
if ctypes.CDLL(None).unshare(0x40000000): raise OSError("unshare")
def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2))
    while value >> 16: value = (value & 0xffff) + (value >> 16)
    return value
CLI = os.environ["CLI"]
spawn = subprocess.Popen([CLI, "spawn", "--pid", "--bridge", "br0", "--bridge-address", "10.1.0.1/24", "--address", "10.1.0.2/24", "--",
    "sh", "-c", "echo hello, world | netcat -l 7001"])
capture = None
for _ in range(2000):
    try:
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); capture.bind(("br0", 0)); break
    except OSError: time.sleep(0.01)
for _ in range(2000):
    try: client = socket.create_connection(("10.1.0.2", 7001), timeout=5); break
    except OSError: time.sleep(0.01)
print(client.recv(100).decode().strip())
client.close()
capture.settimeout(0.2)
seen = bad = 0
try:
    while True:
        frame = capture.recv(65536)
        if frame[12:14] != b"\x08\x00" or frame[23] != 6 or frame[26:30] != bytes([10, 1, 0, 2]): continue
        length = int.from_bytes(frame[16:18], "big"); packet = frame[14:14 + length]
        segment = packet[(packet[0] & 15) * 4:]
        seen += 1
        bad += total(packet[12:20] + bytes([0, 6]) + len(segment).to_bytes(2, "big") + segment) != 0xffff
except OSError: pass
print(seen >= 3, bad)
spawn.wait()
"#,
    )
    .prints("hello, world\nTrue 0");
}

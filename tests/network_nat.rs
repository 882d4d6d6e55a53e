//! Ways to other networks, and from them: nf_tables as root, pasta(1) for others.
use super::network::host;
use super::network_named::own_run;
use crate::common::nobody;

/// A host, a bridge with one instance, and somebody outside, who knows no way back to the instance.
const OUTSIDE: &str = "ip netns add outside; ip link add up0 type veth peer name out netns outside; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up; \
     ip -n outside addr add 192.0.2.2/24 dev out; ip -n outside link set out up; echo 1 >/proc/sys/net/ipv4/ip_forward; \
     B=\"--bridge br0 --bridge-address 10.1.0.1/24 --address 10.1.0.2/24 --gateway 10.1.0.1\"; \
     ask() { for _ in $(seq 200); do netcat -N -w 5 $1 $2 </dev/null 2>/dev/null && return; sleep 0.05; done; }; ";

#[test]
fn what_leaves_the_network_of_the_bridge_leaves_as_the_hosts_own() {
    own_run(&format!(
        "{OUTSIDE} $CLI spawn $B -- ping -q -c1 -W1 192.0.2.2 >/dev/null; echo $?; \
         $CLI spawn --name n --nat $B -- sh -c 'ping -q -c1 -W5 192.0.2.2 >/dev/null; echo $?; nft list ruleset 2>/dev/null' & wait $!; \
         $CLI spawn --name n --nat $B --preexec : -- sleep 100 & p=$!; until nft list ruleset | grep masq; do sleep 0.05; done; kill $p; wait $p; nft list ruleset; ip netns del outside"
    ))
    .prints("1\n0\n\t\tip saddr 10.1.0.0/24 ip daddr != 10.1.0.0/24 masquerade");
}

#[test]
fn published_ports_lead_inside_from_the_host_and_from_outside_and_go_with_the_run() {
    own_run(&format!(
        "{OUTSIDE} $CLI spawn --name n --pid --publish 8080:80 --publish 5353:53/udp $B -- sh -c 'for i in 1 2; do echo hello | netcat -l 80; done; sleep 100' & p=$!; \
         ask 192.0.2.1 8080; ip netns exec outside bash -c \"$(declare -f ask); ask 192.0.2.1 8080\"; nft list ruleset | grep -o 'udp dport 5353 dnat to .*' | uniq; \
         kill -9 $p; wait $p 2>/dev/null; nft list tables | wc -l; $CLI gc; nft list tables | wc -l; ip netns del outside"
    ))
    .ends_with(0)
    .out_is("hello\nhello\nudp dport 5353 dnat to 10.1.0.2:53\n1\nn\n0\n");
}

#[test]
fn without_forwarding_there_is_neither_and_nothing_is_turned_on() {
    let host = "B=\"--bridge br0 --bridge-address 10.1.0.1/24 --address 10.1.0.2/24\"; echo 0 >/proc/sys/net/ipv4/ip_forward; ";
    own_run(&format!("{host} $CLI spawn --nat $B -- echo no"))
        .complains(125, &["add nf_tables rules", "net.ipv4.ip_forward is 0"]);
    for options in [
        "--nat",
        "--publish 80:80",
        "--bridge b --nat",
        "--bridge b --address 10.1.0.2/24 --publish 80",
        "--bridge b --address 10.1.0.2/24 --publish 0:80",
    ] {
        own_run(&format!("$CLI spawn {options} -- echo no"))
            .complains(125, &["see: unshared-cli help spawn"]);
    }
}

#[test]
fn what_dry_run_prints_makes_the_rules_that_are_made() {
    own_run(&format!(
        "{OUTSIDE} echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; all() {{ $CLI spawn $1 --name n --nat --publish 8080:80 --publish 53:53/udp $B --address fd01::2/64 --bridge-address fd01::1/64 -- \
           sh -c \"until nsenter --net=$UNSHARED_STATE.net nft list ruleset | grep -q fd01; do sleep 0.1; done; nsenter --net=$UNSHARED_STATE.net nft list ruleset\"; }}; \
         touch $UNSHARED_STATE.net; mount --bind /proc/self/ns/net $UNSHARED_STATE.net; all >$UNSHARED_STATE.1; all --dry-run | sh >$UNSHARED_STATE.2; \
         sed -i 's/unshared-n-[0-9a-z]*/TABLE/' $UNSHARED_STATE.1 $UNSHARED_STATE.2; diff $UNSHARED_STATE.1 $UNSHARED_STATE.2 && wc -l <$UNSHARED_STATE.1; \
         umount $UNSHARED_STATE.net; rm $UNSHARED_STATE.*; ip netns del outside"
    ))
    .prints("36");
}

#[test]
fn an_ordinary_user_is_connected_by_pasta_which_ends_with_the_run() {
    if nobody("command -v pasta && ip route show default | grep -q default").status != Some(0) {
        let must = std::env::var_os("UNSHARED_MUST_WORK").is_some();
        assert!(!must, "pasta is not installed, or there is no default route");
        eprintln!("skipped: pasta is not installed, or there is no default route");
        return;
    }
    let ask = "port=$((10000 + $$ % 20000)); ask() { for _ in $(seq 200); do timeout 5 bash -c \"exec 3<>/dev/tcp/127.0.0.1/$port && cat <&3\" 2>/dev/null | grep . && return; sleep 0.05; done; }; \
        over() { grep -q 'State:.[^ZX]' /proc/$1/status 2>/dev/null || echo over; }; L='for i in $(seq 30); do echo hello | timeout 5 netcat -N -l 80; done'; ";
    nobody(&format!(
        "{ask} $CLI spawn --name n --user --pid --pasta --publish $port:80 -- sh -c \"ip -br -4 addr show eth0 | wc -l; $L\" & l=$!; \
         ask; p=$(cat $UNSHARED_STATE/n/pasta); kill $l; wait $l; over $p"
    ))
    .ends_with(0)
    .out_is("1\nhello\nover\n");
    nobody(&format!(
        "{ask} $CLI spawn --name n --user --pid --pasta --publish $port:80 -- sh -c \"$L\" & l=$!; \
         ask; p=$(cat $UNSHARED_STATE/n/pasta); kill -9 $l; wait $l 2>/dev/null; $CLI gc; over $p"
    ))
    .ends_with(0)
    .out_is("hello\nn\nover\n");
}

#[test]
fn without_pasta_or_a_way_for_it_that_is_one_line() {
    nobody("PATH=/nowhere $CLI spawn --user --pasta -- echo no")
        .complains(125, &["run pasta: ENOENT", "Debian's package passt has it"]);
    host("$CLI spawn --user --pasta --uts -- echo no").complains(125, &["run pasta"]);
    nobody("$CLI spawn --user --pasta --address 10.0.0.2/24 -- echo no")
        .complains(125, &["need a link"]);
    nobody("$CLI spawn --user --pasta --move-link x -- echo no")
        .complains(125, &["--pasta makes the link"]);
}

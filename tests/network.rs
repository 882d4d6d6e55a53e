//! Links of a network namespace: bridges, links upon links, links that are lent, and files.
use crate::common::{Outcome, nobody, root};

/// A run whose host is a network namespace of its own, so that names of links are the test's own.
pub(crate) fn host(script: &str) -> Outcome {
    root(&format!(
        "exec unshare --net bash -c \"$(cat <<'END_OF_SCRIPT'\nip link set lo up\n{script}\nEND_OF_SCRIPT\n)\""
    ))
}

/// Waits until a link is there, or is gone.
pub(crate) const WAIT: &str = "there() { for _ in $(seq 1500); do ip link show $1 >/dev/null 2>&1 && return; sleep 0.02; done; false; }; \
     gone() { for _ in $(seq 1500); do ip link show $1 >/dev/null 2>&1 || return 0; sleep 0.02; done; false; }; ";

#[test]
fn two_instances_on_one_bridge_reach_each_other_and_the_host_and_leave_nothing() {
    host(&format!(
        "{WAIT} $CLI spawn --name a --pid --bridge br0 --bridge-address 10.1.0.1/24 --bridge-address fd01::1/64 \
           --address 10.1.0.2/24 --address fd01::2/64 -- sleep 100 & a=$!; \
         until ip neigh show >/dev/null && ping -q -c1 -W1 10.1.0.2 >/dev/null 2>&1; do sleep 0.05; done; \
         $CLI spawn --name b --pid --bridge br0 --address 10.1.0.3/24 --address fd01::3/64 -- \
           sh -c 'for to in 10.1.0.1 10.1.0.2 fd01::1 fd01::2; do ping -q -c1 -W5 $to >/dev/null && echo $to; done'; \
         $CLI list | grep -o 10.1.0.2/24,fd01::2/64; ip -br link show br0 | cut -d ' ' -f 1; kill $a; wait $a; gone br0; \
         for _ in $(seq 1500); do [ $(ip -o link | wc -l) = 1 ] && break; sleep 0.02; done; ip -o link | wc -l"
    ))
    .prints("10.1.0.1\n10.1.0.2\nfd01::1\nfd01::2\n10.1.0.2/24,fd01::2/64\nbr0\n1");
}

#[test]
fn a_bridge_that_was_there_is_left_as_it_was() {
    host(
        "ip link add br0 address 02:00:00:00:00:09 type bridge; ip addr add 10.1.0.1/24 dev br0; ip link set br0 up; \
         look() { ip -o link show br0 | sed 's/<.*>//; s/state [A-Z]*//'; ip -o addr show br0 | grep -v fe80; }; look >$UNSHARED_STATE.1; \
         $CLI spawn --bridge br0 --bridge-address 10.1.0.1/24 --bridge-address 10.2.0.1/24 --address 10.1.0.2/24 -- ping -q -c1 -W5 10.1.0.1 >/dev/null; \
         echo $?; for _ in $(seq 100); do [ $(ip -o link | wc -l) = 2 ] && break; sleep 0.02; done; \
         look >$UNSHARED_STATE.2; diff $UNSHARED_STATE.1 $UNSHARED_STATE.2 && echo same; \
         rm $UNSHARED_STATE.1 $UNSHARED_STATE.2",
    )
    .prints("0\nsame");
}

#[test]
fn a_bridge_that_is_made_has_the_same_hardware_address_each_time() {
    host(&format!(
        "{WAIT} mac() {{ $CLI spawn --bridge $1 --mac $2 -- sleep 100 & there $1; ip -o link show $1 | sed 's/.*ether \\([^ ]*\\).*/\\1/'; kill $!; wait $!; }}; \
         a=$(mac br0 02:00:00:00:00:01); b=$(mac br0 02:00:00:00:00:02); c=$(mac bc 02:00:00:00:00:02); \
         test $a = $b && test $a != $c && case $a in 02:*) echo stable; esac"
    ))
    .prints("stable");
}

#[test]
fn name_hardware_address_mtu_and_routes_are_as_asked_for() {
    host(
        "$CLI spawn --bridge br0 --link-name up0 --mac 02:00:00:00:00:77 --mtu 1400 --address 10.1.0.2/24 --address fd01::2/64 \
           --gateway 10.1.0.1 --gateway fd01::1 -- sh -c 'ip -o link show up0 | grep -o \"mtu 1400\\|ether 02:00:00:00:00:77\"; \
           ip route; ip -6 route show default; ip -o -6 addr show up0 | grep -c tentative.*fd01'",
    )
    .ends_with(1)
    .out_is(
        "mtu 1400\nether 02:00:00:00:00:77\ndefault via 10.1.0.1 dev up0 \n\
         10.1.0.0/24 dev up0 proto kernel scope link src 10.1.0.2 \n\
         default via fd01::1 dev up0 metric 1024 pref medium\n0\n",
    );
}

#[test]
fn ends_on_the_host_are_called_as_their_instances_and_differ() {
    host(
        "for i in 1 2; do $CLI spawn --name riak-production-0$i --bridge br0 -- sleep 100 & p=\"$p $!\"; done; \
         until [ $(ip -o link show master br0 2>/dev/null | wc -l) = 2 ]; do sleep 0.02; done; \
         ip -o link show master br0 | grep -c ': riak-prod-.....@'; kill $p; wait",
    )
    .prints("2");
}

#[test]
fn a_run_takes_over_what_a_killed_one_of_its_name_left() {
    // A namespace that outlives its instance keeps its end of the pair.
    host(&format!(
        "{WAIT} n=$UNSHARED_STATE.net; for i in 1 2; do \
           $CLI spawn --name one --net=$n --bridge br0 --address 10.1.0.2/24 -- sleep 100 & p=$!; \
           until ip -o link show master br0 2>/dev/null | grep -q LOWER_UP; do sleep 0.02; done; \
           kill -9 $p; wait $p 2>/dev/null; done; \
         $CLI spawn --name one --bridge br0 --address 10.1.0.3/24 -- ip -o -4 addr show eth0 | grep -o 10.1.0.3/24; \
         $CLI gc; umount $n $n 2>/dev/null; rm -f $n; gone br0; echo $?"
    ))
    .prints("10.1.0.3/24\n0");
}

#[test]
fn a_hundred_instances_on_one_bridge_are_all_reached_and_all_gone_afterwards() {
    host(&format!(
        "{WAIT} for i in $(seq 100); do $CLI spawn --name n$i --pid --bridge br0 --bridge-address 10.1.0.1/16 --address 10.1.1.$i/16 -- sleep 100 & p=\"$p $!\"; done; \
         n=0; for i in $(seq 100); do \
           for _ in $(seq 100); do ping -q -c1 -W1 10.1.1.$i >/dev/null 2>&1 && n=$((n + 1)) && break; sleep 0.1; done; done; \
         echo $n; kill $p; wait; gone br0; \
         for _ in $(seq 1500); do [ $(ip -o link | wc -l) = 1 ] && break; sleep 0.02; done; ip -o link | wc -l"
    ))
    .prints("100\n1");
}

#[test]
fn a_bridge_that_twenty_make_and_leave_at_once_is_there_for_each_and_goes_with_the_last() {
    // Each comes and goes four times, so that the last of some meets the first of others.
    host(&format!(
        "{WAIT} one() {{ for r in 1 2 3 4; do $CLI spawn --name n$1 --bridge br0 --bridge-address 10.1.0.1/24 --address 10.1.0.$((1 + $1))/24 -- \
           ping -q -c1 -W5 10.1.0.1 >/dev/null || echo failed; done; }}; \
         for i in $(seq 20); do one $i & done; wait; gone br0; echo $?; ls -A $UNSHARED_STATE 2>/dev/null; \
         for _ in $(seq 1500); do [ $(ip -o link | wc -l) = 1 ] && break; sleep 0.02; done; ip -o link | wc -l"
    ))
    .prints("0\n1");
}

#[test]
fn a_launcher_killed_at_any_of_its_steps_leaves_nothing_once_gc_has_passed() {
    // At the entry of each call that changes something, one after the other.
    let outcome = host(&format!(
        "{WAIT} ip link add lent type dummy 2>/dev/null || ip link add lent type veth peer name lentp; ip addr add 10.9.0.1/24 dev lent; ip link set lent up; \
         for call in mkdirat openat write sendto mount unlinkat; do for n in $(seq 100); do \
           {{ timeout 20 strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
             $CLI spawn --name x --pid --bridge br0 --bridge-address 10.1.0.1/24 --address 10.1.0.2/24 --move-link lent:l0 -- true; }} 2>/dev/null; s=$?; \
           $CLI gc >/dev/null; gone br0 || echo \"br0 stays: $call $n\"; \
           ip -o -4 addr show lent | grep -q 10.9.0.1/24 || echo \"lent is away: $call $n\"; \
           ls -A $UNSHARED_STATE 2>/dev/null; grep $UNSHARED_STATE /proc/self/mountinfo; \
           if [ $s = 0 ]; then echo $call $((n > 1)); break; fi; done; done"
    ));
    outcome.prints("mkdirat 1\nopenat 1\nwrite 1\nsendto 1\nmount 1\nunlinkat 1");
}

#[test]
fn links_upon_one_of_the_hosts_are_born_inside() {
    host(
        "ip link add up0 type veth peer name other; ip addr add 10.1.0.1/24 dev other; ip link set up0 up; ip link set other up; \
         $CLI spawn --pid --macvlan up0 --link-name m0 --mac 02:00:00:00:00:05 --address 10.1.0.5/24 -- \
           sh -c 'ip -o -d link show m0 | grep -o \"macvlan mode bridge\"; ping -q -c1 -W5 10.1.0.1 >/dev/null; echo $?'; ip -o link | wc -l",
    )
    .prints("macvlan mode bridge\n0\n3");
}

#[test]
fn a_kernel_without_ipvlan_says_so() {
    let outcome =
        host("ip link add up0 type veth peer name other; $CLI spawn --ipvlan up0 -- true");
    if outcome.status != Some(0) {
        outcome.complains(125, &["make ipvlan link \"eth0\" inside, upon \"up0\": EOPNOTSUPP (this kernel has no ipvlan links"]);
    }
}

#[test]
fn a_link_that_is_lent_comes_back_as_it_was_whatever_was_done_to_it() {
    let look = "look() { ip -o addr show int3 | sed 's/ tentative//; /fe80/d; s/valid_lft.*//'; ip -o link show int3 | sed 's/<[^>]*>//; s/state [A-Z]* //'; }; ";
    host(&format!(
        "{WAIT} {look} ip link add br0 type bridge; ip link add int3 type veth peer name int3p; ip link set int3 master br0; \
         ip addr add 10.6.0.9/24 brd + dev int3; ip addr add 10.6.0.10 peer 10.6.0.11 dev int3; ip addr add fd06::9/64 dev int3 nodad; \
         ip link set int3 up; ip link set int3p up; look >$UNSHARED_STATE.1; \
         $CLI spawn --pid --move-link int3:eth1 --address 172.3.0.2/24 -- \
           sh -c 'ip -o -4 addr show eth1 | grep -o 172.3.0.2/24; ip link set eth1 down; ip link set eth1 name other'; \
         look | diff $UNSHARED_STATE.1 - && echo same; \
         $CLI spawn --pid --name x --move-link int3 -- sleep 100 & p=$!; gone int3; kill -9 $p; wait $p 2>/dev/null; \
         sleep 0.1; ip link show int3 >/dev/null 2>&1; echo $?; $CLI gc; look | diff $UNSHARED_STATE.1 - && echo same; rm $UNSHARED_STATE.1"
    ))
    .prints("172.3.0.2/24\nsame\n1\nx\nsame");
}

#[test]
fn a_link_comes_back_also_when_the_launch_fails_and_under_another_name_when_its_own_is_taken() {
    host(
        "ip link add int3 type veth peer name int3p; $CLI spawn --move-link int3:x --gateway 1.2.3.4 -- true 2>/dev/null; echo $?; ip -br link show int3 | wc -l; \
         mkfifo $UNSHARED_STATE.up; $CLI spawn --move-link int3:x -- sh -c \"echo >$UNSHARED_STATE.up; read go <$UNSHARED_STATE.up\" & read up <$UNSHARED_STATE.up; \
         ip link add int3 type veth peer name new; echo >$UNSHARED_STATE.up; wait; ip -br link show x | wc -l; rm $UNSHARED_STATE.up",
    )
    .ends_with(0)
    .err_is("unshared-cli: take link \"int3\" back: EEXIST (it is back, under another name)\n")
    .out_is("125\n1\n1\n");
}

#[test]
fn what_does_not_go_together_or_is_not_there_is_one_line() {
    for (options, parts) in [
        ("--address 10.0.0.2/24", &["need a link"][..]),
        ("--bridge a --macvlan b", &["only one of"]),
        ("--bridge 0123456789abcdef", &["1 to 15 bytes"]),
        ("--bridge b --address 10.0.0.2", &["--address \"10.0.0.2\"", "ADDRESS/PREFIX"]),
        ("--bridge b%d", &["no \"/\", \":\", \"%\" or space"]),
        ("--bridge b --address 0.0.0.0/0", &["no address of one host"]),
        ("--bridge b --address 224.0.0.1/4", &["no address of one host"]),
        ("--bridge b --bridge-address ff02::1/64", &["no address of one host"]),
        ("--bridge b --gateway ::", &["--gateway \"::\"", "the IP address of a host"]),
        (
            "--bridge b --mtu 1000 --address fd00::1/64",
            &["EINVAL (IPv6 needs a link with an MTU of 1280"],
        ),
        ("--bridge b --mac 01:00:00:00:00:00", &["--mac", "first byte is odd"]),
        ("--bridge b --mtu 60", &["--mtu", "68"]),
        ("--bridge lo", &["link \"lo\" is no bridge"]),
        ("--macvlan none", &["there is no link \"none\""]),
        ("--move-link none", &["move link \"none\" inside: ENODEV"]),
        ("--bridge b --gateway 10.0.0.1", &["add default route through 10.0.0.1: ENETUNREACH"]),
        (
            "--bridge b --address 10.0.0.2/24 --address 10.0.0.2/24",
            &["add address 10.0.0.2/24", "EEXIST"],
        ),
    ] {
        host(&format!("$CLI spawn {options} -- echo no")).complains(125, parts);
    }
    for options in
        ["--bridge b", "--move-link eth0", "--bridge b --bridge-address 10.1.0.1/24 --nat"]
    {
        nobody(&format!("unset UNSHARED_STATE; $CLI spawn --user {options} -- echo no")).complains(
            125,
            &["change the host's links: EPERM (only root may; an ordinary user has --pasta"],
        );
    }
    nobody("$CLI spawn --user --bridge b -- echo no")
        .complains(125, &["make bridge \"b\": EPERM (only root may change the host's links"]);
}

#[test]
fn what_dry_run_prints_makes_the_links() {
    host(&format!(
        "{WAIT} $CLI spawn --dry-run --pid --bridge br0 --bridge-address 10.1.0.1/24 --address 10.1.0.2/24 --address fd01::2/64 --gateway 10.1.0.1 --mtu 1400 \
           --mac 02:00:00:00:00:07 --hosts db=10.1.0.1 -- sh -c 'ping -q -c1 -W5 db >/dev/null; echo $?; ip -br link show eth0 | grep -o 02:00:00:00:00:07; exit 7' | sh; \
         echo $?; gone br0; ip link add int3 type veth peer name int3p; \
         $CLI spawn --dry-run --move-link int3:e --address 172.3.0.2/24 -- sh -c 'ip -br -4 addr show e | grep -o 172.3.0.2/24' | sh"
    ))
    .prints("0\n02:00:00:00:00:07\n7\n172.3.0.2/24");
}

#[test]
fn name_servers_and_hosts_are_found_inside_and_nothing_is_changed_outside() {
    root(
        "before=$(cat /etc/hosts); $CLI spawn --dns 10.0.0.53 --dns fd00::53 --hosts db=10.0.0.3 -- \
           sh -c 'cat /etc/resolv.conf; grep -c \"10.0.0.3 db\" /etc/hosts; echo more >>/etc/hosts'; test \"$before\" = \"$(cat /etc/hosts)\" && echo same",
    )
    .prints("nameserver 10.0.0.53\nnameserver fd00::53\n1\nsame");
    // An ordinary user, too; and in a root, where the file is missing, a link that leads nowhere, or a
    // link that would lead out.
    nobody("$CLI spawn --user --hosts db=10.0.0.3 -- grep -c 'db' /etc/hosts").prints("1");
    for before in
        [":", "ln -s ../run/x/resolv.conf $R/etc", "ln -s ../../../../etc/hosts $R/etc/resolv.conf"]
    {
        root(&format!(
            "R=$(mktemp -d); mkdir $R/bin $R/etc; cp /bin/busybox $R/bin/sh; {before}; \
             $CLI spawn --root $R --dns 10.0.0.53 -- /bin/sh -c 'cat /etc/resolv.conf'; grep -c 10.0.0.53 /etc/hosts; rm -r $R"
        ))
        .prints("nameserver 10.0.0.53\n0");
    }
}

#[test]
fn two_instances_that_run_are_linked_and_know_each_other_by_name() {
    let up = "up() { $CLI spawn --name $1 --pid --net $2 -- sh -c \"echo >$UNSHARED_STATE.$1; exec sleep 100\" & p=\"$p $!\"; \
        until test -e $UNSHARED_STATE.$1; do sleep 0.02; done; rm $UNSHARED_STATE.$1; }; ";
    host(&format!(
        "{up} before=$(cat /etc/hosts); up web; up db '--hosts other=10.0.0.9'; up third; $CLI link web db && $CLI link web third; \
         $CLI exec web -- sh -c 'for n in db third; do ping -q -c1 -W5 $n >/dev/null; echo $?; done; ip -o -4 addr | grep -c 169.254.*/30'; \
         $CLI exec db -- sh -c 'ping -q -c1 -W5 web >/dev/null; echo $?; grep -c other /etc/hosts'; \
         test \"$before\" = \"$(cat /etc/hosts)\" && echo same; $CLI link web db 2>&1 | grep -o 'EEXIST.*'; kill $p; wait"
    ))
    .prints("0\n0\n2\n0\n1\nsame\nEEXIST (a link of that name is there already)");
    host(&format!("{up} up web; $CLI link web none; s=$?; kill $p; wait; exit $s"))
        .complains(125, &["there is no instance \"none\""]);
    host("$CLI link a a").complains(125, &["that is one instance"]);
    host("$CLI link a").complains(125, &["two instances are needed"]);
}

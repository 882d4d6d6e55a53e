//! Links of kinds that are modules of the kernel: Debian's has all of them so.
use crate::common::boot::{End, Machine};

/// Two instances of that option, one after the other; the second reaches the first.
const REACH: &str = "reach() { option=$1; shift
        unshared-cli spawn --pid --address 10.1.0.2/24 $@ -- sh -c 'echo >/run/up; exec sleep 1000' & first=$!
        until test -e /run/up; do sleep 0.1; done; rm /run/up
        unshared-cli spawn --pid --address 10.1.0.3/24 $@ -- ping -q -c 1 -w 20 10.1.0.2 | grep -o '1 packets received' | sed \"s/^/$option: /\"
        kill $first; wait $first; }
    reach bridge --bridge br0
    for up in up0 up1; do ip link add $up type dummy; ip link set $up up; done; n=$(ip -o link | wc -l)
    reach bridge --bridge br0
    reach macvlan --macvlan up0
    reach ipvlan --ipvlan up1
    unshared-cli spawn --pid --ipvlan up1 --link-name i0 -- ip link show i0 | grep -o 'LOWER_UP'
    ls -A /run/unshared 2>/dev/null; for i in $(seq 400); do [ $(ip -o link | wc -l) = $n ] && break; sleep 0.1; done
    test $(ip -o link | wc -l) = $n && echo all gone";

const MODULES: [&str; 5] = ["bridge", "veth", "macvlan", "ipvlan", "dummy"];

#[test]
fn kinds_of_links_that_are_modules_are_loaded_by_the_kernel_when_they_are_asked_for() {
    Machine::new()
        .shell()
        .modules(&MODULES)
        .script(&format!("grep -c '^veth\\|^bridge\\|vlan' /proc/modules; {REACH}"))
        .boot("")
        .ends(End::PowerOff)
        .says("0\nbridge: 1 packets received\n")
        .says("macvlan: 1 packets received\nipvlan: 1 packets received\n")
        .says("LOWER_UP\nall gone\n");
}

#[test]
fn kinds_of_links_that_are_modules_are_loaded_beforehand_by_a_word_for_the_kernel() {
    // Here nobody would load them later.
    Machine::new()
        .shell()
        .modules(&MODULES)
        .link("/sbin/modprobe", "/bin/false")
        .script(REACH)
        .boot("unshared.modules=bridge,veth,macvlan,ipvlan,dummy")
        .ends(End::PowerOff)
        .says("bridge: 1 packets received\n")
        .says("macvlan: 1 packets received\nipvlan: 1 packets received\n")
        .says("LOWER_UP\nall gone\n");
}

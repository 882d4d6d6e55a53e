//! Named network namespaces: initnetns and destroynetns.
use super::network::WAIT;
use crate::common::{Outcome, nobody, root};

/// A run whose links, and what is below /run, are the test's own.
pub(crate) fn own_run(script: &str) -> Outcome {
    root(&format!(
        "exec unshare --net --mount bash -c \"$(cat <<'END_OF_SCRIPT'\nmount -t tmpfs none /run; ip link set lo up\n{script}\nEND_OF_SCRIPT\n)\""
    ))
}

#[test]
fn a_named_namespace_is_one_of_ip_netns_and_an_existing_one_is_reused() {
    own_run(&format!(
        "{WAIT} $CLI initnetns br0 one 10.1.0.2/24; ip netns list | cut -d ' ' -f 1; ip netns exec one ip -br -4 addr show eth0 | grep -o 10.1.0.2/24; \
         i=$(stat -L -c %i /run/netns/one); $CLI initnetns br0 one 10.1.0.2/24; $CLI initnetns br0 one fd01::2/64; test $i = $(stat -L -c %i /run/netns/one) && echo same; \
         ip addr add 10.1.0.1/24 dev br0; ping -q -c1 -W5 10.1.0.2 >/dev/null; echo $?; $CLI destroynetns br0 one; echo $?; ip netns list; gone br0; echo $?"
    ))
    .prints("one\n10.1.0.2/24\nsame\n0\n0\n0");
    own_run(&format!(
        "{WAIT} ip netns add two; ip link add br0 type bridge; d=$(mktemp -d); ln -s $CLI $d/initnetns; ln -s $CLI $d/destroynetns; \
         $d/initnetns br0 two 10.1.0.2/24; ip -n two -br link | wc -l; $d/destroynetns br0 two; rm -r $d; ip netns list; ip -br link show br0 | wc -l"
    ))
    .prints("2\n1");
}

#[test]
fn a_named_namespace_has_all_its_addresses_and_a_way_out() {
    own_run(
        "for i in 1 2; do $CLI initnetns br0 one 10.1.0.2/24 fd01::2/64 --gateway 10.1.0.1 --gateway fd01::1; echo $?; done; \
         ip -n one -o addr show eth0 | grep -Eo '10.1.0.2/24|fd01::2/64'; ip -n one route show default; ip -n one -6 route show default | cut -d ' ' -f 1-3; \
         $CLI destroynetns br0 one",
    )
    .prints("0\n0\n10.1.0.2/24\nfd01::2/64\ndefault via 10.1.0.1 dev eth0 \ndefault via fd01::1");
}

#[test]
fn a_named_namespace_may_be_called_as_no_link_may() {
    own_run(
        "for name in 'a b:%d' $'new\\nline' $'\\xff' -x .x; do $CLI initnetns br0 \"$name\" 10.1.0.2/24 && test -e \"/run/netns/$name\" && $CLI destroynetns br0 \"$name\" && echo done; done; \
         ls -A /run/netns; ls -A $UNSHARED_STATE",
    )
    .prints("done\ndone\ndone\ndone\ndone");
}

#[test]
fn a_namespace_that_is_removed_by_others_no_longer_keeps_the_bridge_once_gc_has_passed() {
    own_run(&format!(
        "{WAIT} $CLI initnetns br0 one 10.1.0.2/24; $CLI initnetns br0 two 10.1.0.3/24; ip netns delete one; $CLI gc; \
         $CLI destroynetns br0 two; gone br0; echo $?; ls -A $UNSHARED_STATE 2>/dev/null"
    ))
    .prints("one\n0");
}

#[test]
fn what_runs_in_a_named_namespace_is_ended_by_term_and_then_by_kill() {
    own_run(
        "f=$UNSHARED_STATE.up; $CLI initnetns br0 one 10.1.0.2/24; \
         ip netns exec one sh -c 'trap \"echo term; exit\" TERM; echo up | tee $0; while :; do sleep 0.05; done' $f & \
         ip netns exec one sleep 100 & until [ -s $f ] && grep -q sleep /proc/$!/comm; do sleep 0.05; done; rm $f; \
         $CLI destroynetns br0 one; echo $?; wait $! 2>/dev/null; echo $?",
    )
    .ends_with(0)
    .out_is("up\nterm\n0\n143\n");
    own_run(
        "f=$UNSHARED_STATE.up; $CLI initnetns br0 one 10.1.0.2/24; ip netns exec one sh -c 'trap : TERM; : >$0; while :; do sleep 100 & wait; done' $f & \
         until [ -e $f ]; do sleep 0.05; done; rm $f; \
         $CLI destroynetns br0 one; wait $! 2>/dev/null; echo $?; pgrep -x sleep --ns $$ --nslist net",
    )
    .ends_with(1)
    .out_is("137\n");
}

#[test]
fn a_bridge_goes_with_the_last_of_namespaces_and_instances() {
    own_run(&format!(
        "{WAIT} $CLI spawn --pid --bridge br0 -- sleep 100 & p=$!; there br0; $CLI initnetns br0 one 10.1.0.2/24; \
         kill $p; wait $p; ip -br link show br0 | wc -l; $CLI destroynetns br0 one; gone br0; echo $?; ls -A $UNSHARED_STATE 2>/dev/null"
    ))
    .prints("1\n0");
}

#[test]
fn what_initnetns_cannot_do_is_one_line_and_leaves_nothing() {
    own_run("$CLI initnetns lo one 10.1.0.2/24").complains(125, &["link \"lo\" is no bridge"]);
    own_run("$CLI initnetns lo one 10.1.0.2/24 2>/dev/null; ip netns list; ls -A /run; ip -o link | wc -l").prints("1");
    // The link, and a bridge that was made, are not left in a namespace that was there either.
    own_run(&format!(
        "{WAIT} ip netns add one; $CLI initnetns br0 one 10.1.0.2/24 --gateway 10.9.0.1 2>&1 | grep -o ENETUNREACH; gone br0; \
         ip -n one -o link | wc -l; ls -A $UNSHARED_STATE 2>/dev/null; ip netns delete one"
    ))
    .prints("ENETUNREACH\n1");
    nobody("$CLI initnetns br0 one 10.1.0.2/24")
        .complains(125, &["net namespace \"one\"", "EPERM (only root may"]);
    own_run("$CLI destroynetns br0 none").complains(125, &["ENOENT", "none of that name"]);
    for words in [
        "",
        "br0",
        "br0 a/b 10.1.0.2/24",
        "br0 .. 10.1.0.2/24",
        "br0 a 10.1.0.2",
        "br0 a 10.1.0.2/24 x",
        "br0 a --gateway 10.1.0.1",
        "br0 a 10.1.0.2/24 --gateway",
        "br0 a 10.1.0.2/24 --gateway 10.1.0.1 --gateway 10.1.0.3",
        "a/b c 10.1.0.2/24",
    ] {
        own_run(&format!("$CLI initnetns {words}")).complains(125, &["help initnetns"]);
    }
}

#[test]
fn a_bridge_that_twenty_namespaces_make_and_leave_at_once_is_there_for_each() {
    own_run(&format!(
        "{WAIT} one() {{ for r in 1 2 3; do $CLI initnetns br0 n$1 10.1.0.$((1 + $1))/24 && ip -n n$1 -o link show eth0 2>/dev/null | grep -q LOWER_UP || echo failed; \
           $CLI destroynetns br0 n$1 || echo failed; done; }}; \
         for i in $(seq 20); do one $i & done; wait; gone br0; echo $?; ls -A $UNSHARED_STATE 2>/dev/null"
    ))
    .prints("0");
}

#[test]
fn no_link_is_deleted_by_name_at_the_end_of_a_run() {
    // That would wait for the kernel. The pair goes with the namespace, and a bridge that was there stays.
    own_run(
        "ip link add br0 up type bridge; t=$UNSHARED_STATE.trace; for words in 'spawn --pid --bridge br0 -- true' 'initnetns br0 one 10.1.0.2/24' 'destroynetns br0 one'; do \
           strace -f -qq -e signal=none -e trace=sendto -o $t $CLI $words; grep -c 'NEWLINK\\|0x10 ' $t; grep -c 'DELLINK\\|0x11 ' $t; rm $t; done",
    )
    .ends_with(0)
    .out_is("4\n0\n4\n0\n0\n0\n");
}

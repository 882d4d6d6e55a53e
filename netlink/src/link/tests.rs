use super::*;
use crate::captured;
use crate::connection::{Answer, Connection};
use crate::message::HEADER;
use proptest::prelude::*;
use std::vec::Vec;

const MAC: Option<Mac> = Some([2, 0, 0, 0, 0, 2]);

#[track_caller]
fn is_what_iproute2_sends(command: &str, verb: Verb, expected: Link<'_>) {
    if cfg!(target_endian = "big") {
        return;
    }
    let sent = captured::of(command).sent;
    let mut buffer = [0; 256];
    assert_eq!(expected.emit(verb, &mut buffer, 1).unwrap(), sent, "{command}");
    let found = Link::parse(&sent[HEADER..]).unwrap();
    assert_eq!(found, expected);
}

/// The index that the kernel happened to give.
fn index(command: &str) -> u32 {
    Link::parse(&captured::of(command).sent[HEADER..]).unwrap().index
}

#[test]
fn a_bridge_is_made_as_by_iproute2() {
    let link = Link {
        name: Some(b"brcap"),
        address: Some([2, 0, 0, 0, 0, 1]),
        kind: Some(Kind::Bridge),
        ..Link::default()
    };
    is_what_iproute2_sends(
        "ip link add brcap address 02:00:00:00:00:01 type bridge",
        Verb::Create,
        link,
    );
}

#[test]
fn a_pair_with_one_end_elsewhere_is_made_as_by_iproute2() {
    for (namespace, process) in [("cap", false), ("2000000000", true)] {
        let command = std::format!(
            "ip link add vcap0 mtu 1400 numtxqueues 1 numrxqueues 1 master brcap type veth peer name eth0 \
             address 02:00:00:00:00:02 mtu 1400 numtxqueues 1 numrxqueues 1 netns {namespace}"
        );
        let master = Link::parse(&captured::of(&command).sent[HEADER..]).unwrap().master;
        let peer = Peer {
            name: Some(b"eth0"),
            address: MAC,
            mtu: Some(1400),
            queues: Some(1),
            namespace: Some(if process {
                Namespace::OfProcess(2_000_000_000)
            } else {
                Namespace::OfDescriptor(4)
            }),
        };
        let link = Link {
            name: Some(b"vcap0"),
            mtu: Some(1400),
            queues: Some(1),
            master,
            kind: Some(Kind::Veth(Some(peer))),
            ..Link::default()
        };
        // A process is only tried after a name, whose descriptor is looked up in between.
        is_what_iproute2_sends(&command, Verb::Create, link);
    }
}

#[test]
fn changes_and_removal_are_as_by_iproute2() {
    let at = |command| Link { index: index(command), ..Link::default() };
    let command = "ip -n cap link set lo up";
    is_what_iproute2_sends(command, Verb::Change, at(command).up());
    let command = "ip link set vcap0 up";
    is_what_iproute2_sends(command, Verb::Change, at(command).up());
    let command = "ip link set vcap0 nomaster";
    is_what_iproute2_sends(command, Verb::Change, Link { master: Some(0), ..at(command) });
    let command = "ip link set mcap name mcap1";
    is_what_iproute2_sends(command, Verb::Change, Link { name: Some(b"mcap1"), ..at(command) });
    let command = "ip link set vcap0 mtu 10";
    is_what_iproute2_sends(command, Verb::Change, Link { mtu: Some(10), ..at(command) });
    let command = "ip link del brcap";
    is_what_iproute2_sends(command, Verb::Delete, at(command));
}

#[test]
fn a_macvlan_is_made_as_by_iproute2() {
    let command = "ip link add link brcap name mcap type macvlan mode bridge";
    let parent = Link::parse(&captured::of(command).sent[HEADER..]).unwrap().parent;
    let kind = Some(Kind::Macvlan(4));
    is_what_iproute2_sends(
        command,
        Verb::Create,
        Link { name: Some(b"mcap"), parent, kind, ..Link::default() },
    );
}

#[test]
fn what_the_kernel_tells_is_read() {
    let exchanges = captured::all();
    let mut links = Vec::new();
    for exchange in exchanges.iter().filter(|one| one.command == "ip -n cap link show") {
        let mut connection = Connection::new(2);
        connection.next_sequence();
        for datagram in &exchange.received {
            for answer in connection.feed(0, datagram) {
                if let Answer::Item { kind: NEW, payload } = answer {
                    links.push(Link::parse(payload).unwrap());
                }
            }
        }
    }
    if cfg!(target_endian = "big") {
        return;
    }
    let [lo, eth0] = links[..] else { panic!("{links:?}") };
    assert_eq!((lo.index, lo.name, lo.kind), (LOOPBACK, Some(&b"lo"[..]), None));
    assert!(lo.is_up() && lo.address == Some([0; 6]));
    assert_eq!((eth0.name, eth0.mtu, eth0.address), (Some(&b"eth0"[..]), Some(1400), MAC));
    assert_eq!(eth0.kind, Some(Kind::Veth(None)));
    assert!(eth0.parent.is_some() && eth0.is_up());
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1..=255_u8, 1..=NAME_LENGTH)
}

fn namespace() -> impl Strategy<Value = Option<Namespace>> {
    prop::option::of(prop_oneof![
        any::<u32>().prop_map(Namespace::OfProcess),
        any::<i32>().prop_map(Namespace::OfDescriptor)
    ])
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        numbers: [u32; 3], name in prop::option::of(name()), peer_name in prop::option::of(name()),
        address: Option<Mac>, mtu: Option<u32>, queues: Option<u32>, master: Option<u32>, parent: Option<u32>,
        namespace in namespace(), peer_namespace in namespace(), kind in 0..6, other in name()
    ) {
        let peer = Peer { name: peer_name.as_deref(), address, mtu, queues, namespace: peer_namespace };
        let kind = match kind {
            0 => None,
            1 => Some(Kind::Bridge),
            2 => Some(Kind::Veth(Some(peer))),
            3 => Some(Kind::Macvlan(numbers[0])),
            4 => Some(Kind::Ipvlan(numbers[1] as u16)),
            _ => Some(Kind::Other(&other)),
        };
        let [index, flags, change] = numbers;
        let link = Link {
            index, flags, change, name: name.as_deref(), address, mtu, queues, master, parent, namespace,
            kind,
        };
        for verb in [Verb::Create, Verb::Dump] {
            let mut buffer = [0; 512];
            let bytes = link.emit(verb, &mut buffer, 1).unwrap();
            prop_assert_eq!(Link::parse(&bytes[HEADER..]), Some(link));
            let length = bytes.len();
            prop_assert_eq!(link.emit(verb, &mut buffer[..length - 1], 1), Err(Overflow));
        }
    }

    #[test]
    fn any_bytes_are_a_link_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Link::parse(&bytes).is_some(), bytes.len() >= field::LENGTH);
    }
}

//! What the kernel answers over netlink, and what is said about a refusal.
#![no_main]
use libfuzzer_sys::fuzz_target;
use unshared_netlink::address::Address;
use unshared_netlink::connection::{Answer, Connection};
use unshared_netlink::explain;
use unshared_netlink::link::Link;
use unshared_netlink::message::Verb;
use unshared_netlink::neighbour::Neighbour;
use unshared_netlink::route::Route;

fuzz_target!(|datagram: &[u8]| {
    let mut connection = Connection::new(0);
    connection.next_sequences(u32::MAX);
    let mut buffer = [0; 4096];
    for answer in connection.feed(0, datagram) {
        match answer {
            Answer::Item { payload, .. } => {
                if let Some(link) = Link::parse(payload) {
                    let _ = link.emit(Verb::Create, &mut buffer, 1);
                }
                if let Some(address) = Address::parse(payload) {
                    let _ = address.emit(Verb::Create, &mut buffer, 1);
                }
                if let Some(route) = Route::parse(payload) {
                    let _ = route.emit(Verb::Create, &mut buffer, 1);
                }
                if let Some(neighbour) = Neighbour::parse(payload) {
                    let _ = neighbour.emit(Verb::Create, &mut buffer, 1);
                }
            }
            Answer::Refused(refusal) => {
                let _ = explain::hint(datagram, refusal.errno.get());
                let _ = refusal.offset.and_then(|offset| explain::attribute_at(datagram, offset));
            }
            Answer::Ack | Answer::Done { .. } => {}
        }
    }
});

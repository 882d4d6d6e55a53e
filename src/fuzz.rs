//! What fuzz/ calls: everything that reads what others have written.
use crate::args::Request;
use crate::host::{self, Host};
pub use crate::machine::fuzz::*;
use crate::registry::facts::Facts;
use crate::registry::undo::Undo;
use crate::registry::{process, words};
pub use crate::root::fuzz::*;
use crate::walk::channel::Message;
use crate::{args, cgroup, error, instances, plan, proc, script, seccomp};
use std::ffi::CString;
use unshared_netlink::address::Address;
use unshared_netlink::connection::{Answer, Connection};
use unshared_netlink::explain;
use unshared_netlink::link::Link;
use unshared_netlink::message::Verb;
use unshared_netlink::neighbour::Neighbour;
use unshared_netlink::route::Route;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 18] = [
    ("arguments", arguments),
    ("command_line", command_line),
    ("cpio", cpio),
    ("disk", disk),
    ("elf", elf),
    ("files", files),
    ("gzip", gzip),
    ("ld_so_conf", ld_so_conf),
    ("lz4", lz4),
    ("lzma", lzma),
    ("modules", modules),
    ("netlink", netlink),
    ("proc", proc),
    ("program", program),
    ("service", service),
    ("state", state),
    ("xz", xz),
    ("zstd", zstd),
];

/// One input in a line of printable bytes.
#[must_use]
pub fn line(input: &[u8]) -> Vec<u8> {
    words::line(&[input])
}

/// The inputs that are in such lines.
#[must_use]
pub fn inputs(text: &[u8]) -> Vec<Vec<u8>> {
    proc::lines(text).flat_map(words::split).collect()
}

/// A message of ours is one line, whatever somebody's words or names hold.
fn check_message(error: &error::Error) {
    assert!(!error.message().chars().any(char::is_control), "a message that is not one line");
}

/// Command lines: words with zero bytes between them, the program's name first.
pub fn arguments(bytes: &[u8]) {
    let words: Vec<CString> =
        bytes.split(|byte| *byte == 0).filter_map(|word| CString::new(word).ok()).collect();
    crate::sys::with_arguments(&words, |arguments| {
        unshared_init::fuzz::options(arguments);
        match args::parse(arguments) {
            Ok(Request::Spawn(spec)) => {
                let root = spec.root.clone();
                let filesystems = vec![None; spec.mounts.len()];
                let host = Host { root, filesystems, ..Host::default() };
                match plan::plan(&spec, &host) {
                    Ok(plan) => drop(script::script(&spec, &plan, &host)),
                    Err(error) => check_message(&error),
                }
            }
            Ok(_) => {}
            Err(error) => check_message(&error),
        }
    });
}

/// Files of /etc, of options, and a compiled filter.
pub fn files(bytes: &[u8]) {
    let name = host::name_in(bytes, bytes.len() as u32);
    for (first, count) in host::subordinate_ranges(bytes, &name, 7) {
        assert!(count > 0 && first.checked_add(count - 1).is_some(), "a range beyond all ids");
    }
    let first = bytes.split(|byte| *byte == b':').next().unwrap_or_default();
    let _ = instances::exec::ids_in(bytes, first);
    args::fuzz_config(bytes);
    let _ = host::is_before_4_8(bytes);
    crate::root::fuzz::nsswitch(bytes);
    if let Ok(filter) = seccomp::parse(bytes) {
        assert_eq!(filter.len() * 8, bytes.len());
    }
}

/// Files of /proc.
pub fn proc(bytes: &[u8]) {
    for point in proc::mount_points(bytes) {
        assert!(point.len() <= bytes.len() && !point.contains(&b' ') || bytes.contains(&b'\\'));
    }
    for id in [0, 1000, u32::MAX] {
        let _ = proc::is_mapped(bytes, id);
    }
    let _ = proc::status(bytes, b"Seccomp");
    crate::mounts::read_only::fuzz(bytes);
    let _ = process::parse_stat(bytes);
    unshared_init::fuzz::stat(bytes);
    let text = String::from_utf8_lossy(bytes);
    if let Some((path, table)) = text.split_once('\n')
        && let Some((_, below)) =
            cgroup::place::mounted(table, path, |kind| kind.starts_with("cgroup2 "))
    {
        assert!(path.ends_with(&below) || path.ends_with('/'), "{below:?} is not in {path:?}");
    }
}

/// Records of instances, their journal, and what the two processes of a launch tell each other.
pub fn state(bytes: &[u8]) {
    for (undo, _) in Facts::parse(bytes).undo {
        assert_eq!(Undo::parse(&undo.words()).as_ref(), Some(&undo));
    }
    for line in proc::lines(bytes) {
        let split = words::split(line);
        let parts: Vec<&[u8]> = split.iter().map(Vec::as_slice).collect();
        let again = words::line(&parts);
        assert_eq!(words::split(again.strip_suffix(b"\n").unwrap_or_default()), split);
    }
    if let Some(message) = Message::parse(bytes) {
        assert_eq!(Message::parse(&message.bytes()), Some(message));
    }
    assert!(!error::quote(bytes).chars().any(char::is_control));
    unshared_init::fuzz::notification(bytes);
}

/// What the kernel answers over netlink, and what is said about a refusal.
pub fn netlink(datagram: &[u8]) {
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
}

/// The first bytes of what is to be executed.
pub fn program(bytes: &[u8]) {
    crate::root::fuzz::script(bytes);
    let (file, path) = crate::root::fuzz::file(bytes);
    unshared_init::fuzz::program(&path);
    drop(file);
}

//! What takes a step on the host back, and how that is written down.
//!
//! To add a kind: a variant of [`Undo`], and its line in each of the three functions below. It must
//! be such that it can be performed twice, and before the step as well as after it: whoever heals a
//! record does not know how far its launcher came. So it checks that what it is about to take away is
//! what the step made (an inode, an index, a name that nobody else would take).
use super::record::Record;
#[cfg(feature = "network")]
use crate::network::lent::{self, Lent};
#[cfg(feature = "network")]
use crate::network::{bridge, nat, pasta};
#[cfg(feature = "network")]
use crate::spec::network::Cidr;
use std::ffi::CString;
use unshared_init::number::decimal;

/// What takes a step on the host back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Undo {
    /// umount2(2) of a namespace's file, lazily, if it is that namespace which is mounted there.
    UnmountNamespace { path: CString, inode: u64 },
    /// unlink(2) of a file, if it is as empty as it was made.
    RemoveEmptyFile(CString),
    /// What is in a cgroup is killed, and the cgroup removed. Nobody else would give it that name.
    RemoveCgroup(CString),
    #[cfg(feature = "network")]
    /// The instance has no port on that bridge any more.
    LeaveBridge(CString),
    #[cfg(feature = "network")]
    /// It needs that address of the bridge no more.
    LeaveBridgeAddress { bridge: CString, address: Cidr },
    #[cfg(feature = "network")]
    /// The packet filter's tables of that name go.
    RemoveTables(CString),
    #[cfg(feature = "network")]
    /// pasta(1) ends, whose number is in that file.
    EndPasta(CString),
    #[cfg(feature = "network")]
    /// The link is given back to the host.
    ReturnLink(Box<Lent>),
}

impl Undo {
    /// Its words in the journal, its kind first.
    pub(crate) fn words(&self) -> Vec<Vec<u8>> {
        let (kind, object, more) = match self {
            Undo::UnmountNamespace { path, inode } => {
                ("unmount-namespace", path, vec![inode.to_string().into_bytes()])
            }
            Undo::RemoveEmptyFile(path) => ("remove-empty-file", path, Vec::new()),
            Undo::RemoveCgroup(path) => ("remove-cgroup", path, Vec::new()),
            #[cfg(feature = "network")]
            Undo::LeaveBridge(bridge) => ("leave-bridge", bridge, Vec::new()),
            #[cfg(feature = "network")]
            Undo::LeaveBridgeAddress { bridge, address } => {
                ("leave-bridge-address", bridge, vec![address.to_string().into_bytes()])
            }
            #[cfg(feature = "network")]
            Undo::RemoveTables(name) => ("remove-tables", name, Vec::new()),
            #[cfg(feature = "network")]
            Undo::EndPasta(file) => ("end-pasta", file, Vec::new()),
            #[cfg(feature = "network")]
            Undo::ReturnLink(lent) => ("return-link", &lent.namespace, lent.words()),
        };
        let mut words = vec![kind.as_bytes().to_vec(), object.as_bytes().to_vec()];
        words.extend(more);
        words
    }

    /// From its words. `None` for what another version of this program wrote.
    pub(crate) fn parse(words: &[Vec<u8>]) -> Option<Undo> {
        let [kind, object, more @ ..] = words else { return None };
        let object = CString::new(object.as_slice()).ok()?;
        Some(match str::from_utf8(kind).ok()? {
            "unmount-namespace" => {
                Undo::UnmountNamespace { path: object, inode: decimal(more.first()?)? }
            }
            "remove-cgroup" => Undo::RemoveCgroup(object),
            "remove-empty-file" => Undo::RemoveEmptyFile(object),
            #[cfg(feature = "network")]
            "leave-bridge" => Undo::LeaveBridge(object),
            #[cfg(feature = "network")]
            "leave-bridge-address" => {
                let address = std::str::from_utf8(more.first()?).ok()?;
                Undo::LeaveBridgeAddress { bridge: object, address: Cidr::parse(address).ok()? }
            }
            #[cfg(feature = "network")]
            "remove-tables" => Undo::RemoveTables(object),
            #[cfg(feature = "network")]
            "end-pasta" => Undo::EndPasta(object),
            #[cfg(feature = "network")]
            "return-link" => Undo::ReturnLink(Box::new(Lent::parse(object, more)?)),
            _ => return None,
        })
    }

    /// Takes it back. What is gone already need not be. `record` is the instance's whose entry it is.
    pub(crate) fn perform(&self, record: &Record) {
        match self {
            Undo::UnmountNamespace { path, inode } => {
                let status = rustix::fs::stat(path.as_c_str());
                if status.is_ok_and(|status| status.st_ino == *inode) {
                    let flags = rustix::mount::UnmountFlags::DETACH;
                    let _ = rustix::mount::unmount(path.as_c_str(), flags);
                }
            }
            Undo::RemoveCgroup(path) => crate::cgroup::remove(path),
            #[cfg(feature = "network")]
            Undo::LeaveBridge(bridge) => bridge::leave_bridge(&record.state, &record.name, bridge),
            #[cfg(feature = "network")]
            Undo::LeaveBridgeAddress { bridge, address } => {
                bridge::leave_bridge_address(record, bridge, *address);
            }
            #[cfg(feature = "network")]
            Undo::RemoveTables(name) => nat::remove(name),
            #[cfg(feature = "network")]
            Undo::EndPasta(file) => pasta::end(file),
            #[cfg(feature = "network")]
            Undo::ReturnLink(lent) => lent::return_link(lent),
            Undo::RemoveEmptyFile(path) => crate::files::remove_empty(path),
        }
    }
}

#[cfg(all(test, feature = "network"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        for undo in [
            Undo::UnmountNamespace { path: c"/a b".to_owned(), inode: 4_026_531_840 },
            Undo::RemoveEmptyFile(c"/\xff".to_owned()),
            Undo::RemoveCgroup(c"/sys/fs/cgroup/x".to_owned()),
            Undo::LeaveBridge(c"br0".to_owned()),
            Undo::LeaveBridgeAddress {
                bridge: c"br0".to_owned(),
                address: Cidr::parse("fd00::1/64").unwrap(),
            },
        ] {
            assert_eq!(Undo::parse(&undo.words()), Some(undo));
        }
        assert_eq!(Undo::parse(&[b"no-such".to_vec()]), None);
        assert_eq!(Undo::parse(&[]), None);
    }
}

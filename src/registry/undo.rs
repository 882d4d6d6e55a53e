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
use rustix::fs::{AtFlags, CWD, FileType};
use std::ffi::CString;

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
    ReturnLink(Lent),
}

impl Undo {
    /// Its words in the journal, its kind first.
    pub(crate) fn words(&self) -> Vec<Vec<u8>> {
        let words = |kind: &str, words: &[&[u8]]| {
            [kind.as_bytes()].iter().chain(words).map(|word| word.to_vec()).collect()
        };
        match self {
            Undo::UnmountNamespace { path, inode } => {
                words("unmount-namespace", &[path.as_bytes(), inode.to_string().as_bytes()])
            }
            Undo::RemoveEmptyFile(path) => words("remove-empty-file", &[path.as_bytes()]),
            Undo::RemoveCgroup(path) => words("remove-cgroup", &[path.as_bytes()]),
            #[cfg(feature = "network")]
            Undo::LeaveBridge(bridge) => words("leave-bridge", &[bridge.as_bytes()]),
            #[cfg(feature = "network")]
            Undo::LeaveBridgeAddress { bridge, address } => {
                let address = address.to_string();
                words("leave-bridge-address", &[bridge.as_bytes(), address.as_bytes()])
            }
            #[cfg(feature = "network")]
            Undo::RemoveTables(name) => words("remove-tables", &[name.as_bytes()]),
            #[cfg(feature = "network")]
            Undo::EndPasta(file) => words("end-pasta", &[file.as_bytes()]),
            #[cfg(feature = "network")]
            Undo::ReturnLink(lent) => [words("return-link", &[]), lent.words()].concat(),
        }
    }

    /// From its words. `None` for what another version of this program wrote.
    pub(crate) fn parse(words: &[Vec<u8>]) -> Option<Undo> {
        let (kind, words) = words.split_first()?;
        let text = |index: usize| words.get(index).and_then(|word| CString::new(word.clone()).ok());
        let number = |index: usize| std::str::from_utf8(words.get(index)?).ok()?.parse().ok();
        #[cfg(feature = "network")]
        let cidr = |index: usize| Cidr::parse(std::str::from_utf8(words.get(index)?).ok()?).ok();
        Some(match kind.as_slice() {
            b"unmount-namespace" => Undo::UnmountNamespace { path: text(0)?, inode: number(1)? },
            b"remove-cgroup" => Undo::RemoveCgroup(text(0)?),
            b"remove-empty-file" => Undo::RemoveEmptyFile(text(0)?),
            #[cfg(feature = "network")]
            b"leave-bridge" => Undo::LeaveBridge(text(0)?),
            #[cfg(feature = "network")]
            b"leave-bridge-address" => {
                Undo::LeaveBridgeAddress { bridge: text(0)?, address: cidr(1)? }
            }
            #[cfg(feature = "network")]
            b"remove-tables" => Undo::RemoveTables(text(0)?),
            #[cfg(feature = "network")]
            b"end-pasta" => Undo::EndPasta(text(0)?),
            #[cfg(feature = "network")]
            b"return-link" => Undo::ReturnLink(Lent::parse(words)?),
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
            Undo::RemoveEmptyFile(path) => {
                let status = rustix::fs::statat(CWD, path.as_c_str(), AtFlags::SYMLINK_NOFOLLOW);
                let is_ours = |status: rustix::fs::Stat| {
                    FileType::from_raw_mode(status.st_mode) == FileType::RegularFile
                        && status.st_size == 0
                };
                if status.is_ok_and(is_ours) {
                    let _ = rustix::fs::unlink(path.as_c_str());
                }
            }
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

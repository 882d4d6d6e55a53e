//! The device that a word names: by its path, or by what is written on it.
use super::partition;
use crate::disk::Identity;
use crate::files;
use rustix::fd::AsFd;
use rustix::fs::OFlags;
use std::ffi::{CStr, CString};

/// Whether a device has that written on it.
type Has = fn(&CStr, &[u8]) -> bool;

/// `/dev/NAME`, `LABEL=`, `UUID=`, `PARTUUID=` or `PARTLABEL=`; `None` where there is none yet.
pub(super) fn find(name: &[u8]) -> Option<CString> {
    const TAGS: [(&[u8], Has); 4] = [
        (b"LABEL=", |device, label| identity(device).is_some_and(|one| one.label == label)),
        (b"UUID=", |device, uuid| identity(device).is_some_and(|one| is_same(&one.uuid, uuid))),
        (b"PARTUUID=", |device, uuid| {
            partition::look(device).is_some_and(|one| is_same(&one.uuid, uuid))
        }),
        (b"PARTLABEL=", |device, label| {
            partition::look(device).is_some_and(|one| one.label == label)
        }),
    ];
    for (tag, has) in TAGS {
        if let Some(value) = name.strip_prefix(tag) {
            let device = devices().into_iter().find(|device| has(device, value))?;
            return CString::new([b"/dev/", device.as_bytes()].concat()).ok();
        }
    }
    let path = CString::new(name).ok()?;
    rustix::fs::stat(&path).is_ok().then_some(path)
}

/// The names of all block devices, in an order that is always the same.
fn devices() -> Vec<CString> {
    let mut names = Vec::new();
    if let Ok(folder) = files::open(b"/sys/class/block", OFlags::RDONLY | OFlags::DIRECTORY) {
        let _ = files::entries(folder.as_fd(), &mut |name, _| names.push(name.to_owned()));
    }
    names.sort_unstable();
    names
}

fn identity(device: &CStr) -> Option<Identity> {
    let file = files::open(&[b"/dev/", device.to_bytes()].concat(), OFlags::RDONLY).ok()?;
    crate::disk::identify(&file)
}

fn is_same(uuid: &str, wanted: &[u8]) -> bool {
    !uuid.is_empty() && uuid.as_bytes().eq_ignore_ascii_case(wanted)
}

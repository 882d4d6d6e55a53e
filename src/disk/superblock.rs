//! What filesystem it is: bytes that stand at their place in its superblock.
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::CStr;

/// Those that are known, for messages.
pub(super) const KNOWN: &str = "ext2 to ext4, squashfs, erofs, xfs, btrfs, vfat and iso9660 are";

/// A filesystem, and what stands where if it is that one.
struct Kind {
    /// As mount(2) calls it.
    name: &'static CStr,
    signs: &'static [(u64, &'static [u8])],
    /// Where its identity is, and in which form.
    uuid: Option<(u64, Form)>,
    /// Where its label is, and how long it may be.
    label: Option<(u64, usize)>,
}

/// How an identity is written.
#[derive(Clone, Copy)]
enum Form {
    /// 16 bytes.
    Uuid,
    /// vfat's serial number, 4 bytes.
    Serial,
}

/// In this order: an image that boots as a disk and as a CD has both kinds of bytes.
///
/// From the kernel's headers (magic.h, and each filesystem's own) and, for vfat, from what its
/// mkfs.fat(8) writes: the last two bytes of the boot sector are every boot loader's.
const KINDS: [Kind; 9] = [
    Kind { name: c"squashfs", signs: &[(0, b"hsqs")], uuid: None, label: None },
    Kind {
        name: c"xfs",
        signs: &[(0, b"XFSB")],
        uuid: Some((32, Form::Uuid)),
        label: Some((108, 12)),
    },
    Kind {
        name: c"erofs",
        signs: &[(1024, &[0xe2, 0xe1, 0xf5, 0xe0])],
        uuid: Some((1072, Form::Uuid)),
        label: Some((1088, 16)),
    },
    // Its two magic bytes alone are too few: the revision is 0 or 1.
    Kind {
        name: c"ext4",
        signs: &[(1080, &[0x53, 0xef]), (1101, &[0, 0, 0])],
        uuid: Some((1128, Form::Uuid)),
        label: Some((1144, 16)),
    },
    Kind {
        name: c"btrfs",
        signs: &[(0x1_0040, b"_BHRfS_M")],
        uuid: Some((0x1_0020, Form::Uuid)),
        label: Some((0x1_012b, 256)),
    },
    Kind { name: c"iso9660", signs: &[(0x8001, b"CD001")], uuid: None, label: Some((0x8028, 32)) },
    Kind {
        name: c"vfat",
        signs: &[(82, b"FAT32   "), (510, &[0x55, 0xaa])],
        uuid: Some((67, Form::Serial)),
        label: Some((71, 11)),
    },
    Kind {
        name: c"vfat",
        signs: &[(54, b"FAT16   "), (510, &[0x55, 0xaa])],
        uuid: Some((39, Form::Serial)),
        label: Some((43, 11)),
    },
    Kind {
        name: c"vfat",
        signs: &[(54, b"FAT12   "), (510, &[0x55, 0xaa])],
        uuid: Some((39, Form::Serial)),
        label: Some((43, 11)),
    },
];

/// The longest of the signs.
const LONGEST: usize = 8;

/// The filesystem that is there.
pub(super) fn look(file: &OwnedFd) -> Option<&'static CStr> {
    find(file).map(|kind| kind.name)
}

fn find(file: &OwnedFd) -> Option<&'static Kind> {
    let has = |sign: &(u64, &[u8])| {
        let mut bytes = [0; LONGEST];
        let length = read_at(file, &mut bytes, sign.0);
        bytes.get(..length).is_some_and(|bytes| bytes.starts_with(sign.1))
    };
    KINDS.iter().find(|kind| kind.signs.iter().all(has))
}

/// What a filesystem is told apart by from others of its kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// As blkid(8) writes it; empty where there is none.
    pub(crate) uuid: String,
    pub(crate) label: Vec<u8>,
}

/// The identity of the filesystem that is there.
pub(crate) fn identify(file: &OwnedFd) -> Option<Identity> {
    let kind = find(file)?;
    let mut bytes = [0; 256];
    let uuid = match kind.uuid {
        Some((place, form)) if read_at(file, bytes.get_mut(..16)?, place) == 16 => {
            form.text(bytes.first_chunk()?)
        }
        _ => String::new(),
    };
    let label = match kind.label {
        Some((place, length)) => {
            let length = read_at(file, bytes.get_mut(..length)?, place);
            let label = bytes.get(..length)?.split(|byte| *byte == 0).next()?;
            label.trim_ascii_end().to_vec()
        }
        None => Vec::new(),
    };
    Some(Identity { uuid, label })
}

impl Form {
    fn text(self, bytes: &[u8; 16]) -> String {
        match self {
            Form::Uuid => {
                let mut text = String::new();
                for (place, byte) in bytes.iter().enumerate() {
                    if matches!(place, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    text.push_str(&format!("{byte:02x}"));
                }
                text
            }
            Form::Serial => {
                let [a, b, c, d, ..] = bytes;
                format!("{d:02X}{c:02X}-{b:02X}{a:02X}")
            }
        }
    }
}

fn read_at(file: impl AsFd, bytes: &mut [u8], offset: u64) -> usize {
    loop {
        match rustix::io::pread(&file, &mut *bytes, offset) {
            Ok(length) => return length,
            Err(Errno::INTR) => {}
            Err(_) => return 0,
        }
    }
}

/// Whether its images are made once, and the kernel only reads them.
pub(super) fn is_never_written(name: &CStr) -> bool {
    [c"squashfs", c"erofs", c"iso9660"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::MemfdFlags;

    fn image(parts: &[(u64, &[u8])]) -> OwnedFd {
        let file = rustix::fs::memfd_create("image", MemfdFlags::CLOEXEC).unwrap();
        for (offset, bytes) in parts {
            rustix::io::pwrite(&file, bytes, *offset).unwrap();
        }
        file
    }

    #[test]
    fn each_is_known_by_its_signs() {
        for kind in KINDS {
            assert_eq!(look(&image(kind.signs)), Some(kind.name));
        }
    }

    #[test]
    fn one_sign_of_two_is_not_enough_nor_is_a_part_of_one() {
        assert_eq!(look(&image(&[(1080, &[0x53, 0xef])])), None);
        assert_eq!(look(&image(&[(510, &[0x55, 0xaa])])), None);
        assert_eq!(look(&image(&[(0, b"hsq")])), None);
        assert_eq!(look(&image(&[])), None);
    }

    #[test]
    fn what_boots_as_a_disk_and_as_a_cd_is_a_cd() {
        let disk: (u64, &[u8]) = (510, &[0x55, 0xaa]);
        assert_eq!(look(&image(&[disk, (0x8001, b"CD001")])), Some(c"iso9660"));
    }
}

//! Partitions by what their disk's table says of them: GPT, and the numbers of an MBR.
use super::console::device_of;
use crate::files::{open, read_number};
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::io::pread;
use std::ffi::CStr;

/// What a table says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) uuid: String,
    pub(super) label: Vec<u8>,
}

/// Looks at the disk that a partition is of; `None` for what is no partition.
pub(super) fn look(device: &CStr) -> Option<Partition> {
    let folder = format!("/sys/class/block/{}", device.to_str().ok()?);
    let number = read_number(&format!("{folder}/partition"))?;
    // The link leads to a folder in that of the disk.
    let sector = read_number(&format!("{folder}/../queue/logical_block_size"))?;
    let path = device_of(&format!("{folder}/../uevent"))?;
    let disk = open(&path, OFlags::RDONLY).ok()?;
    of_gpt(&disk, sector, number).or_else(|| of_mbr(&disk, number))
}

pub(super) fn of_gpt(disk: &OwnedFd, sector: u64, number: u64) -> Option<Partition> {
    let mut header = [0; 92];
    read(disk, sector, &mut header)?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let entries = u64::from_le_bytes(*header.get(72..)?.first_chunk()?);
    let count = u32::from_le_bytes(*header.get(80..)?.first_chunk()?);
    let size = u32::from_le_bytes(*header.get(84..)?.first_chunk()?);
    let index = number.checked_sub(1).filter(|index| *index < u64::from(count))?;
    let place = entries.checked_mul(sector)?.checked_add(index.checked_mul(size.into())?)?;
    let mut entry = [0; 128];
    read(disk, place, &mut entry)?;
    Some(Partition { uuid: guid(entry.get(16..)?.first_chunk()?), label: name(entry.get(56..)?) })
}

/// Its first three fields are little-endian.
fn guid(bytes: &[u8; 16]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (place, index) in ORDER.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes.get(index).copied().unwrap_or_default()));
    }
    text
}

/// UTF-16, up to the first zero.
fn name(bytes: &[u8]) -> Vec<u8> {
    let mut units = Vec::new();
    for unit in bytes.as_chunks::<2>().0 {
        match u16::from_le_bytes(*unit) {
            0 => break,
            unit => units.push(unit),
        }
    }
    let mut text = String::new();
    for one in char::decode_utf16(units) {
        text.push(one.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    text.into_bytes()
}

/// The number of the disk, and that of the partition.
pub(super) fn of_mbr(disk: &OwnedFd, number: u64) -> Option<Partition> {
    let mut sector = [0; 512];
    read(disk, 0, &mut sector)?;
    if !sector.ends_with(&[0x55, 0xaa]) {
        return None;
    }
    let signature = u32::from_le_bytes(*sector.get(440..)?.first_chunk()?);
    (signature != 0)
        .then(|| Partition { uuid: format!("{signature:08x}-{number:02x}"), label: Vec::new() })
}

fn read(disk: &OwnedFd, place: u64, bytes: &mut [u8]) -> Option<()> {
    let length = bytes.len();
    (pread(disk, bytes, place).ok()? == length).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::io::pwrite;

    #[test]
    fn a_partition_is_known_by_its_place_in_the_table() {
        let disk = memfd_create("disk", MemfdFlags::CLOEXEC).unwrap();
        pwrite(&disk, &[0; 4096], 0).unwrap();
        assert_eq!(of_mbr(&disk, 1), None);
        pwrite(&disk, &[0x78, 0x56, 0x34, 0x12], 440).unwrap();
        pwrite(&disk, &[0x55, 0xaa], 510).unwrap();
        assert_eq!(of_mbr(&disk, 2).unwrap().uuid, "12345678-02");
        assert_eq!(of_gpt(&disk, 512, 1), None);
        pwrite(&disk, b"EFI PART", 512).unwrap();
        pwrite(&disk, &[2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 128, 0, 0, 0], 512 + 72).unwrap();
        let id: Vec<u8> = (0..16).collect();
        pwrite(&disk, &id, 1024 + 128 + 16).unwrap();
        pwrite(&disk, b"r\0\xe9\0\0\0", 1024 + 128 + 56).unwrap();
        let uuid = "03020100-0504-0706-0809-0a0b0c0d0e0f".to_owned();
        let found = Partition { uuid, label: "ré".into() };
        assert_eq!(of_gpt(&disk, 512, 2), Some(found));
        assert_eq!(of_gpt(&disk, 512, 5), None);
        assert_eq!(of_gpt(&disk, 512, 0), None);
    }
}

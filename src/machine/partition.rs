//! Partitions by what their disk's table says of them: GPT, and the numbers of an MBR.
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::pread;

/// What a table says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) uuid: String,
    pub(super) label: Vec<u8>,
}

/// Looks at the disk that a partition is of; `None` for what is no partition.
pub(super) fn look(device: &str) -> Option<Partition> {
    let folder = format!("/sys/class/block/{device}");
    let number = read_number(&format!("{folder}/partition"))?;
    // The link leads to a folder in that of the disk.
    let place = std::fs::canonicalize(&folder).ok()?;
    let disk = place.parent()?;
    let sector = read_number(&format!("{}/queue/logical_block_size", disk.display()))?;
    let path = format!("/dev/{}", disk.file_name()?.to_str()?);
    let disk = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    of_gpt(&disk, sector, number).or_else(|| of_mbr(&disk, number))
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

pub(super) fn of_gpt(disk: &OwnedFd, sector: u64, number: u64) -> Option<Partition> {
    let header: [u8; 92] = read(disk, sector)?;
    if !header.starts_with(b"EFI PART") {
        return None;
    }
    let entries = u64::from_le_bytes(*header.get(72..)?.first_chunk()?);
    let count = u32::from_le_bytes(*header.get(80..)?.first_chunk()?);
    let size = u32::from_le_bytes(*header.get(84..)?.first_chunk()?);
    let index = number.checked_sub(1).filter(|index| *index < u64::from(count))?;
    let place = entries.checked_mul(sector)?.checked_add(index.checked_mul(size.into())?)?;
    let entry: [u8; 128] = read(disk, place)?;
    Some(Partition { uuid: guid(entry.get(16..)?.first_chunk()?), label: name(entry.get(56..)?) })
}

/// Its first three fields are little-endian.
fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let [i, j, node @ ..] = rest;
    let node: String = node.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{d:02x}{c:02x}{b:02x}{a:02x}-{f:02x}{e:02x}-{h:02x}{g:02x}-{i:02x}{j:02x}-{node}")
}

/// UTF-16, up to the first zero.
fn name(bytes: &[u8]) -> Vec<u8> {
    let (units, _) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0);
    let text: String =
        char::decode_utf16(units).map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes()
}

/// The number of the disk, and that of the partition.
pub(super) fn of_mbr(disk: &OwnedFd, number: u64) -> Option<Partition> {
    let sector: [u8; 512] = read(disk, 0)?;
    if !sector.ends_with(&[0x55, 0xaa]) {
        return None;
    }
    let signature = u32::from_le_bytes(*sector.get(440..)?.first_chunk()?);
    (signature != 0)
        .then(|| Partition { uuid: format!("{signature:08x}-{number:02x}"), label: Vec::new() })
}

fn read<const N: usize>(disk: &OwnedFd, place: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (pread(disk, &mut bytes[..], place).ok()? == N).then_some(bytes)
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

//! cpio archives as the kernel reads them: newc (070701), and the same with checksums (070702). Pure:
//! bytes in, fields out.
//!
//! An entry is a header of 110 bytes in hexadecimal, the name, and the data. Name and data are each
//! followed by zeros up to the next multiple of 4. An entry named `TRAILER!!!` ends the archive.
use rustix::fs::FileType;

/// Size of an entry's header.
pub(crate) const HEADER: usize = 110;
/// The longest name, its zero byte included (PATH_MAX).
const LONGEST_NAME: u32 = 4096;
/// The name of the entry that ends an archive.
pub(crate) const TRAILER: &[u8] = b"TRAILER!!!";

/// What an entry's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Type and permissions, as st_mode has them.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// How many names the file has.
    pub(crate) nlink: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u32,
    /// Bytes of data.
    pub(crate) size: u32,
    /// Which file it is, for hard links: major and minor number of its device, and its inode.
    pub(crate) identity: (u32, u32, u32),
    /// Major and minor number of a device node.
    pub(crate) rdev: (u32, u32),
    /// Bytes of the name, its zero byte included: 1 to 4096.
    pub(crate) name_size: usize,
    /// The sum of the data's bytes, in an archive with checksums.
    pub(crate) checksum: Option<u32>,
}

/// Why something is no entry that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The magic number is that of another cpio format.
    OtherFormat,
    Magic,
    Digit,
    NameSize(u32),
    NameEnd,
    DotDot,
    Type(u32),
}

impl Wrong {
    /// In words, after the entry's name or place.
    pub(crate) fn text(self) -> String {
        match self {
            Wrong::OtherFormat => "another cpio format; make it by cpio -H newc".to_owned(),
            Wrong::Magic => "no cpio header where one is due".to_owned(),
            Wrong::Digit => "a field of its header is not hexadecimal".to_owned(),
            Wrong::NameSize(size) => {
                format!("a name of {size} bytes; 1 to {LONGEST_NAME} are allowed")
            }
            Wrong::NameEnd => "a name without its zero byte".to_owned(),
            Wrong::DotDot => "a name with \"..\" in it".to_owned(),
            Wrong::Type(mode) => format!("mode {mode:o} is that of no type of file"),
        }
    }
}

impl Header {
    /// Reads a header.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Header, Wrong> {
        let (magic, fields) = bytes.split_at(6);
        let checked = match magic {
            b"070701" => false,
            b"070702" => true,
            b"070707" => return Err(Wrong::OtherFormat),
            _ => return Err(Wrong::Magic),
        };
        let mut numbers = [0; 13];
        for (number, field) in numbers.iter_mut().zip(fields.chunks_exact(8)) {
            *number = hexadecimal(field).ok_or(Wrong::Digit)?;
        }
        let [ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, name, check] =
            numbers;
        if !(1..=LONGEST_NAME).contains(&name) {
            return Err(Wrong::NameSize(name));
        }
        Ok(Header {
            mode,
            uid,
            gid,
            nlink,
            mtime,
            size,
            identity: (major, minor, ino),
            rdev: (rmajor, rminor),
            name_size: name as usize,
            checksum: checked.then_some(check),
        })
    }

    /// The type of file.
    pub(crate) fn file_type(&self) -> Result<FileType, Wrong> {
        match FileType::from_raw_mode(self.mode) {
            FileType::Unknown => Err(Wrong::Type(self.mode)),
            known => Ok(known),
        }
    }

    /// Zeros between name and data.
    pub(crate) fn name_padding(&self) -> usize {
        padding(HEADER + self.name_size)
    }

    /// Zeros between data and the next entry.
    pub(crate) fn data_padding(&self) -> usize {
        padding(self.size as usize)
    }
}

/// What is missing to the next multiple of 4.
fn padding(length: usize) -> usize {
    length.wrapping_neg() % 4
}

fn hexadecimal(field: &[u8]) -> Option<u32> {
    field
        .iter()
        .try_fold(0, |number: u32, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

/// The bytes of a name as they are in an archive, without the zero byte that ends them.
pub(crate) fn name(bytes: &[u8]) -> Result<&[u8], Wrong> {
    bytes
        .split(|byte| *byte == 0)
        .next()
        .filter(|name| name.len() < bytes.len())
        .ok_or(Wrong::NameEnd)
}

/// Puts a name's path into `path`: without a slash at its begin or end, or `.` or nothing between
/// two. The root itself is empty.
pub(crate) fn clean(name: &[u8], path: &mut Vec<u8>) -> Result<(), Wrong> {
    path.clear();
    for component in name.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => return Err(Wrong::DotDot),
            _ => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(component);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(magic: &str, numbers: [u32; 13]) -> [u8; HEADER] {
        let fields: String = numbers.iter().map(|number| format!("{number:08X}")).collect();
        format!("{magic}{fields}").into_bytes().try_into().unwrap()
    }

    proptest! {
        #[test]
        fn every_field_is_read_as_it_was_written(
            mut numbers: [u32; 13], name in 1..=LONGEST_NAME, checked: bool
        ) {
            numbers[11] = name;
            let magic = if checked { "070702" } else { "070701" };
            let header = Header::parse(&bytes(magic, numbers)).unwrap();
            let [ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, _, check] =
                numbers;
            prop_assert_eq!(header, Header {
                mode, uid, gid, nlink, mtime, size,
                identity: (major, minor, ino),
                rdev: (rmajor, rminor),
                name_size: name as usize,
                checksum: checked.then_some(check),
            });
        }

        #[test]
        fn whatever_the_bytes_are_an_answer_comes(random: Vec<u8>) {
            let mut header = [b'0'; HEADER];
            for (place, byte) in header.iter_mut().zip(&random) {
                *place = *byte;
            }
            let _ = Header::parse(&header);
            header[..6].copy_from_slice(b"070701");
            let _ = Header::parse(&header);
        }

        #[test]
        fn a_clean_path_has_only_names(name in "[a./]{0,20}") {
            let mut path = Vec::new();
            let result = clean(name.as_bytes(), &mut path);
            if name.split('/').any(|component| component == "..") {
                prop_assert_eq!(result, Err(Wrong::DotDot));
            } else {
                prop_assert!(result.is_ok());
                let path = String::from_utf8(path).unwrap();
                let names: Vec<&str> =
                    name.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
                prop_assert_eq!(path, names.join("/"));
            }
        }

        #[test]
        fn what_is_padded_is_a_multiple_of_4(name_size in 1..=LONGEST_NAME, size: u32) {
            let mut numbers = [0; 13];
            (numbers[6], numbers[11]) = (size, name_size);
            let header = Header::parse(&bytes("070701", numbers)).unwrap();
            prop_assert_eq!((HEADER + header.name_size + header.name_padding()) % 4, 0);
            prop_assert_eq!((u64::from(size) + header.data_padding() as u64) % 4, 0);
            prop_assert!(header.name_padding() < 4 && header.data_padding() < 4);
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        let mut numbers = [0; 13];
        assert_eq!(Header::parse(&bytes("070701", numbers)), Err(Wrong::NameSize(0)));
        numbers[11] = LONGEST_NAME + 1;
        assert_eq!(Header::parse(&bytes("070701", numbers)), Err(Wrong::NameSize(4097)));
        numbers[11] = 1;
        assert_eq!(Header::parse(&bytes("070707", numbers)), Err(Wrong::OtherFormat));
        assert_eq!(Header::parse(&bytes("070703", numbers)), Err(Wrong::Magic));
        let mut header = bytes("070701", numbers);
        header[50] = b'+';
        assert_eq!(Header::parse(&header), Err(Wrong::Digit));
    }

    #[test]
    fn a_name_ends_at_its_zero_byte() {
        assert_eq!(name(b"a/b\0"), Ok(&b"a/b"[..]));
        assert_eq!(name(b"a\0b\0"), Ok(&b"a"[..]));
        assert_eq!(name(b"ab"), Err(Wrong::NameEnd));
    }
}

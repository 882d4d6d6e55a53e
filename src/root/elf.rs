//! What an ELF file (elf(5)) asks its loader for. Pure: it reads from a [`Source`], and nothing that
//! the source holds makes it fail other than by a [`Problem`]; what is read and kept is bounded.

/// Where the bytes of a file come from.
pub(crate) trait Source {
    /// Up to `length` bytes from `offset` on; fewer only at the end of the file.
    fn read(&self, offset: u64, length: usize) -> Vec<u8>;
}

impl Source for &[u8] {
    fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let rest = rest.unwrap_or_default();
        rest.get(..length.min(rest.len())).unwrap_or_default().to_vec()
    }
}

/// Why a file could not be read as ELF.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Problem {
    /// Something else, a script perhaps.
    NotElf,
    /// It begins as ELF does, and goes on as no loader would accept.
    Broken,
}

/// 32 or 64 bits, byte order, and machine: an object is loaded only with its like.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Kind {
    /// ELFCLASS64.
    pub(crate) wide: bool,
    /// ELFDATA2MSB: the most significant byte comes first.
    pub(crate) big: bool,
    /// `e_machine`.
    pub(crate) machine: u16,
}

/// An ELF file, as far as the loader's search depends on it.
#[derive(Debug)]
pub(crate) struct Elf {
    pub(crate) kind: Kind,
    /// PT_INTERP.
    pub(crate) interpreter: Option<Vec<u8>>,
    /// DT_NEEDED, in order.
    pub(crate) needed: Vec<Vec<u8>>,
    pub(crate) rpath: Option<Vec<u8>>,
    pub(crate) runpath: Option<Vec<u8>>,
    pub(crate) soname: Option<Vec<u8>>,
    /// DF_1_NODEFLIB: the default directories are not searched.
    pub(crate) no_default: bool,
    symbols: Symbols,
}

/// Where the dynamic symbols are, as offsets in the file.
#[derive(Debug, Default)]
struct Symbols {
    table: Option<u64>,
    strings: Option<u64>,
    strings_size: u64,
    /// DT_HASH says how many symbols there are.
    hash: Option<u64>,
    /// So does DT_GNU_HASH, in a roundabout way.
    gnu_hash: Option<u64>,
}

/// A part of the file that is mapped: virtual address, offset, size.
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_NODEFLIB: u64 = 0x800;

/// Limits far beyond any real file. A name is a path; a table that is longer is cut.
const LONGEST_NAME: usize = 4096;
const MOST_SEGMENTS: u16 = 1024;
const LONGEST_DYNAMIC: u64 = 1 << 16;
const MOST_NEEDED: usize = 1024;
const MOST_SYMBOLS: u32 = 1 << 18;
const LONGEST_STRINGS: u64 = 1 << 24;

/// Numbers of the file's class and byte order.
struct Reader<'a> {
    source: &'a dyn Source,
    wide: bool,
    big: bool,
}

impl Reader<'_> {
    /// The unsigned number of `size` bytes (at most 8) at `at` in `bytes`.
    #[inline(never)]
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(match self.big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    }

    /// An address, an offset or a size: its place differs between the classes, and so does its size.
    #[inline(never)]
    fn word(&self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        if self.wide { self.number(bytes, wide, 8) } else { self.number(bytes, narrow, 4) }
    }

    /// The 32-bit number at this place of the file.
    #[inline(never)]
    fn number_at(&self, offset: u64) -> Option<u32> {
        let bytes = self.source.read(offset, 4);
        u32::try_from(self.number(&bytes, 0, 4)?).ok()
    }

    /// The string at this place of the file, which ends with a zero byte.
    #[inline(never)]
    fn string(&self, offset: u64) -> Option<Vec<u8>> {
        let mut string = self.source.read(offset, 256);
        if !string.contains(&0) {
            string = self.source.read(offset, LONGEST_NAME);
        }
        let end = string.iter().position(|byte| *byte == 0)?;
        string.truncate(end);
        Some(string)
    }
}

/// Reads what the loader needs of an ELF file.
pub(crate) fn read(source: &dyn Source) -> Result<Elf, Problem> {
    let header = source.read(0, 64);
    if !header.starts_with(b"\x7fELF") {
        return Err(Problem::NotElf);
    }
    parse(source, &header).ok_or(Problem::Broken)
}

fn parse(source: &dyn Source, header: &[u8]) -> Option<Elf> {
    let (wide, big) = match (header.get(4)?, header.get(5)?) {
        (class @ (1 | 2), order @ (1 | 2)) => (*class == 2, *order == 2),
        _ => return None,
    };
    let reader = Reader { source, wide, big };
    let short = |at| reader.number(header, at, 2).and_then(|number| u16::try_from(number).ok());
    let kind = Kind { wide, big, machine: short(18)? };
    let table = reader.word(header, 28, 32)?;
    let (size, count) = if wide { (short(54)?, short(56)?) } else { (short(42)?, short(44)?) };
    let mut elf = Elf {
        kind,
        interpreter: None,
        needed: Vec::new(),
        rpath: None,
        runpath: None,
        soname: None,
        no_default: false,
        symbols: Symbols::default(),
    };
    let mut segments = Vec::new();
    let mut dynamic = None;
    for index in 0..count.min(MOST_SEGMENTS) {
        let at = table.checked_add(u64::from(index) * u64::from(size))?;
        let entry = source.read(at, if wide { 56 } else { 32 });
        let offset = reader.word(&entry, 4, 8)?;
        let length = reader.word(&entry, 16, 32)?;
        match u32::try_from(reader.number(&entry, 0, 4)?).ok()? {
            PT_LOAD => segments.push(Segment {
                address: reader.word(&entry, 8, 16)?,
                offset,
                size: length,
            }),
            PT_DYNAMIC => dynamic = Some((offset, length)),
            PT_INTERP => elf.interpreter = Some(reader.string(offset)?),
            _ => {}
        }
    }
    if let Some((offset, length)) = dynamic {
        let length = usize::try_from(length.min(LONGEST_DYNAMIC)).ok()?;
        read_dynamic(&reader, &segments, &source.read(offset, length), &mut elf)?;
    }
    Some(elf)
}

/// The dynamic section: pairs of tag and value up to DT_NULL.
fn read_dynamic(
    reader: &Reader<'_>,
    segments: &[Segment],
    bytes: &[u8],
    elf: &mut Elf,
) -> Option<()> {
    let entry = if reader.wide { 16 } else { 8 };
    let tags = || {
        bytes.chunks_exact(entry).map_while(|pair| {
            let tag = reader.word(pair, 0, 0).filter(|tag| *tag != 0)?;
            Some((tag, reader.word(pair, 4, 8)?))
        })
    };
    let symbols = &mut elf.symbols;
    for (tag, value) in tags() {
        match tag {
            DT_STRTAB => symbols.strings = place(segments, value),
            DT_STRSZ => symbols.strings_size = value,
            DT_SYMTAB => symbols.table = place(segments, value),
            DT_HASH => symbols.hash = place(segments, value),
            DT_GNU_HASH => symbols.gnu_hash = place(segments, value),
            DT_FLAGS_1 => elf.no_default = value & DF_1_NODEFLIB != 0,
            _ => {}
        }
    }
    for (tag, value) in tags() {
        if !matches!(tag, DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH) {
            continue;
        }
        let name = reader.string(elf.symbols.strings?.checked_add(value)?)?;
        match tag {
            DT_NEEDED if elf.needed.len() < MOST_NEEDED => elf.needed.push(name),
            DT_SONAME => elf.soname = Some(name),
            DT_RPATH => elf.rpath = Some(name),
            DT_RUNPATH => elf.runpath = Some(name),
            _ => {}
        }
    }
    Some(())
}

/// The place in the file of what is mapped at `address`.
#[inline(never)]
fn place(segments: &[Segment], address: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let inside = address.checked_sub(segment.address)?;
        if inside < segment.size { segment.offset.checked_add(inside) } else { None }
    })
}

impl Elf {
    /// Calls `each` with the name of every dynamic symbol that this object takes from another.
    pub(crate) fn imports(&self, source: &dyn Source, mut each: impl FnMut(&[u8])) {
        let reader = Reader { source, wide: self.kind.wide, big: self.kind.big };
        let symbols = &self.symbols;
        let (Some(table), Some(strings)) = (symbols.table, symbols.strings) else { return };
        let count = symbols.count(&reader).unwrap_or(0).min(MOST_SYMBOLS);
        let entry = if reader.wide { 24 } else { 16 };
        let entries = source.read(table, usize::try_from(count).unwrap_or(0).saturating_mul(entry));
        let length = symbols.strings_size.min(LONGEST_STRINGS);
        let strings = source.read(strings, usize::try_from(length).unwrap_or(0));
        for symbol in entries.chunks_exact(entry) {
            // st_shndx is SHN_UNDEF: another object has it.
            let section = if reader.wide { 6 } else { 14 };
            if reader.number(symbol, section, 2) == Some(0)
                && let Some(at) =
                    reader.number(symbol, 0, 4).and_then(|at| usize::try_from(at).ok())
                && let Some(name) =
                    strings.get(at..).and_then(|rest| rest.split(|b| *b == 0).next())
            {
                each(name);
            }
        }
    }
}

impl Symbols {
    /// How many symbols there are, which no tag says directly.
    fn count(&self, reader: &Reader<'_>) -> Option<u32> {
        if let Some(hash) = self.hash {
            return reader.number_at(hash.checked_add(4)?);
        }
        // The GNU hash table: nbuckets, symoffset, bloom_size, bloom_shift, the bloom filter's words,
        // the buckets (each the first symbol of its chain), and a chain word for each symbol from
        // symoffset on, whose lowest bit marks the end of its chain. The last symbol ends the chain
        // of the highest bucket.
        let header = self.gnu_hash?;
        let field = |index: u64| reader.number_at(header.checked_add(index * 4)?);
        let (buckets, first, bloom) = (field(0)?.min(MOST_SYMBOLS), field(1)?, field(2)?);
        let word = if reader.wide { 8 } else { 4 };
        let table = header.checked_add(16)?.checked_add(u64::from(bloom) * word)?;
        let bytes = reader.source.read(table, usize::try_from(buckets).ok()?.saturating_mul(4));
        let highest = bytes.chunks_exact(4).filter_map(|bytes| reader.number(bytes, 0, 4)).max();
        let mut last = match highest {
            Some(highest) if highest >= u64::from(first) => u32::try_from(highest).ok()?,
            // Nothing is defined here; all symbols come before the first that would be.
            _ => return Some(first),
        };
        let chains = table.checked_add(u64::from(buckets) * 4)?;
        let start = chains.checked_add(u64::from(last - first) * 4)?;
        let chain = reader.source.read(start, 1 << 16);
        for word in chain.chunks_exact(4) {
            last = last.checked_add(1)?;
            if reader.number(word, 0, 4)? & 1 == 1 {
                return Some(last);
            }
        }
        Some(last)
    }
}

#[cfg(test)]
#[path = "elf/tests.rs"]
mod tests;

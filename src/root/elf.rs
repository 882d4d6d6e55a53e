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

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NULL: u64 = 0;
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
const MOST_SEGMENTS: u64 = 1024;
const LONGEST_DYNAMIC: u64 = 1 << 16;
const MOST_NAMES: usize = 1024;
const MOST_SYMBOLS: u64 = 1 << 18;
const LONGEST_STRINGS: u64 = 1 << 24;

/// Numbers of the file's class and byte order. What is outside of the bytes reads as zero.
struct Reader<'a> {
    source: &'a dyn Source,
    wide: bool,
    big: bool,
}

impl Reader<'_> {
    /// The unsigned number of `size` bytes (at most 8) at `at` in `bytes`.
    #[inline(never)]
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let mut number = 0;
        for index in 0..size {
            let index = if self.big { index } else { size - 1 - index };
            let byte = bytes.get(at.saturating_add(index)).copied().unwrap_or(0);
            number = number << 8 | u64::from(byte);
        }
        number
    }

    /// An address, an offset or a size: its place differs between the classes, and so does its size.
    #[inline(never)]
    fn word(&self, bytes: &[u8], narrow: usize, wide: usize) -> u64 {
        if self.wide { self.number(bytes, wide, 8) } else { self.number(bytes, narrow, 4) }
    }

    /// The 32-bit number at this place of the file.
    #[inline(never)]
    fn number_at(&self, offset: u64) -> u64 {
        self.number(&self.source.read(offset, 4), 0, 4)
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
    let (size, count) = if wide { (54, 56) } else { (42, 44) };
    let (size, count) = (reader.number(header, size, 2), reader.number(header, count, 2));
    let kind = Kind { wide, big, machine: reader.number(header, 18, 2) as u16 };
    let mut at = reader.word(header, 28, 32);
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
    let length = if wide { 56 } else { 32 };
    for _ in 0..count.min(MOST_SEGMENTS) {
        let entry = source.read(at, length);
        if entry.len() < length {
            return None;
        }
        at = at.saturating_add(size);
        let address = reader.word(&entry, 8, 16);
        let offset = reader.word(&entry, 4, 8);
        let size = reader.word(&entry, 16, 32);
        match reader.number(&entry, 0, 4) {
            PT_LOAD => segments.push(Segment { address, offset, size }),
            PT_DYNAMIC => dynamic = Some((offset, size)),
            PT_INTERP => elf.interpreter = Some(reader.string(offset)?),
            _ => {}
        }
    }
    if let Some((offset, size)) = dynamic {
        let bytes = source.read(offset, size.min(LONGEST_DYNAMIC) as usize);
        read_dynamic(&reader, &segments, &bytes, &mut elf)?;
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
    // The names are offsets in a table that a tag of its own gives, which may come after them.
    let mut names = Vec::new();
    for pair in bytes.chunks_exact(if reader.wide { 16 } else { 8 }) {
        let (tag, value) = (reader.word(pair, 0, 0), reader.word(pair, 4, 8));
        let symbols = &mut elf.symbols;
        match tag {
            DT_NULL => break,
            DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH => names.push((tag, value)),
            DT_STRTAB => symbols.strings = place(segments, value),
            DT_STRSZ => symbols.strings_size = value,
            DT_SYMTAB => symbols.table = place(segments, value),
            DT_HASH => symbols.hash = place(segments, value),
            DT_GNU_HASH => symbols.gnu_hash = place(segments, value),
            DT_FLAGS_1 => elf.no_default = value & DF_1_NODEFLIB != 0,
            _ => {}
        }
    }
    for (tag, value) in names.into_iter().take(MOST_NAMES) {
        let name = reader.string(elf.symbols.strings?.checked_add(value)?)?;
        match tag {
            DT_NEEDED => elf.needed.push(name),
            DT_SONAME => elf.soname = Some(name),
            DT_RPATH => elf.rpath = Some(name),
            _ => elf.runpath = Some(name),
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
    pub(crate) fn imports(&self, source: &dyn Source, each: &mut dyn FnMut(&[u8])) {
        let reader = Reader { source, wide: self.kind.wide, big: self.kind.big };
        let symbols = &self.symbols;
        let (Some(table), Some(strings)) = (symbols.table, symbols.strings) else { return };
        let count = symbols.count(&reader).min(MOST_SYMBOLS) as usize;
        let entry = if reader.wide { 24 } else { 16 };
        let section = if reader.wide { 6 } else { 14 };
        let entries = source.read(table, count * entry);
        let strings = source.read(strings, symbols.strings_size.min(LONGEST_STRINGS) as usize);
        for symbol in entries.chunks_exact(entry) {
            // st_shndx is SHN_UNDEF: another object has it.
            let at = reader.number(symbol, 0, 4) as usize;
            if reader.number(symbol, section, 2) == 0
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
    fn count(&self, reader: &Reader<'_>) -> u64 {
        if let Some(hash) = self.hash {
            return reader.number_at(hash.saturating_add(4));
        }
        // The GNU hash table: nbuckets, symoffset, bloom_size, bloom_shift, the bloom filter's words,
        // the buckets (each the first symbol of its chain), and a chain word for each symbol from
        // symoffset on, whose lowest bit marks the end of its chain. The last symbol ends the chain
        // of the highest bucket.
        let Some(header) = self.gnu_hash else { return 0 };
        let fields = reader.source.read(header, 12);
        let field = |index: usize| reader.number(&fields, index * 4, 4);
        let (buckets, first, bloom) = (field(0).min(MOST_SYMBOLS), field(1), field(2));
        let word = if reader.wide { 8 } else { 4 };
        let table = header.saturating_add(16 + bloom * word);
        let bytes = reader.source.read(table, buckets as usize * 4);
        let buckets_end = table.saturating_add(buckets * 4);
        let mut last = 0;
        for bucket in bytes.chunks_exact(4) {
            last = reader.number(bucket, 0, 4).max(last);
        }
        let Some(inside) = last.checked_sub(first) else {
            // Nothing is defined here: all symbols come before the first that would be.
            return first;
        };
        let chain = reader.source.read(buckets_end.saturating_add(inside * 4), 1 << 16);
        for word in chain.chunks_exact(4) {
            last += 1;
            if reader.number(word, 0, 4) & 1 == 1 {
                break;
            }
        }
        last
    }
}

#[cfg(test)]
#[path = "elf/tests.rs"]
mod tests;

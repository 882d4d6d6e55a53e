//! Where a loader looks for libraries: ld.so.conf (ldconfig(8)) with what it includes, the directories
//! that are built in, and musl's own file. The files come through [`Files`], so this is pure too.
use super::elf::Kind;

/// The files that are looked at.
pub(crate) trait Files {
    /// The contents of a file; nothing if it cannot be read.
    fn contents(&self, path: &[u8]) -> Option<Vec<u8>>;
    /// The names in a directory; none if it cannot be read.
    fn names(&self, directory: &[u8]) -> Vec<Vec<u8>>;
}

/// ld.so.conf may include itself.
const DEEPEST_INCLUDE: u32 = 8;
const MOST_DIRECTORIES: usize = 1024;
/// How many files are read and directories listed, and how many paths a pattern stands for: a file
/// may include as many patterns as it likes, and each of them everything.
const MOST_LOOKS: usize = 1024;

/// The directories that /etc/ld.so.conf adds to the built-in ones, in order.
pub(crate) fn configured(files: &dyn Files) -> Vec<Vec<u8>> {
    let mut search = Search { files, directories: Vec::new(), looks: 0 };
    search.read(b"/etc/ld.so.conf", DEEPEST_INCLUDE);
    search.directories
}

struct Search<'a> {
    files: &'a dyn Files,
    directories: Vec<Vec<u8>>,
    looks: usize,
}

impl Search<'_> {
    fn read(&mut self, path: &[u8], depth: u32) {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.may_look()) else { return };
        let Some(text) = self.files.contents(path) else { return };
        let here = path.iter().rposition(|byte| *byte == b'/').and_then(|end| path.get(..end));
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
            let blank = line.iter().position(u8::is_ascii_whitespace);
            let (word, rest) = line.split_at(blank.unwrap_or(line.len()));
            match word {
                b"include" => {
                    for pattern in rest.split(u8::is_ascii_whitespace).filter(|one| !one.is_empty())
                    {
                        for path in self.expand(&join(here.unwrap_or_default(), pattern)) {
                            self.read(&path, depth);
                        }
                    }
                }
                // Of old, and without meaning since.
                b"hwcap" => {}
                _ => self.add(line),
            }
        }
    }

    /// Whether one more file or directory may be looked at.
    fn may_look(&mut self) -> bool {
        self.looks += 1;
        self.looks <= MOST_LOOKS
    }

    /// A line names a directory, perhaps with `=TYPE` after it.
    fn add(&mut self, line: &[u8]) {
        let path = line.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        let path = trim_slashes(path);
        if path.starts_with(b"/")
            && self.directories.len() < MOST_DIRECTORIES
            && !self.directories.iter().any(|other| other == path)
        {
            self.directories.push(path.to_vec());
        }
    }

    /// The paths that a pattern of glob(7) stands for, sorted.
    fn expand(&mut self, pattern: &[u8]) -> Vec<Vec<u8>> {
        let mut paths = vec![Vec::new()];
        for part in pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let special = part.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
            if !special {
                for path in &mut paths {
                    *path = join(path, part);
                }
                continue;
            }
            let mut found = Vec::new();
            for path in paths {
                if found.len() >= MOST_LOOKS || !self.may_look() {
                    break;
                }
                let directory = if path.is_empty() { b"/" } else { path.as_slice() };
                let mut names = self.files.names(directory);
                names.retain(|name| {
                    // A dot at the beginning is matched only by a dot.
                    matches(part, name) && (!name.starts_with(b".") || part.starts_with(b"."))
                });
                names.truncate(MOST_LOOKS);
                let first = found.len();
                for name in names {
                    // Sorted as they come: there are few, and a real sort is a lot of code.
                    let path = join(&path, &name);
                    let place = found.iter().skip(first).position(|other| *other > path);
                    found.insert(place.map_or(found.len(), |place| first + place), path);
                }
                found.truncate(MOST_LOOKS);
            }
            paths = found;
        }
        paths
    }
}

/// Whether a name is matched by a pattern of `*`, `?`, `[…]`, `\` and plain bytes. The time it takes
/// is at most the product of their lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // Where to go on when a later part does not match: the last `*` takes one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            pattern = rest;
            retry = Some((rest, name));
        } else if let Some((byte, after)) = name.split_first()
            && let Some(rest) = one(pattern, *byte)
        {
            (pattern, name) = (rest, after);
        } else if pattern.is_empty() && name.is_empty() {
            return true;
        } else if let Some((rest, taken)) = retry
            && let Some((_, after)) = taken.split_first()
        {
            (pattern, name) = (rest, after);
            retry = Some((rest, after));
        } else {
            return false;
        }
    }
}

/// The rest of the pattern, if its first part matches this byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'\\' => rest.split_first().and_then(|(plain, rest)| (*plain == byte).then_some(rest)),
        b'[' => match set(rest, byte) {
            Some((matched, rest)) => matched.then_some(rest),
            // No closing bracket: it means itself.
            None => (byte == b'[').then_some(rest),
        },
        plain => (*plain == byte).then_some(rest),
    }
}

/// Whether the byte is in the set that the pattern begins with, and what follows on it.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern.split_first()? {
        (b'!' | b'^', rest) => (true, rest),
        _ => (false, pattern),
    };
    let mut found = false;
    let mut first = true;
    loop {
        let (low, after) = rest.split_first()?;
        rest = after;
        if *low == b']' && !first {
            return Some((found != negated, rest));
        }
        first = false;
        match rest {
            [b'-', high, after @ ..] if *high != b']' => {
                found |= (*low..=*high).contains(&byte);
                rest = after;
            }
            _ => found |= *low == byte,
        }
    }
}

/// The directories that glibc's loader has built in, for programs of this kind: Debian's
/// (multiarch), those of others (lib64, lib32), and those of all.
pub(crate) fn built_in(kind: Kind) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    for name in multiarch(kind).iter().copied().chain([library(kind), "lib"]) {
        let name = if name == "lib" || name == library(kind) {
            name.to_owned()
        } else {
            format!("lib/{name}")
        };
        for prefix in ["/", "/usr/"] {
            let path = format!("{prefix}{name}").into_bytes();
            if !directories.contains(&path) {
                directories.push(path);
            }
        }
    }
    directories
}

/// What `$LIB` may stand for: it differs between distributions.
pub(crate) fn dst_lib(kind: Kind) -> Vec<String> {
    let names = multiarch(kind).iter().map(|name| format!("lib/{name}"));
    names.chain([library(kind).to_owned(), "lib".to_owned()]).collect()
}

/// lib64, lib32, libx32.
fn library(kind: Kind) -> &'static str {
    match (kind.wide, kind.machine) {
        (true, _) => "lib64",
        (false, X86_64) => "libx32",
        (false, _) => "lib32",
    }
}

const X86_64: u16 = 62;

/// Debian's name for an architecture, without `lib/`. An arm program may be of one of two.
fn multiarch(kind: Kind) -> &'static [&'static str] {
    match (kind.machine, kind.wide, kind.big) {
        (3, false, _) => &["i386-linux-gnu"],
        (X86_64, true, _) => &["x86_64-linux-gnu"],
        (X86_64, false, _) => &["x86_64-linux-gnux32"],
        (8, false, true) => &["mips-linux-gnu"],
        (8, false, false) => &["mipsel-linux-gnu"],
        (8, true, false) => &["mips64el-linux-gnuabi64"],
        (20, false, _) => &["powerpc-linux-gnu"],
        (21, true, true) => &["powerpc64-linux-gnu"],
        (21, true, false) => &["powerpc64le-linux-gnu"],
        (22, true, _) => &["s390x-linux-gnu"],
        (40, false, _) => &["arm-linux-gnueabihf", "arm-linux-gnueabi"],
        (183, true, false) => &["aarch64-linux-gnu"],
        (243, true, _) => &["riscv64-linux-gnu"],
        (258, true, _) => &["loongarch64-linux-gnu"],
        _ => &[],
    }
}

/// What `$PLATFORM` stands for: AT_PLATFORM, which is the machine's name as uname(1) says it.
pub(crate) fn platform(kind: Kind) -> &'static str {
    match (kind.machine, kind.wide, kind.big) {
        (3, ..) => "i686",
        (X86_64, ..) => "x86_64",
        (21, _, false) => "power8",
        (22, ..) => "z900",
        (40, ..) => "v7l",
        (183, ..) => "aarch64",
        _ => "",
    }
}

/// If this loader is musl's: where it looks for its list of directories, which is beside the
/// directory that the loader is in.
pub(crate) fn musl_file(loader: &[u8]) -> Option<Vec<u8>> {
    let slash = loader.iter().rposition(|byte| *byte == b'/')?;
    let name = loader.get(slash + 1..)?.strip_prefix(b"ld-musl-")?;
    let machine = name.strip_suffix(b".so.1")?;
    let prefix = loader.get(..slash)?.strip_suffix(b"/lib").unwrap_or_default();
    Some([prefix, b"/etc/ld-musl-", machine, b".path"].concat())
}

/// The directories of musl's loader: those in its file, one a line or with colons between; or those
/// that are built in.
pub(crate) fn musl_directories(list: Option<&[u8]>) -> Vec<Vec<u8>> {
    let list = list.unwrap_or(b"/lib:/usr/local/lib:/usr/lib");
    list.split(|byte| matches!(byte, b':' | b'\n'))
        .map(|path| trim_slashes(path.trim_ascii()).to_vec())
        .filter(|path| path.starts_with(b"/"))
        .take(MOST_DIRECTORIES)
        .collect()
}

/// A path without slashes at its end.
fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(shorter) = path.strip_suffix(b"/").filter(|shorter| !shorter.is_empty()) {
        path = shorter;
    }
    path
}

/// `name` in `directory`, or `name` itself where it is absolute.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if name.starts_with(b"/") {
        return name.to_vec();
    }
    let mut path = trim_slashes(directory).to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend(name);
    path
}

#[cfg(test)]
#[path = "ldconf/tests.rs"]
mod tests;

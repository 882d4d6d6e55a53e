//! Runs each target over the inputs in inputs/ and over some that are made from them: no libFuzzer,
//! the stable toolchain, always the same inputs.
//!
//! `smoke [TARGET]` runs; `smoke pack FOLDER TARGET MOST` adds the files of a corpus to inputs/TARGET,
//! the small ones first, MOST bytes of them; `smoke unpack FOLDER` makes a corpus of each.
use std::path::{Path, PathBuf};
use unshared::fuzz::{TARGETS, inputs, line};

/// How many inputs are made for a target; fewer where each starts a thread or makes a tree.
const MANY: u32 = 20_000;
const FEW: u32 = 800;
const SLOW: [&str; 6] = ["cpio", "gzip", "lz4", "lzma", "xz", "zstd"];

/// Numbers that seem random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }
}

/// Changes an input a few times.
fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) {
    const VALUES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'0', b'9'];
    for _ in 0..=numbers.below(4) {
        let place = numbers.below(input.len());
        let end = (place + 1 + numbers.below(16)).min(input.len());
        match numbers.below(7) {
            0 if !input.is_empty() => input[place] ^= 1 << numbers.below(8),
            1 if !input.is_empty() => input[place] = VALUES[numbers.below(VALUES.len())],
            2 if !input.is_empty() => drop(input.drain(place..end)),
            3 => input.insert(place, VALUES[numbers.below(VALUES.len())]),
            4 if !input.is_empty() => input.extend_from_within(place..end),
            5 => input.truncate(place),
            _ => {
                let other = &others[numbers.below(others.len())];
                let (from, to) = (numbers.below(other.len()), numbers.below(other.len() + 1));
                input.splice(place..place, other[from.min(to)..to].iter().copied());
            }
        }
    }
}

/// Says which input it was that brought a target down.
struct Witness<'a>(&'a str, &'a [u8]);

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprint!("{}: {}", self.0, String::from_utf8_lossy(&line(self.1)));
        }
    }
}

fn file_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs").join(name)
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read(file_of(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let seeds = inputs(&text);
    assert!(!seeds.is_empty(), "{name} has no inputs");
    seeds
}

fn run(only: Option<&str>) {
    for (name, target) in TARGETS {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let start = std::time::Instant::now();
        let seeds = seeds(name);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let made = if SLOW.contains(&name) { FEW } else { MANY };
        for input in &seeds {
            let _witness = Witness(name, input);
            target(input);
        }
        for _ in 0..made {
            let mut input = seeds[numbers.below(seeds.len())].clone();
            mutate(&mut input, &seeds, &mut numbers);
            let _witness = Witness(name, &input);
            target(&input);
        }
        let seconds = start.elapsed().as_secs_f32();
        println!("{name}: {} inputs and {made} made of them, {seconds:.1} s", seeds.len());
    }
}

fn pack(folder: &str, name: &str, most: usize) {
    let entries = std::fs::read_dir(folder).expect("list the corpus");
    let mut lines: Vec<Vec<u8>> = entries
        .map(|entry| line(&std::fs::read(entry.expect("an entry").path()).expect("read an input")))
        .collect();
    lines.sort_by_key(|line| (line.len(), line.clone()));
    let there = std::fs::read(file_of(name)).unwrap_or_default();
    let known: Vec<&[u8]> = there.split_inclusive(|byte| *byte == b'\n').collect();
    lines.retain(|line| !known.contains(&line.as_slice()));
    let mut left = most;
    lines.retain(|line| {
        let fits = line.len() <= left;
        left -= if fits { line.len() } else { 0 };
        fits
    });
    std::fs::write(file_of(name), [there, lines.concat()].concat()).expect("write the inputs");
}

fn unpack(folder: &str) {
    for (name, _) in TARGETS {
        let folder = Path::new(folder).join(name);
        std::fs::create_dir_all(&folder).expect("make the corpus");
        for (number, input) in seeds(name).iter().enumerate() {
            std::fs::write(folder.join(number.to_string()), input).expect("write an input");
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => run(None),
        [target] => run(Some(target)),
        ["pack", folder, target, most] => pack(folder, target, most.parse().expect("a number")),
        ["unpack", folder] => unpack(folder),
        _ => panic!("smoke [TARGET], smoke pack FOLDER TARGET MOST, smoke unpack FOLDER"),
    }
}

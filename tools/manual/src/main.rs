//! `unshared-manual`: makes the man pages and the completions from the help texts.
//!
//! It runs where the program is installed from, never on a user's machine. What it reads is what the
//! program prints (help/, init/help), by a grammar that it holds those texts to: what a man page or a
//! completion has, the help has, and the other way round.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod bash;
mod date;
mod fish;
mod kind;
mod man;
mod page;
mod source;
#[cfg(test)]
mod tests;
mod zsh;

use man::File;
use page::Page;
use source::PARTS;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.as_slice() {
        [out] => write(Path::new(out), &PARTS),
        [out, parts] => {
            let parts: Vec<&str> =
                parts.split([',', ' ']).filter(|part| !part.is_empty()).collect();
            write(Path::new(out), &parts)
        }
        _ => Err("usage: unshared-manual DIRECTORY [PARTS]".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("unshared-manual: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// All pages of a build with those parts: first what the program prints, then that with what only the
/// man pages have.
fn read(parts: &[&str]) -> Result<Vec<Page>, String> {
    if let Some(wrong) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {wrong}"));
    }
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let has = |part: &str| parts.contains(&part);
    let init = fs::read_to_string(house.join("init/help")).map_err(|error| error.to_string())?;
    let init: String = init
        .split_inclusive('\n')
        .filter(|line| has("services") || !line.starts_with("  --services"))
        .collect();
    let texts = |reader| -> Result<String, String> {
        Ok(source::pages(&house.join("help"), has, reader)? + "\0init\n" + &init)
    };
    page::check_size(&texts(source::Reader::Terminal)?)?;
    page::parse_all(&texts(source::Reader::Manual)?)
}

/// Writes all files, where a system has them below its `share`.
fn write(out: &Path, parts: &[&str]) -> Result<(), String> {
    let pages = read(parts)?;
    let mut files: Vec<(PathBuf, File)> = man::files(&pages, &date::of_build()?);
    let completions = Path::new("bash-completion/completions");
    files.push((completions.join("unshared-cli"), File::Text(bash::script(&pages))));
    // The same script, where bash-completion looks for it by name.
    files.push((completions.join("unshared-init"), File::Link("unshared-cli".to_owned())));
    files.push(("zsh/site-functions/_unshared-cli".into(), File::Text(zsh::script(&pages))));
    for (program, script) in fish::scripts(&pages) {
        let path = format!("fish/vendor_completions.d/{program}.fish").into();
        files.push((path, File::Text(script)));
    }
    for (name, file) in files {
        let path = out.join(name);
        put(&path, &file).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn put(path: &Path, file: &File) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    // What an earlier run has left.
    let _ = fs::remove_file(path);
    match file {
        File::Text(text) => fs::write(path, text),
        File::Link(target) => std::os::unix::fs::symlink(target, path),
    }
}

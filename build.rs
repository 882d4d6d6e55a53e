//! The version string: the package's version, and the git revision where there is one. The help
//! texts, without what the build does not have.
use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "tools/manual/src/source.rs"]
mod source;

fn main() -> Result<(), Box<dyn Error>> {
    // The fuzzers' package shares this script, from a folder of its own.
    let help = ["help", "../help"].map(Path::new).into_iter().find(|help| help.exists());
    let help = help.ok_or("no folder help")?;
    println!("cargo:rerun-if-changed={}", help.display());
    println!("cargo:rerun-if-changed=tools/manual/src/source.rs");
    let has = |part: &str| env::var_os(format!("CARGO_FEATURE_{}", part.to_uppercase())).is_some();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("help"), source::pages(help, has, source::Reader::Terminal)?)?;
    std::fs::write(out.join("absent"), source::absent(help, has)?)?;
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs");
    // Without a .git of our own, git would describe whatever repository lies around us.
    let revision = Path::new(".git").exists().then(describe).flatten();
    let version = env!("CARGO_PKG_VERSION");
    match revision.as_deref().map(str::trim) {
        Some(revision) if !revision.is_empty() => {
            println!("cargo:rustc-env=UNSHARED_VERSION={version} ({revision})");
        }
        _ => println!("cargo:rustc-env=UNSHARED_VERSION={version}"),
    }
    Ok(())
}

fn describe() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

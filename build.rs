//! The version string: the package's version, and the git revision where there is one.
use std::path::Path;
use std::process::Command;

fn main() {
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
}

fn describe() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

//! Against the host's own programs.
use super::*;

fn settings() -> Settings {
    Settings {
        path: b"/usr/bin:/bin".to_vec(),
        term: b"xterm".to_vec(),
        nsswitch: b"passwd: files\n".to_vec(),
    }
}

fn closure_of(program: &str) -> (Vec<String>, Vec<String>) {
    let (view, settings) = (View::open(b"/").unwrap(), settings());
    let mut closure = Closure::new(&view, &settings);
    let program = closure.in_path(program.as_bytes()).unwrap();
    closure.program(&program, "program", b"");
    let text = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
    (
        closure.entries.iter().map(|entry| text(&entry.path)).collect(),
        closure.missing.iter().map(|missing| text(&missing.name)).collect(),
    )
}

#[test]
fn the_shell_is_complete() {
    let (paths, missing) = closure_of("sh");
    assert!(missing.is_empty(), "{missing:?}");
    let unique: std::collections::BTreeSet<_> = paths.iter().collect();
    assert_eq!(unique.len(), paths.len(), "each path is there once: {paths:?}");
    // Each link comes before what it leads to can be needed.
    for path in &paths {
        assert!(std::fs::symlink_metadata(path).is_ok(), "{path}");
    }
    if cfg!(target_env = "gnu") {
        assert!(paths.iter().any(|path| path.ends_with("libc.so.6")), "{paths:?}");
    }
}

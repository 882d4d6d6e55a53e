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

#[test]
fn a_program_that_is_not_there_is_missing_and_says_by_which_link() {
    let root = std::env::temp_dir().join(format!("unshared-why-{}", std::process::id()));
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::os::unix::fs::symlink("/lib/erl", root.join("bin/erl")).unwrap();
    std::fs::write(root.join("bin/script"), "#!/bin/none\n").unwrap();
    let view = View::open(root.as_os_str().as_encoded_bytes()).unwrap();
    let why = |program: &[u8]| super::why(&view, program, &settings(), "box").unwrap();
    assert_eq!(
        why(b"/bin/erl"),
        "/bin/erl is a link to /lib/erl, which is not in the root; \
         unshared-cli make-root box --bin erl brings it in"
    );
    assert_eq!(
        why(b"/bin/script"),
        "the interpreter /bin/none, which /bin/script needs, is not in the root; \
         unshared-cli make-root box --bin /bin/script brings it in"
    );
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_program_alone_in_a_root_lacks_its_loader_and_then_its_library() {
    if !cfg!(target_env = "gnu") {
        return;
    }
    let root = std::env::temp_dir().join(format!("unshared-alone-{}", std::process::id()));
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy("/bin/sh", root.join("bin/sh")).unwrap();
    let view = View::open(root.as_os_str().as_encoded_bytes()).unwrap();
    let why = || super::why(&view, b"/bin/sh", &settings(), "box").unwrap();
    let text = why();
    assert!(text.starts_with("the loader /lib"), "{text}");
    assert!(text.contains(", which /bin/sh needs, is not in the root; "), "{text}");
    let loader = text.strip_prefix("the loader /").unwrap().split(',').next().unwrap();
    std::fs::create_dir_all(root.join(loader).parent().unwrap()).unwrap();
    std::fs::copy(std::path::Path::new("/").join(loader), root.join(loader)).unwrap();
    let text = why();
    assert!(text.starts_with("the library lib"), "{text}");
    assert!(text.ends_with("unshared-cli make-root box --bin /bin/sh brings it in"), "{text}");
    std::fs::remove_dir_all(root).unwrap();
}

//! Of roots that are made here; against the host's own programs.
use super::*;

fn settings() -> Settings {
    Settings { path: b"/usr/bin:/bin".to_vec(), ..Settings::default() }
}

#[test]
fn a_program_that_is_not_there_is_missing_and_says_by_which_link() {
    let root = std::env::temp_dir().join(format!("unshared-why-{}", std::process::id()));
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::os::unix::fs::symlink("/lib/erl", root.join("bin/erl")).unwrap();
    std::fs::write(root.join("bin/script"), "#!/bin/none\n").unwrap();
    let view = View::open(root.as_os_str().as_encoded_bytes()).unwrap();
    let why = |program: &[u8]| of(&view, program, &settings(), |_| true).unwrap();
    assert_eq!(why(b"/bin/erl").text(), "/bin/erl is a link to /lib/erl, which is not in the root");
    assert_eq!(
        why(b"/bin/script").text(),
        "the interpreter /bin/none, which /bin/script needs, is not in the root"
    );
    assert_eq!(why(b"/bin/script").remedy(b"box"), None);
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
    let why = || of(&view, b"/bin/sh", &settings(), |_| true).unwrap();
    let text = why().text();
    assert!(text.starts_with("the loader /lib"), "{text}");
    assert!(text.contains(", which /bin/sh needs, is not in the root"), "{text}");
    let loader = text.strip_prefix("the loader /").unwrap().split(',').next().unwrap();
    std::fs::create_dir_all(root.join(loader).parent().unwrap()).unwrap();
    std::fs::copy(std::path::Path::new("/").join(loader), root.join(loader)).unwrap();
    let text = why().text();
    assert!(text.starts_with("the library lib"), "{text}");
    let remedy = why().remedy(b"my box");
    assert_eq!(
        remedy.as_deref(),
        Some("unshared-cli make-root 'my box' --bin /bin/sh brings it in")
    );
    std::fs::remove_dir_all(root).unwrap();
}

//! A root, and beside it a folder that must stay empty.
use super::*;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder with a root in it, and what is beside the root.
fn made(name: &str, test: impl Fn(&std::path::Path, &mut Target)) {
    let base = std::env::temp_dir().join(format!("unshared-{name}-{}", std::process::id()));
    let root = base.join("root");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(base.join("outside")).unwrap();
    let mut target = Target::open(root.as_os_str().as_encoded_bytes()).unwrap();
    test(&root, &mut target);
    assert_eq!(std::fs::read_dir(base.join("outside")).unwrap().count(), 0);
    std::fs::remove_dir_all(base).unwrap();
}

#[test]
fn no_link_leads_out_of_the_root() {
    made("out", |root, target| {
        symlink("../outside", root.join("relative")).unwrap();
        symlink(root.parent().unwrap().join("outside"), root.join("absolute")).unwrap();
        target.text(b"/relative/a", b"1").unwrap();
        target.text(b"/absolute/a", b"2").unwrap();
        target.text(b"/../../outside/b", b"3").unwrap();
        assert_eq!(std::fs::read(root.join("outside/a")).unwrap(), b"1");
        assert_eq!(std::fs::read(root.join("outside/b")).unwrap(), b"3");
    });
}

#[test]
fn the_walk_by_hand_arrives_where_openat2_does() {
    made("walk", |root, target| {
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("/lib/../../..//usr", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for path in [&b"/"[..], b"/lib", b"/up", b"/up/lib", b"/lib/..", b"/../usr"] {
            let identity = |directory: &OwnedFd| rustix::fs::fstat(directory).unwrap().st_ino;
            let walked = identity(&target.walk(path, true).unwrap());
            target.last = None;
            assert_eq!(walked, identity(&target.directory(path).unwrap()), "{path:?}");
        }
        assert_eq!(target.walk(b"/loop", true).err(), Some(Errno::LOOP));
    });
}

#[test]
fn no_link_that_comes_while_we_walk_leads_out_either() {
    made("race", |root, target| {
        let (outside, done) = (root.parent().unwrap().join("outside"), AtomicBool::new(false));
        let (way, aside) = (root.join("way"), root.join("aside"));
        std::fs::create_dir(&way).unwrap();
        symlink(&outside, &aside).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let exchange = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(CWD, &way, CWD, &aside, exchange).unwrap();
                }
            });
            for round in 0..2000 {
                target.last = None;
                // It may fail, and it may be inside; nothing is outside (see `made`).
                let _ = target.text(b"/way/file", b"text");
                if round % 2 == 0 {
                    let _ = target.walk(b"/way/deeper/still", true);
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_link_that_is_replaced_is_not_written_through() {
    made("replace", |root, target| {
        std::fs::write(root.join("old"), "old").unwrap();
        symlink("old", root.join("name")).unwrap();
        target.text(b"/name", b"new").unwrap();
        assert_eq!(std::fs::read(root.join("old")).unwrap(), b"old");
        assert_eq!(std::fs::read(root.join("name")).unwrap(), b"new");
        target.link(b"/name", b"old").ok().unwrap();
        assert_eq!(std::fs::read(root.join("name")).unwrap(), b"old");
    });
}

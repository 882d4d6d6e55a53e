//! docs/coming-from.md: every command of ours that it names is taken as it stands there.
use crate::common::root;

/// The commands in the right column, placeholders filled in.
fn commands() -> Vec<String> {
    let page = include_str!("../docs/coming-from.md");
    let ours = page.lines().filter_map(|line| line.strip_prefix('|')?.rsplit(" | ").next());
    let quoted = ours.flat_map(|column| column.split('`').skip(1).step_by(2));
    let filled = |text: &str| text.replace("CMD", "true").replace("FILE", "/dev/null");
    quoted.map(filled).filter(|text| text.starts_with("unshared-")).collect()
}

#[test]
fn every_spawn_of_the_page_is_read() {
    let spawns: Vec<_> = commands()
        .iter()
        .filter_map(|text| text.strip_prefix("unshared-cli spawn ").map(String::from))
        .collect();
    assert!(spawns.len() > 35, "{spawns:?}");
    for words in spawns {
        // Read and checked, but without a look at the host, on which nothing of it need be there.
        let outcome = root(&format!("$CLI spawn --dump-config {words}"));
        assert_eq!((outcome.status, outcome.err.as_str()), (Some(0), ""), "{words}: {outcome:?}");
    }
}

#[test]
fn every_init_of_the_page_runs_its_command() {
    let inits: Vec<_> = commands()
        .iter()
        .filter_map(|text| text.strip_prefix("unshared-init ").map(String::from))
        .collect();
    assert_eq!(inits.len(), 5, "{inits:?}");
    for words in inits {
        root(&format!("unshare --pid --fork $INIT {words}")).prints("");
    }
}

#[test]
fn every_other_command_of_the_page_is_understood() {
    let others: Vec<_> = commands()
        .into_iter()
        .filter_map(|text| text.strip_prefix("unshared-cli ").map(String::from))
        .filter(|text| !text.starts_with("spawn "))
        .collect();
    assert!(others.len() >= 10, "{others:?}");
    for words in others {
        let words = words.replace("/etc/service", "/run");
        // Where nothing is that could be meant; a wrong command line would be answered by the way to help.
        let outcome = root(&format!(
            "unshare --mount --net --pid --fork --mount-proc sh -c \"mount -t tmpfs none /run && \
             UNSHARED_STATE=/run exec timeout 1 $CLI {words}\""
        ));
        assert!(!outcome.err.contains("unshared-cli help"), "{words}: {outcome:?}");
        assert!(outcome.err.lines().count() <= 1, "{words}: {outcome:?}");
    }
}

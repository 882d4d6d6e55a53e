//! README.md: its session is what happens.
use crate::common::nobody;

/// The commands of the session, each with what it prints.
fn session() -> Vec<(String, String)> {
    let page = include_str!("../README.md");
    let block = page.split("```console\n").nth(1).unwrap().split("```").next().unwrap();
    let mut session: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => session.push((command.to_owned(), String::new())),
            None => session.last_mut().unwrap().1 += &format!("{line}\n"),
        }
    }
    session
}

#[test]
fn the_session_of_the_readme_is_what_happens() {
    let session = session();
    assert!(session.len() >= 6, "{session:?}");
    for (command, expected) in session {
        // Called by the name that it has in a PATH, which is here and there another.
        let outcome = nobody(&format!(
            "PATH=/usr/local/bin:/usr/bin:/bin\n\
             unshared-cli() {{ (exec -a unshared-cli \"$CLI\" \"$@\"); }}\n\
             {{ {command}\n}} 2>&1"
        ));
        let outcome = outcome.ends_with(0);
        // A page has no blanks at the end of its lines.
        let shown: Vec<&str> = outcome.out.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = expected.lines().collect();
        assert_eq!(shown, expected, "{command}");
    }
}

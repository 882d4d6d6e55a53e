//! The shell blocks of README.md and docs/, run as they stand.
//!
//! A ```console block is run: by an ordinary user where its first prompt is `$`, by root where it is `#`, in
//! a mount namespace whose /run and /var are empty, whose /usr/local/bin has the programs, whose /boot has
//! an initrd.img with a shell, and a network of its own. What follows on a command is what it prints, on
//! both streams; numbers and the width of spaces do not count, and a line `...` stands for any lines. A
//! block that cannot be run here is ```sh, and says why behind that word.
use crate::common::{dist, nobody, root};
use std::fs;
use std::path::{Path, PathBuf};

/// README.md and the pages of docs/.
fn pages() -> Vec<PathBuf> {
    let house = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> =
        fs::read_dir(house.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|kind| kind == "md"));
    pages.push(house.join("README.md"));
    pages.sort();
    pages
}

struct Fence {
    /// File and line.
    place: String,
    info: String,
    text: String,
}

fn fences() -> Vec<Fence> {
    let mut fences = Vec::new();
    for page in pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&page).unwrap();
        let mut open: Option<Fence> = None;
        for (line, number) in text.lines().zip(1..) {
            match (line.strip_prefix("```"), open.take()) {
                (Some(_), Some(fence)) => fences.push(fence),
                (Some(info), None) => {
                    let place = format!("{name}:{number}");
                    open = Some(Fence { place, info: info.to_owned(), text: String::new() });
                }
                (None, Some(mut fence)) => {
                    fence.text += line;
                    fence.text.push('\n');
                    open = Some(fence);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block without its end");
    }
    fences
}

/// The commands of a block, each with the lines that it prints.
fn commands(fence: &Fence, prompt: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in fence.text.lines() {
        if let Some(command) = line.strip_prefix(prompt) {
            commands.push((command.to_owned(), Vec::new()));
        } else {
            let last = commands.last_mut();
            last.unwrap_or_else(|| panic!("{}: output of nothing", fence.place))
                .1
                .push(line.to_owned());
        }
    }
    commands
}

/// A line without what differs from run to run.
fn plain(line: &str) -> String {
    let line: String =
        line.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let mut line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    while line.contains("00") {
        line = line.replace("00", "0");
    }
    line
}

/// Whether the lines are as they were said to be.
fn fit(expected: &[String], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => {
            (0..=printed.len()).any(|skipped| fit(rest, &printed[skipped..]))
        }
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, others)| plain(first) == plain(line) && fit(rest, others)),
    }
}

/// Programs by their names, and the shell of an ordinary user's block.
fn script_of(text: &str) -> String {
    format!(
        "PATH=/usr/local/bin:/usr/bin:/bin; export PATH\n\
         for name in unshared-cli unshared-init; do \
         eval \"$name() {{ (exec -a $name {}/$name \\\"\\$@\\\"); }}\"; done\n{text}",
        dist().display()
    )
}

/// What a block of root's finds.
const HOST: &str = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
for place in /var /run /boot /usr/local/bin; do mount -t tmpfs tmpfs $place; done
cp $CLI $INIT /usr/local/bin
mkdir -p /run/image/bin
cp /bin/busybox /run/image/bin
ln -s busybox /run/image/bin/sh
(cd /run/image; find . | cpio --quiet -o -H newc | gzip >/boot/initrd.img)
rm -r /run/image
";

#[test]
fn every_console_block_prints_what_it_says() {
    let mut count = 0;
    for fence in fences() {
        if fence.info != "console" {
            continue;
        }
        let is_user = fence.text.starts_with("$ ");
        let commands = commands(&fence, if is_user { "$ " } else { "# " });
        let mut text = String::from("cd /tmp\n");
        if !is_user {
            text = format!("{HOST}{text}");
        }
        for (command, _) in &commands {
            text += &format!("{{ {command}\n}} 2>&1; printf '\\001'\n");
        }
        let outcome = match is_user {
            true => nobody(&script_of(&text)),
            false => root(&format!(
                "unshare --mount --net bash -c \"$(cat <<'END_OF_BLOCK'\n{text}\nEND_OF_BLOCK\n)\""
            )),
        };
        let printed: Vec<&str> = outcome.out.split('\u{1}').collect();
        assert_eq!(printed.len(), commands.len() + 1, "{}: {outcome:?}", fence.place);
        for ((command, expected), printed) in commands.iter().zip(printed) {
            let lines: Vec<&str> = printed.lines().collect();
            assert!(fit(expected, &lines), "{}: {command}\n{printed}", fence.place);
            count += 1;
        }
    }
    assert!(count > 10, "{count} commands");
}

#[test]
fn a_block_that_is_not_run_says_why_and_no_block_is_hidden() {
    for fence in fences() {
        let (kind, why) = fence.info.split_once(' ').unwrap_or((&fence.info, ""));
        match kind {
            "console" | "rust" | "ini" | "text" => assert_eq!(why, "", "{}", fence.place),
            "sh" => assert!(why.len() > 5, "{}: why is it not run?", fence.place),
            other => panic!("{}: no kind of block: {other:?}", fence.place),
        }
    }
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (line, number) in text.lines().zip(1..) {
            let command = line.strip_prefix("    ").unwrap_or_default();
            let command = command.trim_start_matches(['$', '#', ' ']);
            assert!(
                !command.starts_with("unshared-") && !command.starts_with("make "),
                "{}:{number}: an indented block is not run: make it a fence",
                page.display()
            );
        }
    }
}

/// What is in backticks and begins with that word.
fn spans(text: &str, first: &str) -> Vec<String> {
    let pieces = text.split('`').skip(1).step_by(2);
    pieces.filter(|piece| piece.starts_with(first)).map(|piece| piece.replace("\\|", "|")).collect()
}

/// A command line that only says what it would do, with something in the place of what the reader has.
fn dry(command: &str) -> String {
    let command = command.replacen("unshared-cli spawn", "unshared-cli spawn --dry-run", 1);
    command
        .replace("COMMAND", "true")
        .replace("/srv/root", "/")
        .replace("--root IMAGE", "--root /")
        .replace("/var/data:/data", "/etc:/mnt")
        .replace("filter.bpf", "none")
}

#[test]
fn every_spawn_that_is_named_is_taken() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for command in spans(&text, "unshared-cli spawn ") {
            let command = command.replace('\n', " ").replace("/srv/inner", "/");
            // Beginnings of command lines, subordinate ids that root may not have, files of the reader's.
            if command.contains("...")
                || command.contains('…')
                || command.contains("--map-auto")
                || command.contains("data.ext4")
                || command.contains("--config")
                || command.contains("CMD")
                || !command.contains(" -- ")
            {
                continue;
            }
            let outcome = root(&script_of(&format!("cd /; {} >/dev/null", dry(&command))));
            assert_eq!(outcome.status, Some(0), "{}: {command}: {outcome:?}", page.display());
            count += 1;
        }
    }
    assert!(count > 35, "{count} commands");
}

#[test]
fn the_picture_is_of_the_session_in_the_readme() {
    let house = env!("CARGO_MANIFEST_DIR");
    root(&format!("python3 -B {house}/tools/recording --check")).prints("");
}

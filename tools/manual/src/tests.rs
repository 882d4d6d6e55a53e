//! The help texts of the program, held to their grammar, and what is made of them in real programs.
use super::*;
use page::Flag;
use std::process::{Command, Stdio};

/// Every build with one part, that with all, and that with none.
fn builds() -> Vec<Vec<&'static str>> {
    let each = PARTS.iter().map(|part| vec![*part]);
    each.chain([PARTS.to_vec(), Vec::new()]).collect()
}

/// A folder with all files, which is removed.
struct Share(PathBuf);

impl Share {
    fn new(name: &str, parts: &[&str]) -> Share {
        let path =
            std::env::temp_dir().join(format!("unshared-manual.{}.{name}", std::process::id()));
        write(&path, parts).unwrap();
        Share(path)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a program is there; where all must work it has to be.
fn has(program: &str) -> bool {
    let there = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
    if !there.status.success() {
        assert!(std::env::var_os("UNSHARED_MUST_WORK").is_none(), "{program} is not installed");
        eprintln!("skipped: {program} is not installed");
    }
    there.status.success()
}

/// Runs a script in a shell that never waits for a terminal; what it prints on both streams.
fn run(shell: &[&str], script: &str) -> String {
    let output = Command::new("timeout")
        .arg("30")
        .args(shell)
        .arg(script)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn all_flags(pages: &[Page], command: &str) -> Vec<Flag> {
    let page = pages.iter().find(|page| page.command() == command).unwrap();
    bash::flags_of(page, pages).into_iter().cloned().collect()
}

#[test]
fn every_help_text_of_every_build_keeps_to_the_grammar() {
    for parts in builds() {
        let pages = read(&parts).unwrap_or_else(|problem| panic!("{parts:?}: {problem}"));
        let has_network = pages.iter().any(|page| page.topic == "network");
        assert_eq!(has_network, parts.contains(&"network"));
    }
    assert!(read(&["nonsense"]).is_err());
}

#[test]
fn what_breaks_the_grammar_is_refused() {
    let whole = "\0x\nUsage: unshared-cli x\n\nDoes it.\n\n  -a, --all  all\n\nExample: x\n";
    assert!(page::parse_all(whole).is_ok());
    for (from, to) in [
        ("Usage: ", ""),
        ("Example: x\n", ""),
        ("Example: x\n", "Example: x\nExample: y\n"),
        ("--all  all", "--all"),
        ("--all  all", "--All  all"),
        ("-a, --all", "--, --all"),
        ("-a, --all", "-a --all"),
        ("-a, --all  all", "-a  all\n  -a  again"),
        ("\n\n  -a", "\n\n     -a"),
    ] {
        let broken = whole.replacen(from, to, 1);
        assert_ne!(broken, whole);
        assert!(page::parse_all(&broken).is_err(), "{broken}");
    }
    assert!(page::check_size(&format!("\0x\n{}", "y\n".repeat(24))).is_err());
    assert!(page::check_size(&format!("\0x\n{}", "y".repeat(81))).is_err());
}

#[test]
fn a_row_is_read_as_it_is_meant() {
    let text = "\0x\nUsage: x\n\n  -m, --mount[=FILE]  it\n  --to A|B  more\n      of it (repeatable)\n\nExample: x\n";
    let flags = all_flags(&page::parse_all(text).unwrap(), "x");
    let flag = |names: &[&str], value: &str, is_optional, is_repeatable, text: &str| Flag {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        value: value.to_owned(),
        is_optional,
        is_repeatable,
        text: text.to_owned(),
    };
    assert_eq!(
        flags,
        [
            flag(&["-m", "--mount"], "FILE", true, false, "it"),
            flag(&["--to"], "A|B", false, true, "more of it (repeatable)"),
        ]
    );
}

#[test]
fn mandoc_finds_nothing_wrong_with_any_man_page() {
    if !has("mandoc") {
        return;
    }
    for parts in builds() {
        let share = Share::new(&format!("man.{}", parts.join(".")), &parts);
        let script = "for page in \"$0\"/man/man?/*; do mandoc -Tlint \"$page\"; done; \
                      ls \"$0\"/man/man1 | wc -l";
        let output = run(&["sh", "-c"], &script.replace("$0", share.0.to_str().unwrap()));
        assert!(output.trim().parse::<u32>().is_ok_and(|count| count > 12), "{parts:?}: {output}");
    }
}

#[test]
fn a_man_page_has_every_option_of_the_help() {
    let pages = read(&PARTS).unwrap();
    for (path, file) in man::files(&pages, "2026-01-01") {
        let man::File::Text(text) = file else { continue };
        let name = path.file_stem().unwrap().to_str().unwrap();
        let command = match name {
            "unshared-cli" => "",
            "unshared-init" => "init",
            name => name.trim_start_matches("unshared-cli-"),
        };
        for flag in all_flags(&pages, command) {
            for name in flag.names {
                let bold = format!("\\fB{}\\fR", name.replace('-', "\\-"));
                assert!(text.contains(&bold), "{command}: {name}");
            }
        }
    }
}

#[test]
fn a_real_bash_completes() {
    let share = Share::new("bash", &PARTS);
    let script = r#"
        source "$SHARE/bash-completion/completions/unshared-init"
        # What the script asks the program.
        unshared-cli() { if [[ "$*" == "list -q" ]]; then printf 'web\ndb\n'; fi; }
        COMP_WORDS=($WORDS); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        if [[ "$WORDS" == *' ' ]]; then COMP_WORDS+=(''); COMP_CWORD=$((COMP_CWORD + 1)); fi
        _unshared_cli
        echo "${COMPREPLY[*]}"
    "#;
    for (words, expected) in [
        ("unshared-cli spa", "spawn"),
        ("unshared-cli --v", "--version"),
        ("unshared-cli spawn --hostn", "--hostname"),
        ("unshared-cli spawn --pid --die", "--die-with-parent"),
        ("unshared-cli spawn --restart ", "never on-failure always"),
        ("unshared-cli spawn --restart = on", "on-failure"),
        ("unshared-cli spawn --net = /etc/hostn", "/etc/hostname"),
        ("unshared-cli spawn --hostname --pid", ""),
        ("unshared-cli spawn --root /et", "/etc"),
        ("unshared-cli exec ", "web db"),
        ("unshared-cli attach w", "web"),
        ("unshared-cli stop web --gr", "--grace"),
        ("unshared-cli link web d", "db"),
        ("unshared-cli help spawn net", "network"),
        ("unshared-cli help make", "make-root"),
        ("unshared-cli service force-st", "force-stop"),
        ("unshared-cli signal web US", "USR1 USR2"),
        ("unshared-cli pack box --compress g", "gzip"),
        ("unshared-cli nonsense --x", ""),
        ("unshared-init --notif", "--notification-fd"),
        ("unshared-init --restart al", "always"),
    ] {
        let script = script.replace("$SHARE", share.0.to_str().unwrap()).replace("$WORDS", words);
        assert_eq!(run(&["bash", "-c"], &script).trim(), expected, "{words}");
    }
    // The command's own words: programs first, and then files, also where they look like options.
    for (words, one) in [
        ("unshared-cli spawn --pid -- tru", "true"),
        ("unshared-cli spawn --hostname x tru", "true"),
        ("unshared-cli exec web tru", "true"),
        ("unshared-cli forkn x tru", "true"),
        ("unshared-cli spawn -- ls /etc/passw", "/etc/passwd"),
        ("unshared-init -g -- tru", "true"),
    ] {
        let script = script.replace("$SHARE", share.0.to_str().unwrap()).replace("$WORDS", words);
        let output = run(&["bash", "-c"], &script);
        assert!(output.split_ascii_whitespace().any(|word| word == one), "{words}: {output}");
    }
}

#[test]
fn a_real_fish_completes() {
    if !has("fish") {
        return;
    }
    let share = Share::new("fish", &PARTS);
    let mut script = String::new();
    for program in ["unshared-cli", "unshared-init"] {
        let path = share.0.join(format!("fish/vendor_completions.d/{program}.fish"));
        script += &format!("source {}; ", path.display());
    }
    script += "complete -C 'unshared-cli spaw'; complete -C 'unshared-cli spawn --hostn'; \
               complete -C 'unshared-cli spawn --restart on'; complete -C 'unshared-init --gra'";
    let output = run(&["fish", "-N", "-c"], &script);
    let first: Vec<&str> =
        output.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
    assert_eq!(first, ["spawn", "--hostname", "on-failure", "--grace"], "{output}");
}

#[test]
fn a_real_zsh_completes() {
    if !has("zsh") {
        return;
    }
    let share = Share::new("zsh", &PARTS);
    // zsh completes on a terminal alone: one of its own, by zsh/zpty.
    let script = r#"
        zmodload zsh/zpty
        zpty -b shell zsh -f -i
        send() { zpty -w shell "$1" }
        send 'PS1=; unsetopt zle_bracketed_paste; fpath=($SHARE/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D; LISTMAX=1000; print READY'
        zpty -r shell text '*READY*READY*'
        zpty -n -w shell $'unshared-cli spawn --hostn\t\n'
        zpty -n -w shell $'unshared-cli spaw\t--restart alw\t\n'
        # Put together by the shell, so that what the terminal echoes is not it.
        zpty -n -w shell $'print DO""NE\n'
        zpty -r shell text '*DONE*'
        print -r -- $text
    "#;
    let output = run(&["zsh", "-f", "-c"], &script.replace("$SHARE", share.0.to_str().unwrap()));
    // Without what colours it.
    let plain: Vec<&str> = output
        .split("\u{1b}[")
        .map(|piece| {
            piece.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == 'm')
        })
        .collect();
    let plain = plain.concat();
    assert!(plain.contains("spawn --hostname"), "{plain}");
    assert!(plain.contains("--restart always"), "{plain}");
}

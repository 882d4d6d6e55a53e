//! Completion for fish(1).
use crate::bash::flags_of;
use crate::kind::{self, Kind};
use crate::page::{Flag, Page};

/// One script for each program, with its name.
pub(crate) fn scripts(pages: &[Page]) -> Vec<(&'static str, String)> {
    let mut cli =
        "# Made from the help texts of unshared-cli.\ncomplete -c unshared-cli -f\n".to_owned();
    let mut init =
        "# Made from the help text of unshared-init.\ncomplete -c unshared-init -f\n".to_owned();
    let first = pages.iter().filter(|page| page.topic.is_empty() && !page.command().is_empty());
    for page in first {
        let summary = quote(&page.summary());
        for name in &page.commands {
            cli += &format!(
                "complete -c unshared-cli -n __fish_use_subcommand -a {name} -d {summary}\n"
            );
        }
        let names = page.commands.join(" ");
        let seen = format!("complete -c unshared-cli -n '__fish_seen_subcommand_from {names}'");
        cli += &of_page(page, pages, &seen, 2);
        if page.command() == "init" {
            init += &of_page(page, pages, "complete -c unshared-init", 1);
        }
    }
    vec![("unshared-cli", cli), ("unshared-init", init)]
}

/// Every line begins with `start`; a command's own words follow behind so many.
fn of_page(page: &Page, pages: &[Page], start: &str, skip: usize) -> String {
    let mut out = String::new();
    for flag in flags_of(page, pages) {
        out += &format!("{start}{}\n", option(flag));
    }
    out += &format!("{start} -l help -d 'explain it'\n");
    for kind in kind::of_words(page, pages) {
        match kind {
            Kind::Command => {
                out += &format!("{start} -x -a '(__fish_complete_subcommand --fcs-skip={skip})'\n");
            }
            kind => {
                if let Some(offered) = offered(&kind) {
                    out += &format!("{start} -x -a {}\n", quote(&offered));
                }
            }
        }
    }
    out
}

fn option(flag: &Flag) -> String {
    let mut out = String::new();
    for name in &flag.names {
        match name.strip_prefix("--") {
            Some(long) => out += &format!(" -l {long}"),
            None => out += &format!(" -s {}", name.trim_start_matches('-')),
        }
    }
    let kind = kind::of_value(&flag.value);
    // Where a value may be left out, fish offers it after "=" by itself.
    if !flag.value.is_empty() && !flag.is_optional {
        match offered(&kind) {
            Some(offered) => out += &format!(" -x -a {}", quote(&offered)),
            None if kind == Kind::File => out += " -r -F",
            None => out += " -x",
        }
    }
    out + &format!(" -d {}", quote(&flag.text))
}

fn offered(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Nothing | Kind::File => None,
        Kind::Directory => Some("(__fish_complete_directories)".to_owned()),
        Kind::Root => Some(
            "(__fish_complete_directories) (command ls (path dirname (unshared-cli get-root any)) 2>/dev/null)"
                .to_owned(),
        ),
        Kind::Instance => Some("(unshared-cli list -q 2>/dev/null)".to_owned()),
        Kind::Link => Some("(__fish_print_interfaces)".to_owned()),
        Kind::Signal => Some("HUP INT QUIT KILL USR1 USR2 TERM CONT STOP TSTP WINCH".to_owned()),
        Kind::Service => Some("(command ls (set -q SVDIR; and echo $SVDIR; or echo /etc/service) 2>/dev/null)".to_owned()),
        Kind::Command => Some("(__fish_complete_command)".to_owned()),
        Kind::Words(words) => Some(words.join(" ")),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

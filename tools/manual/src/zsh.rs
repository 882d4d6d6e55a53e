//! Completion for zsh(1), by `_arguments`.
use crate::bash::flags_of;
use crate::kind::{self, Kind};
use crate::page::{Flag, Page};

const START: &str = r#"#compdef unshared-cli unshared-init
# Made from the help texts of unshared-cli.

_unshared_cli_instances() {
    local -a names=(${(f)"$(_call_program instances unshared-cli list -q 2>/dev/null)"})
    compadd -a names
}
_unshared_cli_roots() {
    local root="$(_call_program roots unshared-cli get-root any 2>/dev/null)"
    local -a names=(${root:h}/*(N/:t))
    _alternative 'roots:root:compadd -a names' 'directories:directory:_directories'
}
_unshared_cli_services() {
    local -a names=(${SVDIR:-/etc/service}/*(N:t))
    compadd -a names
}
"#;

pub(crate) fn script(pages: &[Page]) -> String {
    let mut out = format!("{START}\n_unshared-cli() {{\n    local -a commands=(\n");
    let first: Vec<&Page> =
        pages.iter().filter(|page| page.topic.is_empty() && !page.command().is_empty()).collect();
    for page in &first {
        for name in &page.commands {
            out += &format!("        {}\n", quote(&format!("{name}:{}", page.summary())));
        }
    }
    out += r#"    )
    local command
    if [[ $service == unshared-init ]]; then
        command=init
    elif (( CURRENT == 2 )); then
        _describe command commands
        return
    else
        command=$words[2]
        shift words
        (( CURRENT-- ))
    fi
    case $command in
"#;
    for page in first {
        out += &format!("    {})\n        _arguments -s -S :", page.commands.join("|"));
        for flag in flags_of(page, pages) {
            out += &format!(" \\\n            {}", specification(flag));
        }
        out += " \\\n            '(- *)--help[explain it]'";
        for spec in words(&kind::of_words(page, pages)) {
            out += &format!(" \\\n            {}", quote(&spec));
        }
        out += " ;;\n";
    }
    out + "    esac\n}\n\n_unshared-cli \"$@\"\n"
}

fn words(kinds: &[Kind]) -> Vec<String> {
    let last = kinds.len();
    let specs = kinds.iter().zip(1..).map(|(kind, place)| match kind {
        Kind::Command => "*::command:_normal".to_owned(),
        kind if place == last => format!("*:word:{}", action(kind)),
        kind => format!("{place}:word:{}", action(kind)),
    });
    specs.collect()
}

fn specification(flag: &Flag) -> String {
    let text =
        flag.text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
    let label = flag.value.replace(':', "\\:");
    let value = match (flag.value.is_empty(), flag.is_optional) {
        (true, _) => String::new(),
        (false, true) => format!("::{label}:{}", action(&kind::of_value(&flag.value))),
        (false, false) => format!(":{label}:{}", action(&kind::of_value(&flag.value))),
    };
    let excluded = match flag.is_repeatable {
        true => "*".to_owned(),
        false => format!("({})", flag.names.join(" ")),
    };
    let specs = flag.names.iter().map(|name| {
        let is_long = name.starts_with("--");
        let sign = match (flag.value.is_empty(), flag.is_optional, is_long) {
            (true, _, _) | (false, false, false) => "",
            (false, true, true) => "=-",
            (false, false, true) => "=",
            // The letter takes no file.
            (false, true, false) => return quote(&format!("{excluded}{name}[{text}]")),
        };
        quote(&format!("{excluded}{name}{sign}[{text}]{value}"))
    });
    specs.collect::<Vec<_>>().join(" \\\n            ")
}

fn action(kind: &Kind) -> String {
    match kind {
        Kind::Nothing => " ".to_owned(),
        Kind::File => "_files".to_owned(),
        Kind::Directory => "_directories".to_owned(),
        Kind::Root => "_unshared_cli_roots".to_owned(),
        Kind::Instance => "_unshared_cli_instances".to_owned(),
        Kind::Link => "_net_interfaces".to_owned(),
        Kind::Signal => "_signals".to_owned(),
        Kind::Service => "_unshared_cli_services".to_owned(),
        Kind::Command => "_command_names -e".to_owned(),
        Kind::Words(words) => format!("({})", words.join(" ")),
    }
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

//! Completion for bash(1), which needs nothing of the package bash-completion.
use crate::kind::{self, Kind};
use crate::page::{Flag, Page};

/// What walks over the words; what it asks is answered by `_unshared_cli_of`, made from the pages.
const ENGINE: &str = r#"# bash completion for unshared-cli and unshared-init; made from their help texts.

_unshared_cli_offer() {
    local words
    case $1 in
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    root)
        if [[ $cur == */* ]]; then _unshared_cli_offer directory; return; fi
        words=$(unshared-cli get-root any 2>/dev/null)
        words=$(command ls -- "${words%/*}" 2>/dev/null) ;;
    instance) words=$(unshared-cli list -q 2>/dev/null) ;;
    link) words=$(command ls /sys/class/net 2>/dev/null) ;;
    signal) words="HUP INT QUIT KILL USR1 USR2 TERM CONT STOP TSTP WINCH" ;;
    service) words=$(command ls -- "${SVDIR:-/etc/service}" 2>/dev/null) ;;
    command) mapfile -t COMPREPLY < <(compgen -c -- "$cur"); return ;;
    words) shift; words=$* ;;
    *) return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

_unshared_cli() {
    local cur=${COMP_WORDS[COMP_CWORD]} first=2 command=${COMP_WORDS[1]}
    local flags= takes= kinds=() kind= option= last= count=0 i word
    COMPREPLY=()
    if [[ ${COMP_WORDS[0]##*/} == unshared-init ]]; then
        command=init first=1
    elif ((COMP_CWORD == 1)); then
        _unshared_cli_offer words "$_unshared_cli_commands --help --version"
        return
    fi
    _unshared_cli_of "$command"
    for ((i = first; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = ]]; then
            option=$last
        elif [[ -n $option ]]; then
            option=
        elif [[ $word == -- ]]; then
            # What follows is a command.
            while ((count < ${#kinds[@]})) && [[ ${kinds[count]} != command ]]; do ((count++)); done
            ((i++))
            break
        elif [[ $word == -* ]]; then
            last=$word
            if [[ $takes == *" $word "* ]]; then option=$word; fi
        elif [[ ${kinds[count]} == command ]]; then
            break
        else
            ((count++))
        fi
    done
    if [[ ${kinds[count]} == command ]] && ((i < COMP_CWORD)); then
        # The command's own words.
        if declare -F _command_offset >/dev/null; then _command_offset "$i"; else _unshared_cli_offer file; fi
        return
    fi
    if [[ $cur == = ]]; then cur= option=$last; fi
    if [[ -n $option ]]; then
        _unshared_cli_value "$command" "$option"
    elif [[ $cur == -* && $word != -- ]]; then
        kind="words $flags"
    elif ((${#kinds[@]})); then
        kind=${kinds[count < ${#kinds[@]} ? count : ${#kinds[@]} - 1]}
    fi
    # shellcheck disable=SC2086
    _unshared_cli_offer $kind
}

complete -F _unshared_cli unshared-cli unshared-init
"#;

pub(crate) fn script(pages: &[Page]) -> String {
    let mut of = String::new();
    let mut values = String::new();
    for page in pages.iter().filter(|page| page.topic.is_empty() && !page.command().is_empty()) {
        let flags = flags_of(page, pages);
        let names: Vec<&str> = names(flags.iter().copied()).collect();
        let takes =
            flags.iter().copied().filter(|flag| !flag.value.is_empty() && !flag.is_optional);
        let takes: Vec<&str> = crate::bash::names(takes).collect();
        let kinds: Vec<String> =
            kind::of_words(page, pages).iter().map(|kind| format!("\"{}\"", word(kind))).collect();
        of += &format!(
            "    {}) flags=\"{} --help\" takes=\" {} \" kinds=({}) ;;\n",
            page.commands.join("|"),
            names.join(" "),
            takes.join(" "),
            kinds.join(" "),
        );
        for flag in flags.iter().filter(|flag| kind::of_value(&flag.value) != Kind::Nothing) {
            for command in &page.commands {
                let patterns: Vec<String> =
                    flag.names.iter().map(|name| format!("\"{command} {name}\"")).collect();
                let kind = word(&kind::of_value(&flag.value));
                values += &format!("    {}) kind=\"{kind}\" ;;\n", patterns.join("|"));
            }
        }
    }
    format!(
        "{ENGINE}\n_unshared_cli_commands=\"{}\"\n\n_unshared_cli_of() {{\n    case $1 in\n{of}    esac\n}}\n\n\
         _unshared_cli_value() {{\n    case \"$1 $2\" in\n{values}    esac\n}}\n",
        kind::commands(pages).join(" "),
    )
}

/// The options of a command: those of its topics where it has some.
pub(crate) fn flags_of<'a>(page: &'a Page, pages: &'a [Page]) -> Vec<&'a Flag> {
    let topics = pages
        .iter()
        .filter(|other| other.command() == page.command() && !other.topic.is_empty())
        .flat_map(Page::flags);
    let topics: Vec<&Flag> = topics.collect();
    if topics.is_empty() { page.flags().collect() } else { topics }
}

fn names<'a>(flags: impl Iterator<Item = &'a Flag>) -> impl Iterator<Item = &'a str> {
    flags.flat_map(|flag| flag.names.iter().map(String::as_str))
}

/// What `_unshared_cli_offer` is told.
fn word(kind: &Kind) -> String {
    match kind {
        Kind::Nothing => "nothing".to_owned(),
        Kind::File => "file".to_owned(),
        Kind::Directory => "directory".to_owned(),
        Kind::Root => "root".to_owned(),
        Kind::Instance => "instance".to_owned(),
        Kind::Link => "link".to_owned(),
        Kind::Signal => "signal".to_owned(),
        Kind::Service => "service".to_owned(),
        Kind::Command => "command".to_owned(),
        Kind::Words(words) => format!("words {}", words.join(" ")),
    }
}

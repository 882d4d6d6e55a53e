//! What no DT_NEEDED names: modules that the C library opens by itself, and terminal descriptions.
use super::Closure;
use crate::root::elf::{Elf, Source};
use crate::root::ldconf::join;

/// Functions of the C library that open more, a bit for each kind.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Uses(u8);

/// Looks users and groups up.
const USERS: Uses = Uses(1);
/// Looks hosts up.
const HOSTS: Uses = Uses(2);
/// Unwinds the stack, as the end of a thread does.
const UNWINDS: Uses = Uses(4);

impl Uses {
    /// All of them.
    #[cfg(fuzzing)]
    pub(super) fn all() -> Uses {
        USERS.with(HOSTS).with(UNWINDS)
    }

    /// What an object imports.
    pub(crate) fn of(elf: &Elf, source: &dyn Source) -> Uses {
        let mut uses = Uses::default();
        // musl and the loaders have nothing of the kind; nor does what needs no library.
        if !elf.needed.is_empty() {
            elf.imports(source, &mut |name| uses = uses.with(function(name)));
        }
        uses
    }

    pub(super) fn with(self, other: Uses) -> Uses {
        Uses(self.0 | other.0)
    }

    pub(super) fn without(self, other: Uses) -> Uses {
        Uses(self.0 & !other.0)
    }

    fn has(self, other: Uses) -> bool {
        self.0 & other.0 != 0
    }
}

// Lists as texts: a match on names becomes a comparison for each byte of each.
const USER_FUNCTIONS: &[u8] =
    b"getpwnam getpwuid getpwent getgrnam getgrgid getgrent getgrouplist \
    initgroups getspnam getspent";
const HOST_FUNCTIONS: &[u8] = b"getaddrinfo getnameinfo gethostbyname gethostbyname2 \
    gethostbyaddr gethostent";
const UNWINDING_FUNCTIONS: &[u8] = b"pthread_cancel pthread_exit thrd_exit backtrace";

/// What a function of the C library opens.
fn function(name: &[u8]) -> Uses {
    let name = name.strip_suffix(b"_r").unwrap_or(name);
    let mut uses = Uses::default();
    for (kind, list) in
        [(USERS, USER_FUNCTIONS), (HOSTS, HOST_FUNCTIONS), (UNWINDS, UNWINDING_FUNCTIONS)]
    {
        if list.split(|byte| *byte == b' ').any(|one| one == name) {
            uses = uses.with(kind);
        }
    }
    uses
}

/// The names of the libraries that glibc opens for these functions.
pub(super) fn opened(uses: Uses, nsswitch: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    if uses.has(USERS) {
        services(nsswitch, &[b"passwd", b"group", b"shadow", b"initgroups"], &mut names);
    }
    if uses.has(HOSTS) {
        services(nsswitch, &[b"hosts"], &mut names);
    }
    if uses.has(UNWINDS) {
        names.push(b"libgcc_s.so.1".to_vec());
    }
    names
}

/// The modules that nsswitch.conf(5) names for these databases.
fn services(nsswitch: &[u8], databases: &[&[u8]], names: &mut Vec<Vec<u8>>) {
    for line in nsswitch.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (database, list) = line.split_at(colon);
        if !databases.contains(&database.trim_ascii()) {
            continue;
        }
        let mut action = false;
        for word in list.split(|byte| byte.is_ascii_whitespace() || *byte == b':') {
            // `[NOTFOUND=return]` says what follows on a result.
            action |= word.starts_with(b"[");
            if action {
                action = !word.ends_with(b"]");
                continue;
            }
            let name = [b"libnss_", word, b".so.2"].concat();
            if !word.is_empty() && !word.contains(&b'/') && !names.contains(&name) {
                names.push(name);
            }
        }
    }
}

/// Where descriptions of terminals are (terminfo(5)).
const TERMINFO: [&[u8]; 4] =
    [b"/etc/terminfo", b"/lib/terminfo", b"/usr/lib/terminfo", b"/usr/share/terminfo"];

/// The terminals that people have, beside the caller's own.
const TERMINALS: [&[u8]; 13] = [
    b"linux",
    b"xterm",
    b"xterm-256color",
    b"screen",
    b"screen-256color",
    b"tmux",
    b"tmux-256color",
    b"rxvt",
    b"vt100",
    b"vt102",
    b"vt220",
    b"ansi",
    b"dumb",
];

/// Adds the descriptions of terminals where a library that reads them is needed.
pub(super) fn named(closure: &mut Closure<'_>, library: &[u8], by: &[u8]) {
    if !library.starts_with(b"libtinfo") && !library.starts_with(b"libncurses") {
        return;
    }
    let own = closure.settings.term.clone();
    for terminal in TERMINALS.into_iter().chain([own.as_slice()]) {
        let Some(first) = terminal.first().filter(|_| !terminal.contains(&b'/')) else { continue };
        // The folder is the first letter, or where letters' case does not count, its code.
        for folder in [(*first as char).to_string(), format!("{first:x}")] {
            for directory in TERMINFO {
                let path = join(&join(directory, folder.as_bytes()), terminal);
                let _ = closure.take(&path, by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(names: &[Vec<u8>]) -> String {
        String::from_utf8(names.join(&b' ')).unwrap()
    }

    #[test]
    fn modules_are_those_that_nsswitch_names_for_what_is_looked_up() {
        let file =
            b"passwd: files [!UNAVAIL=return x=y] systemd # ldap\nhosts:files dns\ngroup: files";
        assert_eq!(text(&opened(USERS, file)), "libnss_files.so.2 libnss_systemd.so.2");
        assert_eq!(text(&opened(HOSTS, file)), "libnss_files.so.2 libnss_dns.so.2");
        assert_eq!(text(&opened(UNWINDS, file)), "libgcc_s.so.1");
        assert_eq!(text(&opened(Uses::default(), file)), "");
        assert_eq!(text(&opened(USERS, b"passwd: [ : ../x\n:\n")), "");
    }

    #[test]
    fn functions_with_a_caller_s_buffer_count_too() {
        assert_eq!(function(b"getpwuid_r"), USERS);
        assert_eq!(function(b"getaddrinfo"), HOSTS);
        assert_eq!(function(b"printf"), Uses::default());
    }
}

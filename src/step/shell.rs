//! How the steps read as lines for a shell.
use super::Step;
use crate::cgroup::Limit;
use crate::landlock::Access;
use crate::mounts::kernel_files;
use crate::spec::capability::Capabilities;
use crate::spec::idmap::IdMap;
use crate::spec::mount::Mount;
use std::ffi::{CStr, CString};

impl Step {
    /// The step as a shell line. `pid` is the child's, or a variable that holds it.
    #[cold]
    #[inline(never)]
    pub(crate) fn shell(&self, pid: &str) -> String {
        match self {
            Step::DenySetgroups => format!("echo deny > /proc/{pid}/setgroups"),
            Step::WriteUidMap(map) => format!("printf '{}' > /proc/{pid}/uid_map", lines(map)),
            Step::WriteGidMap(map) => format!("printf '{}' > /proc/{pid}/gid_map", lines(map)),
            Step::RunNewuidmap(map) => format!("newuidmap {pid} {}", words(map)),
            Step::RunNewgidmap(map) => format!("newgidmap {pid} {}", words(map)),
            Step::EnterCgroup(limits) => {
                let mut line = "cgroup=/sys/fs/cgroup/unshared-$$; mkdir $cgroup".to_owned();
                for Limit { file, value } in limits {
                    let (file, value) = (word(file.as_bytes()), word(value.as_bytes()));
                    line.push_str(&format!("; echo {value} > $cgroup/{file}"));
                }
                format!("{line}; echo {pid} > $cgroup/cgroup.procs")
            }
            Step::UnshareCgroup => "unshare --cgroup".to_owned(),
            Step::BindNamespace(namespace, file) => {
                let file = word(file.as_bytes());
                format!("touch {file}; mount --bind /proc/{pid}/ns/{} {file}", namespace.file())
            }
            Step::SetTimeOffsets { monotonic, boottime } => format!(
                "printf 'monotonic {monotonic} 0\\nboottime {boottime} 0\\n' \
                 > /proc/self/timens_offsets"
            ),
            Step::SetIds { uid, gid, clear_groups, .. } => {
                let mut line = "setpriv".to_owned();
                if let Some(uid) = uid {
                    line.push_str(&format!(" --reuid {uid}"));
                }
                if let Some(gid) = gid {
                    line.push_str(&format!(" --regid {gid}"));
                }
                line.push_str(if *clear_groups { " --clear-groups" } else { " --keep-groups" });
                line
            }
            Step::SetParentDeathSignal => "setpriv --pdeathsig KILL".to_owned(),
            Step::MakeMountsPrivate => "mount --make-rprivate /".to_owned(),
            Step::MountProc => "mount -t proc -o nosuid,nodev,noexec proc /proc".to_owned(),
            Step::RunPreMount(expression) => sh(expression),
            Step::BindRoot { root, .. } => {
                let root = word(root.as_bytes());
                format!("mount --rbind {root} {root}")
            }
            Step::OverlayRoot { root, .. } => {
                let root = word(root.as_bytes());
                format!(
                    "layers=$(mktemp -d); mount -t tmpfs tmpfs $layers; \
                     mkdir $layers/upper $layers/work; mount -t overlay -o \
                     lowerdir={root},upperdir=$layers/upper,workdir=$layers/work overlay {root}"
                )
            }
            Step::UnpackRoot { root, image } => {
                let (root, image) = (word(root.as_bytes()), word(image.as_bytes()));
                // With -f, gzip(1) passes on what is not compressed.
                format!(
                    "mkdir -p {root}; mount -t tmpfs -o mode=0755,nodev tmpfs {root}; \
                     gzip -dcf {image} | (cd {root} && cpio -idm --quiet)"
                )
            }
            Step::MountProcIn { root, is_new: true } => {
                mount_in("-t proc -o nosuid,nodev,noexec proc", root, c"/proc")
            }
            Step::MountProcIn { root, is_new: false } => mount_in("--rbind /proc", root, c"/proc"),
            Step::MountSysIn { root, is_new: true } => {
                mount_in("-t sysfs -o ro,nosuid,nodev,noexec sysfs", root, c"/sys")
            }
            Step::MountSysIn { root, is_new: false } => {
                mount_in("--rbind -o ro /sys", root, c"/sys")
            }
            Step::ProtectKernelFiles { root } => {
                let words = |list: &[(&CStr, &CStr)]| -> String {
                    let word = |(filesystem, path): &(&CStr, &CStr)| {
                        let path = [filesystem.to_bytes(), b"/", path.to_bytes()].concat();
                        format!(" {}", path_in(root, &CString::new(path).unwrap_or_default()))
                    };
                    list.iter().map(word).collect()
                };
                format!(
                    "for one in{}; do if test -e $one; then mount --bind -o ro $one $one; fi; done; \
                     for one in{}; do if test -d $one; then mount -t tmpfs -o ro tmpfs $one; \
                     elif test -e $one; then mount --bind /dev/null $one; fi; done",
                    words(&kernel_files::READ_ONLY),
                    words(&kernel_files::HIDDEN)
                )
            }
            Step::MountDevIn { root } => format!(
                "{}; for device in null zero full random urandom tty; do \
                 touch {dev}/$device; mount --bind /dev/$device {dev}/$device; done",
                mount_in("-t tmpfs -o nosuid,noexec tmpfs", root, c"/dev"),
                dev = path_in(root, c"/dev")
            ),
            Step::MountDisk { root, source, target, kind, read_only, makes } => {
                let read_only = if *read_only { "ro," } else { "" };
                let (kind, source) = (kind.to_string_lossy(), word(source.as_bytes()));
                let what = format!("-t {kind} -o {read_only}nosuid,nodev {source}");
                mount_on(&what, root, target, *makes)
            }
            Step::MountIn { root, mount: Mount::Bind { source, target, read_only }, makes }
            | Step::MountIn { root, mount: Mount::Data { source, target, read_only }, makes } => {
                let (source, path) = (word(source.as_bytes()), path_in(root, target));
                let make = match makes {
                    true => format!("test ! -d {source} || mkdir -p {path}; "),
                    false => String::new(),
                };
                let read_only = if *read_only { "-o ro " } else { "" };
                format!("{make}mount --rbind {read_only}{source} {path}")
            }
            Step::MountIn { root, mount: Mount::Tmpfs { target, size }, makes } => {
                let size = size.as_ref().map(|size| format!("-o size={} ", size.to_string_lossy()));
                let size = size.unwrap_or_default();
                mount_on(&format!("-t tmpfs {size}tmpfs"), root, target, *makes)
            }
            Step::MountFile { root, target, text } => {
                let (text, path) = (word(text.as_bytes()), path_in(root, target));
                format!(
                    "file=$(mktemp); printf %s {text} >$file; chmod 644 $file; \
                     mount --bind $file {path}; rm $file"
                )
            }
            Step::ProtectRoot { root } => {
                format!("mount -o remount,bind,ro {}", word(root.as_bytes()))
            }
            Step::PivotRoot { root } => {
                format!("cd {}; pivot_root . .; umount -l .", word(root.as_bytes()))
            }
            Step::SetLoopbackUp => "ip link set lo up".to_owned(),
            Step::Net(step) => step.shell(pid),
            Step::SetHostname(name) => format!("hostname {}{}", ended(name), word(name.as_bytes())),
            Step::SetDomainname(name) => {
                format!("domainname {}{}", ended(name), word(name.as_bytes()))
            }
            Step::SetResourceLimit(limit) => format!("prlimit --{}", limit.shown()),
            Step::ChangeDirectory(path) => format!("cd -- {}", word(path.as_bytes())),
            Step::SetCapabilities { kept, added, .. } => {
                let list = |set: Capabilities| {
                    let names: String = set.names().map(|name| format!(",+{name}")).collect();
                    format!("-all{names}")
                };
                let inherited = list(Capabilities(kept.0 & added.0));
                format!(
                    "setpriv --inh-caps {inherited} --ambient-caps {inherited} --bounding-set {}",
                    list(*kept)
                )
            }
            Step::SetNoNewPrivs => "setpriv --no-new-privs".to_owned(),
            // As setpriv(1) of util-linux 2.40 has it.
            Step::RestrictPaths(paths) => {
                let mut line = "setpriv --landlock-access fs".to_owned();
                for (path, access) in paths {
                    let access = match access {
                        Access::ReadOnly => "execute,read-file,read-dir",
                        Access::ReadWrite => "",
                    };
                    let rule = format!("path-beneath:{access}:");
                    let rule = word(&[rule.as_bytes(), path.as_bytes()].concat());
                    line.push_str(&format!(" --landlock-rule {rule}"));
                }
                line
            }
            // As setpriv(1) of util-linux 2.41 has it, for a file.
            Step::SetSeccomp { name, .. } => {
                format!("setpriv --seccomp-filter {}", word(name.as_bytes()))
            }
            Step::Execute => "exec".to_owned(),
        }
    }
}

/// Where something is in a root, as a word for a shell.
fn path_in(root: &CStr, target: &CStr) -> String {
    let root = root.to_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let target = target.to_bytes();
    word(&[root, b"/", target.strip_prefix(b"/").unwrap_or(target)].concat())
}

/// A mount on a directory in a root, made where it is missing.
fn mount_in(what: &str, root: &CStr, target: &CStr) -> String {
    mount_on(what, root, target, true)
}

/// The same, where it may have to be there.
fn mount_on(what: &str, root: &CStr, target: &CStr, makes: bool) -> String {
    let path = path_in(root, target);
    let make = if makes { format!("mkdir -p {path}; ") } else { String::new() };
    format!("{make}mount {what} {path}")
}

/// A map for printf(1).
fn lines(map: &IdMap) -> String {
    map.lines().replace('\n', "\\n")
}

/// A map for newuidmap(1).
fn words(map: &IdMap) -> String {
    map.lines().trim_end().replace('\n', " ")
}

/// One word for a shell, whatever it holds; bytes that are no UTF-8 do not survive the printing.
pub(crate) fn word(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./:=,+@%".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A shell with an expression.
pub(crate) fn sh(expression: &CStr) -> String {
    format!("sh -c {}{}", ended(expression), word(expression.to_bytes()))
}

/// What ends the options of a program where a word of ours would be taken for one.
pub(crate) fn ended(word: &CStr) -> &'static str {
    if word.to_bytes().starts_with(b"-") { "-- " } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_the_shell_needs_it() {
        assert_eq!(word(b"/usr/bin/id"), "/usr/bin/id");
        assert_eq!(word(b"a b"), "'a b'");
        assert_eq!(word(b"it's"), "'it'\\''s'");
        assert_eq!(word(b""), "''");
        assert_eq!(word(b"$(x)"), "'$(x)'");
    }
}

//! The options of `spawn`.
use super::super::options::{joined, length, options};
use super::super::values::{Problem, add, bytes, flag, grace, instance, once, text, variable};
use super::super::words::Words;
use super::Files;
use crate::cgroup::Limit;
use crate::landlock::Access;
#[cfg(feature = "seccomp")]
use crate::seccomp::Seccomp;
use crate::spec::capability::Capabilities;
use crate::spec::idmap::{Extent, parse_id};
use crate::spec::mount::Mount;
use crate::spec::namespace::Namespace;
#[cfg(feature = "network")]
use crate::spec::network::{Cidr, Moved, Publish, host, ip, link_name, mac, mtu};
use crate::spec::rlimit::ResourceLimit;
use crate::spec::{MapChoice, Spec};
use std::ffi::CStr;
use unshared_init::reaper::Restart;

/// The names of all, as [`Words::next`] has them.
pub(crate) const NAMES: &str = {
    const BYTES: [u8; length(TABLE)] = joined(TABLE);
    match str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// Takes in the option that was taken last.
pub(super) fn take(spec: &mut Spec, files: &mut Files, words: &Words) -> Result<(), Problem> {
    let value = words.value();
    // What is no text is not one of those that are expected.
    let word = value.to_str().unwrap_or_default();
    at(words.place, spec, files, value, word, words.optional_value())
}

options! {
    TABLE, at(
        spec: &mut Spec, files: &mut Files, value: &'static CStr, word: &str,
        file: Option<&'static CStr>
    );

    "U|user?" => namespace(spec, Namespace::User, file),
    "m|mount?" => namespace(spec, Namespace::Mount, file),
    "u|uts?" => namespace(spec, Namespace::Uts, file),
    "i|ipc?" => namespace(spec, Namespace::Ipc, file),
    "n|net?" => namespace(spec, Namespace::Net, file),
    "p|pid?" => namespace(spec, Namespace::Pid, file),
    "C|cgroup?" => namespace(spec, Namespace::Cgroup, file),
    "T|time?" => namespace(spec, Namespace::Time, file),
    "all" => all(spec),
    "no-init" => flag(&mut spec.no_init),
    "no-proc" => flag(&mut spec.no_proc),
    "monotonic=" => once(&mut spec.monotonic, offset(word)),
    "boottime=" => once(&mut spec.boottime, offset(word)),

    "r|map-root-user" => choose(&mut spec.map, MapChoice::Root),
    "c|map-current-user" => choose(&mut spec.map, MapChoice::Current),
    "map-auto" => choose(&mut spec.map, MapChoice::Auto),
    "map-users=" => add(&mut spec.map_users, Extent::parse(word)),
    "map-groups=" => add(&mut spec.map_groups, Extent::parse(word)),
    "uid=" => once(&mut spec.uid, id(word)),
    "gid=" => once(&mut spec.gid, id(word)),

    "root=" => once(&mut spec.root, text(value)),
    "read-only" => flag(&mut spec.read_only),
    "overlay" => flag(&mut spec.overlay),
    #[cfg(feature = "roots")]
    "unpack=" => once(&mut spec.unpack, text(value)),
    "bind=" => add(&mut spec.mounts, Mount::parse_bind(value.to_bytes())),
    "tmpfs=" => add(&mut spec.mounts, Mount::parse_tmpfs(value.to_bytes())),
    "data-dir=" => add(&mut spec.mounts, Mount::parse_data(value.to_bytes())),
    "chroot+" => once(&mut spec.chroot, text(value)),

    "hostname=" => once(&mut spec.hostname, text(value)),
    "domainname=" => once(&mut spec.domainname, text(value)),
    "cwd=" => once(&mut spec.cwd, text(value)),
    "env=" => add(&mut spec.variables, variable(value)),
    "clear-env" => flag(&mut spec.clear_env),
    "keep-fd=" => add(&mut spec.keep_fds, descriptor(word)),
    "exec+" => add(&mut spec.expressions, text(value)),

    "rlimit=" => rlimit(&mut spec.rlimits, word),
    "cap-drop=" => capability(&mut spec.cap_drop, word),
    "cap-add=" => capability(&mut spec.cap_add, word),
    "no-new-privs" => privs(&mut spec.new_privs, false),
    "new-privs" => privs(&mut spec.new_privs, true),
    #[cfg(feature = "seccomp")]
    "seccomp=" => once(&mut spec.seccomp, text(value).map(Seccomp::parse)),
    #[cfg(feature = "seccomp")]
    "seccomp-log" => flag(&mut spec.seccomp_log),
    "privileged" => flag(&mut spec.privileged),
    "limit=" => add(&mut spec.limits, Limit::parse(value.to_bytes())),
    "ro-path=" => add(&mut spec.paths, text(value).map(|path| (path, Access::ReadOnly))),
    "rw-path=" => add(&mut spec.paths, text(value).map(|path| (path, Access::ReadWrite))),

    "preexec+" => add(&mut spec.preexec, text(value)),
    "postexec+" => add(&mut spec.postexec, text(value)),
    "pre-mount+" => add(&mut spec.pre_mount, text(value)),
    "post-mount+" => add(&mut spec.post_mount, text(value)),

    "name=" => once(&mut spec.name, instance(value)),
    "detach" => flag(&mut spec.detach),
    "pty" => flag(&mut spec.pty),
    "log=" => once(&mut spec.log, text(value)),
    "log-max=" => once(&mut spec.log_max, log_size(value)),
    "grace=" => once(&mut spec.grace, grace(value)),
    "restart=" => once(&mut spec.restart, restart(value)),
    "die-with-parent" => flag(&mut spec.die_with_parent),
    "re-raise" => flag(&mut spec.re_raise),
    "status-fd=" => once(&mut spec.status_fd, descriptor(word)),
    "dry-run" => flag(&mut spec.dry_run),
    "config=" => add(&mut files.read, Ok(value)),
    "dump-config" => flag(&mut files.dumps),
    "v|verbose" => flag(&mut spec.verbose),

    #[cfg(feature = "network")]
    "bridge=" => once(&mut spec.network.bridge, link_name(value.to_bytes())),
    #[cfg(feature = "network")]
    "bridge-address=" => add(&mut spec.network.bridge_addresses, Cidr::of_host(word)),
    #[cfg(feature = "network")]
    "macvlan=" => once(&mut spec.network.macvlan, link_name(value.to_bytes())),
    #[cfg(feature = "network")]
    "ipvlan=" => once(&mut spec.network.ipvlan, link_name(value.to_bytes())),
    #[cfg(feature = "network")]
    "move-link=" => add(&mut spec.network.moved, Moved::parse(value.to_bytes())),
    #[cfg(feature = "network")]
    "address=" => add(&mut spec.network.addresses, Cidr::of_host(word)),
    #[cfg(feature = "network")]
    "gateway=" => add(&mut spec.network.gateways, ip(word)),
    #[cfg(feature = "network")]
    "link-name=" => once(&mut spec.network.link_name, link_name(value.to_bytes())),
    #[cfg(feature = "network")]
    "mac=" => once(&mut spec.network.mac, mac(word)),
    #[cfg(feature = "network")]
    "mtu=" => once(&mut spec.network.mtu, mtu(word)),
    #[cfg(feature = "network")]
    "offload" => flag(&mut spec.network.offload),
    #[cfg(feature = "network")]
    "nat" => flag(&mut spec.network.nat),
    #[cfg(feature = "network")]
    "pasta" => flag(&mut spec.network.pasta),
    #[cfg(feature = "network")]
    "publish=" => add(&mut spec.network.publish, Publish::parse(word)),
    #[cfg(feature = "network")]
    "dns=" => add(&mut spec.network.dns, ip(word)),
    #[cfg(feature = "network")]
    "hosts=" => add(&mut spec.network.hosts, host(word)),
}

fn namespace(
    spec: &mut Spec,
    namespace: Namespace,
    file: Option<&'static CStr>,
) -> Result<(), Problem> {
    spec.namespaces.add(namespace);
    let Some(file) = file else { return Ok(()) };
    if spec.persist.iter().any(|(other, _)| *other == namespace) {
        return Err("it has a file twice");
    }
    add(&mut spec.persist, text(file).map(|file| (namespace, file)))
}

fn all(spec: &mut Spec) -> Result<(), Problem> {
    Namespace::ALL.into_iter().for_each(|one| spec.namespaces.add(one));
    Ok(())
}

fn choose(place: &mut Option<MapChoice>, choice: MapChoice) -> Result<(), Problem> {
    match place.replace(choice) {
        Some(before) if before != choice => {
            Err("only one of --map-root-user, --map-current-user and --map-auto can be had")
        }
        _ => Ok(()),
    }
}

fn privs(place: &mut Option<bool>, gained: bool) -> Result<(), Problem> {
    match place.replace(gained) {
        Some(before) if before != gained => {
            Err("only one of --new-privs and --no-new-privs can be had")
        }
        _ => Ok(()),
    }
}

fn rlimit(limits: &mut Vec<ResourceLimit>, word: &str) -> Result<(), Problem> {
    let limit = ResourceLimit::parse(word)?;
    if limits.iter().any(|other| other.resource == limit.resource) {
        return Err("this limit is given twice");
    }
    limits.push(limit);
    Ok(())
}

fn capability(place: &mut Capabilities, word: &str) -> Result<(), Problem> {
    const EXPECTED: Problem = "a capability has a name as in capabilities(7), or it is \"all\"";
    *place = place.with(Capabilities::parse(word).ok_or(EXPECTED)?);
    Ok(())
}

fn id(word: &str) -> Result<u32, Problem> {
    let id = parse_id(word).filter(|id| *id != u32::MAX);
    id.ok_or("an id is a number from 0 to 4294967294")
}

fn descriptor(word: &str) -> Result<i32, Problem> {
    let number = parse_id(word).and_then(|number| i32::try_from(number).ok());
    number.ok_or("a file descriptor is a number from 0")
}

fn offset(word: &str) -> Result<i64, Problem> {
    word.parse().map_err(|_| "an offset is a whole number of seconds")
}

fn log_size(value: &CStr) -> Result<u64, Problem> {
    let size = bytes(value).filter(|bytes| *bytes >= 4096);
    size.ok_or("a number of bytes from 4k, with k, m or g")
}

fn restart(value: &CStr) -> Result<Restart, Problem> {
    Restart::parse(value.to_bytes()).ok_or("never, on-failure or always")
}

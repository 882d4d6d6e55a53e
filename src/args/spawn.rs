//! The command line of `spawn`.
use super::{Request, config, help};
use crate::cgroup::Limit;
use crate::error::{Error, quote};
use crate::landlock::Access;
#[cfg(feature = "seccomp")]
use crate::seccomp::Seccomp;
use crate::spec::capability::Capabilities;
use crate::spec::idmap::{Extent, parse_id};
use crate::spec::mount::Mount;
use crate::spec::namespace::Namespace;
use crate::spec::rlimit::ResourceLimit;
use crate::spec::{MapChoice, Spec};
use lexopt::{Arg, Parser};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use unshared_init::number::{decimal, seconds};
use unshared_init::reaper::Restart;
use unshared_init::sys::Arguments;

/// Reads the arguments that follow on `spawn`.
///
/// `--` always ends the options, so what follows it is never copied: a command line may be large.
pub(crate) fn parse(arguments: Arguments) -> Result<Request, Error> {
    let options: Vec<OsString> = arguments
        .take_while(|word| word.to_bytes() != b"--")
        .map(|word| OsStr::from_bytes(word.to_bytes()).to_owned())
        .collect();
    let mut reader = Reader::default();
    reader.spec.words = Some(arguments);
    let is_about_files =
        |word: &OsString| word.as_bytes().starts_with(b"--config") || word == "--dump-config";
    if options.iter().any(is_about_files) {
        // Files come first, so that the command line has the last word.
        let mut first = Reader::default();
        if first.words(options.clone())?.is_some() {
            reader.lines = Some(Vec::new());
            first.files.iter().try_for_each(|file| reader.file(file))?;
        }
    }
    let count = options.len();
    let Some(taken) = reader.words(options)? else {
        return Ok(Request::Print(help::of("spawn")));
    };
    if taken < count {
        reader.spec.command = Some(skip(arguments, taken));
    } else if skip(arguments, count).first().is_some() {
        let command = skip(arguments, count + 1);
        if command.first().is_none() {
            return Err(Error::usage("no command after \"--\"", "spawn"));
        }
        reader.spec.command = Some(command);
    }
    let (lines, dumps) = (reader.lines, reader.dumps);
    let spec = reader.spec.check()?;
    if dumps {
        return Ok(Request::Dump(dump(&lines.unwrap_or_default(), spec.command)));
    }
    Ok(Request::Spawn(Box::new(spec)))
}

/// The options, one a line, and the command.
fn dump(lines: &[Taken], command: Option<Arguments>) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        config::write(line.words.iter().map(|word| word.as_bytes()), &mut text);
    }
    if let Some(command) = command {
        config::write([&b"--"[..]].into_iter().chain(command.map(CStr::to_bytes)), &mut text);
    }
    text
}

/// The arguments without the first `count`.
fn skip(mut arguments: Arguments, count: usize) -> Arguments {
    for _ in 0..count {
        arguments = arguments.rest();
    }
    arguments
}

/// An option's name with its dashes.
fn argument_name(argument: &Arg<'_>) -> String {
    match argument {
        Arg::Long(name) => format!("--{name}"),
        Arg::Short(letter) => format!("-{letter}"),
        Arg::Value(_) => String::new(),
    }
}

/// What lexopt found wrong.
fn explain(error: lexopt::Error) -> Error {
    super::explain(error, "spawn")
}

/// An option that was taken in, with its values.
struct Taken {
    name: String,
    words: Vec<OsString>,
    /// It is a file's, so that it may be given once more, on the command line.
    is_of_file: bool,
}

/// The options so far.
#[derive(Default)]
struct Reader {
    spec: Spec,
    /// The files of `--config`.
    files: Vec<OsString>,
    /// `--dump-config`
    dumps: bool,
    /// All of them, where there are files or they are written.
    lines: Option<Vec<Taken>>,
    /// Those that come now are a file's.
    is_in_file: bool,
}

impl Reader {
    /// Takes in the options up to a word that is none, and returns its index; `None` for `--help`.
    fn words(&mut self, words: Vec<OsString>) -> Result<Option<usize>, Error> {
        let count = words.len();
        let kept = self.lines.is_some().then(|| words.clone());
        let mut parser = Parser::from_args(words);
        let mut begin = 0;
        while let Some(argument) = parser.next().map_err(explain)? {
            if let Arg::Value(_) = argument {
                let following = parser.raw_args().map_err(explain)?.as_slice().len();
                return Ok(Some(count - following - 1));
            }
            if matches!(argument, Arg::Short('h') | Arg::Long("help")) {
                return Ok(None);
            }
            let name = argument_name(&argument);
            let kept = kept.as_deref().map(|words| (name.clone(), words));
            if let Err(error) = self.option(name, &mut parser) {
                self.overrule(error, kept.as_ref().map(|(name, _)| name.as_str()))?;
            }
            // Letters behind one dash are taken in together.
            if let Some((name, words)) = kept
                && let Some(rest) = parser.try_raw_args()
            {
                let end = count - rest.as_slice().len();
                self.keep(name, words.get(begin..end).unwrap_or_default());
                begin = end;
            }
        }
        Ok(Some(count))
    }

    /// What a file says once, the command line may say again.
    fn overrule(&mut self, error: Error, name: Option<&str>) -> Result<(), Error> {
        let lines = self.lines.as_mut().filter(|_| error.is_repetition() && !self.is_in_file);
        let place = lines.as_ref().and_then(|lines| {
            lines.iter().position(|line| line.is_of_file && Some(line.name.as_str()) == name)
        });
        match lines.zip(place) {
            Some((lines, place)) => {
                lines.remove(place);
                Ok(())
            }
            None => Err(error),
        }
    }

    fn keep(&mut self, name: String, words: &[OsString]) {
        if let Some(lines) = &mut self.lines
            && name != "--config"
            && name != "--dump-config"
        {
            lines.push(Taken { name, words: words.to_vec(), is_of_file: self.is_in_file });
        }
    }

    /// Takes in the options of a file.
    fn file(&mut self, path: &OsStr) -> Result<(), Error> {
        self.is_in_file = true;
        for line in config::read(path)? {
            self.line(line.words).map_err(|error| error.at(&config::place(path, line.number)))?;
        }
        self.is_in_file = false;
        Ok(())
    }

    fn line(&mut self, words: Vec<OsString>) -> Result<(), Error> {
        if let Some((first, command)) = words.split_first()
            && first == "--"
        {
            let command =
                command.iter().map(|word| text(word.clone(), "--")).collect::<Result<_, _>>();
            self.spec.command = Some(crate::sys::arguments(command?));
            return match self.spec.command.and_then(|command| command.first()) {
                Some(_) => Ok(()),
                None => Err(Error::usage("no command after \"--\"", "spawn")),
            };
        }
        let count = words.len();
        match self.words(words)? {
            Some(taken) if taken == count && self.files.is_empty() && !self.dumps => Ok(()),
            Some(taken) if taken == count => {
                Err(Error::usage("--config and --dump-config are for the command line", "spawn"))
            }
            _ => Err(Error::usage("a line has one option, or -- and the command", "spawn")),
        }
    }

    /// Takes in one option.
    fn option(&mut self, name: String, parser: &mut Parser) -> Result<(), Error> {
        let spec = &mut self.spec;
        for namespace in Namespace::ALL {
            if name.strip_prefix("--") == Some(namespace.option()) {
                spec.namespaces.add(namespace);
                if let Some(file) = parser.optional_value() {
                    if spec.persist.iter().any(|(other, _)| *other == namespace) {
                        return Err(Error::usage(format!("{name} has a file twice"), "spawn"));
                    }
                    spec.persist.push((namespace, text(file, &name)?));
                }
                return Ok(());
            }
            if name == format!("-{}", namespace.letter()) {
                spec.namespaces.add(namespace);
                return Ok(());
            }
        }
        match name.as_str() {
            "--all" => Namespace::ALL.into_iter().for_each(|one| spec.namespaces.add(one)),
            "--no-init" => spec.no_init = true,
            "--no-proc" => spec.no_proc = true,
            "--pty" => spec.pty = true,
            "--detach" => spec.detach = true,
            "--die-with-parent" => spec.die_with_parent = true,
            "--overlay" => spec.overlay = true,
            "--read-only" => spec.read_only = true,
            "--privileged" => spec.privileged = true,
            #[cfg(feature = "seccomp")]
            "--seccomp-log" => spec.seccomp_log = true,
            "--no-new-privs" => privs(&mut spec.new_privs, false)?,
            "--new-privs" => privs(&mut spec.new_privs, true)?,
            "--clear-env" => spec.clear_env = true,
            "--re-raise" => spec.re_raise = true,
            #[cfg(feature = "network")]
            "--nat" => spec.network.nat = true,
            #[cfg(feature = "network")]
            "--pasta" => spec.network.pasta = true,
            #[cfg(feature = "network")]
            "--offload" => spec.network.offload = true,
            "--dry-run" => spec.dry_run = true,
            "--dump-config" => self.dumps = true,
            "-v" | "--verbose" => spec.verbose = true,
            "-r" | "--map-root-user" => choose(&mut spec.map, MapChoice::Root)?,
            "-c" | "--map-current-user" => choose(&mut spec.map, MapChoice::Current)?,
            "--map-auto" => choose(&mut spec.map, MapChoice::Auto)?,
            _ => return self.with_value(name, parser),
        }
        Ok(())
    }

    /// Takes in one option that has a value.
    fn with_value(&mut self, name: String, parser: &mut Parser) -> Result<(), Error> {
        let spec = &mut self.spec;
        let name = name.as_str();
        let mut value = || parser.value().map_err(explain);
        match name {
            "--map-users" => spec.map_users.push(extent(value()?, name)?),
            "--map-groups" => spec.map_groups.push(extent(value()?, name)?),
            "--monotonic" => once(&mut spec.monotonic, offset(value()?, name)?, name)?,
            "--boottime" => once(&mut spec.boottime, offset(value()?, name)?, name)?,
            "--hostname" => once(&mut spec.hostname, text(value()?, name)?, name)?,
            "--domainname" => once(&mut spec.domainname, text(value()?, name)?, name)?,
            "--config" => self.files.push(value()?),
            "--cwd" => once(&mut spec.cwd, text(value()?, name)?, name)?,
            "--uid" => once(&mut spec.uid, id(value()?, name)?, name)?,
            "--gid" => once(&mut spec.gid, id(value()?, name)?, name)?,
            "--limit" => spec.limits.push(limit(value()?)?),
            "--ro-path" => spec.paths.push((text(value()?, name)?, Access::ReadOnly)),
            "--rw-path" => spec.paths.push((text(value()?, name)?, Access::ReadWrite)),
            "--rlimit" => add_limit(&mut spec.rlimits, value()?)?,
            "--cap-add" => spec.cap_add = spec.cap_add.with(capability(value()?, name)?),
            "--cap-drop" => spec.cap_drop = spec.cap_drop.with(capability(value()?, name)?),
            #[cfg(feature = "seccomp")]
            "--seccomp" => once(&mut spec.seccomp, Seccomp::parse(text(value()?, name)?), name)?,
            "--grace" => once(&mut spec.grace, grace(value()?)?, name)?,
            "--root" => once(&mut spec.root, text(value()?, name)?, name)?,
            #[cfg(feature = "roots")]
            "--unpack" => once(&mut spec.unpack, text(value()?, name)?, name)?,
            "--bind" => spec.mounts.push(mount(value()?, name, Mount::parse_bind)?),
            "--data-dir" => spec.mounts.push(mount(value()?, name, Mount::parse_data)?),
            "--tmpfs" => spec.mounts.push(mount(value()?, name, Mount::parse_tmpfs)?),
            "--restart" => once(&mut spec.restart, restart(value()?)?, name)?,
            "--log" => once(&mut spec.log, text(value()?, name)?, name)?,
            "--log-max" => once(&mut spec.log_max, bytes(value()?, name)?, name)?,
            "--status-fd" => once(&mut spec.status_fd, descriptor(value()?, name)?, name)?,
            "--keep-fd" => spec.keep_fds.push(descriptor(value()?, name)?),
            "--env" => spec.variables.push(variable(value()?)?),
            "--name" => once(&mut spec.name, instance_name(value()?)?, name)?,
            "--exec" => spec.expressions.push(expression(parser, name)?),
            "--preexec" => spec.preexec.push(expression(parser, name)?),
            "--postexec" => spec.postexec.push(expression(parser, name)?),
            "--pre-mount" => spec.pre_mount.push(expression(parser, name)?),
            "--post-mount" => spec.post_mount.push(expression(parser, name)?),
            "--chroot" => once(&mut spec.chroot, expression(parser, name)?, name)?,
            #[cfg(feature = "network")]
            _ if super::network::take(&mut spec.network, name, value)? => {}
            _ => return Err(help::no_option("spawn", name)),
        }
        Ok(())
    }
}

/// The words up to the next option, as one expression for a shell.
fn expression(parser: &mut Parser, name: &str) -> Result<CString, Error> {
    let words = parser.values().map_err(explain)?.collect::<Vec<_>>();
    text(words.join(OsStr::new(" ")), name)
}

fn instance_name(value: OsString) -> Result<CString, Error> {
    if crate::root::place::is_name(value.as_bytes()) {
        return text(value, "--name");
    }
    Err(wrong("--name", &value, crate::root::place::NAMES))
}

/// Sets what may be said once.
pub(super) fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::repetition(name)),
    }
}

fn choose(place: &mut Option<MapChoice>, choice: MapChoice) -> Result<(), Error> {
    match place.replace(choice) {
        Some(before) if before != choice => Err(Error::usage(
            "only one of --map-root-user, --map-current-user and --map-auto can be had",
            "spawn",
        )),
        _ => Ok(()),
    }
}

fn privs(place: &mut Option<bool>, gained: bool) -> Result<(), Error> {
    match place.replace(gained) {
        Some(before) if before != gained => {
            Err(Error::usage("only one of --new-privs and --no-new-privs can be had", "spawn"))
        }
        _ => Ok(()),
    }
}

fn add_limit(limits: &mut Vec<ResourceLimit>, value: OsString) -> Result<(), Error> {
    let limit = ResourceLimit::parse(value.to_str().unwrap_or_default())
        .map_err(|problem| wrong("--rlimit", &value, problem))?;
    if limits.iter().any(|other| other.resource == limit.resource) {
        return Err(wrong("--rlimit", &value, "this limit is given twice"));
    }
    limits.push(limit);
    Ok(())
}

fn capability(value: OsString, name: &str) -> Result<Capabilities, Error> {
    value.to_str().and_then(Capabilities::parse).ok_or_else(|| {
        wrong(name, &value, "a capability has a name as in capabilities(7), or it is \"all\"")
    })
}

/// A value that is wrong, and what it should have been.
pub(super) fn wrong(name: &str, value: impl AsRef<OsStr>, expected: &str) -> Error {
    let value = quote(value.as_ref().as_bytes());
    Error::usage(format!("{name} {value}: {expected}"), "spawn")
}

/// A text that is not empty. Words come from argv, so they have no zero bytes.
fn text(value: OsString, name: &str) -> Result<CString, Error> {
    if value.is_empty() {
        return Err(wrong(name, &value, "an empty value"));
    }
    CString::new(value.into_vec()).map_err(|_| wrong(name, "", "a zero byte"))
}

fn number<T>(value: &OsString, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    value.to_str().and_then(read)
}

fn id(value: OsString, name: &str) -> Result<u32, Error> {
    number(&value, parse_id)
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| wrong(name, &value, "an id is a number from 0 to 4294967294"))
}

fn descriptor(value: OsString, name: &str) -> Result<i32, Error> {
    number(&value, parse_id)
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| wrong(name, &value, "a file descriptor is a number from 0"))
}

fn offset(value: OsString, name: &str) -> Result<i64, Error> {
    number(&value, |text| text.parse().ok())
        .ok_or_else(|| wrong(name, &value, "an offset is a whole number of seconds"))
}

fn grace(value: OsString) -> Result<u64, Error> {
    seconds(value.as_bytes()).ok_or_else(|| wrong("--grace", &value, "a number of seconds, from 0"))
}

/// A number of bytes, with k, m or g.
fn bytes(value: OsString, name: &str) -> Result<u64, Error> {
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k') => (text.strip_suffix('k'), 1 << 10),
        Some(b'm') => (text.strip_suffix('m'), 1 << 20),
        Some(b'g') => (text.strip_suffix('g'), 1 << 30),
        _ => (Some(text.as_str()), 1),
    };
    let number = digits.and_then(|digits| decimal(digits.as_bytes()));
    number
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| *bytes >= 4096)
        .ok_or_else(|| wrong(name, &value, "a number of bytes from 4k, with k, m or g"))
}

fn mount(
    value: OsString,
    name: &str,
    parse: impl FnOnce(&[u8]) -> Result<Mount, &'static str>,
) -> Result<Mount, Error> {
    parse(value.as_bytes()).map_err(|problem| wrong(name, &value, problem))
}

fn limit(value: OsString) -> Result<Limit, Error> {
    Limit::parse(value.as_bytes()).map_err(|problem| wrong("--limit", &value, problem))
}

fn restart(value: OsString) -> Result<Restart, Error> {
    Restart::parse(value.as_bytes())
        .ok_or_else(|| wrong("--restart", &value, "never, on-failure or always"))
}

fn extent(value: OsString, name: &str) -> Result<Extent, Error> {
    let text = value.to_str().unwrap_or_default();
    Extent::parse(text).map_err(|problem| wrong(name, &value, problem))
}

fn variable(value: OsString) -> Result<CString, Error> {
    match value.as_bytes().iter().position(|byte| *byte == b'=') {
        Some(0) | None => Err(wrong("--env", &value, "NAME=VALUE is needed")),
        Some(_) => text(value, "--env"),
    }
}

#[cfg(test)]
mod tests;

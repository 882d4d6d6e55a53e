//! The command line of `exec`.
use super::super::{Request, explain, help};
use super::{Reader, Word};
use crate::error::Error;
use crate::instances::Instances;
use crate::instances::exec::{Execute, User};
use crate::spec::idmap::parse_id;
use std::os::unix::ffi::OsStrExt;
use unshared_init::sys::Arguments;

/// `exec`. The command is all from the second word on that is no option, or from `--`.
pub(crate) fn parse_exec(arguments: Arguments) -> Result<Request, Error> {
    let mut reader = Reader::new("exec", arguments);
    let count = arguments.count();
    let (mut name, mut user, mut cwd, mut variables) = (None, None, None, Vec::new());
    let mut pty = false;
    let command = loop {
        let Some(word) = reader.word()? else { break None };
        match word {
            Word::Option(option) => match option.as_str() {
                "" => return Ok(Request::Print(help::of("exec"))),
                "-t" | "--tty" => pty = true,
                "--user" => user = Some(parse_user(&mut reader)?),
                "--cwd" => {
                    let value = reader.value()?;
                    cwd = Some(reader.text(value)?);
                }
                "--env" => {
                    let value = reader.value()?;
                    if value.as_bytes().iter().position(|byte| *byte == b'=').unwrap_or(0) == 0 {
                        return Err(reader.wrong(&value, "NAME=VALUE is needed"));
                    }
                    variables.push(reader.text(value)?);
                }
                other => return Err(reader.unknown(other)),
            },
            Word::Value(word) if name.is_none() => reader.name(word, &mut name)?,
            Word::Value(_) => {
                let rest = reader.parser.raw_args().map_err(|error| explain(error, "exec"))?;
                let following = rest.as_slice().len();
                break Some(skip(arguments, count - following - 1));
            }
        }
    };
    let name = reader.needed(name, "the name of an instance")?;
    let command = reader.needed(command, "a command")?;
    Ok(Request::Instances(Instances::Execute(Box::new(Execute {
        name,
        user,
        cwd,
        variables,
        pty,
        command,
    }))))
}

fn parse_user(reader: &mut Reader) -> Result<User, Error> {
    let value = reader.value()?;
    let id = |text: &str| parse_id(text).filter(|id| *id != u32::MAX);
    let text = value.to_str().unwrap_or_default();
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (id(uid), id(gid).map(Some)),
        None => (id(text), Some(None)),
    };
    match (uid, gid) {
        (Some(uid), Some(gid)) => Ok(User::Ids(uid, gid)),
        _ if value.is_empty()
            || text.contains(':')
            || text.starts_with(|c: char| c.is_numeric()) =>
        {
            Err(reader.wrong(&value, "UID, UID:GID or a name"))
        }
        _ => reader.text(value).map(User::Name),
    }
}

/// The arguments without the first `count`.
fn skip(mut arguments: Arguments, count: usize) -> Arguments {
    for _ in 0..count {
        arguments = arguments.rest();
    }
    arguments
}

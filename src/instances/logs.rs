//! `logs`: what an instance has written.
use super::Found;
use crate::error::{Error, quote};
use crate::registry::facts::{Facts, Stage};
use crate::walk::output::older;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::time::Duration;

/// Between two looks for more.
const PAUSE: Duration = Duration::from_millis(100);

/// How often it is looked for a log that is not there.
const ATTEMPTS: u32 = 3;

/// Prints the log; with `follow`, until the instance has ended.
pub(super) fn run(name: &CStr, follow: bool) -> Result<u8, Error> {
    let found = Found::named(name)?;
    let Some(path) = found.facts.log.clone() else {
        return Err(found.problem("has no log").hint("see: --log"));
    };
    // Opened before what is older, which so cannot be newer. Between two halves there is none.
    let mut newest = open(&path);
    for _ in 0..ATTEMPTS {
        if !matches!(newest, Err(Errno::NOENT)) {
            break;
        }
        std::thread::sleep(PAUSE);
        newest = open(&path);
    }
    let before = open(&older(&path)).ok();
    let before = before.filter(|older| newest.as_ref().ok().and_then(inode) != inode(older));
    if let Some(before) = &before {
        copy(before)?;
    }
    let mut file = match newest {
        // Its launcher was killed between two halves.
        Err(Errno::NOENT) if before.is_some() => return Ok(0),
        newest => newest.map_err(|errno| {
            Error::system(format!("open log {}", quote(path.as_bytes())), errno)
        })?,
    };
    loop {
        // Looked at before the last read: what was written by its end is read then.
        let facts = Facts::read(&found.file).unwrap_or_default();
        let is_over = matches!(facts.stage(), Stage::Ended(_) | Stage::Lost);
        let had_more = copy(&file)?;
        // A half that is full has become the older one.
        match open(&path) {
            Ok(new) if inode(&new) != inode(&file) => {
                copy(&file)?;
                file = new;
                if !follow {
                    return copy(&file).map(|_| 0);
                }
            }
            _ if !follow || is_over => return Ok(0),
            _ if had_more => {}
            _ => std::thread::sleep(PAUSE),
        }
    }
}

fn open(path: &CString) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn inode(file: &OwnedFd) -> Option<(u64, u64)> {
    rustix::fs::fstat(file).ok().map(|status| (status.st_dev, status.st_ino))
}

/// Prints the rest of an open file. Whether there was any.
fn copy(file: &OwnedFd) -> Result<bool, Error> {
    let mut bytes = [0; 16384];
    let mut had_more = false;
    loop {
        match crate::sys::again(|| rustix::io::read(file, &mut bytes[..])) {
            Ok(0) => return Ok(had_more),
            Ok(length) => {
                crate::print(bytes.get(..length).unwrap_or_default())?;
                had_more = true;
            }
            Err(errno) => return Err(Error::system("read the log", errno)),
        }
    }
}

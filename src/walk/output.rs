//! Where the payload's standard streams lead: to the caller's, to a file, or through a pipe to a log
//! that is kept small.
use super::channel::above_standard;
use crate::error::{Error, quote};
use crate::pty::{self, Slave, Terminal};
use crate::registry::journal::Journal;
use crate::spec::Spec;
use crate::sys::{self, again};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CString;

/// How large the log of a detached instance may grow, unless somebody says otherwise; in bytes.
const DEFAULT_SIZE: u64 = 1 << 20;

/// What the child puts in the place of its standard streams.
#[derive(Default)]
pub(super) struct Output {
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    terminal: Option<Slave>,
}

/// What the parent has to carry from the child's streams.
#[derive(Default)]
pub(super) struct Carried {
    /// To a log.
    pub(super) ring: Option<Ring>,
    /// From and to the caller's terminal.
    pub(super) terminal: Option<Terminal>,
}

/// Opens what the spec asks for.
pub(super) fn open(spec: &Spec, journal: &Journal) -> Result<(Output, Carried), Error> {
    if spec.pty || spec.detach || spec.log.is_some() {
        return open_others(spec, journal);
    }
    Ok((Output::default(), Carried::default()))
}

/// Opens other streams than the caller's.
#[cold]
#[inline(never)]
fn open_others(spec: &Spec, journal: &Journal) -> Result<(Output, Carried), Error> {
    let mut output = Output::default();
    let mut carried = Carried::default();
    if spec.pty {
        let (terminal, slave) = pty::open()?;
        output.terminal = Some(slave);
        carried.terminal = Some(terminal);
        return Ok((output, carried));
    }
    if spec.detach {
        output.input = Some(nothing()?);
    }
    let (path, in_record) = match (&spec.log, journal.record()) {
        (Some(path), _) if path.as_bytes() == b"-" => return Ok((output, carried)),
        (Some(path), _) => (absolute(path)?, false),
        (None, Some(record)) if spec.detach => (record.path_in("log"), true),
        (None, _) => return Ok((output, carried)),
    };
    if let Some(record) = journal.record() {
        record
            .note("log", &[path.as_bytes().to_vec()])
            .map_err(|errno| cannot("write down", &path, errno))?;
    }
    let size = spec.log_max.or(in_record.then_some(DEFAULT_SIZE));
    let file = create(&path, false).map_err(|errno| cannot("open", &path, errno))?;
    let Some(size) = size else {
        output.output = Some(file);
        return Ok((output, carried));
    };
    let fail = |errno| Error::system("make a pipe", errno);
    let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail)?;
    let from = above_standard(from).map_err(fail)?;
    output.output = Some(above_standard(to).map_err(fail)?);
    // Ours alone: the other end blocks, and so whoever writes faster than the disk waits.
    rustix::io::ioctl_fionbio(&from, true).map_err(fail)?;
    let written = rustix::fs::fstat(&file).map_or(0, |status| status.st_size as u64);
    carried.ring = Some(Ring { from, file, path, written, half: size.div_ceil(2) });
    Ok((output, carried))
}

impl Output {
    /// Child, before anything else of it: the streams become what they are to be.
    pub(super) fn take(&self) {
        if let Some(input) = &self.input {
            sys::become_standard(input, 0);
        }
        if let Some(output) = &self.output {
            sys::become_standard(output, 1);
            sys::become_standard(output, 2);
        }
        if let Some(terminal) = &self.terminal {
            terminal.take();
        }
    }
}

/// A log of two files: when the one has its half of the size, it takes the place of the other.
pub(super) struct Ring {
    from: OwnedFd,
    file: OwnedFd,
    path: CString,
    written: u64,
    half: u64,
}

impl Ring {
    /// Copies what is there. Whether there may be more some time.
    pub(super) fn copy(&mut self) -> bool {
        let mut bytes = [0; 16384];
        loop {
            match again(|| rustix::io::read(&self.from, &mut bytes[..])) {
                Ok(0) => return false,
                Ok(length) => self.write(bytes.get(..length).unwrap_or_default()),
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
    }

    /// What cannot be written, on a disk that is full, is lost; the payload is not held up for ever.
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.written >= self.half {
                self.turn();
            }
            let room = usize::try_from(self.half - self.written).unwrap_or(usize::MAX);
            let part = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
            match again(|| rustix::io::write(&self.file, part)) {
                Ok(length) => {
                    self.written += length as u64;
                    bytes = bytes.get(length..).unwrap_or_default();
                }
                Err(_) => return,
            }
        }
    }

    /// The full half becomes the older one, and a new one is begun.
    fn turn(&mut self) {
        let _ = again(|| rustix::fs::renameat(CWD, &self.path, CWD, older(&self.path)));
        if let Ok(file) = create(&self.path, true) {
            self.file = file;
        }
        self.written = 0;
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}

/// The path of a log's older half.
pub(crate) fn older(path: &CString) -> CString {
    CString::new([path.as_bytes(), b".1"].concat()).unwrap_or_default()
}

fn create(path: &CString, anew: bool) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let flags = if anew { flags | OFlags::TRUNC } else { flags };
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    above_standard(rustix::fs::open(path.as_c_str(), flags, mode)?)
}

/// Whoever reads the log stands elsewhere.
fn absolute(path: &CString) -> Result<CString, Error> {
    if path.as_bytes().first() == Some(&b'/') {
        return Ok(path.clone());
    }
    let directory = rustix::process::getcwd(Vec::new())
        .map_err(|errno| Error::system("find the current directory", errno))?;
    let bytes = [directory.as_bytes(), b"/", path.as_bytes()].concat();
    CString::new(bytes).map_err(|_| Error::plain("a zero byte"))
}

/// Something to read that is at its end: /dev/null, or where that is missing, a pipe without a writer.
fn nothing() -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open(c"/dev/null", flags, Mode::empty())
        .or_else(|_| {
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map(|(from, _)| from)
        })
        .and_then(above_standard)
        .map_err(|errno| Error::system("open \"/dev/null\"", errno))
}

fn cannot(what: &str, path: &CString, errno: Errno) -> Error {
    Error::system(format!("{what} log {}", quote(path.as_bytes())), errno)
}

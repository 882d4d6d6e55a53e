//! The directory of services: which are new, which are gone; and how one is taken up and left.
use super::files::{self, Failed, Files, Role};
use super::supervisor::{Supervisor, moment};
use super::table::{Entity, Index, Name, Service, Wait};
use super::unit::{Event, Unit, Want};
use super::watch::News;
use super::{complaint, failure};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::number::SECOND;
use unshared_init::sys::{self, Descriptor, Kind};

/// After so long, one that was left, or that nobody could watch over, is taken up (runsvdir(8) looks
/// as often).
const AGAIN: u64 = 5 * SECOND;

/// The longest name of a file, with a zero byte at its end (NAME_MAX).
const LONGEST_FILE_NAME: usize = 256;

/// What watching over a service needs.
struct Opened {
    main: Files,
    log: Option<(Files, (Descriptor, Descriptor))>,
}

impl Supervisor<'_> {
    /// Takes up what is new in the directory, and ends what is gone. What it finds is what counts, not
    /// what was told of: there may have been more changes than the kernel keeps.
    pub(super) fn scan(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let all = match Descriptor::open(self.request.directory, Kind::Directory) {
            Ok(all) => all,
            Err(errno) => return failure(b"", b"open the directory of services", errno),
        };
        for service in self.table.iter_mut() {
            service.is_seen = false;
        }
        let inside = crate::sys::descriptor(all.number());
        all.list(&mut |name| {
            if name.starts_with(b".") {
                return;
            }
            let mut path = heapless::Vec::<u8, LONGEST_FILE_NAME>::new();
            // The longest fits.
            let _ = path.extend_from_slice(name);
            let _ = path.push(0);
            let path = CStr::from_bytes_with_nul(&path).unwrap_or_default();
            match files::directory(inside, path) {
                Ok(directory) => self.meet(name, directory),
                // A file, or gone in the meantime, or a link to what is not there.
                Err(Errno::NOTDIR | Errno::NOENT) => {}
                Err(errno) => failure(name, b"open its directory", errno),
            }
        });
        // Only now: what comes first in the directory may wait for what comes last.
        self.do_what_is_due();
        for index in self.table.indexes() {
            let Some(service) = self.table.get(index) else { continue };
            if service.is_seen || service.is_gone {
                continue;
            }
            service.is_gone = true;
            if service.is_taken_up() {
                self.drive(index, Role::Main, Event::Command(b'x'));
            } else {
                self.table.remove(index);
            }
            self.recheck_what_waits_for(index);
        }
    }

    /// A directory in the directory: one that is known, or a new one. What counts is which directory it
    /// is: that of a name may be another now, and a name another for the same.
    fn meet(&mut self, name: &[u8], directory: OwnedFd) {
        let Ok(name) = Name::from_slice(name) else {
            complaint(b"").text(b"a service's name has 63 bytes at most, not ").quoted(name).say();
            return;
        };
        let Ok(status) = rustix::fs::fstat(&directory) else { return };
        let known = self.table.iter_mut().find(|service| {
            service.inode == status.st_ino
                && rustix::fs::fstat(&service.directory)
                    .is_ok_and(|known| known.st_dev == status.st_dev)
        });
        if let Some(service) = known {
            let is_renamed = !service.is_seen && service.name != name;
            service.is_seen = true;
            service.is_gone = false;
            if is_renamed {
                service.name = name;
                self.recheck_what_waits_for_names();
            }
            return;
        }
        let now = moment();
        let service = Service {
            name,
            directory,
            inode: status.st_ino,
            main: Entity { unit: Unit::away(now, 0), files: None, script: None },
            log: None,
            pipe: None,
            notification: None,
            wait: Wait::Nothing,
            has_told_of_name: false,
            rank: 0,
            is_gone: false,
            is_seen: true,
            is_refused: false,
        };
        if self.table.add(service).is_some() {
            self.recheck_what_waits_for_names();
        } else {
            complaint(b"").text(b"there are 1000 services already").say();
        }
    }

    /// Begins to watch over a service, or says why not and tries again later.
    pub(super) fn take_up(&mut self, index: Index) {
        let Some(service) = self.table.get(index) else { return };
        let now = moment();
        let opened = open(service.directory.as_fd()).and_then(|opened| {
            let add = |files: &Files, role| {
                let news = News::Command(index, role);
                self.watch.add(&files.control, news).map_err(|errno| ("watch its FIFO", errno))
            };
            add(&opened.main, Role::Main)?;
            opened.log.as_ref().map_or(Ok(()), |(files, _)| add(files, Role::Log))?;
            Ok(opened)
        });
        let opened = match opened {
            Ok(opened) => opened,
            Err((attempt, errno)) => {
                if !service.is_refused {
                    failure(&service.name, attempt.as_bytes(), errno);
                }
                service.is_refused = true;
                service.main.unit = Unit::away(now, now.uptime.saturating_add(AGAIN));
                return;
            }
        };
        let unit = |down| Unit::new(files::exists(service.directory.as_fd(), down), now);
        let main = Entity { unit: unit(c"down"), files: Some(opened.main), script: None };
        (service.log, service.pipe) = match opened.log {
            Some((files, pipe)) => {
                let unit = unit(c"log/down");
                (Some(Entity { unit, files: Some(files), script: None }), Some(pipe))
            }
            None => (None, None),
        };
        service.main = main;
        service.is_refused = false;
        for role in [Role::Log, Role::Main] {
            self.drive(index, role, Event::Due);
            // A start has told of itself. Twice would be slow where there are many: to put a file in the place
            // of another makes some filesystems write it out.
            let service = self.table.get(index);
            let entity = service.and_then(|service| service.entity(role));
            if entity.is_some_and(|entity| entity.unit.pid.is_none()) {
                self.report(index, role);
            }
        }
    }

    /// After each event: a log without a service ends, and who has left is left.
    pub(super) fn settle(&mut self, index: Index) {
        let is_ending = self.ending.is_some();
        let Some(service) = self.table.get(index) else { return };
        if !service.is_taken_up() || !service.main.unit.has_left() {
            return;
        }
        if service.log.as_ref().is_some_and(|log| log.unit.want != Want::Exit) {
            // The last writing end is closed: it reads what is left in the pipe, and then its end.
            service.pipe = None;
            return self.drive(index, Role::Log, Event::Drained);
        }
        if !service.has_left() {
            return;
        }
        if service.is_gone || is_ending {
            self.table.remove(index);
            return self.recheck_what_waits_for(index);
        }
        service.main.files = None;
        service.log = None;
        let now = moment();
        service.main.unit = Unit::away(now, now.uptime.saturating_add(AGAIN));
    }
}

/// The files in `supervise` of the service and its log, and the pipe between the two.
fn open(directory: rustix::fd::BorrowedFd<'_>) -> Result<Opened, Failed> {
    let main = Files::open(directory)?;
    let log = match files::directory(directory, c"log") {
        Ok(log) => {
            let files = Files::open(log.as_fd()).map_err(|(attempt, errno)| match attempt {
                "lock supervise/lock" => ("lock log/supervise/lock", errno),
                _ => (attempt, errno),
            })?;
            let pipe = sys::pipe().map_err(|errno| ("make the log's pipe", errno))?;
            Some((files, pipe))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => None,
        Err(errno) => return Err(("open log", errno)),
    };
    Ok(Opened { main, log })
}

//! What is waited for: signals, changes of the directory of services, commands, and news of readiness.
use super::files::Role;
use super::start::borrow;
use super::table::Index;
use rustix::event::{Timespec, epoll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::inotify;
use rustix::io::Errno;
use std::ffi::CStr;
use unshared_init::number::SECOND;
use unshared_init::sys::{self, Descriptor};

/// What has something to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// A signal has come.
    Signal,
    /// In the directory of services something has changed.
    Directory,
    /// A command for one of the two programs of a service.
    Command(Index, Role),
    /// A service may be ready.
    Notification(Index),
}

impl News {
    /// As epoll(7) keeps it.
    fn number(self) -> epoll::EventData {
        let (kind, index) = match self {
            News::Signal => (0, 0),
            News::Directory => (1, 0),
            News::Command(index, Role::Main) => (2, index),
            News::Command(index, Role::Log) => (3, index),
            News::Notification(index) => (4, index),
        };
        epoll::EventData::new_u64(kind << 16 | u64::from(index))
    }

    fn of(number: u64) -> News {
        let index = number as Index;
        match number >> 16 {
            0 => News::Signal,
            1 => News::Directory,
            2 => News::Command(index, Role::Main),
            3 => News::Command(index, Role::Log),
            _ => News::Notification(index),
        }
    }
}

/// So many are told of at once.
const AT_ONCE: usize = 16;

pub(crate) struct Watch {
    epoll: OwnedFd,
    _signals: Descriptor,
    changes: Option<OwnedFd>,
}

impl Watch {
    /// Waits for signals, all of which have been blocked.
    pub(crate) fn new() -> Result<Watch, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let signals = sys::signal_descriptor()?;
        epoll::add(&epoll, borrow(&signals), News::Signal.number(), epoll::EventFlags::IN)?;
        Ok(Watch { epoll, _signals: signals, changes: None })
    }

    /// From here on it is told what comes into that directory and what goes.
    pub(crate) fn watch_directory(&mut self, path: &CStr) -> Result<(), Errno> {
        let changes =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let flags = inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MOVE
            | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&changes, path, flags)?;
        epoll::add(&self.epoll, &changes, News::Directory.number(), epoll::EventFlags::IN)?;
        self.changes = Some(changes);
        Ok(())
    }

    /// What has changed is looked up, not read; how often does not matter.
    pub(crate) fn forget_changes(&self) {
        let mut buffer = [0_u8; 4096];
        if let Some(changes) = &self.changes {
            while rustix::io::read(changes, &mut buffer[..]).is_ok() {}
        }
    }

    pub(crate) fn add(&self, descriptor: impl AsFd, news: News) -> Result<(), Errno> {
        epoll::add(&self.epoll, descriptor, news.number(), epoll::EventFlags::IN)
    }

    /// Whether that descriptor has a say for now.
    pub(crate) fn listen(&self, descriptor: impl AsFd, news: News, listens: bool) {
        let flags = if listens { epoll::EventFlags::IN } else { epoll::EventFlags::empty() };
        // It was added, and is open.
        let _ = epoll::modify(&self.epoll, descriptor, news.number(), flags);
    }

    /// Waits for news, up to that time of the monotonic clock (`u64::MAX` for any).
    pub(crate) fn wait(&self, until: u64) -> heapless::Vec<News, AT_ONCE> {
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; AT_ONCE];
        let left = until.saturating_sub(sys::now());
        let limit = (until < u64::MAX)
            .then_some(Timespec { tv_sec: (left / SECOND) as _, tv_nsec: (left % SECOND) as _ });
        // An error is EINTR at most: then there is no news.
        let count = epoll::wait(&self.epoll, &mut events[..], limit.as_ref()).unwrap_or(0);
        events.iter().take(count).map(|event| News::of(event.data.u64())).collect()
    }
}

//! The loop: what the kernel says becomes events, and actions become system calls.
use super::ending::{Ending, sweep};
use super::files::{self, Failed, Role};
use super::start::{self, Inherited, borrow};
use super::table::{Index, Service, Table};
use super::unit::{Action, Event, Moment, Program, State};
use super::watch::{News, Watch};
use super::{Heed, Request, complaint, failure};
use rustix::fd::AsFd;
use rustix::fs::{Access, AtFlags};
use rustix::process::Pid;
use std::ffi::CStr;
use std::time::SystemTime;
use unshared_init::number::SECOND;
use unshared_init::reaper::{Change, Ended};
use unshared_init::signal::Signal;
use unshared_init::sys;

/// More events than follow from one.
type Events = heapless::Deque<Event, 8>;

pub(crate) struct Supervisor<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) table: &'a mut Table,
    pub(super) watch: Watch,
    pub(super) ending: Option<Ending>,
    inherited: Inherited,
    /// Something has changed for services that wait for others.
    pub(super) rechecks: bool,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(request: &'a Request<'a>, table: &'a mut Table) -> Result<Self, Failed> {
        let fail = |attempt| move |errno| (attempt, errno);
        files::directory(rustix::fs::CWD, request.directory).map_err(fail("open"))?;
        let mut watch = Watch::new().map_err(fail("make what waits for news of"))?;
        if let Err(errno) = watch.watch_directory(request.directory) {
            failure(b"", b"watch the directory (new services are noticed at SIGALRM only)", errno);
        }
        let inherited = Inherited { signals: request.signals, files: start::raise_file_limit() };
        Ok(Supervisor { request, table, watch, ending: None, inherited, rechecks: false })
    }

    /// Comes back when the end was asked for and nothing is left, with the signal that asked.
    pub(crate) fn run(mut self) -> Signal {
        self.scan();
        loop {
            self.recheck();
            if let Some(signal) = self.advance() {
                sweep(self.request, self.has_hurry());
                return signal;
            }
            for news in self.watch.wait(self.next_time()) {
                match news {
                    News::Signal => self.read_signals(),
                    News::Directory => {
                        self.watch.forget_changes();
                        self.scan();
                    }
                    News::Command(index, role) => self.read_commands(index, role),
                    News::Notification(index) => self.read_notification(index),
                }
            }
            self.do_what_is_due();
        }
    }

    fn next_time(&self) -> u64 {
        let ending = self.ending.as_ref().map_or(u64::MAX, Ending::time);
        self.table.iter().fold(ending, |time, (_, service)| time.min(service.due()))
    }

    pub(super) fn do_what_is_due(&mut self) {
        let now = sys::now();
        for index in self.table.indexes() {
            for role in [Role::Main, Role::Log] {
                let Some(service) = self.table.get(index) else { continue };
                let is_taken_up = service.is_taken_up();
                if service.entity(role).is_none_or(|entity| entity.unit.due() > now) {
                } else if is_taken_up {
                    self.drive(index, role, Event::Due);
                } else {
                    self.take_up(index);
                }
            }
        }
    }

    fn read_signals(&mut self) {
        while let Some((signal, _)) = sys::wait_for_signal(Some(0)) {
            if signal == Signal::CHLD {
                self.collect();
                continue;
            }
            match (self.request.heed)(signal) {
                Heed::Not => {}
                Heed::Scan => self.scan(),
                Heed::End => self.begin_end(signal),
            }
        }
    }

    /// Reaps whatever has ended: ours, and the orphans of others.
    fn collect(&mut self) {
        while let Ok(Some((pid, change))) = sys::next_change() {
            if let Change::Ended(ended) = change {
                self.ended(pid, ended);
            }
        }
    }

    fn ended(&mut self, pid: Pid, ended: Ended) {
        for index in self.table.indexes() {
            for role in [Role::Main, Role::Log] {
                let Some(service) = self.table.get(index) else { continue };
                let Some(entity) = service.entity(role) else { continue };
                if entity.unit.pid == Some(pid) {
                    if self.request.is_verbose {
                        tell_end(service, role, pid, ended);
                    }
                    if role == Role::Main {
                        service.notification = None;
                    }
                    return self.drive(index, role, Event::Ended(ended));
                }
                if let Some((script, letter)) = entity.script
                    && script == pid
                {
                    entity.script = None;
                    self.drive(index, role, Event::Scripted(letter, ended == Ended::Exited(0)));
                    return self.listen(index, role, true);
                }
            }
        }
    }

    fn listen(&mut self, index: Index, role: Role, listens: bool) {
        if let Some(service) = self.table.get(index)
            && let Some(files) = service.entity(role).and_then(|entity| entity.files.as_ref())
        {
            self.watch.listen(&files.control, News::Command(index, role), listens);
        }
    }

    /// One letter after the other; while a script runs, the rest stays where it is.
    fn read_commands(&mut self, index: Index, role: Role) {
        loop {
            let Some(service) = self.table.get(index) else { return };
            let Some(entity) = service.entity(role) else { return };
            let Some(files) = &entity.files else { return };
            if entity.unit.scripted {
                return self.listen(index, role, false);
            }
            let mut letter = [0];
            if !matches!(rustix::io::read(&files.control, &mut letter[..]), Ok(1)) {
                return;
            }
            let [letter] = letter;
            // A log's exit is its service's; and at the end, all that is down stays down.
            let is_ours = match letter {
                b'x' => role == Role::Main && self.ending.is_none(),
                b'u' | b'o' | b'd' => self.ending.is_none(),
                _ => true,
            };
            if is_ours {
                self.drive(index, role, Event::Command(letter));
            }
        }
    }

    fn read_notification(&mut self, index: Index) {
        let Some(service) = self.table.get(index) else { return };
        let Some(notification) = &service.notification else { return };
        let mut text = [0; 64];
        let length = notification.read(&mut text);
        let is_ready = text.iter().take(length).any(|byte| *byte == b'\n');
        if is_ready || length == 0 {
            service.notification = None;
        }
        if is_ready {
            self.drive(index, Role::Main, Event::Ready);
        }
    }

    /// An event, and all that follows from it.
    pub(super) fn drive(&mut self, index: Index, role: Role, event: Event) {
        let mut events = Events::new();
        let _ = events.push_back(event);
        while let Some(event) = events.pop_front() {
            let Some(service) = self.table.get(index) else { return };
            let Some(entity) = service.entity(role) else { return };
            for action in entity.unit.next(event, moment()) {
                if let Some(event) = self.perform(index, role, action) {
                    // There is room: an action leads to one event at most.
                    let _ = events.push_back(event);
                }
            }
            if matches!(event, Event::Started(_)) && self.is_ready_at_once(index, role) {
                let _ = events.push_back(Event::Ready);
            }
        }
        self.settle(index);
    }

    /// Whether it runs, and does not say when it is ready.
    fn is_ready_at_once(&mut self, index: Index, role: Role) -> bool {
        self.table.get(index).is_some_and(|service| {
            role == Role::Main
                && service.main.unit.state == State::Run
                && service.notification.is_none()
        })
    }

    fn perform(&mut self, index: Index, role: Role, action: Action) -> Option<Event> {
        match action {
            Action::Begin if role == Role::Main => {
                return Some(self.look_at_what_it_waits_for(index));
            }
            Action::Begin => return Some(Event::Free),
            Action::Start(program) => return Some(self.start(index, role, program)),
            Action::Script(letter) => return self.start_script(index, role, letter),
            Action::Send(signal) => {
                if let Some(pid) = self.table.get(index)?.entity(role)?.unit.pid {
                    // It may have ended, and is not reaped yet.
                    let _ = sys::send(pid, signal);
                }
            }
            Action::Ready if role == Role::Main => self.recheck_what_waits_for(index),
            Action::Ready => {}
            Action::Report => self.report(index, role),
        }
        None
    }

    pub(super) fn report(&mut self, index: Index, role: Role) {
        let Some(service) = self.table.get(index) else { return };
        if let Err((attempt, errno)) = service.report(role)
            && !service.is_gone
        {
            failure(&service.name, attempt.as_bytes(), errno);
        }
    }

    fn start(&mut self, index: Index, role: Role, program: Program) -> Event {
        let Some(service) = self.table.get(index) else { return Event::NotStarted };
        let is_finish = matches!(program, Program::Finish(_));
        if is_finish && (role == Role::Log || !files::exists(service.directory.as_fd(), c"finish"))
        {
            return Event::NoFinish;
        }
        match start::start(service, role, program, self.inherited) {
            Ok(pid) => {
                if let Some(notification) = &service.notification
                    && (role, program) == (Role::Main, Program::Run)
                {
                    let added = self.watch.add(borrow(notification), News::Notification(index));
                    if let Err(errno) = added {
                        failure(&service.name, b"watch notification-fd", errno);
                    }
                }
                if self.request.is_verbose {
                    let name: &[u8] = if is_finish { b"finish" } else { b"run" };
                    let line = complaint(&service.name).text(b"started ");
                    let line = if role == Role::Log { line.text(b"log/") } else { line };
                    line.text(name).text(b" as pid ").pid(pid).say();
                }
                Event::Started(pid)
            }
            Err(errno) => {
                failure(&service.name, b"fork", errno);
                Event::NotStarted
            }
        }
    }

    fn start_script(&mut self, index: Index, role: Role, letter: u8) -> Option<Event> {
        let mut path = *b"control/?\0";
        if let Some(place) = path.get_mut(8) {
            *place = letter;
        }
        let path = CStr::from_bytes_with_nul(&path).unwrap_or_default();
        let service = self.table.get(index)?;
        let not_there = Some(Event::Scripted(letter, false));
        let is_there = role == Role::Main
            && rustix::fs::accessat(&service.directory, path, Access::EXEC_OK, AtFlags::empty())
                .is_ok();
        if !is_there {
            return not_there;
        }
        match start::start_script(service, path, self.inherited) {
            Ok(pid) => {
                service.main.script = Some((pid, letter));
                None
            }
            Err(errno) => {
                failure(&service.name, b"fork", errno);
                not_there
            }
        }
    }
}

fn tell_end(service: &Service, role: Role, pid: Pid, ended: Ended) {
    let line = complaint(&service.name);
    let line =
        if role == Role::Log { line.text(b"log, pid ") } else { line.text(b"pid ") }.pid(pid);
    match ended {
        Ended::Exited(status) => line.text(b", ended with status ").number(status.into()),
        Ended::Killed(signal) => line.text(b", was killed by ").signal(signal),
    }
    .say();
}

pub(super) fn moment() -> Moment {
    Moment { uptime: sys::now(), date: date() }
}

/// Nanoseconds since 1970.
pub(super) fn date() -> u64 {
    let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    date.as_secs() * SECOND + u64::from(date.subsec_nanos())
}

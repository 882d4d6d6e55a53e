//! What fuzz/ calls of the machine's init.
use super::modules::{self, Index};
use super::partition;
use super::settings::Settings;
use super::words;
use crate::services::status::{LENGTH, Status, stat};
use crate::services::unit::{Action, Event, Moment, Program, State, Unit, Want};
use rustix::process::Pid;
use unshared_init::reaper::Ended;
use unshared_init::signal::Signal;

/// The kernel's command line, and the words of an image.
pub fn command_line(bytes: &[u8]) {
    for words in [words::parse(bytes), words::lines(bytes)] {
        let _ = modules::parameters(&words, b"unshared");
        let settings = Settings::read(words);
        let _ = settings.init_of_root();
        if let Some(wrong) = settings.wrong {
            assert!(!wrong.chars().any(char::is_control), "a message that is not one line");
        }
    }
}

/// depmod(8)'s lists and a device's alias, with zero bytes between them.
pub fn modules(bytes: &[u8]) {
    let mut texts = bytes.split(|byte| *byte == 0);
    let mut next = || texts.next().unwrap_or_default();
    let (alias, index) = (next(), Index::of([next(), next(), next(), next()]));
    for module in index.by_alias(alias) {
        let _ = index.files(module);
        let _ = index.wishes(module);
    }
    let _ = index.files(alias);
}

/// The beginning of a disk: its table, or its filesystem.
pub fn disk(bytes: &[u8]) {
    let (file, _) = crate::root::fuzz::file(bytes);
    for number in [0, 1, 128] {
        let _ = partition::of_gpt(&file, 512, number);
        let _ = partition::of_mbr(&file, number);
    }
    let _ = partition::of_gpt(&file, u64::MAX, u64::MAX);
    let _ = crate::disk::identify(&file);
}

/// What is written to `supervise/control`, and what becomes of the service meanwhile: each byte is a
/// letter, or with its highest bit something that happens. And the bytes of `supervise/status`.
pub fn service(bytes: &[u8]) {
    if let Some(status) = Status::parse(bytes) {
        assert_eq!(Status::parse(&status.to_bytes()), Some(status));
    }
    let mut now = Moment { uptime: 1, date: 1 };
    let mut unit = Unit::new(bytes.len() % 2 == 1, now);
    let mut script = None;
    for byte in bytes {
        let pid = unit.pid;
        let event = match byte {
            0x80..=0x9f => {
                now.uptime = now.uptime.saturating_add(1 << (byte & 0x1f) << 10);
                continue;
            }
            0xa0..=0xbf if pid.is_some() => Event::Ended(Ended::Exited(byte & 0x1f)),
            0xc0..=0xcf if pid.is_some() => Event::Ended(Ended::Killed(Signal::KILL)),
            0xd0..=0xdf if script.is_some() => {
                Event::Scripted(script.take().unwrap_or(0), byte & 1 == 1)
            }
            0xe0 => Event::Ready,
            0xe1 => Event::Drained,
            0xe2 => Event::Kill,
            0xe3 if unit.due() <= now.uptime => Event::Due,
            0xe4 if unit.waits => Event::Free,
            0x80.. => continue,
            letter => Event::Command(*letter),
        };
        // As the supervisor does: it answers at once, until nothing follows.
        let mut events = vec![event];
        for _ in 0..64 {
            let Some(event) = events.pop() else { break };
            for action in unit.next(event, now) {
                match action {
                    Action::Begin if byte % 3 == 0 => events.push(Event::Blocked),
                    Action::Begin => events.push(Event::Free),
                    Action::Start(Program::Finish(_)) if byte % 2 == 0 => {
                        events.push(Event::NoFinish);
                    }
                    Action::Start(_) if byte % 5 == 0 => events.push(Event::NotStarted),
                    Action::Start(_) => {
                        assert_eq!(unit.pid, None, "two processes of one program");
                        events.push(Event::Started(Pid::INIT));
                    }
                    Action::Script(letter) => {
                        assert_eq!(script, None, "two scripts at once");
                        script = Some(letter);
                    }
                    Action::Send(_) => assert!(unit.pid.is_some(), "a signal to nobody"),
                    Action::Ready => assert_eq!(unit.state, State::Run, "ready, and not up"),
                    Action::Report => {
                        let _ = stat(&unit);
                        let status: [u8; LENGTH] = Status::of(&unit).to_bytes();
                        assert!(Status::parse(&status).is_some());
                    }
                }
            }
        }
        assert!(events.is_empty(), "one event has no end");
        assert!(unit.want != Want::Exit || unit.due() == u64::MAX, "it is left, and is to start");
    }
}

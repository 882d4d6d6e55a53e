//! What one program does, event by event.
use super::*;
use Action::{Begin, Ready, Report, Script, Send, Start};
use unshared_init::reaper::Ended;

/// A unit whose loop finds neither `after`, nor scripts, nor `finish`, unless a test says so.
struct Driver {
    unit: Unit,
    now: u64,
    next_pid: i32,
    has_finish: bool,
    scripts: &'static [u8],
    is_blocked: bool,
}

/// The moment in seconds.
fn moment(seconds: u64) -> Moment {
    Moment { uptime: seconds * SECOND, date: (1_000_000 + seconds) * SECOND }
}

impl Driver {
    fn new(is_down: bool) -> Driver {
        let unit = Unit::new(is_down, moment(1));
        Driver { unit, now: 1, next_pid: 100, has_finish: false, scripts: b"", is_blocked: false }
    }

    fn up() -> Driver {
        let mut driver = Driver::new(false);
        driver.tell(Event::Due);
        assert_eq!(driver.unit.state, State::Run);
        driver
    }

    /// An event, and those that a loop answers with; returns what was done besides reports.
    fn tell(&mut self, event: Event) -> Vec<Action> {
        let (mut events, mut done) = (std::collections::VecDeque::from([event]), Vec::new());
        while let Some(event) = events.pop_front() {
            for action in self.unit.next(event, moment(self.now)) {
                match action {
                    Begin if self.is_blocked => events.push_back(Event::Blocked),
                    Begin => events.push_back(Event::Free),
                    Start(Program::Finish(_)) if !self.has_finish => {
                        events.push_back(Event::NoFinish);
                        continue;
                    }
                    Start(_) => {
                        self.next_pid += 1;
                        events.push_back(Event::Started(Pid::from_raw(self.next_pid).unwrap()));
                    }
                    Script(letter) if !self.scripts.contains(&letter) => {
                        events.push_back(Event::Scripted(letter, false));
                        continue;
                    }
                    Report => continue,
                    Script(_) | Send(_) | Ready => {}
                }
                done.push(action);
            }
        }
        done
    }

    fn command(&mut self, letter: u8) -> Vec<Action> {
        self.tell(Event::Command(letter))
    }

    fn end(&mut self, after: u64, code: u8) -> Vec<Action> {
        self.now += after;
        self.tell(Event::Ended(Ended::Exited(code)))
    }
}

#[test]
fn what_ends_after_a_while_is_started_again_at_once() {
    let mut driver = Driver::up();
    assert_eq!(driver.end(1, 0), [Begin, Start(Program::Run)]);
    assert_eq!(driver.unit.state, State::Run);
}

#[test]
fn what_keeps_failing_at_once_waits_longer_each_time_up_to_a_minute() {
    let mut driver = Driver::up();
    let mut delays = Vec::new();
    for _ in 0..9 {
        assert_eq!(driver.end(0, 1), []);
        delays.push(driver.unit.due() / SECOND - driver.now);
        driver.now = driver.unit.due() / SECOND;
        assert_eq!(driver.tell(Event::Due), [Begin, Start(Program::Run)]);
    }
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    driver.end(1, 1);
    assert_eq!(driver.end(0, 1), []);
    assert_eq!(driver.unit.due() / SECOND - driver.now, 1, "it had run for a second");
}

#[test]
fn finish_is_told_how_run_ended() {
    let mut driver = Driver::up();
    driver.has_finish = true;
    assert_eq!(driver.end(5, 7), [Start(Program::Finish(Ended::Exited(7)))]);
    assert_eq!(driver.unit.state, State::Finish);
    assert_eq!(driver.unit.since, moment(1).date, "as with runsv, it counts from the start of run");
    assert_eq!(driver.end(0, 0), [Begin, Start(Program::Run)]);
}

#[test]
fn down_sends_term_and_cont_and_it_stays_down() {
    let mut driver = Driver::up();
    assert_eq!(driver.command(b'd'), [Send(Signal::TERM), Send(Signal::CONT)]);
    assert!(driver.unit.term);
    assert_eq!(driver.end(9, 0), []);
    assert_eq!((driver.unit.state, driver.unit.want), (State::Down, Want::Down));
    assert_eq!(driver.unit.due(), u64::MAX);
    assert_eq!(driver.command(b'd'), []);
    assert_eq!(driver.command(b'u'), [Begin, Start(Program::Run)]);
    assert!(!driver.unit.term);
}

#[test]
fn a_finish_that_runs_is_not_disturbed_by_down_or_term() {
    let mut driver = Driver::up();
    driver.has_finish = true;
    driver.end(5, 7);
    assert_eq!(driver.command(b'd'), []);
    assert_eq!(driver.command(b't'), []);
    assert_eq!(driver.end(0, 0), []);
}

#[test]
fn once_starts_it_and_does_not_start_it_again() {
    let mut driver = Driver::new(true);
    assert_eq!(driver.tell(Event::Due), []);
    assert_eq!(driver.command(b'o'), [Begin, Start(Program::Run)]);
    assert_eq!(driver.end(9, 0), []);
    let mut driver = Driver::up();
    assert_eq!(driver.command(b'o'), []);
    assert_eq!(driver.end(9, 0), []);
}

#[test]
fn a_delay_is_over_at_up_and_off_at_down() {
    let mut driver = Driver::up();
    driver.end(0, 1);
    assert_eq!(driver.command(b'u'), [Begin, Start(Program::Run)]);
    driver.end(0, 1);
    driver.command(b'd');
    assert_eq!(driver.unit.due(), u64::MAX);
}

#[test]
fn letters_are_signals_and_nothing_where_nothing_runs() {
    let letters = b"hiq12ak";
    let numbers = [1, 2, 3, 10, 12, 14, 9];
    for (letter, number) in letters.iter().zip(numbers) {
        assert_eq!(Driver::up().command(*letter), [Send(Signal::new(number).unwrap())]);
        assert_eq!(Driver::new(true).command(*letter), []);
    }
    assert_eq!(Driver::up().command(b'?'), []);
}

#[test]
fn a_pause_lasts_until_it_is_continued() {
    let mut driver = Driver::up();
    assert_eq!(driver.command(b'p'), [Send(Signal::STOP)]);
    assert!(driver.unit.paused);
    assert_eq!(driver.command(b'c'), [Send(Signal::CONT)]);
    assert!(!driver.unit.paused);
}

#[test]
fn exit_leaves_once_it_is_down() {
    let mut driver = Driver::up();
    assert_eq!(driver.command(b'x'), [Send(Signal::TERM), Send(Signal::CONT)]);
    assert!(!driver.unit.has_left());
    driver.end(0, 0);
    assert!(driver.unit.has_left());
    let mut driver = Driver::new(true);
    driver.command(b'x');
    assert!(driver.unit.has_left());
}

#[test]
fn a_script_stands_for_its_signal_if_it_succeeds() {
    let mut driver = Driver::up();
    driver.scripts = b"htd";
    assert_eq!(driver.command(b'h'), [Script(b'h')]);
    assert_eq!(driver.tell(Event::Scripted(b'h', true)), []);
    driver.command(b'h');
    assert_eq!(driver.tell(Event::Scripted(b'h', false)), [Send(Signal::HUP)]);
    assert_eq!(driver.command(b'd'), [Script(b't')]);
    let after = [Send(Signal::CONT), Script(b'd')];
    assert_eq!(driver.tell(Event::Scripted(b't', true)), after, "CONT and control/d come anyway");
    assert!(!driver.unit.term);
}

#[test]
fn the_end_of_all_waits_for_a_script() {
    let mut driver = Driver::up();
    driver.scripts = b"h";
    driver.command(b'h');
    assert_eq!(driver.command(b'x'), []);
    assert_eq!(driver.tell(Event::Scripted(b'h', true)), [Send(Signal::TERM), Send(Signal::CONT)]);
    assert_eq!(driver.unit.want, Want::Exit);
}

#[test]
fn a_script_before_a_start_delays_it() {
    let mut driver = Driver::new(true);
    driver.scripts = b"u";
    assert_eq!(driver.command(b'u'), [Begin, Script(b'u')]);
    assert_eq!(driver.tell(Event::Scripted(b'u', false)), [Start(Program::Run)]);
    let mut driver = Driver::new(true);
    driver.scripts = b"u";
    driver.command(b'u');
    driver.command(b'x');
    assert_eq!(driver.tell(Event::Scripted(b'u', true)), []);
    assert!(driver.unit.has_left());
}

#[test]
fn what_waits_for_others_starts_when_nothing_is_in_its_way() {
    let mut driver = Driver::new(false);
    driver.is_blocked = true;
    assert_eq!(driver.tell(Event::Due), [Begin]);
    assert!(driver.unit.waits);
    driver.command(b'd');
    assert!(!driver.unit.waits);
    driver.command(b'u');
    assert_eq!(driver.tell(Event::Free), [Start(Program::Run)]);
    assert!(!driver.unit.waits);
}

#[test]
fn it_is_ready_once_and_only_while_it_runs() {
    let mut driver = Driver::up();
    assert_eq!(driver.tell(Event::Ready), [Ready]);
    assert_eq!(driver.tell(Event::Ready), []);
    driver.command(b'd');
    driver.end(3, 0);
    assert!(!driver.unit.ready);
    assert_eq!(driver.tell(Event::Ready), []);
}

#[test]
fn no_process_to_be_had_is_a_failure_like_others() {
    let mut unit = Unit::new(false, moment(50));
    unit.next(Event::Free, moment(50));
    assert_eq!(unit.next(Event::NotStarted, moment(50)), [Report]);
    assert_eq!(unit.due(), moment(51).uptime);
}

#[test]
fn a_kill_is_for_whatever_runs() {
    let mut driver = Driver::up();
    assert_eq!(driver.tell(Event::Kill), [Send(Signal::KILL)]);
    driver.has_finish = true;
    driver.end(1, 1);
    assert_eq!(driver.tell(Event::Kill), [Send(Signal::KILL)]);
    assert_eq!(Driver::new(true).tell(Event::Kill), []);
}

/// Every order of events of some length: whatever comes, what the unit says of itself fits together.
#[test]
fn whatever_comes_in_whatever_order_it_stays_sound() {
    let events = [
        Event::Command(b'u'),
        Event::Command(b'd'),
        Event::Command(b'o'),
        Event::Command(b'x'),
        Event::Command(b't'),
        Event::Command(b'p'),
        Event::Ready,
        Event::Due,
        Event::Ended(Ended::Exited(0)),
        Event::Scripted(b't', false),
        Event::Kill,
    ];
    for order in 0..events.len().pow(5) {
        let (mut driver, mut rest) = (Driver::new(false), order);
        driver.scripts = b"t";
        for _ in 0..5 {
            let event = events[rest % events.len()];
            rest /= events.len();
            // What a loop tells is so: something ends only if it runs.
            let runs = driver.unit.pid.is_some();
            match event {
                Event::Ended(_) if !runs => continue,
                Event::Scripted(..) if !driver.unit.scripted => continue,
                event => driver.tell(event),
            };
            let unit = &driver.unit;
            assert_eq!(unit.pid.is_some(), unit.state != State::Down, "{order} {unit:?}");
            assert!(!unit.ready || unit.state == State::Run, "{order} {unit:?}");
            assert!(unit.due() == u64::MAX || unit.want == Want::Up, "{order} {unit:?}");
            assert!(!(unit.waits && unit.pid.is_some()), "{order} {unit:?}");
        }
    }
}

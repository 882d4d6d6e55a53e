use super::*;

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).unwrap()
}

const MAIN: i32 = 2;
const OTHER: i32 = 3;

fn ended(number: i32, code: u8) -> Event {
    Event::Child(pid(number), Change::Ended(Ended::Exited(code)))
}

fn signal(signal: Signal) -> Event {
    Event::Signal(signal, Sender::Process)
}

/// Tells a new PID 1 the events after its start, and collects its answers.
fn play(events: &[Event]) -> Vec<Action> {
    play_on(Reaper::new(1, Sweep::Namespace), events)
}

fn play_on(mut reaper: Reaper, events: &[Event]) -> Vec<Action> {
    assert_eq!(reaper.next(Event::Started(pid(MAIN))), Action::Wait);
    events.iter().map(|event| reaper.next(*event)).collect()
}

#[test]
fn a_lone_main_process_ends_without_any_signal_or_wait() {
    assert_eq!(
        play(&[signal(Signal::CHLD), ended(MAIN, 3), Event::NoChildren]),
        [Action::Collect, Action::Collect, Action::Finish(Ended::Exited(3))]
    );
}

#[test]
fn an_orphan_is_reaped_and_the_main_process_stays_awaited() {
    assert_eq!(
        play(&[signal(Signal::CHLD), ended(OTHER, 9), Event::NoNews]),
        [Action::Collect, Action::Collect, Action::Wait]
    );
}

#[test]
fn what_is_left_gets_term_then_the_grace_period_then_kill() {
    assert_eq!(
        play(&[
            signal(Signal::CHLD),
            ended(MAIN, 0),
            Event::NoNews,
            Event::Done,
            Event::GraceOver,
            Event::Done,
            signal(Signal::CHLD),
            ended(OTHER, 0),
            Event::NoChildren,
        ]),
        [
            Action::Collect,
            Action::Collect,
            Action::Terminate,
            Action::WaitForGrace,
            Action::Kill,
            Action::Wait,
            Action::Collect,
            Action::Collect,
            Action::Finish(Ended::Exited(0)),
        ]
    );
}

#[test]
fn the_grace_period_ends_as_soon_as_nothing_is_left() {
    let actions = play(&[
        ended(MAIN, 7),
        Event::NoNews,
        Event::Done,
        signal(Signal::CHLD),
        ended(OTHER, 0),
        Event::NoChildren,
    ]);
    assert_eq!(actions.last(), Some(&Action::Finish(Ended::Exited(7))));
    assert!(!actions.contains(&Action::Kill));
}

#[test]
fn a_second_term_ends_the_grace_period() {
    let actions = play(&[
        signal(Signal::TERM),
        Event::Done,
        ended(MAIN, 143),
        Event::NoNews,
        Event::Done,
        signal(Signal::TERM),
    ]);
    assert_eq!(actions.first(), Some(&Action::Forward(pid(MAIN), Signal::TERM)));
    assert_eq!(actions.last(), Some(&Action::Kill));
}

#[test]
fn every_signal_of_a_process_is_forwarded() {
    for number in (1..=64).filter(|number| *number != libc::SIGCHLD) {
        let one = Signal::new(number).unwrap();
        assert_eq!(play(&[signal(one)]), [Action::Forward(pid(MAIN), one)]);
    }
}

#[test]
fn a_signal_that_the_terminal_sent_is_not_forwarded() {
    assert_eq!(play(&[Event::Signal(Signal::INT, Sender::Kernel)]), [Action::Wait]);
}

#[test]
fn a_stopped_main_process_is_reported_and_collecting_goes_on() {
    let stopped = |number| Event::Child(pid(number), Change::Stopped(Signal::TSTP));
    assert_eq!(
        play(&[stopped(OTHER), stopped(MAIN), Event::Done]),
        [Action::Collect, Action::ReportStop(Signal::TSTP), Action::Collect]
    );
}

#[test]
fn commands_follow_each_other_while_they_succeed() {
    assert_eq!(
        play_on(
            Reaper::new(3, Sweep::Namespace),
            &[ended(MAIN, 0), Event::Started(pid(OTHER)), ended(OTHER, 4), Event::NoChildren]
        ),
        [Action::Start, Action::Wait, Action::Collect, Action::Finish(Ended::Exited(4))]
    );
}

#[test]
fn without_a_namespace_nothing_but_the_main_process_matters() {
    assert_eq!(
        play_on(Reaper::new(1, Sweep::Nothing), &[ended(MAIN, 1)]),
        [Action::Finish(Ended::Exited(1))]
    );
}

#[test]
fn a_main_process_killed_by_a_signal_is_128_and_its_number() {
    assert_eq!(Ended::Killed(Signal::KILL).code(), 137);
    assert_eq!(Ended::Killed(Signal::new(64).unwrap()).code(), 192);
}

#[test]
fn a_command_that_cannot_be_forked_is_our_own_failure() {
    let mut reaper = Reaper::new(1, Sweep::Namespace);
    assert_eq!(reaper.next(Event::NotStarted), Action::Collect);
    assert_eq!(reaper.next(Event::NoChildren), Action::Finish(Ended::Exited(125)));
}

/// Every order of events up to a depth at which all phases have been through: whatever comes, the
/// reaper finishes only with the status of its main process, signals only it, and never starts a
/// second one while the first runs.
#[test]
fn no_order_of_events_makes_it_lie() {
    fn descend(events: &mut Vec<Event>, alphabet: &[Event], depth: usize) {
        let mut reaper = Reaper::new(1, Sweep::Namespace);
        let _ = reaper.next(Event::Started(pid(MAIN)));
        let mut status = None;
        for event in events.iter() {
            if status.is_none() {
                status = match event {
                    Event::Child(who, Change::Ended(ended)) if *who == pid(MAIN) => Some(*ended),
                    _ => None,
                };
            }
            match reaper.next(*event) {
                Action::Finish(ended) => {
                    assert_eq!(ended, status.unwrap_or(FAILED), "{events:?}");
                    return;
                }
                Action::Forward(who, _) => {
                    assert_eq!(who, pid(MAIN), "{events:?}");
                    assert_eq!(status, None, "{events:?}");
                }
                Action::Terminate | Action::Kill => assert!(status.is_some(), "{events:?}"),
                Action::Start => panic!("started again: {events:?}"),
                Action::Collect | Action::Wait | Action::WaitForGrace | Action::ReportStop(_) => {}
            }
        }
        if depth > 0 {
            for event in alphabet {
                events.push(*event);
                descend(events, alphabet, depth - 1);
                events.pop();
            }
        }
    }
    let alphabet = [
        ended(MAIN, 5),
        ended(OTHER, 6),
        Event::Child(pid(MAIN), Change::Stopped(Signal::STOP)),
        signal(Signal::TERM),
        signal(Signal::CHLD),
        Event::GraceOver,
        Event::NoNews,
        Event::NoChildren,
        Event::Done,
    ];
    descend(&mut Vec::new(), &alphabet, 6);
}

#[test]
fn after_a_term_no_other_command_is_started() {
    let killed = Ended::Killed(Signal::TERM);
    assert_eq!(
        play_on(
            Reaper::new(2, Sweep::Namespace),
            &[signal(Signal::TERM), Event::Done, ended(MAIN, 0), Event::NoChildren]
        ),
        [
            Action::Forward(pid(MAIN), Signal::TERM),
            Action::Collect,
            Action::Collect,
            Action::Finish(killed)
        ]
    );
}

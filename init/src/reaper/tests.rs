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
    play_on(Reaper::new(Rules::new(Sweep::Namespace)), events)
}

fn sequence(commands: usize) -> Reaper {
    Reaper::new(Rules { commands, ..Rules::new(Sweep::Namespace) })
}

fn restarting(restart: Restart) -> Reaper {
    Reaper::new(Rules { restart, ..Rules::new(Sweep::Namespace) })
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
            Event::TimeOver,
            Event::Done,
            signal(Signal::CHLD),
            ended(OTHER, 0),
            Event::NoChildren,
        ]),
        [
            Action::Collect,
            Action::Collect,
            Action::Terminate,
            Action::WaitForTime,
            Action::Kill,
            Action::WaitForTime,
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
        Event::Forwarded,
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
            sequence(3),
            &[ended(MAIN, 0), Event::Started(pid(OTHER)), ended(OTHER, 4), Event::NoChildren]
        ),
        [Action::Start(1), Action::Wait, Action::Collect, Action::Finish(Ended::Exited(4))]
    );
}

#[test]
fn without_a_namespace_nothing_but_the_main_process_matters() {
    assert_eq!(
        play_on(Reaper::new(Rules::new(Sweep::Nothing)), &[ended(MAIN, 1)]),
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
    let mut reaper = sequence(1);
    assert_eq!(reaper.next(Event::NotStarted), Action::Collect);
    assert_eq!(reaper.next(Event::NoChildren), Action::Finish(Ended::Exited(125)));
}

#[test]
fn after_a_term_no_other_command_is_started() {
    let killed = Ended::Killed(Signal::TERM);
    assert_eq!(
        play_on(
            sequence(2),
            &[signal(Signal::TERM), Event::Forwarded, ended(MAIN, 0), Event::NoChildren]
        ),
        [
            Action::Forward(pid(MAIN), Signal::TERM),
            Action::Wait,
            Action::Collect,
            Action::Finish(killed)
        ]
    );
}

#[test]
fn a_term_while_the_others_end_is_the_first_if_none_came_before() {
    let actions = play(&[
        ended(MAIN, 0),
        Event::NoNews,
        Event::Done,
        signal(Signal::TERM),
        signal(Signal::INT),
    ]);
    assert_eq!(actions[3..], [Action::WaitForTime, Action::Kill]);
}

#[test]
fn what_cannot_be_killed_is_left_to_its_fate() {
    let mut events = vec![ended(MAIN, 4), Event::NoNews, Event::Done];
    for _ in 0..=KILLS {
        events.extend([Event::TimeOver, Event::Done]);
    }
    events.push(Event::TimeOver);
    let actions = play(&events);
    let kills = actions.iter().filter(|action| **action == Action::Kill).count();
    assert_eq!(kills, usize::from(KILLS) + 1);
    assert_eq!(actions.last(), Some(&Action::Finish(Ended::Exited(4))));
}

#[test]
fn what_is_started_again_is_started_after_a_delay_with_nothing_left() {
    assert_eq!(
        play_on(
            restarting(Restart::OnFailure),
            &[
                ended(MAIN, 1),
                Event::NoNews,
                Event::Done,
                ended(OTHER, 0),
                Event::NoChildren,
                Event::Done,
                Event::TimeOver,
                Event::Started(pid(OTHER)),
                ended(OTHER, 0),
                Event::NoChildren,
            ]
        ),
        [
            Action::Collect,
            Action::Terminate,
            Action::WaitForTime,
            Action::Collect,
            Action::Delay,
            Action::WaitForTime,
            Action::Start(0),
            Action::Wait,
            Action::Collect,
            Action::Finish(Ended::Exited(0)),
        ]
    );
}

#[test]
fn a_request_to_end_is_the_end_of_restarts() {
    for request in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let running = [signal(request), Event::Forwarded, ended(MAIN, 1), Event::NoChildren];
        let delayed = [ended(MAIN, 1), Event::NoChildren, Event::Done, signal(request)];
        for events in [running, delayed] {
            let actions = play_on(restarting(Restart::Always), &events);
            assert_eq!(actions.last(), Some(&Action::Finish(Ended::Exited(1))), "{request:?}");
        }
    }
}

#[test]
fn ctrl_c_is_the_end_of_a_sequence_however_the_command_takes_it() {
    let typed = Event::Signal(Signal::INT, Sender::Kernel);
    let actions = play_on(sequence(2), &[typed, ended(MAIN, 0), Event::NoChildren]);
    assert_eq!(
        actions,
        [Action::Wait, Action::Collect, Action::Finish(Ended::Killed(Signal::INT))]
    );
}

#[test]
fn ctrl_c_is_the_end_of_restarts_though_it_is_not_forwarded() {
    let typed = Event::Signal(Signal::INT, Sender::Kernel);
    let actions = play_on(restarting(Restart::Always), &[typed, ended(MAIN, 0), Event::NoChildren]);
    assert_eq!(actions, [Action::Wait, Action::Collect, Action::Finish(Ended::Exited(0))]);
}

#[test]
fn a_hang_up_by_a_process_is_no_end_of_restarts_and_one_by_the_terminal_is() {
    for (sender, last) in [
        (Sender::Process, Action::Delay),
        (Sender::Kernel, Action::Finish(Ended::Exited(1))),
        (Sender::TerminalAlone, Action::Finish(Ended::Exited(1))),
    ] {
        let events = [Event::Signal(Signal::HUP, sender), ended(MAIN, 1), Event::NoChildren];
        assert_eq!(play_on(restarting(Restart::Always), &events).last(), Some(&last));
    }
}

#[test]
fn what_could_never_be_executed_is_not_tried_again() {
    let mut reaper = restarting(Restart::Always);
    assert_eq!(reaper.next(Event::NotExecuted(pid(MAIN))), Action::Wait);
    assert_eq!(reaper.next(ended(MAIN, 127)), Action::Collect);
    assert_eq!(reaper.next(Event::NoChildren), Action::Finish(Ended::Exited(127)));
}

#[test]
fn what_could_be_executed_once_is_tried_again_when_it_cannot() {
    let mut reaper = restarting(Restart::OnFailure);
    for event in [Event::Started(pid(MAIN)), ended(MAIN, 1), Event::NoChildren, Event::Done] {
        let _ = reaper.next(event);
    }
    assert_eq!(reaper.next(Event::TimeOver), Action::Start(0));
    assert_eq!(reaper.next(Event::NotExecuted(pid(OTHER))), Action::Wait);
    assert_eq!(reaper.next(ended(OTHER, 127)), Action::Collect);
    assert_eq!(reaper.next(Event::NoChildren), Action::Delay);
}

#[test]
fn a_signal_is_passed_on_as_what_it_was_rewritten_to() {
    let mut rules = Rules::new(Sweep::Namespace);
    rules.rewrites.set(Signal::TERM, Some(Signal::QUIT));
    rules.rewrites.set(Signal::HUP, None);
    assert_eq!(
        play_on(Reaper::new(rules), &[signal(Signal::TERM), Event::Forwarded, signal(Signal::HUP)]),
        [Action::Forward(pid(MAIN), Signal::QUIT), Action::Wait, Action::Wait]
    );
}

#[test]
fn the_end_of_the_parent_is_the_end_of_restarts_whatever_signal_stands_for_it() {
    for number in [Signal::HUP, Signal::new(10).unwrap(), Signal::TERM, Signal::KILL] {
        let mut rules = Rules { restart: Restart::Always, ..Rules::new(Sweep::Namespace) };
        rules.rewrites.set(number, None);
        let events = [
            Event::Signal(number, Sender::ParentsEnd),
            Event::Forwarded,
            ended(MAIN, 0),
            Event::NoChildren,
        ];
        let actions = play_on(Reaper::new(rules), &events);
        assert_eq!(actions.first(), Some(&Action::Forward(pid(MAIN), number)));
        assert_eq!(actions.last(), Some(&Action::Finish(Ended::Exited(0))));
    }
}

mod orders;

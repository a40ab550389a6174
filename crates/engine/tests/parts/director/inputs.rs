//! What one turn takes: bounded, in order, and no time limit passes before what came in time was taken.

use engine::director::{Input, Inputs};
use upgrade::{DeviceId, RunId, Time};

const MOST: usize = 4;

/// News and reports that can be told apart.
fn numbered(numbers: std::ops::Range<u64>) -> impl Iterator<Item = Input> {
    numbers.map(|number| Input::Doubted(DeviceId(number)))
}

fn numbers(inputs: &Inputs) -> Vec<u64> {
    let number = |input: &Input| match input {
        Input::Doubted(device) => Some(device.0),
        _ => None,
    };
    inputs.as_slice().iter().filter_map(number).collect()
}

fn judges_time(inputs: &Inputs) -> bool {
    inputs.as_slice().iter().any(|input| matches!(input, Input::Clock))
}

#[test]
fn what_comes_in_a_flood_is_taken_in_its_order_and_none_of_it_is_lost() {
    let mut waiting = numbered(0..14);
    let mut turns = Vec::new();
    loop {
        let mut inputs = Inputs::at_most(MOST);
        inputs.take(|| waiting.next());
        if inputs.is_empty() {
            break;
        }
        turns.push(numbers(&inputs));
    }
    assert_eq!(turns, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9, 10, 11], vec![12, 13]]);
}

#[test]
fn nothing_is_too_late_that_has_come_and_was_not_taken_yet() {
    let (due, now) = (Some(Time::from_millis(1000)), Time::from_millis(2000));
    let mut waiting = numbered(0..5);
    let mut inputs = Inputs::at_most(MOST);
    inputs.take(|| waiting.next());
    inputs.judge_time(due, now);
    assert!(!judges_time(&inputs), "an answer waits still");
    let mut inputs = Inputs::at_most(MOST);
    inputs.take(|| waiting.next());
    inputs.judge_time(due, now);
    assert!(judges_time(&inputs));
    assert_eq!(numbers(&inputs), [4], "what came in time is before the time limit");
    assert!(matches!(inputs.as_slice().last(), Some(Input::Clock)));
    for too_early in [None, Some(Time::from_millis(2001))] {
        let mut inputs = Inputs::at_most(MOST);
        inputs.judge_time(too_early, now);
        assert!(inputs.is_empty());
    }
}

#[test]
fn a_storm_of_notifications_keeps_no_time_limit_from_passing() {
    let mut storm = numbered(0..u64::MAX);
    for turn in 0..10 {
        let mut inputs = Inputs::at_most(MOST);
        inputs.take(|| None);
        inputs.take_news(|| storm.next());
        inputs.judge_time(Some(Time::from_millis(1000)), Time::from_millis(2000));
        assert!(judges_time(&inputs), "turn {turn}");
        assert_eq!(numbers(&inputs).len(), MOST, "and it is bounded");
    }
}

#[test]
fn what_cannot_be_stored_is_taken_once_more_but_for_words_of_operators_and_time_limits() {
    let mut inputs = Inputs::at_most(MOST);
    inputs.push(Input::Cancel(RunId(1)));
    inputs.extend(numbered(0..2));
    inputs.push(Input::StopOperation(RunId(2)));
    inputs.judge_time(Some(Time::from_millis(1)), Time::from_millis(2));
    for _ in 0..2 {
        inputs.hinder();
        assert!(matches!(inputs.as_slice(), [Input::Hindered, Input::Doubted(_), Input::Doubted(_)]));
        assert_eq!(numbers(&inputs), [0, 1]);
    }
}

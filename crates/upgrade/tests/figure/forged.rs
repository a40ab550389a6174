//! Late, doubled and forged events change nothing that matters (rows H7, B2, B9).

use upgrade::operation::{Notice, Seen};
use upgrade::profile::{Command, NotificationKind, Scope};
use upgrade::run::{Answer, Event, Outcome, State, Step};
use upgrade::{Reading, TicketName};

use crate::device::Fault;
use crate::world::World;

fn notice(world: &World, kind: NotificationKind) -> Event {
    let operation = match &world.run.state {
        State::Working { operation, .. } => Some(operation.id.clone()),
        _ => None,
    };
    Event::Notified(Notice { kind, operation, progress: Some(100) })
}

#[test]
fn a_forged_word_that_it_is_done_proves_nothing() {
    for (step, command) in [
        (Step::BackingUp, Command::Backup),
        (Step::Downloading, Command::Download),
        (Step::Activating, Command::Reset),
        (Step::Restoring, Command::Restore),
    ] {
        let mut world = World::upgrade().fault(command, [Fault::Hang]).begin().until_underway(step);
        let done = notice(&world, NotificationKind::Done);
        for _ in 0..50 {
            world.give(&done);
            assert!(world.next());
            assert_eq!(world.run.current_step(), Some(step), "{}", world.told());
        }
        let world = world.on();
        assert!(world.question().failure.is_some());
    }
}

#[test]
fn a_flood_of_forged_words_neither_fails_nor_ends_an_operation() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.profile.commands.get_mut(&Command::Download).unwrap().stall = std::time::Duration::from_secs(8);
    let mut turns = 0;
    while world.run.current_step() == Some(Step::Downloading) {
        let kind = [NotificationKind::Failed, NotificationKind::Done, NotificationKind::Restarted][turns % 3];
        let forged = notice(&world, kind);
        world.give(&forged);
        assert!(world.next());
        turns += 1;
        assert!(turns < 100_000);
    }
    assert_eq!(world.failures(), [""; 0]);
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_flood_does_not_keep_missing_evidence_from_being_missed() {
    let mut world = World::upgrade().fault(Command::Backup, [Fault::NothingCame]).begin();
    let mut world_time = None;
    while world.failures().is_empty() {
        let forged = notice(&world, NotificationKind::Done);
        world.give(&forged);
        assert!(world.next());
        if world.device.work.as_ref().is_some_and(|work| work.state.is_over()) {
            world_time.get_or_insert(world.now);
        }
    }
    assert!(world.failures()[0].contains("did not see"), "{:?}", world.failures());
    assert!(world.now - world_time.unwrap() < std::time::Duration::from_secs(20));
}

#[test]
fn answers_to_earlier_questions_mean_nothing() {
    let mut world = World::upgrade().begin();
    let mut turns = 0;
    while !world.run.is_over() {
        let asked = world.run.asked.wrapping_sub(1);
        let reading = Reading::default().into();
        for stale in [
            Event::Read { asked, reading },
            Event::Unread { asked, why: "late".into() },
            Event::Accepted { asked },
            Event::Refused { asked, why: "late".into() },
            Event::Unanswered { asked },
        ] {
            assert!(!world.give(&stale), "{stale:?} in {:?}", world.run.state);
        }
        assert!(world.next());
        turns += 1;
    }
    assert!(turns > 50);
    world.assert_upgraded(&world.before.1);
}

#[test]
fn what_means_nothing_changes_nothing() {
    let mut world = World::upgrade().begin();
    while !world.run.is_over() {
        let name = TicketName("guessed".into());
        for event in [
            Event::Transferred { name: name.clone(), seen: Seen::Broken { why: "forged".into() } },
            Event::Answered(Answer::End),
            Event::Converted(Err("forged".into())),
            Event::Tick,
        ] {
            let due = world.run.next_deadline(&world.profile).is_some_and(|due| due <= world.now);
            assert!(
                !world.give(&event) || (event == Event::Tick && due),
                "{event:?} in {:?}",
                world.run.state
            );
        }
        assert!(world.next());
    }
    world.assert_upgraded(&world.before.1);
    for event in [Event::Tick, Event::Resumed, Event::Cancelled, Event::Begin, Event::Answered(Answer::Again)]
    {
        assert!(!world.give(&event), "{event:?}");
    }
}

#[test]
fn a_file_that_came_whole_is_not_unsaid() {
    let mut world = World::new(upgrade::run::Goal::Backup, crate::world::choices()).begin();
    let mut names = Vec::new();
    while !world.run.is_over() {
        names.extend(world.tickets.keys().filter(|name| !names.contains(*name)).cloned().collect::<Vec<_>>());
        assert!(world.next());
        for name in &names {
            if !world.tickets.contains_key(name) {
                assert!(!world.give(&Event::Transferred {
                    name: name.clone(),
                    seen: Seen::Broken { why: "doubled".into() }
                }));
            }
        }
    }
    assert_eq!(world.outcome(), Outcome::Succeeded);
}

#[test]
fn an_answer_older_than_the_news_is_followed_by_another_look() {
    for (step, notified) in [(Step::BackingUp, false), (Step::Confirming, true)] {
        let mut world = World::upgrade();
        world.notified = notified;
        let mut world = world.begin().until_underway(step);
        let asked = world.run.asked;
        world.until(|world| world.run.asked > asked);
        // This answer was on its way when it was done.
        let (asked, reading) = (world.run.asked, world.device.reading(Scope::Progress, world.now));
        world.forget_answers();
        world.device.hurry(world.now);
        assert!(world.next());
        let done = world.now;
        assert!(world.give(&Event::Read { asked, reading: reading.into() }));
        world.until(|world| world.run.current_step() != Some(step));
        assert!(world.now - done < std::time::Duration::from_secs(1), "{step} waited for its next poll");
    }
}

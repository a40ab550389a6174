//! Configuring the server and backing up (rows H1 to H8, H18, S16, B9).

use std::time::Duration;

use upgrade::Protocol;
use upgrade::operation::{Seen, State::Underway};
use upgrade::profile::Command;
use upgrade::reading::OperationState;
use upgrade::run::{Answer, AnswerKind, Choices, Event, Goal, Outcome, State, Step, Story};

use crate::device::Fault;
use crate::world::{World, choices};

const AGAIN_OR_END: [AnswerKind; 2] = [AnswerKind::Again, AnswerKind::End];

fn backup() -> World {
    World::new(Goal::Backup, choices())
}

#[test]
fn the_device_is_told_its_server_before_the_first_transfer() {
    let world = backup().play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.sets, [Command::ConfigureServer, Command::Backup]);
    assert_eq!(world.device.server, ("192.0.2.1".into(), 69));
    assert_eq!(world.kept.len(), 1);
    assert_eq!(world.kept[0].files, world.before.1);
}

#[test]
fn a_backup_takes_the_kinds_that_were_chosen() {
    let kinds: Vec<_> = crate::world::profile().all_kinds().into_iter().take(2).collect();
    let world = World::new(Goal::Backup, Choices { kinds: kinds.clone(), ..choices() }).play();
    assert_eq!(
        world.kept[0].files.keys().cloned().collect::<std::collections::BTreeSet<_>>(),
        kinds.into_iter().collect()
    );
}

#[test]
fn a_kind_named_twice_is_backed_up_once() {
    let kind = crate::world::profile().all_kinds().remove(0);
    let kinds = vec![kind.clone(), kind.clone()];
    let world = World::new(Goal::Backup, Choices { kinds, ..choices() }).play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.kept[0].files.keys().collect::<Vec<_>>(), [&kind]);
}

#[test]
fn a_backup_that_never_ends_is_stopped_so_that_the_device_is_free_again() {
    let world = backup().fault(Command::Backup, [Fault::Hang]).play();
    assert_eq!(world.question().failure.as_ref().map(|failure| failure.step), Some(Step::BackingUp));
    assert_eq!(world.count(Command::Abort), 1, "{}", world.told());
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
}

#[test]
fn by_ftp_each_ticket_carries_the_password_of_the_run() {
    let mut world = backup();
    world.run.server.protocol = Protocol::Ftp;
    world.run.server.password = upgrade::Run::password("0123456789abcdef");
    let mut world = world.begin();
    world.until(|world| !world.tickets.is_empty());
    assert!(world.tickets.values().all(|ticket| {
        ticket.protocol == Protocol::Ftp
            && ticket.password == world.run.server.password
            && !ticket.password.is_empty()
    }));
    assert_eq!(world.on().outcome(), Outcome::Succeeded);
}

#[test]
fn without_any_notification_polls_find_out() {
    let mut world = backup();
    world.notified = false;
    let world = world.play();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert!(
        world.stories.iter().any(|story| matches!(story, Story::Progress { percent, .. } if *percent > 0))
    );
}

#[test]
fn a_backup_that_is_not_what_the_device_holds_has_failed() {
    let cases = [
        (Fault::Truncate, "bytes came"),
        (Fault::Alter, "digests differ"),
        (Fault::NothingCame, "did not see"),
        (Fault::Fail("the transfer broke off"), "the transfer broke off"),
        (Fault::Hang, "no progress for"),
        (Fault::PowerLoss, "restart"),
        (Fault::Refuse, "refused the command (genErr)"),
    ];
    for (fault, why) in cases {
        let world = backup().fault(Command::Backup, [fault.clone()]).play();
        world.assert_asks(&AGAIN_OR_END, why);
        assert_eq!(world.kept, [], "{fault:?}");
        let world = world.answer(Answer::Again);
        assert_eq!(world.outcome(), Outcome::Succeeded, "{fault:?}: {}", world.told());
        assert_eq!(world.kept.len(), 1);
    }
}

/// Found by the deterministic world: all files had come, and the look that would have shown it took its time.
#[test]
fn what_came_whole_is_not_missed_while_a_look_is_awaited() {
    let mut world = backup().fault(Command::Backup, [Fault::NothingCame]).begin();
    let waits = |state: &State| matches!(state, State::Working { operation, .. } if matches!(operation.state, Underway { done_at: Some(_), .. }));
    world.until(|world| waits(&world.run.state));
    let State::Working { operation, .. } = world.run.state.clone() else { unreachable!() };
    for transfer in &operation.transfers {
        let file = world.before.1[transfer.kind.as_ref().unwrap()];
        assert!(world.give(&Event::Transferred { name: transfer.name.clone(), seen: Seen::Whole { file } }));
    }
    world.tickets.clear();
    // Whatever the look takes, the file server's word is no longer waited for.
    let evidence = Duration::from_secs_f64(world.profile.limits.evidence_s);
    assert!(world.run.next_deadline(&world.profile).unwrap() > world.now + evidence, "{}", world.told());
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
}

#[test]
fn a_device_that_gets_on_but_never_ends_is_over_its_time() {
    let mut world = backup().fault(Command::Backup, [Fault::Hang]).begin().until_underway(Step::BackingUp);
    let begun = world.now;
    let name = world.tickets.keys().next().unwrap().clone();
    let mut bytes = 0;
    while world.failures().is_empty() {
        // Bytes that go over keep it from counting as stalled.
        bytes += 1;
        world.give(&Event::Bytes { name: name.clone(), bytes });
        assert!(world.next());
    }
    assert!(world.failures()[0].contains("the time was up after 600 s"), "{:?}", world.failures());
    assert!(world.now >= begun + Duration::from_secs(599), "it counts from the SET");
}

#[test]
fn an_unanswered_set_is_looked_for_and_not_repeated_blindly() {
    let arrived = backup().fault(Command::Backup, [Fault::AnswerLost]).play();
    assert_eq!((arrived.outcome(), arrived.count(Command::Backup)), (Outcome::Succeeded, 1));
    let lost = backup().fault(Command::Backup, [Fault::SetLost]).play();
    assert_eq!((lost.outcome(), lost.count(Command::Backup)), (Outcome::Succeeded, 2));
    let server = backup().fault(Command::ConfigureServer, [Fault::AnswerLost, Fault::SetLost]).play();
    assert_eq!((server.outcome(), server.count(Command::ConfigureServer)), (Outcome::Succeeded, 3));
}

/// Found by the deterministic world: a device remembers only its latest operation, so the same id would begin again.
#[test]
fn an_operation_that_anothers_has_taken_the_place_of_is_not_begun_again_under_its_id() {
    let mut world = backup().begin().until_underway(Step::BackingUp);
    let id = world.device.work.as_ref().unwrap().id.clone();
    world.device.occupy("other-7", world.now);
    world.kill_manager();
    world.until(|world| world.device.work.as_ref().unwrap().id.starts_with('r'));
    assert_ne!(world.device.work.as_ref().unwrap().id, id, "it has got an id of its own");
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.kept[0].files, world.before.1);
}

/// Found by the deterministic world: it was carried out after the run had ended.
#[test]
fn a_command_that_may_still_arrive_is_not_called_failed() {
    let world = |fault| {
        let mut world = backup().fault(Command::Backup, [fault]).begin();
        world.until(|world| world.sets.last() == Some(&Command::Backup));
        world.device.occupy("other-7", world.now);
        let sent = world.now;
        (world.on(), sent)
    };
    let (late, _) = world(Fault::SetLate);
    assert_eq!((late.outcome(), late.count(Command::Backup)), (Outcome::Succeeded, 1), "{}", late.told());
    for (fault, why) in
        [(Fault::SetLost, "another operation (other-7) came in between"), (Fault::Refuse, "refused")]
    {
        let (never, sent) = world(fault);
        never.assert_asks(&AGAIN_OR_END, why);
        assert!(never.now >= sent + Duration::from_secs(30), "{}", never.told());
    }
}

/// Found by the deterministic world, and by an examiner for what comes up with its other software: the run ended, and the device was at
/// the backup that it had begun after a restart.
#[test]
fn what_a_device_began_after_a_restart_is_stopped_before_anybody_is_asked() {
    for slides in [false, true] {
        let mut world = backup().fault(Command::Backup, [Fault::SetLate]).begin();
        world.until(|world| world.sets.last() == Some(&Command::Backup));
        let now = world.now;
        if slides {
            world.device.slide();
            world.before_counts = false;
        }
        world.device.lose_power(now);
        world.device.silent_until = now;
        let world = world.on();
        world.assert_asks(&AGAIN_OR_END, if slides { "the device runs 0.9, not 1.0" } else { "restarted" });
        assert_eq!(world.count(Command::Abort), 1, "{}", world.told());
        assert_eq!(world.device.work.as_ref().map(|work| work.state), Some(OperationState::Aborted));
    }
}

#[test]
fn a_device_that_takes_no_set_is_given_up_after_a_few() {
    let world = backup().fault(Command::Backup, vec![Fault::SetLost; 100]).play();
    assert!(world.question().failure.as_ref().unwrap().to_string().contains("unanswered"));
    assert_eq!(world.count(Command::Backup), 5);
}

#[test]
fn settings_that_change_during_a_backup_are_backed_up_again() {
    let mut world = backup().fault(Command::Backup, [Fault::Edit]).begin();
    world.until(|world| world.device.revision > 40);
    world.before.1 = world.device.running().files.clone();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.kept.len(), 1);
    assert_eq!(world.kept[0].files, world.before.1);
}

#[test]
fn a_manager_killed_during_the_backup_does_it_again_and_asks_nobody() {
    for dies_after in [Command::ConfigureServer, Command::Backup] {
        let mut world = backup();
        world.dies_after = Some(dies_after);
        let world = world.play();
        assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
        assert_eq!(world.kept[0].files, world.before.1);
    }
    let mut world = backup().begin().until_underway(Step::BackingUp);
    world.kill_manager();
    assert_eq!(world.on().outcome(), Outcome::Succeeded);
}

#[test]
fn a_deadline_that_passed_while_the_manager_was_down_is_no_evidence() {
    let mut world = backup().begin().until_underway(Step::BackingUp);
    world.tickets.clear();
    world.now = world.now + Duration::from_secs(10_000);
    world.kill_manager();
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert!(!world.failures().iter().any(|failure| failure.contains("time was up")));
}

#[test]
fn somebody_elses_operation_is_waited_for_and_not_touched() {
    let busy = |seconds| {
        let mut world = backup().begin().until_step(Step::BackingUp);
        world.device.occupy("other-7", world.now + Duration::from_secs(seconds));
        world.on()
    };
    let soon = busy(30);
    assert_eq!(soon.outcome(), Outcome::Succeeded);
    assert_eq!(soon.count(Command::Abort), 0);
    let late = busy(3600);
    late.assert_asks(&AGAIN_OR_END, "busy with another operation (other-7)");
    assert_eq!(late.count(Command::Abort), 0);
}

#[test]
fn a_command_refused_for_another_operation_that_came_first_is_given_once_that_is_over() {
    let mut world = backup().begin();
    world.until(|world| world.sets.last() == Some(&Command::Backup));
    world.device.occupy("other-7", world.now + Duration::from_secs(20));
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.count(Command::Backup), 2);
}

#[test]
fn a_device_that_was_busy_for_long_may_miss_one_answer() {
    let mut world = backup().begin().until_step(Step::BackingUp);
    world.profile.limits.busy_s = 3600.0;
    world.device.occupy("other-7", world.now + Duration::from_secs(400));
    let silent = world.now + Duration::from_secs(200);
    world.until(|world| world.now >= silent);
    world.device.silent_until = world.now + Duration::from_secs(10);
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
}

#[test]
fn what_an_earlier_attempt_left_under_way_is_aborted_first() {
    let mut world = backup().begin().until_step(Step::BackingUp);
    let id = format!("{}0", world.run.prefix());
    world.device.occupy(&id, world.now + Duration::from_secs(3600));
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.sets, [Command::ConfigureServer, Command::Abort, Command::Backup]);
}

#[test]
fn an_operator_may_stop_the_operation_under_way() {
    let mut world = backup().begin().until_underway(Step::BackingUp);
    assert!(world.give(&Event::StopOperation));
    let world = world.on();
    world.assert_asks(&AGAIN_OR_END, "stopped by an operator");
    assert_eq!(world.count(Command::Abort), 1);
}

#[test]
fn a_silent_device_is_looked_for_and_then_somebody_is_asked() {
    let mut world = backup().begin().until_step(Step::BackingUp);
    world.device.silent_until = upgrade::Time::from_millis(u64::MAX);
    let mut world = world.on();
    assert!(world.question().lost, "who ends now gives it up");
    world.device.silent_until = world.now;
    assert_eq!(world.answer(Answer::Again).outcome(), Outcome::Succeeded);
}

/// Shown by a reviewer: the new address was told, and compared with the one of before.
#[test]
fn a_file_server_that_moves_while_the_device_is_told_of_it_is_told_anew() {
    let mut world = backup().begin().until_step(Step::ConfiguringServer);
    let (address, server) = (world.run.device.address, "192.0.2.1:7070".parse().unwrap());
    assert!(world.give(&Event::Moved { address, elsewhere: false, server }));
    let world = world.on();
    assert_eq!(world.outcome(), Outcome::Succeeded, "{}", world.told());
    assert_eq!(world.device.server, ("192.0.2.1".to_owned(), 7070));
}

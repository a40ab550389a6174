//! Judging who converts, and downloading (rows H9, H10, H13, H21, H22, H18).

use upgrade::profile::{Command, ConvertedBy};
use upgrade::run::{Answer, AnswerKind, Event, Outcome, Step, Story};

use crate::device::Fault;
use crate::world::{ALL, World, all_converted, image, with_converter};

#[test]
fn equal_formats_need_no_conversion() {
    let world = World::upgrade().play();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.run.conversion, None);
    assert_eq!(world.count(Command::Convert), 0);
}

#[test]
fn the_device_converts_once_the_new_software_runs() {
    let world = World::converting(image("2.0", 2)).play();
    world.assert_upgraded(&all_converted(&world.before.1));
    let order: Vec<_> = world
        .sets
        .iter()
        .filter(|command| {
            matches!(command, Command::Reset | Command::Convert | Command::Restore | Command::Confirm)
        })
        .collect();
    assert_eq!(order, [&Command::Reset, &Command::Convert, &Command::Restore, &Command::Confirm]);
}

#[test]
fn the_images_converter_is_run_before_anything_is_loaded() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    let world = world.begin().until_step(Step::Judging);
    assert_eq!(world.count(Command::Download), 0);
    let world = world.on();
    world.assert_upgraded(&all_converted(&world.before.1));
}

#[test]
fn a_converter_that_fails_leads_to_a_question_with_nothing_loaded() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    world.converter = Some(Err("exit code 3".into()));
    let mut world = world.play();
    world.assert_asks(&ALL, "the converter failed: exit code 3");
    assert_eq!(world.count(Command::Download), 0);
    world.converter = Some(Ok(()));
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&all_converted(&world.before.1));
}

#[test]
fn a_manager_killed_while_it_converts_converts_again() {
    let mut world = World::converting(with_converter(image("2.0", 2)));
    world.profile.conversion = vec![ConvertedBy::Manager];
    let mut world = world.begin().until_step(Step::Judging);
    world.kill_manager();
    let world = world.on();
    world.assert_upgraded(&all_converted(&world.before.1));
}

#[test]
fn an_operator_edits_before_anything_is_loaded() {
    let mut world = World::converting(image("2.0", 2));
    world.profile.conversion = vec![ConvertedBy::Operator];
    let mut world = world.play();
    assert_eq!(world.question().answers, [AnswerKind::Edited, AnswerKind::OtherImage, AnswerKind::End]);
    assert_eq!(world.question().failure, None);
    assert_eq!(world.count(Command::Download), 0);
    let incomplete = Answer::Edited(all_converted(&world.before.1).into_iter().take(3).collect());
    assert!(!world.give(&upgrade::run::Event::Answered(incomplete)), "a kind is missing");
    assert!(!world.give(&upgrade::run::Event::Answered(Answer::Again)), "that was not asked");
    let edited = all_converted(&world.before.1);
    let world = world.answer(Answer::Edited(edited.clone()));
    world.assert_upgraded(&edited);
}

#[test]
fn nothing_is_left_to_say_of_an_edit_that_nobody_makes() {
    let mut world = World::converting(image("2.0", 2));
    world.profile.conversion = vec![ConvertedBy::Operator];
    assert_eq!(world.play().answer(Answer::End).outcome(), Outcome::EndedByOperator);
}

#[test]
fn what_was_edited_for_another_configuration_is_asked_for_again() {
    let mut world = World::converting(image("2.0", 2)).fault(Command::Download, [Fault::Fail("flash")]);
    world.profile.conversion = vec![ConvertedBy::Operator];
    let edited = all_converted(&world.before.1);
    let mut world = world.play().answer(Answer::Edited(edited));
    world.assert_asks(&ALL, "flash");
    world.edit();
    let world = world.answer(Answer::Again);
    assert_eq!(world.question().failure, None, "the edit was for the settings of before");
    assert_eq!(world.count(Command::Reset), 0);
}

/// Shown by a reviewer: such devices send other bytes each time, and an operator was asked to edit for ever.
#[test]
fn what_was_edited_is_taken_although_the_device_writes_its_secrets_anew() {
    let mut world = World::converting(image("2.0", 2)).fault(Command::Download, [Fault::Refuse]);
    world.profile.conversion = vec![ConvertedBy::Operator];
    world.device.salts = true;
    let world = world.play();
    let edited = all_converted(&world.run.backed_up());
    let world = world.answer(Answer::Edited(edited));
    world.assert_asks(&ALL, "downloading failed");
    assert_eq!(world.count(Command::Backup), 2);
}

#[test]
fn a_failed_download_leaves_the_old_software_and_asks() {
    let cases = [
        (Fault::Fail("the digest is not the expected one"), "the digest is not"),
        (Fault::Pretend, "does not hold the image"),
        (Fault::NothingCame, "does not hold the image"),
        (Fault::Hang, "no progress for 300 s"),
        (Fault::PowerLoss, "restart"),
        (Fault::Refuse, "refused"),
    ];
    for (fault, why) in cases {
        let world = World::upgrade().fault(Command::Download, [fault.clone()]).play();
        world.assert_asks(&ALL, why);
        assert_eq!(world.count(Command::RollBack), 0, "{fault:?}: the old version runs already");
        let world = world.answer(Answer::Again);
        world.assert_upgraded(&world.before.1);
        assert_eq!(world.kept.len(), 1, "{fault:?}: the backup is found to be true still");
    }
}

#[test]
fn settings_changed_before_a_download_failed_stay() {
    let mut world = World::upgrade()
        .fault(Command::Download, [Fault::Fail("the file server refused access")])
        .begin()
        .until_underway(Step::Downloading);
    world.edit();
    let world = world.on();
    world.assert_asks(&ALL, "refused access");
    assert_eq!(world.count(Command::Restore), 0, "nothing was to be restored");
    let world = world.answer(Answer::End);
    assert_eq!(world.outcome(), Outcome::EndedByOperator);
}

#[test]
fn an_image_that_is_there_already_is_not_loaded_again() {
    let world = World::upgrade().fault(Command::Reset, [Fault::FallBack]).play();
    let world = world.answer(Answer::Again);
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Download), 1);
}

#[test]
fn the_operator_may_give_another_image() {
    let mut world = World::upgrade().fault(Command::Download, [Fault::Fail("flash")]).play();
    world.device.image = ("2.1".into(), 1, image("2.1", 1).digest);
    let world = world.answer(Answer::OtherImage(image("2.1", 1).into()));
    assert_eq!(world.outcome(), Outcome::Succeeded);
    assert_eq!(world.device.running().version, "2.1");
    assert_eq!(world.device.running().files, world.before.1);
}

#[test]
fn another_image_that_does_not_fit_is_asked_about_and_not_loaded() {
    let world = World::upgrade().fault(Command::Download, [Fault::Fail("flash")]).play();
    let mut other = image("2.1", 1);
    other.manifest.hardware = vec!["iad-96".into()];
    let world = world.answer(Answer::OtherImage(other.into()));
    world.assert_asks(&ALL, "is for iad-96");
    assert_eq!(world.count(Command::Download), 1);
}

#[test]
fn a_manager_killed_while_it_downloads_goes_on() {
    for dies_after in [false, true] {
        let mut world = World::upgrade();
        world.dies_after = dies_after.then_some(Command::Download);
        let mut world = world.begin().until_underway(Step::Downloading);
        if !dies_after {
            world.kill_manager();
        }
        let world = world.on();
        world.assert_upgraded(&world.before.1);
    }
}

#[test]
fn the_tickets_of_a_run_that_resumes_are_opened_again() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.kill_manager();
    assert!(world.tickets.is_empty());
    world.until(|world| !world.tickets.is_empty());
    let world = world.on();
    world.assert_upgraded(&world.before.1);
    assert_eq!(world.count(Command::Download), 1, "the device went on with it");
}

#[test]
fn a_file_server_that_takes_no_tickets_is_a_fault_of_the_manager() {
    let mut world = World::upgrade().begin();
    world.until(|world| !world.tickets.is_empty());
    world.forget_tickets_ready();
    world.until(|world| !world.failures().is_empty());
    assert!(world.failures()[0].contains("at the manager"));
    assert!(world.on().sets.iter().all(|command| *command == Command::ConfigureServer));
}

#[test]
fn a_device_in_which_nothing_can_be_seen_yet_is_not_asked_without_a_pause() {
    let mut world = World::upgrade().begin().until_underway(Step::Activating);
    world.device.hides_software = true;
    let asked = world.run.asked;
    let until = world.now + std::time::Duration::from_secs(60);
    world.until(|world| world.now >= until);
    assert!(world.run.asked - asked < 30, "{} looks in a minute", world.run.asked - asked);
    world.device.hides_software = false;
    let world = world.on();
    world.assert_upgraded(&world.before.1);
}

#[test]
fn a_restart_that_the_device_does_not_call_a_failure_is_one() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    world.device.boots += 1;
    world.device.booted = world.now;
    let world = world.on();
    assert_eq!(world.failures()[0], "downloading failed: the device restarted in the middle of it");
}

/// The answer to a look may be older than what was notified since: what was shown goes back no more.
#[test]
fn progress_that_was_notified_is_not_taken_back_by_an_older_look() {
    let mut world = World::upgrade().begin().until_underway(Step::Downloading);
    let operation = world.device.work.as_ref().map(|work| work.id.clone());
    let notice = upgrade::operation::Notice {
        kind: upgrade::profile::NotificationKind::Progress,
        operation,
        progress: Some(90),
    };
    assert!(world.give(&Event::Notified(notice)));
    let world = world.on();
    let percent = |story: &Story| match story {
        Story::Progress { step: Step::Downloading, percent } => Some(*percent),
        _ => None,
    };
    let shown: Vec<_> = world.stories.iter().filter_map(percent).collect();
    assert!(shown.contains(&90) && shown.is_sorted(), "{shown:?}");
}

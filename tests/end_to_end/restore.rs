//! Restoring a configuration (rows H19, H20, H23).

use iad_sim::device::{Command, ConfigurationKind};
use iad_sim::fault::{Fault, FaultKind, Phase};
use upgrade::Protocol;
use upgrade::operation::Cause;
use upgrade::run::{Answer, AnswerKind, Goal, Outcome, Policy, Step, Story};

use crate::evidence::{configuration, document, failure, files, kind, started, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};

/// Backs the device up, and then changes a setting of each of two kinds.
async fn backed_up_and_changed(setup: Setup) -> (Laboratory, Goal) {
    let laboratory = Laboratory::with(setup).await;
    let run = laboratory.back_up().await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let set = laboratory.backup_of(run).await.set;
    let device = laboratory.device();
    for (kind, key) in [
        (ConfigurationKind::UserData, "subscriber.1.forward"),
        (ConfigurationKind::ProtocolParameters, "sip.expires"),
    ] {
        laboratory.simulator.configure(&device, kind, &[(key, "77")]).await.expect("a device");
    }
    (laboratory, Goal::Restore { set })
}

#[tokio::test]
async fn h19_one_command_makes_the_device_load_all_files_and_apply_them() {
    for protocol in [Protocol::Tftp, Protocol::Ftp] {
        let (laboratory, goal) = backed_up_and_changed(Setup::default()).await;
        let Goal::Restore { set } = &goal else { unreachable!("a restore") };
        let wanted: Vec<_> = set.files.iter().map(|(kind, file)| (kind.clone(), file.digest)).collect();
        let (told, run) = tokio::join!(
            laboratory.once(|device| device.durable().operation.command == Command::Restore),
            laboratory.begin(goal.clone(), choices(Policy::Ask), protocol),
        );
        assert_eq!(told.operation.parameters.file_names.len(), 4);
        assert_eq!(told.server.address, laboratory.options.tftp.ip().to_string());
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
        let view = laboratory.look().await;
        assert_eq!(configuration(&view).into_iter().collect::<Vec<_>>(), wanted);
        assert_eq!((started(&view, Command::Restore), view.boots), (1, 1));
    }
}

#[tokio::test]
async fn h19_what_is_written_over_is_backed_up_before() {
    let (laboratory, goal) = backed_up_and_changed(Setup::default()).await;
    let changed = files(&laboratory.durable().await);
    let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let kept = laboratory.backup_of(run).await;
    let name = kind(ConfigurationKind::UserData);
    let bytes = laboratory.manager().files.read(kept.set.files[&name].digest).expect("a kept file");
    assert_eq!(bytes, changed[&name]);
}

#[tokio::test]
async fn h19_only_once_all_files_are_whole_are_they_applied() {
    for kind in [FaultKind::CorruptTransfer, FaultKind::TruncateTransfer] {
        let (laboratory, goal) = backed_up_and_changed(Setup::default()).await;
        let before = files(&laboratory.durable().await);
        let fault = Fault { during: Some(Phase::Restore), percent: 50, ..Fault::once(kind) };
        laboratory.fault(fault).await;
        let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Tftp).await;
        let question = laboratory.question(run).await;
        assert!(matches!(failure(&question), (Step::Restoring, Cause::Device(_))), "{question:?}");
        assert_eq!(files(&laboratory.durable().await), before, "nothing or everything");
        laboratory.answer(run, Answer::Again).await;
        assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
        assert_ne!(files(&laboratory.durable().await), before);
    }
}

#[tokio::test]
async fn h20_progress_of_a_restore_is_shown() {
    let (laboratory, goal) =
        backed_up_and_changed(Setup::default().profile("[limits]\npoll_s = 3600\n")).await;
    let mut live = laboratory.manager().handle.watch();
    let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let mut shown = Vec::new();
    while let Ok(told) = live.try_recv() {
        if let Story::Progress { step: Step::Restoring, percent } = told.story {
            shown.push(percent);
        }
    }
    assert!(shown.len() >= 2 && shown.is_sorted(), "{shown:?}");
}

#[tokio::test]
async fn h20_a_failure_notification_fails_the_restore_and_the_operator_is_asked() {
    let (laboratory, goal) =
        backed_up_and_changed(Setup::default().profile("[limits]\npoll_s = 3600\n")).await;
    let before = files(&laboratory.durable().await);
    laboratory.fault(Fault::once(FaultKind::ApplyFails)).await;
    let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Tftp).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Restoring, Cause::Device(_))), "{question:?}");
    assert_eq!(question.answers, [AnswerKind::Again, AnswerKind::End]);
    laboratory.answer(run, Answer::End).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::EndedByOperator);
    assert_eq!(files(&laboratory.durable().await), before, "it has the settings it had before");
}

#[tokio::test]
async fn h20_a_restore_that_is_not_done_in_its_time_has_failed() {
    let setup = Setup::default().profile("[commands.restore]\ndeadline_s = 1.0\nstall_s = 10\n");
    let (laboratory, goal) = backed_up_and_changed(setup).await;
    let before = files(&laboratory.durable().await);
    let stall = Fault { during: Some(Phase::Restore), ..Fault::once(FaultKind::StallTransfer) };
    laboratory.fault(stall).await;
    let run = laboratory.begin(goal, choices(Policy::Ask), Protocol::Tftp).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Restoring, Cause::TimeLimit(_))), "{question:?}");
    assert_eq!(files(&laboratory.durable().await), before);
}

#[tokio::test]
async fn h20_a_policy_repeats_a_failed_restore_by_itself() {
    let (laboratory, goal) = backed_up_and_changed(Setup::default()).await;
    laboratory.fault(Fault { times: 2, ..Fault::once(FaultKind::ApplyFails) }).await;
    let run = laboratory.begin(goal, choices(Policy::Auto(2)), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn h20_on_the_new_software_a_failed_restore_is_repeated_while_the_trial_lasts() {
    let laboratory = Laboratory::new().await;
    let fails = Fault { version: Some("2.0".into()), times: 2, ..Fault::once(FaultKind::ApplyFails) };
    laboratory.fault(fails).await;
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(3)).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let view = laboratory.look().await;
    assert_eq!((started(&view, Command::Restore), started(&view, Command::Rollback)), (3, 0));
}

#[tokio::test]
async fn h23_a_restore_that_fails_without_a_conversion_may_lead_to_one() {
    let laboratory = Laboratory::new().await;
    let fails = Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) };
    laboratory.fault(fails).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::Restoring);
    assert!(question.answers.contains(&AnswerKind::Edited));
    // The operator edits one of the files, and hands all of them back.
    let original = laboratory.backup_of(run).await;
    let mut edited = original.set.files.clone();
    let name = kind(ConfigurationKind::UserData);
    let stored = &laboratory.manager().files;
    let text = String::from_utf8(stored.read(edited[&name].digest).expect("a file")).expect("text");
    let text = text.replace("subscriber.1.forward=none", "subscriber.1.forward=+15550001");
    edited.insert(name.clone(), stored.add(&mut text.as_bytes()).expect("a stored file"));
    laboratory.answer(run, Answer::Edited(edited)).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let now = laboratory.durable().await;
    let user_data = document(&now, ConfigurationKind::UserData);
    assert_eq!(user_data.get("subscriber.1.forward"), Some("+15550001"));
    assert_eq!(laboratory.look().await.version, "2.0");
    assert_eq!(laboratory.backups().await.last(), Some(&original), "the original is kept untouched");
    let again = steps(&laboratory.stories(run).await);
    assert_eq!(again.iter().filter(|step| **step == Step::Restoring).count(), 2);
}

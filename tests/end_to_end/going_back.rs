//! An upgrade that fails, and the way back (rows H14 to H17).

use iad_sim::device::image::{BootBehaviour, Plan};
use iad_sim::device::{BootReason, Command, ConfigurationKind, Power};
use iad_sim::fault::{Fault, FaultKind, Phase};
use iad_sim::net::DeviceView;
use upgrade::RunId;
use upgrade::operation::Cause;
use upgrade::run::{Answer, AnswerKind, Outcome, Policy, Step, Story};

use crate::evidence::{
    assert_in_service, assert_nothing_came_twice, configuration, failure, files, started, steps,
};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, plan};

/// Waits for the question, and finds that the old software with its configuration was back before it was asked.
async fn is_back_before_anybody_is_asked(
    laboratory: &Laboratory,
    run: RunId,
    before: &DeviceView,
    failed: Step,
) {
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, failed, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "1.0", &configuration(before));
    let stories = laboratory.stories(run).await;
    let after_failure = stories.iter().skip_while(|story| !matches!(story, Story::StepFailed(_)));
    let then: Vec<_> = after_failure.cloned().collect();
    let steps = steps(&then);
    let restores: &[Step] = &[Step::RollingBack, Step::RestoringOriginal];
    // Before the new software was ever commanded to run, there is no other configuration that it could have.
    let expected = if failed == Step::Downloading { &restores[..1] } else { restores };
    assert_eq!(steps, expected, "{stories:?}");
    for step in steps {
        assert!(
            then.iter().any(|story| matches!(story, Story::StepDone { step: done, .. } if *done == step))
        );
    }
    assert!(matches!(then.last(), Some(Story::Asked { .. })));
}

#[tokio::test]
async fn h14_after_a_failed_download_the_old_version_is_made_sure_of_first() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault::once(FaultKind::FlashError)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    is_back_before_anybody_is_asked(&laboratory, run, &before, Step::Downloading).await;
    assert_eq!(started(&laboratory.look().await, Command::Rollback), 0, "it had never left it");
}

#[tokio::test]
async fn h14_software_that_reports_bad_health_is_rolled_back_by_command() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    let sick = laboratory.image(&Plan { boot: BootBehaviour::Unhealthy, ..plan("2.0") });
    let run = laboratory.upgrade(&sick).await;
    is_back_before_anybody_is_asked(&laboratory, run, &before, Step::Soaking).await;
    let view = laboratory.look().await;
    assert_eq!(started(&view, Command::Rollback), 1);
    assert_eq!(view.boot_reason, Some(BootReason::Commanded));
    assert_nothing_came_twice(&view);
}

#[tokio::test]
async fn h14_a_failed_restore_on_the_new_software_is_rolled_back_by_command() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    is_back_before_anybody_is_asked(&laboratory, run, &before, Step::Restoring).await;
    assert_eq!(started(&laboratory.look().await, Command::Rollback), 1);
}

#[tokio::test]
async fn h14_software_that_does_not_start_falls_back_by_itself_and_that_is_noticed() {
    for boot in [BootBehaviour::Loop, BootBehaviour::Hang] {
        let laboratory = Laboratory::new().await;
        let before = laboratory.look().await;
        let run = laboratory.upgrade(&laboratory.image(&Plan { boot, ..plan("2.0") })).await;
        is_back_before_anybody_is_asked(&laboratory, run, &before, Step::Activating).await;
        let view = laboratory.look().await;
        assert_eq!((view.counters.fallbacks, view.boot_reason), (1, Some(BootReason::Fallback)));
    }
}

#[tokio::test]
async fn h15_the_upgrade_is_tried_again_by_itself_with_the_same_file() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { times: 2, ..Fault::once(FaultKind::FlashError) }).await;
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(2)).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let view = laboratory.look().await;
    assert_in_service(&view, "2.0", &configuration(&before));
    assert_eq!(started(&view, Command::Download), 3);
}

#[tokio::test]
async fn h15_an_operator_gives_another_file() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    let bad = laboratory.image(&Plan { boot: BootBehaviour::Loop, ..plan("2.0") });
    let run = laboratory.upgrade(&bad).await;
    laboratory.question(run).await;
    let good = laboratory.image(&Plan { seed: 8, ..plan("2.1") });
    laboratory.answer(run, Answer::OtherImage(good.into())).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(ending.left_with.version.as_deref(), Some("2.1"));
    assert_in_service(&laboratory.look().await, "2.1", &configuration(&before));
}

#[tokio::test]
async fn h16_the_operator_is_told_of_the_roll_back_and_asked() {
    let laboratory = Laboratory::new().await;
    let bad = laboratory.image(&Plan { boot: BootBehaviour::Loop, ..plan("2.0") });
    let run = laboratory.upgrade(&bad).await;
    let question = laboratory.question(run).await;
    let asked = [AnswerKind::Again, AnswerKind::OtherImage, AnswerKind::Edited, AnswerKind::End];
    assert_eq!(question.answers, asked);
    assert!(matches!(failure(&question), (Step::Activating, Cause::Device(_) | Cause::WrongVersion { .. })));
    let stories = laboratory.stories(run).await;
    for step in [Step::RollingBack, Step::RestoringOriginal] {
        let done = |story: &Story| matches!(story, Story::StepDone { step: done, .. } if *done == step);
        assert!(stories.iter().any(done), "{step} is told: {stories:?}");
    }
}

#[tokio::test]
async fn h16_ending_leaves_old_software_and_old_configuration_verified() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.durable().await;
    laboratory
        .fault(Fault { times: 0, version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) })
        .await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.question(run).await;
    laboratory.answer(run, Answer::End).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::EndedByOperator);
    assert_eq!(ending.left_with.version.as_deref(), Some("1.0"));
    let view = laboratory.look().await;
    assert_in_service(&view, "1.0", &configuration(&view));
    let left: Vec<_> =
        ending.left_with.configuration.files.iter().map(|(kind, file)| (kind.clone(), file.digest)).collect();
    assert_eq!(left, configuration(&view).into_iter().collect::<Vec<_>>(), "it was looked at");
    assert_eq!(files(&laboratory.durable().await), files(&before));
    assert_eq!(view.call_admission, iad_sim::device::CallAdmission::Open);
}

#[tokio::test]
async fn h16_settings_that_were_lost_on_the_way_back_are_restored() {
    let mut laboratory = Laboratory::new().await;
    let before = laboratory.durable().await;
    let on_new = |kind| Fault { version: Some("2.0".into()), ..Fault::once(kind) };
    laboratory.fault(on_new(FaultKind::ApplyFails)).await;
    // It goes off as it is told to go back, and stays so until its settings can be spoiled unseen.
    laboratory.fault(Fault { during: Some(Phase::Rollback), ..on_new(FaultKind::PowerLoss) }).await;
    let image = laboratory.image(&plan("2.0"));
    let (_, run) =
        tokio::join!(laboratory.once(|device| device.power() == Power::Off), laboratory.upgrade(&image));
    laboratory.kill().await;
    let device = laboratory.device();
    laboratory.simulator.power_on(&device).await.expect("a device");
    laboratory.once(|device| device.power() == Power::Running).await;
    let spoiled = [("subscriber.1.name", "nobody")];
    laboratory.simulator.configure(&device, ConfigurationKind::UserData, &spoiled).await.expect("a device");
    laboratory.start_again().await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::Restoring, "{}", laboratory.told(run).await);
    assert_eq!(files(&laboratory.durable().await), files(&before));
}

/// Whatever goes wrong while the new image comes, the old one is the same to the last bit, and still runs.
#[tokio::test]
async fn h17_a_failed_update_never_touches_the_old_buffer() {
    let faults = [
        FaultKind::FlashFull,
        FaultKind::FlashError,
        FaultKind::CorruptTransfer,
        FaultKind::TruncateTransfer,
        FaultKind::PowerLoss,
        FaultKind::Crash,
        FaultKind::Hang,
    ];
    for kind in faults {
        let laboratory = Laboratory::new().await;
        let before = laboratory.look().await;
        let byte = (kind == FaultKind::FlashFull).then_some(60_000);
        let fault =
            Fault { during: Some(Phase::Download), percent: 60, byte, for_ms: Some(50), ..Fault::once(kind) };
        laboratory.fault(fault).await;
        let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
        let question = laboratory.question(run).await;
        assert_eq!(failure(&question).0, Step::Downloading, "{kind:?}");
        let asked = laboratory.look().await;
        assert_eq!(asked.buffers[0], before.buffers[0], "{kind:?}");
        assert_in_service(&asked, "1.0", &configuration(&before));
    }
}

#[tokio::test]
async fn h17_the_version_of_before_stays_in_the_other_buffer() {
    let laboratory = Laboratory::with(Setup::default()).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    let after = laboratory.look().await;
    assert_eq!(after.buffers[0].sha256, before.buffers[0].sha256);
    assert_eq!(after.buffers[0].version, "1.0");
    assert_eq!(after.buffers[1].version, "2.0");
}

//! What is checked before anything is written (rows B3 and S15).

use iad_sim::device::image::{BootBehaviour, Plan};
use upgrade::profile::IAD;
use upgrade::run::{Answer, Goal, Outcome, Policy, Step};
use upgrade::{Image, Protocol};

use crate::evidence::{assert_in_service, assert_untouched, configuration, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};
use crate::stranger::Stranger;

/// The run is refused with these words, and the device has not been written to.
async fn is_refused(laboratory: &Laboratory, goal: Goal, protocol: Protocol, words: &[&str]) {
    let before = laboratory.durable().await;
    let run = laboratory.begin(goal, choices(Policy::Auto(3)), protocol).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused, "{ending:?}");
    for word in words {
        assert!(ending.reason.contains(word), "{word:?} is missing: {}", ending.reason);
    }
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
    assert_eq!(steps(&laboratory.stories(run).await), [Step::Preflight]);
}

async fn image_is_refused(laboratory: &Laboratory, image: Image, words: &[&str]) {
    is_refused(laboratory, Goal::Upgrade { image: image.into() }, Protocol::Tftp, words).await;
}

#[tokio::test]
async fn b03_a_device_that_does_not_answer_is_refused() {
    let laboratory =
        Laboratory::with(Setup::default().profile("[limits]\nanswer_ms = 50\nrepeats = 1\n")).await;
    laboratory.simulator.power_off(&laboratory.device()).await.expect("a device");
    let image = laboratory.image(&plan("2.0"));
    image_is_refused(&laboratory, image, &["did not answer"]).await;
}

#[tokio::test]
async fn b03_an_image_for_other_hardware_is_refused() {
    let laboratory = Laboratory::new().await;
    let other = laboratory.image(&Plan { hardware: vec!["iad-16".into(), "iad-32".into()], ..plan("2.0") });
    image_is_refused(&laboratory, other, &["iad-16, iad-32", "\"iad-8\""]).await;
}

#[tokio::test]
async fn b03_an_image_larger_than_the_buffer_is_refused() {
    let laboratory =
        Laboratory::with(Setup::default().device(|device| device.buffer_capacity = 90_000)).await;
    let image = laboratory.image(&plan("2.0"));
    let size = image.size().to_string();
    image_is_refused(&laboratory, image, &[&size, "90000"]).await;
}

#[tokio::test]
async fn b03_an_upgrade_path_that_is_not_known_is_refused() {
    let laboratory = Laboratory::new().await;
    let mut image = laboratory.image(&plan("3.0"));
    image.manifest.from = vec!["2.".into()];
    image_is_refused(&laboratory, image, &["2.", "runs 1.0"]).await;
}

#[tokio::test]
async fn b03_a_device_of_another_kind_is_refused() {
    let text = IAD
        .replace("name = \"iad\"", "name = \"other\"")
        .replace("products = [\"1.3.6.1.4.1.32473.1.3\"]", "products = [\"1.3.6.1.4.1.32473.9\"]");
    let laboratory = Laboratory::with(Setup::default().kind("other", text)).await;
    let image = laboratory.image(&plan("2.0"));
    image_is_refused(&laboratory, image, &["sysObjectID", "1.3.6.1.4.1.32473.1.3"]).await;
}

#[tokio::test]
async fn b03_a_device_that_does_not_speak_the_protocol_is_refused() {
    let laboratory =
        Laboratory::with(Setup::default().device(|device| device.capabilities.ftp = false)).await;
    is_refused(&laboratory, Goal::Backup, Protocol::Ftp, &["does not transfer by ftp"]).await;
}

#[tokio::test]
async fn b03_a_device_busy_for_somebody_else_is_refused() {
    let laboratory = Laboratory::with(Setup::default().device(|device| {
        device.timing.erase = core::time::Duration::from_secs(3600);
    }))
    .await;
    let stranger = Stranger::at(laboratory.options.tftp.ip()).await;
    stranger.has_erased(laboratory.look().await.address, "somebody-else-1").await;
    let (before, view) = (laboratory.durable().await, laboratory.look().await);
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert!(ending.reason.contains("somebody-else-1"), "{}", ending.reason);
    assert_eq!(laboratory.durable().await.operation.id, before.operation.id, "it goes on with that");
    assert_eq!(laboratory.look().await.counters.operations, view.counters.operations);
}

#[tokio::test]
async fn b03_software_on_trial_is_not_upgraded_over() {
    let mut laboratory = Laboratory::with(Setup::default().profile("[limits]\nsoak_s = 3600\n")).await;
    let first = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.until(first, |run| run.current_step() == Some(Step::Soaking)).await;
    // A manager that knows nothing of that run.
    laboratory.start_afresh().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("3.0"))).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert!(ending.reason.contains("2.0 on trial"), "{}", ending.reason);
}

#[tokio::test]
async fn b03_a_device_that_runs_the_version_already_is_left_alone() {
    let laboratory = Laboratory::new().await;
    let image = laboratory.image(&plan("2.0"));
    let first = laboratory.upgrade(&image).await;
    assert_eq!(laboratory.end(first).await.outcome, Outcome::Succeeded);
    let before = laboratory.durable().await;
    let look = laboratory.look().await;
    let again = laboratory.upgrade(&image).await;
    let ending = laboratory.end(again).await;
    assert_eq!(ending.outcome, Outcome::Succeeded);
    assert!(ending.reason.contains("already"), "{}", ending.reason);
    assert_eq!(laboratory.look().await.counters.operations.len(), look.counters.operations.len());
    assert_eq!(laboratory.durable().await.configurations, before.configurations);
}

/// By its version it could not be told from the software of before.
#[tokio::test]
async fn b03_other_contents_of_the_version_that_runs_are_refused() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.durable().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("1.0"))).await;
    let ending = laboratory.end(run).await;
    assert_eq!(ending.outcome, Outcome::Refused);
    assert!(ending.reason.contains("of other contents than image"), "{}", ending.reason);
    assert_untouched(&before, &laboratory.durable().await, &laboratory.look().await);
}

#[tokio::test]
async fn b03_a_question_about_a_failed_preflight_is_asked_once_the_device_was_touched() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    let bad = laboratory.image(&Plan { boot: BootBehaviour::Loop, ..plan("2.0") });
    let run = laboratory.upgrade(&bad).await;
    laboratory.question(run).await;
    let misfit = laboratory.image(&Plan { hardware: vec!["iad-16".into()], ..plan("2.1") });
    laboratory.answer(run, Answer::OtherImage(misfit.into())).await;
    let question = laboratory.question(run).await;
    assert_eq!(question.failure.map(|failure| failure.step), Some(Step::Preflight));
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    laboratory.answer(run, Answer::OtherImage(laboratory.image(&plan("2.2")).into())).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn s15_a_device_with_a_single_buffer_is_refused_before_anything_is_sent() {
    let laboratory =
        Laboratory::with(Setup::default().device(|device| device.capabilities.dual_image = false)).await;
    let image = laboratory.image(&plan("2.0"));
    image_is_refused(&laboratory, image, &["no second software buffer"]).await;
}

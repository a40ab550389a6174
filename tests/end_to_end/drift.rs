//! Settings that are changed between backup and activation survive (row S16).

use core::time::Duration;

use iad_sim::device::image::Plan;
use iad_sim::device::{Command, ConfigurationKind};
use upgrade::RunId;
use upgrade::operation::Cause;
use upgrade::run::{Outcome, Step};

use crate::evidence::{document, failure, failures, started};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, plan};

/// A device on which one call, that nobody ends, keeps the activation waiting.
fn with_a_long_call() -> Setup {
    Setup::default().device(|device| {
        device.calls = 1;
        device.timing.call = Duration::from_secs(100_000);
    })
}

/// A subscriber changes a setting while the new image waits for the call to end.
async fn changed_while_draining(laboratory: &Laboratory, run: RunId, number: &str) {
    laboratory.until(run, |run| run.current_step() == Some(Step::Draining)).await;
    let device = laboratory.device();
    let setting = [("subscriber.1.forward", number)];
    laboratory.simulator.configure(&device, ConfigurationKind::UserData, &setting).await.expect("a device");
}

async fn end_the_call(laboratory: &Laboratory) {
    laboratory.simulator.set_calls(&laboratory.device(), 0).await.expect("a device");
}

#[tokio::test]
async fn s16_settings_changed_between_backup_and_activation_survive() {
    let laboratory = Laboratory::with(with_a_long_call()).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    changed_while_draining(&laboratory, run, "+15550042").await;
    end_the_call(&laboratory).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let user_data = document(&laboratory.durable().await, ConfigurationKind::UserData);
    assert_eq!(user_data.get("subscriber.1.forward"), Some("+15550042"));
    let view = laboratory.look().await;
    assert_eq!(view.version, "2.0");
    assert_eq!((started(&view, Command::Backup), started(&view, Command::Download)), (2, 1));
    assert_eq!(laboratory.backups().await.len(), 2, "the first backup is kept too");
    assert!(
        failures(&laboratory.stories(run).await).iter().all(|failure| failure.cause == Cause::RevisionMoved)
    );
}

#[tokio::test]
async fn s16_what_was_changed_is_converted_anew() {
    let laboratory = Laboratory::with(with_a_long_call()).await;
    let run = laboratory.upgrade(&laboratory.image(&Plan { format: 2, ..plan("2.0") })).await;
    changed_while_draining(&laboratory, run, "+15550042").await;
    end_the_call(&laboratory).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let user_data = document(&laboratory.durable().await, ConfigurationKind::UserData);
    assert_eq!((user_data.format, user_data.get("line/1/forward")), (2, Some("+15550042")));
}

#[tokio::test]
async fn s16_settings_that_never_rest_are_asked_about() {
    let laboratory = Laboratory::with(with_a_long_call().profile("[limits]\ndrift_repeats = 0\n")).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    changed_while_draining(&laboratory, run, "+15550042").await;
    end_the_call(&laboratory).await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question), (Step::Draining, &Cause::RevisionMoved));
    let view = laboratory.look().await;
    assert_eq!((view.version.as_str(), view.boots), ("1.0", 1));
    assert_eq!(
        view.call_admission,
        iad_sim::device::CallAdmission::Open,
        "calls come in while nobody answers"
    );
}

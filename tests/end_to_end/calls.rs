//! Calls in progress, and proof of a reset (row B6).

use core::time::Duration;

use iad_sim::device::{CallAdmission, Command};
use iad_sim::fault::{Fault, FaultKind, Phase};
use upgrade::Protocol;
use upgrade::operation::Cause;
use upgrade::run::{Goal, Outcome, Policy, Step, Story};

use crate::evidence::{assert_in_service, configuration, failure, started, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};

/// A device with three calls at any time, of which none is longer than `longest`.
fn busy(longest: Duration) -> Setup {
    Setup::default().device(|device| {
        device.calls = 3;
        device.timing.call = longest;
    })
}

#[tokio::test]
async fn b06_calls_end_before_a_reset_cuts_them_off() {
    let laboratory = Laboratory::with(busy(Duration::from_millis(500))).await;
    let image = laboratory.image(&plan("2.0"));
    let (drained, run) = tokio::join!(
        laboratory.once(|device| device.durable().operation.command == Command::Reset),
        laboratory.upgrade(&image),
    );
    assert_eq!(drained.operation.command, Command::Reset);
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let view = laboratory.look().await;
    assert_eq!(view.counters.calls_cut, 0);
    assert_eq!(view.call_admission, CallAdmission::Open, "and they come in again");
    let steps = steps(&laboratory.stories(run).await);
    let place = |step| steps.iter().position(|other| *other == step);
    assert!(place(Step::ClosingCalls) < place(Step::Draining));
    assert!(place(Step::Draining) < place(Step::Activating), "{steps:?}");
}

#[tokio::test]
async fn b06_calls_that_do_not_end_are_cut_off_at_the_limit_and_told() {
    let laboratory =
        Laboratory::with(busy(Duration::from_secs(100_000)).profile("[limits]\ndrain_s = 0.5\n")).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(laboratory.look().await.counters.calls_cut, 3);
    let stories = laboratory.stories(run).await;
    let told = |story: &Story| matches!(story, Story::StepDone { step: Step::Draining, text } if text.contains("3 calls"));
    assert!(stories.iter().any(told), "{stories:?}");
}

#[tokio::test]
async fn b06_a_hot_activation_waits_for_no_call_and_cuts_none() {
    let laboratory = Laboratory::with(busy(Duration::from_secs(100_000)).hot()).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let view = laboratory.look().await;
    assert_eq!((view.counters.calls_cut, view.calls, view.boots), (0, 3, 1));
    assert!(!steps(&laboratory.stories(run).await).contains(&Step::ClosingCalls));
}

#[tokio::test]
async fn b06_who_cancels_while_calls_end_lets_them_in_again() {
    let laboratory = Laboratory::with(busy(Duration::from_secs(100_000))).await;
    let before = laboratory.look().await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.until(run, |run| run.current_step() == Some(Step::Draining)).await;
    assert_eq!(laboratory.look().await.call_admission, CallAdmission::Closed);
    laboratory.manager().handle.cancel(run).await.expect("a run that can be cancelled");
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Cancelled);
    let view = laboratory.look().await;
    assert_eq!((view.call_admission, view.counters.calls_cut), (CallAdmission::Open, 0));
    assert_in_service(&view, "1.0", &configuration(&before));
}

#[tokio::test]
async fn b06_a_restart_into_the_old_software_is_no_proof_of_a_reset() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(Fault { during: Some(Phase::Reset), ..Fault::once(FaultKind::Crash) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::Activating);
    let view = laboratory.look().await;
    assert_eq!(view.boots, 2, "it has restarted and answers");
    assert_in_service(&view, "1.0", &configuration(&before));
}

#[tokio::test]
async fn b06_a_device_that_answers_without_having_restarted_has_not_been_reset() {
    let setup = Setup::default().profile("[commands.reset]\ndeadline_s = 1.0\n");
    // It takes the command, says so, and hangs: its watchdog brings the old software back.
    let laboratory = Laboratory::with(setup.device(|device| {
        device.timing.watchdog = Duration::from_secs(3);
    }))
    .await;
    laboratory.fault(Fault { during: Some(Phase::Reset), ..Fault::once(FaultKind::Hang) }).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::Activating, Cause::TimeLimit(_))), "{question:?}");
    assert_eq!(laboratory.look().await.version, "1.0");
}

#[tokio::test]
async fn b06_a_reset_on_request_is_proven_by_a_restart() {
    let laboratory = Laboratory::with(busy(Duration::from_millis(300))).await;
    let run = laboratory.begin(Goal::Reset, choices(Policy::Ask), Protocol::Tftp).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    let view = laboratory.look().await;
    assert_eq!((view.boots, started(&view, Command::Reset), view.counters.calls_cut), (2, 1, 0));
    assert_eq!(view.version, "1.0");
}

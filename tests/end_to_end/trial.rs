//! New software runs on trial until it is confirmed (row B4).

use iad_sim::device::image::{BootBehaviour, Plan};
use iad_sim::device::{BootReason, Command, NotificationKind};
use iad_sim::net::Role;
use upgrade::run::{Outcome, Policy, Step, Story};

use crate::evidence::{assert_in_service, configuration, failure, notified, started, steps};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, plan};

#[tokio::test]
async fn b04_new_software_is_on_trial_until_it_has_been_healthy_for_a_while() {
    let laboratory = Laboratory::new().await;
    let mut events = laboratory.simulator.events();
    let before = laboratory.look().await;
    let image = laboratory.image(&plan("2.0"));
    let run = laboratory.upgrade(&image).await;
    notified(&mut events, NotificationKind::Begun, Command::Restore).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
    let steps = steps(&laboratory.stories(run).await);
    assert!(steps.ends_with(&[Step::Activating, Step::Restoring, Step::Soaking, Step::Confirming]));
}

#[tokio::test]
async fn b04_while_it_is_watched_it_is_not_confirmed() {
    let laboratory = Laboratory::with(Setup::default().profile("[limits]\nsoak_s = 3600\n")).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    laboratory.until(run, |run| run.current_step() == Some(Step::Soaking)).await;
    let view = laboratory.look().await;
    assert_eq!(view.buffers.iter().filter(|buffer| buffer.role == Role::Trial).count(), 1);
    assert_eq!(started(&view, Command::Confirm), 0);
    // Who cancels now gets the old software back.
    laboratory.manager().handle.cancel(run).await.expect("a run that can be cancelled");
    let ending = laboratory.end(run).await;
    assert_eq!((ending.outcome, ending.left_with.version.as_deref()), (Outcome::Cancelled, Some("1.0")));
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&view));
}

#[tokio::test]
async fn b04_unhealthy_software_is_never_confirmed() {
    let laboratory = Laboratory::new().await;
    let sick = laboratory.image(&Plan { boot: BootBehaviour::Unhealthy, ..plan("2.0") });
    let run = laboratory.upgrade_by(&sick, Policy::Auto(1)).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Soaking);
    let view = laboratory.look().await;
    assert_eq!(started(&view, Command::Confirm), 0);
    assert_eq!(view.version, "1.0");
}

#[tokio::test]
async fn b04_without_a_manager_the_device_falls_back_by_itself() {
    let setup = Setup::default().profile("[limits]\ntrial_s = 1\nsoak_s = 3600\n");
    let mut laboratory = Laboratory::with(setup).await;
    let before = laboratory.look().await;
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    notified(&mut events, NotificationKind::Begun, Command::Restore).await;
    laboratory.kill().await;
    laboratory.once(|device| device.boot_reason() == Some(BootReason::Fallback)).await;
    let view = laboratory.look().await;
    assert_in_service(&view, "1.0", &configuration(&before));
    assert_eq!(view.counters.fallbacks, 1);
    // Back again, the manager finds that out and asks.
    laboratory.start_again().await;
    let question = laboratory.question(run).await;
    assert!(question.failure.is_some());
    assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    let told = laboratory.stories(run).await;
    assert!(told.iter().any(|story| matches!(story, Story::StepDone { step: Step::RollingBack, .. })));
}

//! Power fails at any instant of any step (row H18).

use core::time::Duration;

use iad_sim::device::{Command, NotificationKind, Power};
use iad_sim::fault::{Fault, FaultKind, Phase};
use upgrade::Protocol;
use upgrade::operation::Cause;
use upgrade::run::{Answer, Goal, Outcome, Policy, Step};

use crate::evidence::{assert_in_service, configuration, failure, failures, notified, started};
use crate::laboratory::Laboratory;
use crate::setup::{Setup, choices, plan};

/// Power is lost for a moment, once so much of the phase is done.
fn power_lost(during: Phase, percent: u32) -> Fault {
    Fault { during: Some(during), percent, for_ms: Some(100), ..Fault::once(FaultKind::PowerLoss) }
}

/// The step counts as failed, and is repeated by itself until the upgrade is through.
async fn is_upgraded_all_the_same(setup: Setup, fault: Fault, protocol: Protocol) -> Laboratory {
    let what = format!("{:?} at {} %", fault.during, fault.percent);
    let laboratory = Laboratory::with(setup).await;
    let before = laboratory.look().await;
    laboratory.fault(fault).await;
    let goal = Goal::Upgrade { image: laboratory.image(&plan("2.0")).into() };
    let run = laboratory.begin(goal, choices(Policy::Auto(3)), protocol).await;
    let ending = laboratory.end(run).await;
    let told = laboratory.told(run).await;
    assert_eq!(ending.outcome, Outcome::Succeeded, "{what}: {told}");
    let after = laboratory.look().await;
    assert_eq!(after.counters.power_losses, 1, "{what}: {told}");
    assert_in_service(&after, "2.0", &configuration(&before));
    assert!(after.counters.operations.iter().all(|operation| operation.started <= 1), "{told}");
    laboratory
}

#[tokio::test]
async fn h18_power_lost_during_backup() {
    for (percent, protocol) in [(0, Protocol::Tftp), (40, Protocol::Ftp), (95, Protocol::Tftp)] {
        let fault = power_lost(Phase::Backup, percent);
        let laboratory = is_upgraded_all_the_same(Setup::default(), fault, protocol).await;
        let view = laboratory.look().await;
        assert_eq!(started(&view, Command::Backup), 2);
        assert_eq!(started(&view, Command::Download), 1, "it began only once the backup had succeeded");
    }
}

#[tokio::test]
async fn h18_power_lost_during_download_and_flashing() {
    for percent in [0, 3, 5, 50, 94, 95, 100] {
        let fault = power_lost(Phase::Download, percent);
        let laboratory = is_upgraded_all_the_same(Setup::default(), fault, Protocol::Tftp).await;
        assert_eq!(started(&laboratory.look().await, Command::Download), 2, "{percent} %");
    }
}

#[tokio::test]
async fn h18_power_lost_during_download_by_ftp_onto_slow_flash() {
    let fault = power_lost(Phase::Download, 50);
    is_upgraded_all_the_same(Setup::default().flash(400_000), fault, Protocol::Ftp).await;
}

#[tokio::test]
async fn h18_power_lost_as_the_reset_is_commanded() {
    for percent in [0, 100] {
        is_upgraded_all_the_same(Setup::default(), power_lost(Phase::Reset, percent), Protocol::Tftp).await;
    }
}

#[tokio::test]
async fn h18_power_lost_while_the_new_software_starts() {
    for percent in [0, 50] {
        let setup = Setup::default().device(|device| device.timing.boot = Duration::from_millis(200));
        let fault = Fault { version: Some("2.0".into()), ..power_lost(Phase::Boot, percent) };
        is_upgraded_all_the_same(setup, fault, Protocol::Tftp).await;
    }
}

#[tokio::test]
async fn h18_power_lost_during_hot_activation() {
    let setup = Setup::default().hot().device(|device| device.timing.activate = Duration::from_millis(200));
    is_upgraded_all_the_same(setup, power_lost(Phase::Activate, 50), Protocol::Tftp).await;
}

#[tokio::test]
async fn h18_power_lost_during_restore() {
    for percent in [0, 40, 100] {
        is_upgraded_all_the_same(Setup::default(), power_lost(Phase::Restore, percent), Protocol::Tftp).await;
    }
}

#[tokio::test]
async fn h18_power_lost_during_confirmation() {
    is_upgraded_all_the_same(Setup::default(), power_lost(Phase::Confirm, 0), Protocol::Tftp).await;
}

#[tokio::test]
async fn h18_power_lost_on_the_way_back() {
    for percent in [0, 100] {
        let laboratory = Laboratory::new().await;
        let before = laboratory.look().await;
        laboratory.fault(Fault { version: Some("2.0".into()), ..Fault::once(FaultKind::ApplyFails) }).await;
        laboratory.fault(power_lost(Phase::Rollback, percent)).await;
        let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
        let question = laboratory.question(run).await;
        assert_eq!(failure(&question).0, Step::Restoring, "{}", laboratory.told(run).await);
        assert!(!question.lost);
        assert_eq!(laboratory.look().await.counters.power_losses, 1);
        assert_in_service(&laboratory.look().await, "1.0", &configuration(&before));
    }
}

#[tokio::test]
async fn h18_the_loss_is_noticed_by_the_restart_notification() {
    // Nobody would look at the device by itself for an hour.
    let laboratory = Laboratory::with(Setup::default().profile("[limits]\npoll_s = 3600\n")).await;
    laboratory.fault(power_lost(Phase::Download, 50)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
}

#[tokio::test]
async fn h18_the_loss_is_noticed_by_uptime_where_no_notification_comes() {
    let laboratory = Laboratory::with(Setup::default().silent()).await;
    laboratory.fault(power_lost(Phase::Download, 50)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    assert_eq!(failure(&laboratory.question(run).await).0, Step::Downloading);
}

#[tokio::test]
async fn h18_the_loss_is_noticed_by_silence_until_the_time_is_up() {
    let limits = "[commands.backup]\ndeadline_s = 1.0\n[limits]\nanswer_ms = 100\nrepeats = 1\n";
    let laboratory = Laboratory::with(Setup::default().profile(limits)).await;
    let off = Fault { for_ms: None, ..power_lost(Phase::Backup, 50) };
    laboratory.fault(off).await;
    let run = laboratory.back_up().await;
    let question = laboratory.question(run).await;
    assert!(matches!(failure(&question), (Step::BackingUp, Cause::TimeLimit(_) | Cause::Stalled(_))));
    laboratory.simulator.power_on(&laboratory.device()).await.expect("a device");
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
}

#[tokio::test]
async fn h18_under_the_policy_ask_the_device_is_back_before_the_question() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    laboratory.fault(power_lost(Phase::Restore, 50)).await;
    let run = laboratory.upgrade(&laboratory.image(&plan("2.0"))).await;
    let question = laboratory.question(run).await;
    assert_eq!(failure(&question).0, Step::Restoring);
    let view = laboratory.look().await;
    assert_in_service(&view, "1.0", &configuration(&before));
    laboratory.answer(run, Answer::Again).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

#[tokio::test]
async fn h18_power_lost_again_and_again_loses_nothing() {
    let laboratory = Laboratory::new().await;
    let before = laboratory.look().await;
    for phase in [Phase::Backup, Phase::Download, Phase::Reset, Phase::Restore, Phase::Confirm] {
        laboratory.fault(power_lost(phase, 0)).await;
    }
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(10)).await;
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_eq!(laboratory.look().await.counters.power_losses, 5);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
    assert!(failures(&laboratory.stories(run).await).len() >= 5);
}

#[tokio::test]
async fn h18_power_cut_by_hand_while_flashing() {
    let laboratory = Laboratory::with(Setup::default().flash(50_000)).await;
    let before = laboratory.look().await;
    let device = laboratory.device();
    let mut events = laboratory.simulator.events();
    let run = laboratory.upgrade_by(&laboratory.image(&plan("2.0")), Policy::Auto(3)).await;
    notified(&mut events, NotificationKind::Progress, Command::Download).await;
    laboratory.simulator.power_off(&device).await.expect("a device");
    laboratory.once(|device| device.power() == Power::Off).await;
    laboratory.simulator.power_on(&device).await.expect("a device");
    assert_eq!(laboratory.end(run).await.outcome, Outcome::Succeeded, "{}", laboratory.told(run).await);
    assert_in_service(&laboratory.look().await, "2.0", &configuration(&before));
}

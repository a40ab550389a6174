//! Faults that do not end in a power cut.

use super::*;
use crate::fault::{FaultKind, Phase, RequestKind};

#[test]
fn a_hanging_device_is_restarted_by_its_watchdog() {
    let mut world = World::new(|_| {});
    world.fault(Fault { during: Some(Phase::Backup), percent: 50, ..Fault::once(FaultKind::Hang) });
    world.ask(Command::Backup, all_kinds);
    while world.device.answers() {
        assert!(world.step());
    }
    assert_eq!(world.device.power(), Power::Hung);
    world.settle();
    assert_eq!(world.device.boot_reason(), Some(BootReason::Watchdog));
    assert_eq!(world.outcome(), failed(ErrorCode::Interrupted));
}

#[test]
fn a_crash_restarts_the_device() {
    let mut world = World::new(|_| {});
    world.fault(Fault { during: Some(Phase::Download), percent: 50, ..Fault::once(FaultKind::Crash) });
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::Interrupted));
    assert_eq!(world.device.boot_reason(), Some(BootReason::Crash));
}

#[test]
fn a_mute_device_stays_mute() {
    let mut world = World::new(|_| {});
    world.fault(Fault { during: Some(Phase::Restore), ..Fault::once(FaultKind::Mute) });
    world.ask(Command::Restore, all_kinds);
    world.settle();
    assert_eq!(world.device.power(), Power::Mute);
    assert_eq!(world.device.next_deadline(world.now), None);
}

#[test]
fn notifications_are_lost_doubled_and_late() {
    let mut world = World::new(|settings| settings.progress_step_percent = 100);
    let only = |kind, notification| Fault { notification: Some(notification), ..Fault::once(kind) };
    world.fault(only(FaultKind::LoseNotification, NotificationKind::Begun));
    world.fault(only(FaultKind::DoubleNotification, NotificationKind::Done));
    world.backup();
    assert_eq!(world.told(), [NotificationKind::Done, NotificationKind::Done]);
    assert_eq!(world.device.counters().notifications, 3, "with that of the start");
    world.notifications.clear();
    world.fault(Fault { for_ms: Some(5000), ..only(FaultKind::DelayNotification, NotificationKind::Begun) });
    world.backup();
    assert_eq!(world.told(), [NotificationKind::Done, NotificationKind::Begun]);
}

#[test]
fn a_truncated_backup_is_done_says_the_device() {
    let mut world = World::new(|_| {});
    world.fault(Fault { percent: 50, ..Fault::once(FaultKind::TruncateBackup) });
    assert_eq!(world.backup(), DONE);
    let shown = world.device.durable().running_configuration(ConfigurationKind::UserData).unwrap().file();
    assert_eq!(world.files["userData"].len(), shown.len() / 2);
}

#[test]
fn a_wrong_or_truncated_transfer_is_found_by_digest_and_size() {
    let mut world = World::new(|_| {});
    world.fault(Fault { percent: 40, ..Fault::once(FaultKind::CorruptTransfer) });
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::DigestMismatch));
    world.fault(Fault { percent: 40, ..Fault::once(FaultKind::TruncateTransfer) });
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::SizeMismatch));
    assert_eq!(world.download(&plan("2.0")), DONE);
}

#[test]
fn a_transfer_stalled_for_good_waits_until_it_is_aborted() {
    let mut world = World::new(|_| {});
    world.fault(Fault { percent: 50, ..Fault::once(FaultKind::StallTransfer) });
    let image = world.publish(&plan("2.0"));
    world.ask(Command::Download, |changes| with_files(changes, &image));
    world.settle();
    assert!(world.operation().is_busy());
    world.set(|changes| {
        changes.id = Some("op-1".to_owned());
        changes.command = Some(Command::Abort);
    });
    assert_eq!(world.outcome().0, OperationState::Aborted);
}

#[test]
fn flash_is_full_or_broken() {
    let mut world = World::new(|_| {});
    world.fault(Fault { byte: Some(2000), ..Fault::once(FaultKind::FlashFull) });
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::NoSpace));
    world.fault(Fault::once(FaultKind::FlashError));
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::FlashError));
    assert_eq!(world.download(&plan("2.0")), DONE);
}

#[test]
fn false_progress_is_told_and_the_truth_comes_with_the_end() {
    let mut world = World::new(|_| {});
    world.fault(Fault {
        percent: 100,
        during: Some(Phase::Download),
        ..Fault::once(FaultKind::FalseProgress)
    });
    world.backup();
    assert!(
        !world
            .notifications
            .iter()
            .any(|told| told.kind == NotificationKind::Progress && told.progress == 100)
    );
    let image = world.publish(&plan("2.0"));
    world.ask(Command::Download, |changes| with_files(changes, &image));
    (0..3).for_each(|_| assert!(world.step()));
    assert_eq!((world.operation().progress, world.operation().state), (100, OperationState::Running));
}

#[test]
fn answers_are_lost_by_count_and_by_request() {
    let mut world = World::new(|_| {});
    world.fault(Fault { request: Some(RequestKind::Set), times: 2, ..Fault::once(FaultKind::LoseAnswer) });
    assert!(!world.device.loses_answer(RequestKind::Get));
    let lost: Vec<bool> = (0..3).map(|_| world.device.loses_answer(RequestKind::Set)).collect();
    assert_eq!(lost, [true, true, false]);
}

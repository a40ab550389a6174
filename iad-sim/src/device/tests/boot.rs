//! The boot loader: software that does not start never keeps the device from working.

use super::*;
use crate::fault::FaultKind;

fn reset_into(world: &mut World, plan: &Plan, trial_time_s: u32) -> (OperationState, ErrorCode) {
    assert_eq!(world.download(plan), DONE);
    world.carry_out(Command::Reset, |changes| {
        changes.version = Some(plan.version.clone());
        changes.trial_time_s = Some(trial_time_s);
    })
}

#[test]
fn software_that_does_not_start_leads_back_to_the_one_before() {
    for boot in [BootBehaviour::Loop, BootBehaviour::Hang] {
        for trial_time_s in [0, 60] {
            let mut world = World::new(|_| {});
            let before = world.configuration();
            let outcome = reset_into(&mut world, &Plan { boot, ..plan("2.0") }, trial_time_s);
            assert_eq!(outcome, failed(ErrorCode::BootFailed), "{boot:?}, trial {trial_time_s}");
            assert_eq!(world.device.durable().active().unwrap().version, "1.0");
            assert_eq!(world.device.boot_reason(), Some(BootReason::Fallback));
            assert_eq!(world.configuration(), before);
        }
    }
}

#[test]
fn a_hot_switch_to_software_that_does_not_run_ends_with_the_one_before() {
    for boot in [BootBehaviour::Loop, BootBehaviour::Hang] {
        let mut world = World::new(|settings| settings.capabilities.needs_reset = false);
        world.download(&Plan { boot, ..plan("2.0") });
        let outcome = world.carry_out(Command::Activate, |changes| changes.trial_time_s = Some(60));
        assert_eq!(outcome.0, OperationState::Failed, "{boot:?}");
        assert_eq!(world.device.durable().active().unwrap().version, "1.0");
    }
}

#[test]
fn garbage_is_flashed_like_an_image_and_never_starts() {
    let mut world = World::new(|_| {});
    world.files.insert("garbage".to_owned(), vec![0x5a; 9000]);
    let garbage = |changes: &mut Changes| {
        changes.file_names = Some(vec!["garbage".to_owned()]);
        changes.version = Some("2.0".to_owned());
    };
    assert_eq!(world.carry_out(Command::Download, garbage), DONE);
    let reset = |changes: &mut Changes| changes.version = Some("2.0".to_owned());
    assert_eq!(world.carry_out(Command::Reset, reset), failed(ErrorCode::BootFailed));
    assert_eq!(world.device.durable().active().unwrap().version, "1.0");
    assert_eq!(world.device.durable().standby().unwrap().state, BufferState::Invalid);
}

#[test]
fn an_image_damaged_on_the_way_and_not_announced_is_found_out_by_the_boot_loader() {
    let mut world = World::new(|_| {});
    let image = world.publish(&plan("2.0"));
    world.fault(Fault { byte: Some(3000), ..Fault::once(FaultKind::CorruptTransfer) });
    let unannounced = |changes: &mut Changes| changes.file_names.clone_from(&image.file_names);
    assert_eq!(world.carry_out(Command::Download, unannounced), DONE);
    let reset = |changes: &mut Changes| changes.version = Some("2.0".to_owned());
    assert_eq!(world.carry_out(Command::Reset, reset), failed(ErrorCode::BootFailed));
    assert_eq!(world.device.durable().active().unwrap().version, "1.0");
}

#[test]
fn a_hot_device_does_not_switch_to_an_image_damaged_on_the_way() {
    let mut world = World::new(|settings| settings.capabilities.needs_reset = false);
    let image = world.publish(&plan("2.0"));
    world.fault(Fault { byte: Some(3000), ..Fault::once(FaultKind::CorruptTransfer) });
    let unannounced = |changes: &mut Changes| changes.file_names.clone_from(&image.file_names);
    assert_eq!(world.carry_out(Command::Download, unannounced), DONE);
    let boots = world.device.durable().boot.boots;
    assert_eq!(world.carry_out(Command::Activate, |_| {}), failed(ErrorCode::BootFailed));
    assert_eq!(world.device.durable().active().unwrap().version, "1.0");
    assert_eq!(world.device.durable().boot.boots, boots, "the old software never stopped");
}

#[test]
fn unhealthy_software_starts_and_says_so() {
    let mut world = World::new(|_| {});
    assert_eq!(reset_into(&mut world, &Plan { boot: BootBehaviour::Unhealthy, ..plan("2.0") }, 60), DONE);
    assert!(!world.device.is_healthy());
    world.carry_out(Command::Rollback, |_| {});
    assert!(world.device.is_healthy());
}

#[test]
fn a_device_of_which_neither_buffer_starts_is_dead_until_it_is_mended() {
    let mut world = World::new(|_| {});
    world.fault(Fault { times: 0, ..Fault::once(FaultKind::BootLoop) });
    world.power_cut();
    world.settle();
    assert_eq!(world.device.power(), Power::Dead);
    world.device.faults_mut().clear(None);
    world.power_cut();
    world.settle();
    assert!(world.device.answers());
}

#[test]
fn a_crash_while_starting_is_got_over() {
    let mut world = World::new(|_| {});
    world.fault(Fault { times: 2, ..Fault::once(FaultKind::BootLoop) });
    world.power_cut();
    world.settle();
    assert_eq!(world.device.boot_reason(), Some(BootReason::Crash));
    assert_eq!(world.device.durable().active().unwrap().version, "1.0");
}

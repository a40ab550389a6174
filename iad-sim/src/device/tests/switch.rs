//! Changing to other software and back, with a restart or without, on trial or not.

use super::*;

fn hot(settings: &mut Settings) {
    settings.capabilities.needs_reset = false;
}

fn version(world: &World) -> &str {
    &world.device.durable().active().unwrap().version
}

fn reset_into(changes: &mut Changes, trial_time_s: u32) {
    changes.version = Some("2.0".to_owned());
    changes.trial_time_s = Some(trial_time_s);
}

#[test]
fn a_reset_with_the_version_of_the_standby_buffer_starts_that() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    let boots = world.device.durable().boot.boots;
    assert_eq!(world.carry_out(Command::Reset, |changes| reset_into(changes, 0)), DONE);
    assert_eq!(version(&world), "2.0");
    assert_eq!(world.device.boot_reason(), Some(BootReason::Commanded));
    assert_eq!(world.device.durable().boot.boots, boots + 1);
    assert_eq!(world.told()[world.told().len() - 2..], [NotificationKind::Restarted, NotificationKind::Done]);
    assert_eq!(world.device.durable().standby().unwrap().version, "1.0");
}

#[test]
fn a_reset_without_a_version_starts_the_same_software() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    assert_eq!(world.carry_out(Command::Reset, |_| {}), DONE);
    assert_eq!(version(&world), "1.0");
    let same = |changes: &mut Changes| changes.version = Some("1.0".to_owned());
    assert_eq!(world.carry_out(Command::Reset, same), DONE);
    assert_eq!(version(&world), "1.0");
    let other = |changes: &mut Changes| changes.version = Some("9.9".to_owned());
    assert_eq!(world.carry_out(Command::Reset, other), failed(ErrorCode::NoImage));
}

#[test]
fn a_hot_device_activates_without_a_restart_and_goes_back_the_same_way() {
    let mut world = World::new(hot);
    let before = world.configuration();
    world.download(&plan("2.0"));
    let boots = world.device.durable().boot.boots;
    assert_eq!(world.carry_out(Command::Activate, |_| {}), DONE);
    assert_eq!(version(&world), "2.0");
    assert_eq!(world.carry_out(Command::Rollback, |_| {}), DONE);
    assert_eq!(version(&world), "1.0");
    assert_eq!(world.configuration(), before);
    assert_eq!(world.device.durable().boot.boots, boots);
    assert_eq!(world.device.counters().calls_cut, 0);
}

#[test]
fn a_device_that_needs_a_reset_does_not_activate() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    assert_eq!(world.carry_out(Command::Activate, |_| {}), failed(ErrorCode::Unsupported));
}

#[test]
fn roll_back_restarts_into_the_software_and_configuration_of_before_and_erases_nothing() {
    let mut world = World::new(|_| {});
    let before = world.configuration();
    world.download(&plan("2.0"));
    world.carry_out(Command::Reset, |changes| reset_into(changes, 60));
    assert_ne!(world.configuration(), before);
    assert_eq!(world.carry_out(Command::Rollback, |_| {}), DONE);
    assert_eq!((version(&world), world.configuration()), ("1.0", before));
    assert!(world.device.durable().boot.trial.is_none());
    assert!(world.device.durable().standby().is_some_and(Buffer::is_valid));
}

#[test]
fn unconfirmed_software_falls_back_when_its_time_is_over() {
    for needs_reset in [true, false] {
        let mut world = World::new(|settings| settings.capabilities.needs_reset = needs_reset);
        let before = world.configuration();
        world.download(&plan("2.0"));
        let command = if needs_reset { Command::Reset } else { Command::Activate };
        assert_eq!(world.carry_out(command, |changes| reset_into(changes, 60)), DONE);
        world.pass(Duration::from_secs(59));
        assert_eq!(version(&world), "2.0");
        world.pass(Duration::from_secs(2));
        assert_eq!((version(&world), world.configuration()), ("1.0", before));
        assert_eq!(world.device.boot_reason(), Some(BootReason::Fallback));
        assert_eq!(world.outcome(), failed(ErrorCode::FellBack));
        assert_eq!(world.device.counters().fallbacks, 1);
    }
}

#[test]
fn confirmed_software_stays() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    world.carry_out(Command::Reset, |changes| reset_into(changes, 60));
    assert_eq!(world.carry_out(Command::Confirm, |_| {}), DONE);
    world.pass(Duration::from_secs(100));
    world.power_cut();
    world.settle();
    assert_eq!(version(&world), "2.0");
}

#[test]
fn the_trial_goes_on_over_a_commanded_restart_with_the_time_that_is_left() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    world.carry_out(Command::Reset, |changes| reset_into(changes, 60));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.carry_out(Command::Reset, |_| {}), DONE);
    world.pass(Duration::from_secs(15));
    assert_eq!(version(&world), "2.0");
    world.pass(Duration::from_secs(10));
    assert_eq!(version(&world), "1.0");
}

#[test]
fn a_power_cut_during_the_trial_falls_back() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    world.carry_out(Command::Reset, |changes| reset_into(changes, 60));
    world.power_cut();
    world.settle();
    assert_eq!(version(&world), "1.0");
    assert_eq!(world.device.boot_reason(), Some(BootReason::Fallback));
}

#[test]
fn nothing_is_loaded_over_the_way_back_while_on_trial() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    world.carry_out(Command::Reset, |changes| reset_into(changes, 60));
    assert_eq!(world.download(&plan("3.0")), failed(ErrorCode::Unsupported));
    assert_eq!(world.carry_out(Command::Erase, |_| {}), failed(ErrorCode::Unsupported));
    assert!(world.device.durable().standby().is_some_and(Buffer::is_valid));
}

#[test]
fn a_reset_into_other_software_is_refused_once_the_configuration_has_moved() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    let revision = world.device.durable().set_revision;
    let ask = |changes: &mut Changes| {
        changes.id = Some("late".to_owned());
        changes.command = Some(Command::Reset);
        reset_into(changes, 0);
        changes.revision = Some(revision);
    };
    assert!(
        world.device.configure(ConfigurationKind::UserData, &[("subscriber.1.forward".into(), "+1".into())])
    );
    assert_eq!(world.try_set(ask).unwrap_err().object, Object::Revision);
    let delayed = |changes: &mut Changes| {
        reset_into(changes, 0);
        changes.revision = Some(revision + 1);
        changes.delay_policy = Some(DelayPolicy::Fixed);
        changes.delay_s = Some(10);
    };
    world.ask(Command::Reset, delayed);
    assert!(
        world.device.configure(ConfigurationKind::UserData, &[("subscriber.1.forward".into(), "+2".into())])
    );
    world.settle();
    assert_eq!(world.outcome(), failed(ErrorCode::RevisionMoved));
    assert_eq!(version(&world), "1.0");
}

#[test]
fn a_roll_back_to_software_that_the_other_buffer_does_not_hold_is_refused() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    let back_to = |version: &'static str| {
        move |changes: &mut Changes| {
            changes.id = Some("late".to_owned());
            changes.command = Some(Command::Rollback);
            changes.version = Some(version.to_owned());
        }
    };
    assert_eq!(world.try_set(back_to("1.0")).unwrap_err().object, Object::Version);
    assert_eq!(world.try_set(back_to("2.0")), Ok(()));
}

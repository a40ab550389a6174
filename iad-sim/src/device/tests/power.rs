//! Power may fail at any instant: the old buffer always starts, and the configuration is never half of one and half of another.

use super::*;
use crate::fault::{FaultKind, Phase};

/// What is done to a device that is ready for it, and how that came to be.
struct Story {
    name: &'static str,
    ready: fn() -> World,
    begin: fn(&mut World),
}

fn stories() -> Vec<Story> {
    fn upgraded() -> World {
        let mut world = loaded();
        world.carry_out(Command::Reset, into_new);
        world.carry_out(Command::Convert, all_kinds);
        world.carry_out(Command::Confirm, |_| {});
        world
    }
    fn loaded() -> World {
        let mut world = World::new(|settings| settings.timing.flash_bytes_per_second = 20_000);
        assert_eq!(world.backup(), DONE);
        assert_eq!(world.download(&plan("2.0")), DONE);
        world
    }
    fn loaded_hot() -> World {
        let mut world = World::new(|settings| settings.capabilities.needs_reset = false);
        assert_eq!(world.download(&plan("2.0")), DONE);
        world
    }
    fn into_new(changes: &mut Changes) {
        changes.version = Some("2.0".to_owned());
    }
    let story = |name, ready, begin| Story { name, ready, begin };
    vec![
        story("backup", || World::new(|_| {}), |world| world.ask(Command::Backup, all_kinds)),
        story(
            "download",
            || World::new(|settings| settings.timing.flash_bytes_per_second = 20_000),
            |world| {
                let image = world.publish(&Plan { files: 2, ..plan("2.0") });
                world.ask(Command::Download, |changes| with_files(changes, &image));
            },
        ),
        story("download over the one before", loaded, |world| {
            let image = world.publish(&plan("3.0"));
            world.ask(Command::Download, |changes| with_files(changes, &image));
        }),
        story("reset", loaded, |world| world.ask(Command::Reset, into_new)),
        story("reset on trial", loaded, |world| {
            world.ask(Command::Reset, |changes| {
                into_new(changes);
                changes.trial_time_s = Some(60);
            });
        }),
        story("activate", loaded_hot, |world| world.ask(Command::Activate, |_| {})),
        story("restore", upgraded, |world| world.ask(Command::Restore, all_kinds)),
        story("convert", upgraded, |world| world.ask(Command::Convert, all_kinds)),
        story("rollback", upgraded, |world| world.ask(Command::Rollback, |_| {})),
        story("erase", upgraded, |world| world.ask(Command::Erase, |_| {})),
    ]
}

#[test]
fn a_power_cut_after_any_event_of_any_operation_leaves_a_device_that_works() {
    for story in stories() {
        let mut points = 0;
        for cut_after in 0.. {
            let mut world = (story.ready)();
            let before = Before::of(&world);
            (story.begin)(&mut world);
            let all_happened = !(0..cut_after).all(|_| world.step());
            world.power_cut();
            world.settle();
            before.holds(&world, &format!("{}, cut after {cut_after} events", story.name));
            points += 1;
            if all_happened {
                break;
            }
        }
        assert!(points > 2, "{}: only {points} points", story.name);
    }
}

#[test]
fn a_power_cut_at_any_percent_of_any_operation_leaves_a_device_that_works() {
    let phases =
        [Phase::Backup, Phase::Download, Phase::Activate, Phase::Reset, Phase::Restore, Phase::Convert];
    let phases = phases.into_iter().chain([Phase::Rollback, Phase::Erase, Phase::Boot]);
    let mut struck = std::collections::BTreeMap::new();
    for phase in phases {
        for story in stories() {
            for percent in (0..=100).step_by(5) {
                let mut world = (story.ready)();
                let before = Before::of(&world);
                let fault = Fault {
                    during: Some(phase),
                    percent,
                    for_ms: Some(1000),
                    ..Fault::once(FaultKind::PowerLoss)
                };
                world.fault(fault);
                (story.begin)(&mut world);
                world.settle();
                before.holds(&world, &format!("{}, cut at {percent} % of {phase:?}", story.name));
                *struck.entry(format!("{phase:?}")).or_insert(0) += world.device.counters().power_losses;
            }
        }
    }
    assert!(struck.values().all(|count| *count >= 20), "each phase was cut: {struck:?}");
}

#[test]
fn a_power_cut_at_any_byte_of_a_download_is_exact_and_leaves_the_old_software() {
    let size = u64::try_from(make(&plan("2.0"))[0].len()).unwrap();
    for byte in (1..=size).step_by(97).chain([size]) {
        for speed in [0, 20_000] {
            let mut world = World::new(|settings| settings.timing.flash_bytes_per_second = speed);
            let before = world.configuration();
            let fault = Fault {
                during: Some(Phase::Download),
                byte: Some(byte),
                ..Fault::once(FaultKind::PowerLoss)
            };
            world.fault(fault);
            world.download(&plan("2.0"));
            assert_eq!(world.device.power(), Power::Off);
            assert_eq!(world.device.durable().standby().unwrap().size, byte);
            assert_eq!(world.device.durable().standby().unwrap().state, BufferState::Writing);
            world.device.power_on(world.now);
            world.settle();
            assert_eq!(world.outcome(), failed(ErrorCode::Interrupted));
            assert_eq!(world.device.durable().standby().unwrap().state, BufferState::Invalid);
            assert_eq!(world.device.durable().active().unwrap().version, "1.0");
            assert_eq!(world.configuration(), before);
            assert_eq!(world.download(&plan("2.0")), DONE, "and then it goes well");
        }
    }
}

#[test]
fn a_power_cut_at_the_very_end_of_a_download_leaves_a_buffer_that_does_not_count() {
    let mut world = World::new(|_| {});
    let fault = Fault { during: Some(Phase::Download), percent: 100, ..Fault::once(FaultKind::PowerLoss) };
    world.fault(fault);
    world.download(&plan("2.0"));
    world.device.power_on(world.now);
    world.settle();
    assert_eq!(world.outcome(), failed(ErrorCode::Interrupted));
    assert_eq!(world.device.durable().standby().unwrap().state, BufferState::Invalid);
}

/// How a device was before, against which any end is measured.
struct Before {
    configurations: Vec<(String, Vec<String>)>,
    old: Buffer,
    restored: Option<Vec<String>>,
}

impl Before {
    fn of(world: &World) -> Self {
        let durable = world.device.durable();
        let set = |set: &durable::ConfigurationSet| set.iter().map(|one| one.file().to_owned()).collect();
        let versions = durable.buffers.iter().map(|buffer| buffer.version.clone());
        let restored: Option<Vec<String>> = ConfigurationKind::ALL
            .iter()
            .map(|kind| world.files.get(kind.name()).map(|file| String::from_utf8(file.clone()).unwrap()))
            .collect();
        Self {
            configurations: versions.zip(durable.configurations.iter().map(set)).collect(),
            old: durable.active().unwrap().clone(),
            restored,
        }
    }

    fn holds(&self, world: &World, when: &str) {
        let durable = world.device.durable();
        assert!(world.device.answers(), "{when}: it answers, {:?}", world.device.power());
        assert!(!world.operation().is_busy(), "{when}: the operation has ended");
        assert!(durable.buffers.contains(&self.old), "{when}: the old software is untouched");
        let running = durable.active().unwrap();
        assert!(running.is_bootable("iad-8"), "{when}: what runs is whole");
        let configuration = world.configuration();
        let as_before = self
            .configurations
            .iter()
            .any(|(version, files)| *version == running.version && *files == configuration);
        let as_restored = self.restored.as_ref() == Some(&configuration);
        assert!(
            as_before || as_restored,
            "{when}: the configuration is one or the other\n{configuration:#?}"
        );
        if world.operation().state == OperationState::Failed {
            assert!(world.operation().progress < 100, "{when}: it never was done");
            assert!(
                matches!(world.operation().error, ErrorCode::Interrupted | ErrorCode::FellBack),
                "{when}: {:?}",
                world.operation()
            );
        }
    }
}

#[test]
fn a_fault_at_any_part_of_the_start_strikes_once() {
    for (percent, boot) in (0..100).flat_map(|percent| [(percent, 9_876_543), (percent, 700_001)]) {
        let mut settings = Settings::numbered(1);
        settings.timing.boot = Duration::from_micros(boot);
        let durable = Durable::delivered(&settings, "1.0", 1, 1000);
        let mut device = Device::switched_off(settings, durable, 1);
        let crash = Fault { during: Some(Phase::Boot), percent, ..Fault::once(FaultKind::Crash) };
        device.faults_mut().add(1, crash);
        let mut now = Duration::from_secs(1);
        device.power_on(now);
        while device.power() == Power::Booting {
            let due = device.next_deadline(now).unwrap();
            assert!(due > now, "{percent} % of {boot} µs is never over");
            now = due;
            device.tick(now);
        }
        assert_eq!((device.power(), device.faults().list()[0].struck), (Power::Running, 1), "{percent} %");
    }
}

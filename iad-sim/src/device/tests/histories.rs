//! Random histories: operations, faults, power cuts and changes in any order, after which the device always works.

use proptest::prelude::*;

use super::*;
use crate::fault::{FaultKind, Phase};

#[derive(Debug, Clone)]
enum Step {
    Ask(Command, u32),
    Download(u8, BootBehaviour),
    Garbage,
    Happen(u8),
    PowerCut,
    Pass(u32),
    Configure,
    Stop(FaultKind, Phase, u32),
    Strike(FaultKind, u32),
}

fn step() -> impl Strategy<Value = Step> {
    let command = proptest::sample::select(&Command::ALL[1..]);
    let boot = proptest::sample::select(vec![
        BootBehaviour::Ok,
        BootBehaviour::Ok,
        BootBehaviour::Loop,
        BootBehaviour::Hang,
        BootBehaviour::Unhealthy,
    ]);
    let stop = proptest::sample::select(vec![FaultKind::PowerLoss, FaultKind::Crash, FaultKind::Hang]);
    let phase = proptest::sample::select(vec![
        Phase::Backup,
        Phase::Download,
        Phase::Activate,
        Phase::Reset,
        Phase::Rollback,
        Phase::Convert,
        Phase::Restore,
        Phase::Boot,
    ]);
    let strike = proptest::sample::select(vec![
        FaultKind::CorruptTransfer,
        FaultKind::TruncateTransfer,
        FaultKind::FlashFull,
        FaultKind::FlashError,
        FaultKind::ConversionFails,
        FaultKind::ApplyFails,
        FaultKind::BootLoop,
        FaultKind::BootHang,
        FaultKind::FalseProgress,
        FaultKind::LoseNotification,
    ]);
    prop_oneof![
        4 => (command, 0..100_u32).prop_map(|(command, trial)| Step::Ask(command, trial)),
        3 => (2..5_u8, boot).prop_map(|(version, boot)| Step::Download(version, boot)),
        1 => Just(Step::Garbage),
        6 => (0..40_u8).prop_map(Step::Happen),
        1 => Just(Step::PowerCut),
        2 => (0..120_u32).prop_map(Step::Pass),
        1 => Just(Step::Configure),
        1 => (stop, phase, 0..=100_u32).prop_map(|(kind, phase, percent)| Step::Stop(kind, phase, percent)),
        1 => (strike, 0..=100_u32).prop_map(|(kind, percent)| Step::Strike(kind, percent)),
    ]
}

impl World {
    fn take(&mut self, step: &Step) {
        match step {
            // A device that is busy, or has no power, may refuse or not hear it.
            Step::Ask(command, trial_time_s) => {
                let standby = self.device.durable().standby().map(|buffer| buffer.version.clone());
                self.try_ask(*command, |changes| {
                    all_kinds(changes);
                    changes.version = standby.filter(|_| *command == Command::Reset);
                    changes.trial_time_s = Some(*trial_time_s);
                });
            }
            Step::Download(version, boot) => {
                let image = self.publish(&Plan { boot: *boot, files: 2, ..plan(&format!("{version}.0")) });
                self.try_ask(Command::Download, |changes| with_files(changes, &image));
            }
            Step::Garbage => {
                self.files.insert("garbage".to_owned(), vec![7; 6000]);
                self.try_ask(Command::Download, |changes| {
                    changes.file_names = Some(vec!["garbage".to_owned()]);
                    changes.version = Some("6.6".to_owned());
                });
            }
            Step::Happen(count) => (0..*count).for_each(|_| {
                self.step();
            }),
            Step::PowerCut => self.power_cut(),
            Step::Pass(seconds) => self.pass(Duration::from_secs((*seconds).into())),
            Step::Configure => {
                self.device
                    .configure(ConfigurationKind::UserData, &[("changed".to_owned(), "yes".to_owned())]);
            }
            Step::Stop(kind, phase, percent) => {
                let during = Some(*phase);
                self.fault(Fault { during, percent: *percent, for_ms: Some(500), ..Fault::once(*kind) });
            }
            Step::Strike(kind, percent) => self.fault(Fault { percent: *percent, ..Fault::once(*kind) }),
        }
    }

    fn try_ask(&mut self, command: Command, change: impl FnOnce(&mut Changes)) {
        self.last_id += 1;
        let id = format!("op-{}", self.last_id);
        let _ = self.try_set(|changes| {
            change(changes);
            changes.id = Some(id);
            changes.command = Some(command);
        });
    }

    fn is_sound(&self) {
        let durable = self.device.durable();
        assert!(self.device.answers(), "it answers: {:?}", self.device.power());
        assert!(!self.operation().is_busy(), "{:?}", self.operation());
        let running = durable.active().unwrap();
        assert!(running.is_bootable("iad-8"), "what runs is whole: {running:?}");
        for kind in ConfigurationKind::ALL {
            let configuration = durable.running_configuration(kind).unwrap();
            assert_eq!(
                configuration.document().format,
                running.format(),
                "its configuration is in its format"
            );
            assert_eq!(
                Document::parse(configuration.file().as_bytes()).as_ref(),
                Ok(configuration.document())
            );
        }
        for id in &self.device.counters().operations {
            assert!(id.started <= 1, "nothing is started twice: {id:?}");
        }
        assert!(durable.buffers.iter().all(|buffer| buffer.state != BufferState::Writing));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_the_device_works_once_it_has_power(
        needs_reset: bool,
        flash_speed in prop_oneof![Just(0_u64), Just(20_000)],
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(|settings| {
            settings.capabilities.needs_reset = needs_reset;
            settings.timing.flash_bytes_per_second = flash_speed;
        });
        world.backup();
        for step in &steps {
            world.take(step);
            let stored = serde_json::to_string(world.device.durable()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Durable>(&stored).unwrap(), world.device.durable());
        }
        world.device.faults_mut().clear(None);
        world.power_cut();
        world.settle();
        world.is_sound();
    }
}

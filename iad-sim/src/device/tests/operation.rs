//! The operation: begun once, refused while another is under way, delayed, aborted, backed up.

use super::*;

#[test]
fn a_backup_sends_the_files_whose_digests_the_table_shows() {
    let mut world = World::new(|_| {});
    assert_eq!(world.backup(), DONE);
    for kind in ConfigurationKind::ALL {
        let shown = world.device.durable().running_configuration(kind).unwrap().sha256();
        assert_eq!(Digest::of(&world.files[kind.name()]), shown, "{kind:?}");
    }
    assert_eq!(world.told().first(), Some(&NotificationKind::Begun));
    assert_eq!(world.told().last(), Some(&NotificationKind::Done));
    assert!(world.told().contains(&NotificationKind::Progress));
    assert_eq!(world.notifications.last().map(|last| last.progress), Some(100));
}

#[test]
fn the_same_set_again_starts_nothing() {
    let mut world = World::new(|_| {});
    let again = |changes: &mut Changes| {
        changes.id = Some("one".to_owned());
        changes.command = Some(Command::Backup);
        all_kinds(changes);
    };
    world.set(again);
    world.set(again);
    world.settle();
    let told = world.told().len();
    world.set(again);
    world.settle();
    assert_eq!(world.told().len(), told);
    assert_eq!(world.outcome(), DONE);
    let count = world.device.counters().operation("one").unwrap();
    assert_eq!((count.seen, count.started), (3, 1));
    assert_eq!(world.device.counters().started[&Command::Backup], 1);
}

/// Found by the deterministic world: a datagram may arrive after the operation that followed its own.
#[test]
fn a_set_that_comes_after_the_next_operation_starts_nothing_once_more() {
    let mut world = World::new(|_| {});
    let late = |changes: &mut Changes| {
        changes.id = Some("one".to_owned());
        changes.command = Some(Command::Backup);
        all_kinds(changes);
    };
    world.set(late);
    world.settle();
    for _ in 0..16 {
        assert_eq!(world.backup(), DONE);
        assert_eq!(world.try_set(late).unwrap_err().object, Object::Id);
    }
    assert_eq!(world.device.counters().operation("one").unwrap().started, 1);
}

#[test]
fn another_operation_is_refused_while_one_is_under_way() {
    let mut world = World::new(|_| {});
    world.ask(Command::Backup, all_kinds);
    let refused = world.try_set(|changes| {
        changes.id = Some("other".to_owned());
        changes.command = Some(Command::Reset);
    });
    assert_eq!(refused.unwrap_err().object, Object::Id);
    let refused = world.try_set(|changes| changes.version = Some("3.0".to_owned()));
    assert!(refused.is_err(), "its parameters are not changed either");
    world.settle();
    assert_eq!(world.outcome(), DONE);
    assert_eq!(world.device.counters().sets_refused, 2);
    assert_eq!(world.device.counters().operation("other").unwrap().started, 0);
}

#[test]
fn an_id_is_not_used_for_another_command() {
    let mut world = World::new(|_| {});
    world.backup();
    let refused = world.try_set(|changes| {
        changes.id = Some("op-1".to_owned());
        changes.command = Some(Command::Reset);
    });
    assert_eq!(refused.unwrap_err().object, Object::Command);
}

#[test]
fn abort_stops_the_operation_of_that_id_only() {
    let mut world = World::new(|_| {});
    let image = world.publish(&plan("2.0"));
    world.ask(Command::Download, |changes| with_files(changes, &image));
    (0..5).for_each(|_| assert!(world.step()));
    let abort = |id: &str| {
        let id = id.to_owned();
        move |changes: &mut Changes| {
            changes.id = Some(id);
            changes.command = Some(Command::Abort);
        }
    };
    assert!(world.try_set(abort("other")).is_err());
    assert!(world.operation().is_busy());
    world.set(abort("op-1"));
    world.settle();
    assert_eq!(world.outcome(), (OperationState::Aborted, ErrorCode::Aborted));
    assert_eq!(world.device.durable().standby().unwrap().state, BufferState::Invalid);
    assert_eq!(world.told().last(), Some(&NotificationKind::Failed));
    world.set(abort("op-1"));
    assert_eq!(world.download(&plan("2.0")), DONE);
}

#[test]
fn files_and_kinds_have_to_be_parallel() {
    let mut world = World::new(|_| {});
    let mut ask = |change: fn(&mut Changes)| {
        world.try_set(|changes| {
            changes.id = Some("x".to_owned());
            changes.command = Some(Command::Backup);
            all_kinds(changes);
            change(changes);
        })
    };
    let object = |answer: Result<(), Refused>| answer.map_err(|refused| refused.object);
    assert_eq!(object(ask(|changes| changes.file_names = Some(Vec::new()))), Err(Object::FileNames));
    assert_eq!(object(ask(|changes| changes.kinds = Some(Vec::new()))), Err(Object::Kinds));
    let twice = |changes: &mut Changes| changes.kinds = Some(vec![ConfigurationKind::UserData; 4]);
    assert_eq!(object(ask(twice)), Err(Object::Kinds));
    assert_eq!(object(ask(|changes| changes.sizes = Some(vec![1]))), Err(Object::Sizes));
    assert_eq!(object(ask(|changes| changes.digests = Some(vec![Digest::of(b"")]))), Err(Object::Digests));
    assert_eq!(object(ask(|changes| changes.id = Some(String::new()))), Err(Object::Id));
    assert_eq!(object(ask(|changes| changes.command = Some(Command::None))), Err(Object::Command));
    assert_eq!(
        object(ask(|changes| changes.delay_policy = Some(DelayPolicy::Slot))),
        Err(Object::SlotDevices)
    );
    assert_eq!(world.operation().state, OperationState::Idle);
}

#[test]
fn parameters_may_be_set_before_but_not_left_over_from_the_operation_before() {
    let mut world = World::new(|_| {});
    world.set(|changes| changes.file_names = Some(vec!["here".to_owned()]));
    world.set(|changes| changes.kinds = Some(vec![ConfigurationKind::PortData]));
    assert_eq!(world.carry_out(Command::Backup, |_| {}), DONE);
    assert!(world.files.contains_key("here"));
    assert_eq!(world.operation().parameters.file_names, ["here"]);
    let refused = world.try_set(|changes| {
        changes.id = Some("next".to_owned());
        changes.command = Some(Command::Backup);
    });
    assert_eq!(refused.unwrap_err().object, Object::FileNames);
}

#[test]
fn the_slot_is_the_number_modulo_the_devices() {
    // 2 h among 100 devices: slot 9 begins after 9 × 72 s = 648 s, for number 9 as for number 109.
    for number in [9, 109] {
        let mut world = World::new(|settings| settings.number = number);
        let asked = world.now;
        world.ask(Command::Backup, |changes| {
            all_kinds(changes);
            changes.delay_policy = Some(DelayPolicy::Slot);
            changes.slot_devices = Some(100);
            changes.slot_time_s = Some(7200);
        });
        assert_eq!(world.operation().state, OperationState::Waiting);
        assert_eq!(world.told(), []);
        assert!(world.step());
        assert_eq!(world.told(), [NotificationKind::Begun]);
        assert_eq!(world.now - asked, Duration::from_secs(648));
    }
}

#[test]
fn random_delays_are_spread_over_the_time_given() {
    let delays: Vec<Duration> = (0..50)
        .map(|seed| {
            let settings = Settings::numbered(1);
            let durable = Durable::delivered(&settings, "1.0", 1, 4000);
            let mut world = World::with(Device::boot(settings, durable, seed, Duration::ZERO));
            world.settle();
            let asked = world.now;
            world.ask(Command::Backup, |changes| {
                all_kinds(changes);
                changes.delay_policy = Some(DelayPolicy::Random);
                changes.delay_s = Some(100);
            });
            world.step();
            world.now - asked
        })
        .collect();
    assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(100)), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay < Duration::from_secs(20)), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay > Duration::from_secs(80)), "{delays:?}");
}

#[test]
fn a_server_that_fails_is_told_by_its_error() {
    let mut world = World::new(|_| {});
    let missing = |changes: &mut Changes| {
        all_kinds(changes);
        changes.file_names = Some((0..4).map(|name| format!("missing-{name}")).collect());
    };
    assert_eq!(world.carry_out(Command::Restore, missing), failed(ErrorCode::FileNotFound));
}

#[test]
fn a_device_without_ftp_refuses_to_use_it() {
    let mut world = World::new(|settings| settings.capabilities.ftp = false);
    world.set(|changes| changes.protocol = Some(ServerProtocol::Ftp));
    assert_eq!(world.backup(), failed(ErrorCode::Unsupported));
}

#[test]
fn calls_drain_once_admission_is_closed_and_it_is_open_again_after_a_restart() {
    let mut world = World::new(|settings| settings.timing.call = Duration::from_secs(100));
    world.set(|changes| changes.admission = Some(CallAdmission::Closed));
    world.pass(Duration::from_secs(100));
    world.device.refresh(world.now);
    assert_eq!(world.device.calls(), Some((0, CallAdmission::Closed)));
    assert_eq!(world.carry_out(Command::Reset, |_| {}), DONE);
    assert_eq!(world.device.counters().calls_cut, 0);
    assert_eq!(world.device.calls(), Some((3, CallAdmission::Open)));
    world.carry_out(Command::Reset, |_| {});
    assert_eq!(world.device.counters().calls_cut, 3);
}

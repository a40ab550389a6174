//! Downloading: the standby buffer becomes valid only with the whole image that was announced, and for this hardware.

use super::*;

fn standby(world: &World) -> &Buffer {
    world.device.durable().standby().unwrap()
}

#[test]
fn an_image_of_several_files_is_loaded_and_then_valid() {
    let mut world = World::new(|_| {});
    let image = Plan { files: 3, ..plan("2.0") };
    assert_eq!(world.download(&image), DONE);
    let buffer = standby(&world);
    assert_eq!((buffer.state, buffer.version.as_str(), buffer.format()), (BufferState::Valid, "2.0", 2));
    assert_eq!(buffer.sha256, Some(Digest::of(&make(&image).concat())));
    assert_eq!(world.kept, [buffer.sha256.unwrap()]);
    assert_eq!(world.device.durable().active().unwrap().version, "1.0", "nothing else runs yet");
}

#[test]
fn the_new_software_brings_its_default_parameters_and_nothing_else() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    let set = &world.device.durable().configurations[1];
    let entries: Vec<usize> = set.iter().map(|one| one.document().entries().count()).collect();
    assert_eq!(entries, [0, 0, 0, 3]);
    assert!(set.iter().all(|one| one.document().format == 2));
    assert_eq!(set[3].document().get("defaults.software"), Some("2.0"));
}

#[test]
fn a_file_of_another_size_or_digest_leaves_the_buffer_invalid() {
    let mut world = World::new(|_| {});
    let image = world.publish(&plan("2.0"));
    let size = image.sizes.as_ref().unwrap()[0];
    let wrong_size = |changes: &mut Changes| {
        with_files(changes, &image);
        changes.sizes = Some(vec![size + 1]);
    };
    assert_eq!(world.carry_out(Command::Download, wrong_size), failed(ErrorCode::SizeMismatch));
    assert_eq!(standby(&world).state, BufferState::Invalid);
    let wrong_digest = |changes: &mut Changes| {
        with_files(changes, &image);
        changes.digests = Some(vec![Digest::of(b"another")]);
    };
    assert_eq!(world.carry_out(Command::Download, wrong_digest), failed(ErrorCode::DigestMismatch));
    assert_eq!(standby(&world).state, BufferState::Invalid);
    assert_eq!(world.kept, []);
}

#[test]
fn an_image_for_other_hardware_or_of_another_version_is_refused() {
    let mut world = World::new(|_| {});
    let other = Plan { hardware: vec!["iad-4".to_owned()], ..plan("2.0") };
    assert_eq!(world.download(&other), failed(ErrorCode::WrongHardware));
    let image = world.publish(&plan("2.0"));
    let mistaken = |changes: &mut Changes| {
        with_files(changes, &image);
        changes.version = Some("2.1".to_owned());
    };
    assert_eq!(world.carry_out(Command::Download, mistaken), failed(ErrorCode::NoImage));
    assert_eq!(standby(&world).state, BufferState::Invalid);
}

#[test]
fn an_image_larger_than_the_buffer_is_refused_whether_its_size_is_announced_or_not() {
    let mut world = World::new(|settings| settings.buffer_capacity = 5000);
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::NoSpace));
    assert_eq!(standby(&world).state, BufferState::Empty, "nothing was erased");
    let image = world.publish(&plan("2.0"));
    let unannounced = |changes: &mut Changes| changes.file_names.clone_from(&image.file_names);
    assert_eq!(world.carry_out(Command::Download, unannounced), failed(ErrorCode::NoSpace));
    assert_eq!(standby(&world).state, BufferState::Invalid);
}

#[test]
fn a_device_with_one_buffer_refuses_to_download() {
    let mut world = World::new(|settings| settings.capabilities.dual_image = false);
    assert_eq!(world.download(&plan("2.0")), failed(ErrorCode::Unsupported));
    assert_eq!(world.device.durable().active().unwrap().version, "1.0");
    assert_eq!(world.carry_out(Command::Rollback, |_| {}), failed(ErrorCode::Unsupported));
}

#[test]
fn flash_takes_its_time_and_progress_follows_it() {
    let mut world = World::new(|settings| settings.timing.flash_bytes_per_second = 1000);
    let asked = world.now;
    assert_eq!(world.download(&plan("2.0")), DONE);
    let size = standby(&world).size;
    let took = world.now - asked;
    let expected = Duration::from_millis(size) + world.device.settings().timing.erase;
    assert!(took >= expected && took < expected + Duration::from_millis(10), "{took:?}, {expected:?}");
    let told: Vec<u32> = world
        .notifications
        .iter()
        .filter(|notification| notification.kind == NotificationKind::Progress)
        .map(|notification| notification.progress)
        .collect();
    assert!(told.len() >= 8 && told.is_sorted(), "{told:?}");
    assert!(told.iter().all(|progress| *progress < 100), "100 % is told with the end only: {told:?}");
}

#[test]
fn erase_empties_the_standby_buffer() {
    let mut world = World::new(|_| {});
    world.download(&plan("2.0"));
    assert_eq!(world.carry_out(Command::Erase, |_| {}), DONE);
    assert_eq!(standby(&world), &Buffer::empty());
    assert_eq!(world.carry_out(Command::Rollback, |_| {}), failed(ErrorCode::NoImage));
}

#[test]
fn an_empty_file_among_others_is_loaded_too() {
    let mut world = World::new(|_| {});
    let image = Plan { files: 40, ..plan("2.0") };
    assert!(make(&image).last().unwrap().is_empty());
    assert_eq!(world.download(&image), DONE);
}

//! Converting and restoring: all kinds at once or none, in the format that the software reads.

use super::*;
use crate::fault::FaultKind;

/// A device on software 2.0, on trial, with the backup of before on the server.
fn upgraded() -> World {
    let mut world = World::new(|_| {});
    assert_eq!(world.backup(), DONE);
    assert_eq!(world.download(&plan("2.0")), DONE);
    let reset = |changes: &mut Changes| {
        changes.version = Some("2.0".to_owned());
        changes.trial_time_s = Some(600);
    };
    assert_eq!(world.carry_out(Command::Reset, reset), DONE);
    world
}

fn user_and_port(changes: &mut Changes) {
    changes.file_names = Some(vec!["u".to_owned(), "p".to_owned()]);
    changes.kinds = Some(vec![ConfigurationKind::UserData, ConfigurationKind::PortData]);
}

#[test]
fn the_device_converts_what_the_other_buffer_holds_and_takes_it_back() {
    let mut world = upgraded();
    let original = world.files["userData"].clone();
    assert_eq!(world.carry_out(Command::Convert, user_and_port), DONE);
    let sent = ["u", "p"].map(|name| Digest::of(&world.files[name]));
    assert_eq!(world.device.durable().operation.parameters.digests, sent, "it tells what it has sent");
    let converted = Document::parse(&world.files["u"]).unwrap();
    assert_eq!(converted.format, 2);
    assert_eq!(
        converted.get("line/1/account/user"),
        Document::parse(&original).unwrap().get("subscriber.1.sip.user")
    );
    let running = world.device.durable().running_configuration(ConfigurationKind::UserData).unwrap();
    assert_eq!(running.document().entries().count(), 0);

    let revision = world.device.durable().set_revision;
    assert_eq!(world.carry_out(Command::Restore, user_and_port), DONE);
    let restored = world.device.durable().running_configuration(ConfigurationKind::UserData).unwrap();
    assert_eq!(restored.sha256(), Digest::of(&world.files["u"]));
    assert_eq!(world.device.durable().set_revision, revision + 1);
}

#[test]
fn a_file_in_the_format_of_the_other_software_is_refused() {
    let mut world = upgraded();
    let before = world.configuration();
    assert_eq!(world.carry_out(Command::Restore, all_kinds), failed(ErrorCode::FormatUnsupported));
    assert_eq!(world.configuration(), before);
}

#[test]
fn one_bad_file_of_two_changes_nothing() {
    let mut world = upgraded();
    world.carry_out(Command::Convert, user_and_port);
    let before = (world.configuration(), world.device.durable().set_revision);
    for (name, content, error) in [
        ("p", &b"nonsense"[..], ErrorCode::ApplyFailed),
        ("p", b"# iad configuration kind=userData format=2\n", ErrorCode::ApplyFailed),
        ("p", b"# iad configuration kind=portData format=1\n", ErrorCode::FormatUnsupported),
    ] {
        world.files.insert(name.to_owned(), content.to_vec());
        assert_eq!(world.carry_out(Command::Restore, user_and_port), failed(error));
        assert_eq!((world.configuration(), world.device.durable().set_revision), before);
    }
    let announced_otherwise = |changes: &mut Changes| {
        user_and_port(changes);
        changes.digests = Some(vec![Digest::of(b"x"), Digest::of(b"y")]);
    };
    assert_eq!(world.carry_out(Command::Restore, announced_otherwise), failed(ErrorCode::DigestMismatch));
    assert_eq!((world.configuration(), world.device.durable().set_revision), before);
}

#[test]
fn a_restore_on_this_version_fails_when_the_fault_says_so_and_the_old_version_is_spared() {
    let mut world = World::new(|_| {});
    world.backup();
    world.fault(Fault { version: Some("2.0".to_owned()), ..Fault::once(FaultKind::ApplyFails) });
    assert_eq!(world.carry_out(Command::Restore, all_kinds), DONE);
    let mut world = upgraded();
    world.carry_out(Command::Convert, user_and_port);
    world.fault(Fault { version: Some("2.0".to_owned()), ..Fault::once(FaultKind::ApplyFails) });
    assert_eq!(world.carry_out(Command::Restore, user_and_port), failed(ErrorCode::ApplyFailed));
    assert_eq!(world.carry_out(Command::Restore, user_and_port), DONE);
}

#[test]
fn a_device_without_a_conversion_program_does_not_convert() {
    let mut world = World::new(|settings| settings.capabilities.convert = false);
    assert_eq!(world.carry_out(Command::Convert, user_and_port), failed(ErrorCode::Unsupported));
}

#[test]
fn a_conversion_fails_by_fault_or_for_a_format_it_does_not_know() {
    let mut world = upgraded();
    world.fault(Fault::once(FaultKind::ConversionFails));
    assert_eq!(world.carry_out(Command::Convert, user_and_port), failed(ErrorCode::ConversionFailed));
    assert_eq!(world.carry_out(Command::Convert, user_and_port), DONE);
    let mut world = World::new(|_| {});
    world.download(&Plan { converts_from: Vec::new(), ..plan("2.0") });
    world.carry_out(Command::Reset, |changes| changes.version = Some("2.0".to_owned()));
    assert_eq!(world.carry_out(Command::Convert, user_and_port), failed(ErrorCode::ConversionFailed));
}

#[test]
fn a_restore_is_refused_once_the_configuration_has_moved() {
    let mut world = World::new(|_| {});
    world.backup();
    let stale = world.device.durable().set_revision + 1;
    let refused = world.try_set(|changes| {
        changes.id = Some("r".to_owned());
        changes.command = Some(Command::Restore);
        all_kinds(changes);
        changes.revision = Some(stale);
    });
    assert_eq!(refused.unwrap_err().object, Object::Revision);
}

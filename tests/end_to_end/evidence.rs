//! What is held against each other: what the device has, what was told, what it was commanded.

use std::collections::BTreeMap;

use iad_sim::device::{BufferState, Command, ConfigurationKind, Document, Durable};
use iad_sim::device::{Notification, NotificationKind};
use iad_sim::net::{DeviceView, Event, Happening, Role};
use tokio::sync::broadcast::Receiver;
use upgrade::operation::Cause;
use upgrade::run::{Failure, Question, Step, Story};
use upgrade::{Digest, Kind};

use crate::laboratory::bounded;

/// The digests of the running configuration, by kind.
pub(crate) fn configuration(view: &DeviceView) -> BTreeMap<Kind, Digest> {
    let running = view.configurations.iter().filter(|one| one.running);
    running.map(|one| (kind(one.kind), Digest(one.sha256.0))).collect()
}

/// The files of the running configuration, by kind.
pub(crate) fn files(durable: &Durable) -> BTreeMap<Kind, Vec<u8>> {
    let running = |kind| durable.running_configuration(kind);
    let named = |one: ConfigurationKind| Some((kind(one), running(one)?.file().into()));
    ConfigurationKind::ALL.into_iter().filter_map(named).collect()
}

/// What is in force.
pub(crate) fn document(durable: &Durable, kind: ConfigurationKind) -> Document {
    durable.running_configuration(kind).expect("a configuration").document().clone()
}

/// A kind as the profile `iad` names it.
pub(crate) fn kind(kind: ConfigurationKind) -> Kind {
    Kind(
        match kind {
            ConfigurationKind::UserData => "user-data",
            ConfigurationKind::PortData => "port-data",
            ConfigurationKind::ProtocolParameters => "protocol-parameters",
            ConfigurationKind::DefaultParameters => "default-parameters",
        }
        .into(),
    )
}

/// How many operations of this command were started.
pub(crate) fn started(view: &DeviceView, command: Command) -> u32 {
    view.counters.started.get(&command).copied().unwrap_or(0)
}

/// No command came twice: each operation id was seen once.
#[track_caller]
pub(crate) fn assert_nothing_came_twice(view: &DeviceView) {
    for operation in &view.counters.operations {
        assert_eq!((operation.seen, operation.started), (1, 1), "{operation:?}");
    }
}

/// The device was not asked for any operation, nor told anything else that lasts.
#[track_caller]
pub(crate) fn assert_untouched(before: &Durable, now: &Durable, view: &DeviceView) {
    assert_eq!(before, now);
    assert!(view.counters.operations.is_empty(), "{:?}", view.counters);
    assert_eq!(view.counters.sets_refused, 0);
}

/// The device runs this version, for good, with this configuration.
#[track_caller]
pub(crate) fn assert_in_service(view: &DeviceView, version: &str, wanted: &BTreeMap<Kind, Digest>) {
    let running: Vec<_> = view.buffers.iter().filter(|buffer| buffer.role != Role::Standby).collect();
    assert_eq!(view.version, version);
    assert_eq!(running.len(), 1);
    assert_eq!((running[0].role, running[0].state), (Role::Active, BufferState::Valid), "not on trial");
    assert_eq!(&configuration(view), wanted, "nothing of the configuration is lost");
}

/// Why the question is asked.
#[track_caller]
pub(crate) fn failure(question: &Question) -> (Step, &Cause) {
    let Failure { step, cause } = question.failure.as_ref().expect("a failure");
    (*step, cause)
}

/// The steps that began, in order.
pub(crate) fn steps(stories: &[Story]) -> Vec<Step> {
    let begun = |story: &Story| match story {
        Story::StepBegun { step, .. } => Some(*step),
        _ => None,
    };
    stories.iter().filter_map(begun).collect()
}

/// What failed, in order.
pub(crate) fn failures(stories: &[Story]) -> Vec<Failure> {
    let failed = |story: &Story| match story {
        Story::StepFailed(failure) => Some(failure.clone()),
        _ => None,
    };
    stories.iter().filter_map(failed).collect()
}

/// Waits for a notification of a device about an operation with this command.
pub(crate) async fn notified(
    events: &mut Receiver<Event>,
    kind: NotificationKind,
    command: Command,
) -> Notification {
    let heard = async {
        loop {
            let event = events.recv().await.expect("a simulator that runs");
            if let Happening::Notified(notification) = event.happening
                && (notification.kind, notification.command) == (kind, command)
            {
                return notification;
            }
        }
    };
    bounded(&format!("{kind:?} of {command:?}"), heard).await
}

//! The values that the objects have.

use core::time::Duration;

use snmp::usm::{EngineId, EngineTime};
use snmp::{ObjectIdentifier, Value};

use super::names::{Configuration, IAD_MIB, Item, Scalar, Software};
use crate::device::{BufferState, CallAdmission, ConfigurationKind, Device, Digest, ServerProtocol, durable};

/// The value of an item; `None` if this device has no such row.
pub(super) fn value(device: &Device, item: Item, now: Duration) -> Option<Value> {
    match item {
        Item::Scalar(scalar) => Some(of_scalar(device, scalar, now)),
        Item::Software(column, buffer) => of_software(device, column, buffer),
        Item::Configuration(column, buffer, kind) => of_configuration(device, column, buffer, kind),
    }
}

fn of_scalar(device: &Device, scalar: Scalar, now: Duration) -> Value {
    let settings = device.settings();
    let durable = device.durable();
    let operation = &durable.operation;
    let parameters = &operation.parameters;
    match scalar {
        Scalar::SysDescr => {
            let version = durable.active().map_or("", |buffer| buffer.version.as_str());
            text(format!("{}, hardware {}, software {version}", settings.model, settings.hardware))
        }
        Scalar::SysObjectId => Value::ObjectIdentifier(product()),
        Scalar::SysUpTime => Value::TimeTicks(uptime(device, now)),
        Scalar::SysContact => text(&durable.contact),
        Scalar::SysName => text(&durable.name),
        Scalar::SysLocation => text(&durable.location),
        // Layers 4 and 7: an end host with applications (RFC 3418).
        Scalar::SysServices => Value::Integer(72),
        Scalar::EngineId => Value::OctetString(engine_id(device).as_ref().to_vec()),
        Scalar::EngineBoots => number(engine_time(device, now).boots),
        Scalar::EngineTime => number(engine_time(device, now).time),
        Scalar::EngineMaxMessageSize => Value::Integer(1452),
        Scalar::Model => text(&settings.model),
        Scalar::Hardware => text(&settings.hardware),
        Scalar::UniqueId => text(&settings.unique_id),
        Scalar::Number => Value::Gauge32(settings.number),
        Scalar::BootReason => Value::Integer(device.boot_reason().map_or(1, |reason| reason.number())),
        Scalar::CallsInProgress => gauge(device.calls().map_or(0, |(calls, _)| calls)),
        Scalar::CallAdmission => Value::Integer(
            if device.calls().is_some_and(|(_, admission)| admission == CallAdmission::Closed) {
                2
            } else {
                1
            },
        ),
        Scalar::Capabilities => Value::OctetString(settings.capabilities.bits().to_vec()),
        Scalar::FreeSpace => {
            gauge(if settings.capabilities.dual_image { settings.buffer_capacity } else { 0 })
        }
        Scalar::Health => Value::Integer(if device.is_healthy() { 1 } else { 2 }),
        Scalar::ConfigSetRevision => Value::Gauge32(durable.set_revision),
        Scalar::ServerProtocol => Value::Integer(match durable.server.protocol {
            ServerProtocol::Tftp => 1,
            ServerProtocol::Ftp => 2,
            ServerProtocol::Push => 3,
        }),
        Scalar::ServerAddress => text(&durable.server.address),
        Scalar::ServerPort => Value::Gauge32(durable.server.port.into()),
        Scalar::ServerUser => text(&durable.server.user),
        Scalar::ServerPassword => text(""),
        Scalar::OpId => text(&operation.id),
        Scalar::OpCommand => Value::Integer(operation.command.number()),
        Scalar::OpFileNames => list(&parameters.file_names),
        Scalar::OpKinds => list(parameters.kinds.iter().map(|kind| kind.number())),
        Scalar::OpSizes => list(&parameters.sizes),
        Scalar::OpDigests => list(&parameters.digests),
        Scalar::OpRevision => Value::Gauge32(parameters.revision),
        Scalar::OpVersion => text(&parameters.version),
        Scalar::OpTrialTime => Value::Gauge32(parameters.trial_time_s),
        Scalar::OpDelay => Value::Gauge32(parameters.delay_s),
        Scalar::OpDelayPolicy => Value::Integer(parameters.delay_policy.number()),
        Scalar::OpSlotDevices => Value::Gauge32(parameters.slot_devices),
        Scalar::OpSlotTime => Value::Gauge32(parameters.slot_time_s),
        Scalar::OpState => Value::Integer(operation.state.number()),
        Scalar::OpProgress => Value::Gauge32(operation.progress),
        Scalar::OpError => Value::Integer(operation.error.number()),
        Scalar::OpText => text(&operation.text),
        Scalar::OpPort => Value::Gauge32(device.waits_at().into()),
        Scalar::OpFile => gauge(device.file().map_or(0, |place| place + 1)),
    }
}

fn of_software(device: &Device, column: Software, number: usize) -> Option<Value> {
    let durable = device.durable();
    let buffer = durable.buffers.get(number)?;
    Some(match column {
        Software::Version => text(if buffer.is_valid() { &buffer.version } else { "" }),
        Software::State => Value::Integer(match buffer.state {
            BufferState::Empty => 1,
            BufferState::Writing => 2,
            BufferState::Valid => 3,
            BufferState::Invalid => 4,
        }),
        Software::Role => Value::Integer(match (number == durable.boot.selected, &durable.boot.trial) {
            (true, None) => 1,
            (false, _) => 2,
            (true, Some(_)) => 3,
        }),
        Software::Size => gauge(buffer.size),
        Software::Sha256 => digest(buffer.sha256),
        Software::Capacity => gauge(device.settings().buffer_capacity),
        Software::Format => Value::Gauge32(buffer.format()),
    })
}

fn of_configuration(
    device: &Device,
    column: Configuration,
    buffer: usize,
    kind: ConfigurationKind,
) -> Option<Value> {
    let durable = device.durable();
    durable.configurations.get(buffer)?;
    let configuration = durable.configuration(buffer, kind);
    Some(match column {
        Configuration::Revision => Value::Gauge32(configuration.map_or(0, durable::Configuration::revision)),
        Configuration::Format => Value::Gauge32(configuration.map_or(0, |one| one.document().format)),
        Configuration::Sha256 => digest(configuration.map(durable::Configuration::sha256)),
        Configuration::Size => gauge(configuration.map_or(0, durable::Configuration::size)),
    })
}

/// `sysUpTime`: hundredths of a second since the software runs, which start again at 0 after 497 days.
pub(super) fn uptime(device: &Device, now: Duration) -> u32 {
    let running = device.running_since().map_or(Duration::ZERO, |since| now.saturating_sub(since));
    u32::try_from(running.as_millis() / 10 % (1 << 32)).unwrap_or_default()
}

/// `iadSimulated`
fn product() -> ObjectIdentifier {
    IAD_MIB.join(&[3, 1])
}

/// The device's engine is called by the enterprise number and the unique id as text.
pub fn engine_id(device: &Device) -> EngineId {
    EngineId::of_text(32473, &device.settings().unique_id)
}

/// What the clock of the device's engine shows: its starts, and the time since the last one.
pub fn engine_time(device: &Device, now: Duration) -> EngineTime {
    let running = device.running_since().map_or(Duration::ZERO, |since| now.saturating_sub(since));
    EngineTime::after(device.durable().boot.boots, running)
}

fn number(number: u32) -> Value {
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

fn text(text: impl AsRef<str>) -> Value {
    Value::OctetString(text.as_ref().as_bytes().to_vec())
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    text(items.join(" "))
}

fn gauge(number: impl TryInto<u32>) -> Value {
    Value::Gauge32(number.try_into().unwrap_or(u32::MAX))
}

fn digest(digest: Option<Digest>) -> Value {
    Value::OctetString(digest.map_or_else(Vec::new, |digest| digest.0.to_vec()))
}

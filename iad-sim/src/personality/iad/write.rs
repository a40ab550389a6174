//! What a SET asks of the device.

use std::net::IpAddr;

use snmp::agent::{Instance, Refusal, Syntax, Writable};
use snmp::{ErrorStatus, ObjectIdentifier, Value, VarBind};

use super::names::{self, Found, Item, Scalar};
use crate::device::operation::DelayPolicy;
use crate::device::{CallAdmission, Changes, Command, ConfigurationKind, Digest, Object, ServerProtocol};

/// What a write to this name meets.
pub(super) fn writable(name: &ObjectIdentifier) -> Writable {
    let Some(Item::Scalar(scalar)) = names::object(name) else { return Writable::Never };
    let Some(syntax) = syntax(scalar) else { return Writable::Never };
    let instance = match names::find(name) {
        Found::Instance(_) => Instance::Writable,
        Found::Object | Found::Nothing => Instance::Impossible,
    };
    Writable::Object { syntax, instance }
}

/// The changes that these values amount to.
///
/// # Errors
/// `wrongValue` at the first that means nothing.
pub(super) fn changes(varbinds: &[VarBind]) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    for (position, varbind) in varbinds.iter().enumerate() {
        let refused = || Refusal::at(position, ErrorStatus::WrongValue);
        let Found::Instance(Item::Scalar(scalar)) = names::find(&varbind.name) else { return Err(refused()) };
        take(&mut changes, scalar, &varbind.value).ok_or_else(refused)?;
    }
    Ok(changes)
}

/// The place of the value for whose sake the device refuses a SET; the first if it is none of them.
pub(super) fn position(varbinds: &[VarBind], object: Object) -> usize {
    let scalar = match object {
        Object::Id => Scalar::OpId,
        Object::Command => Scalar::OpCommand,
        Object::FileNames => Scalar::OpFileNames,
        Object::Kinds => Scalar::OpKinds,
        Object::Sizes => Scalar::OpSizes,
        Object::Digests => Scalar::OpDigests,
        Object::Revision => Scalar::OpRevision,
        Object::Version => Scalar::OpVersion,
        Object::SlotDevices => Scalar::OpSlotDevices,
    };
    let place = |scalar: Scalar| {
        let name = names::scalar(scalar).child(0);
        varbinds.iter().position(|varbind| varbind.name == name)
    };
    place(scalar).or_else(|| place(Scalar::OpCommand)).unwrap_or(0)
}

/// What the scalar can be set to; `None`: it is only read.
fn syntax(scalar: Scalar) -> Option<Syntax> {
    Some(match scalar {
        Scalar::SysContact
        | Scalar::SysName
        | Scalar::SysLocation
        | Scalar::ServerAddress
        | Scalar::ServerUser
        | Scalar::ServerPassword
        | Scalar::OpVersion => Syntax::Text(0..=255),
        Scalar::OpFileNames | Scalar::OpKinds | Scalar::OpSizes | Scalar::OpDigests => Syntax::Text(0..=2048),
        Scalar::OpId => Syntax::Text(0..=32),
        Scalar::CallAdmission => Syntax::Enumeration(&[1, 2]),
        Scalar::ServerProtocol => Syntax::Enumeration(&[1, 2, 3]),
        Scalar::OpCommand => Syntax::Enumeration(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        Scalar::OpDelayPolicy => Syntax::Enumeration(&[1, 2, 3, 4]),
        Scalar::ServerPort => Syntax::Unsigned(0..=65_535),
        Scalar::OpRevision
        | Scalar::OpTrialTime
        | Scalar::OpDelay
        | Scalar::OpSlotDevices
        | Scalar::OpSlotTime => Syntax::Unsigned(0..=u32::MAX),
        _ => return None,
    })
}

fn take(changes: &mut Changes, scalar: Scalar, value: &Value) -> Option<()> {
    match scalar {
        Scalar::SysContact => changes.contact = Some(text(value)?),
        Scalar::SysName => changes.name = Some(text(value)?),
        Scalar::SysLocation => changes.location = Some(text(value)?),
        Scalar::CallAdmission => {
            changes.admission = Some(match number::<u32>(value)? {
                1 => CallAdmission::Open,
                _ => CallAdmission::Closed,
            });
        }
        Scalar::ServerProtocol => {
            changes.protocol = Some(match number::<u32>(value)? {
                1 => ServerProtocol::Tftp,
                2 => ServerProtocol::Ftp,
                _ => ServerProtocol::Push,
            });
        }
        Scalar::ServerAddress => {
            let address = text(value)?;
            let is_address = address.is_empty() || address.parse::<IpAddr>().is_ok();
            changes.address = Some(address).filter(|_| is_address);
            changes.address.as_ref()?;
        }
        Scalar::ServerPort => changes.port = Some(number(value)?),
        Scalar::ServerUser => changes.user = Some(text(value)?),
        Scalar::ServerPassword => changes.password = Some(text(value)?),
        Scalar::OpId => changes.id = Some(text(value)?),
        Scalar::OpCommand => changes.command = Some(Command::from_number(number(value)?)?),
        Scalar::OpFileNames => changes.file_names = Some(list(value, |item| Some(item.to_owned()))?),
        Scalar::OpKinds => {
            changes.kinds = Some(list(value, |item| ConfigurationKind::from_number(item.parse().ok()?))?);
        }
        Scalar::OpSizes => changes.sizes = Some(list(value, |item| item.parse().ok())?),
        Scalar::OpDigests => changes.digests = Some(list(value, |item| item.parse::<Digest>().ok())?),
        Scalar::OpRevision => changes.revision = Some(number(value)?),
        Scalar::OpVersion => changes.version = Some(text(value)?),
        Scalar::OpTrialTime => changes.trial_time_s = Some(number(value)?),
        Scalar::OpDelay => changes.delay_s = Some(number(value)?),
        Scalar::OpDelayPolicy => changes.delay_policy = Some(DelayPolicy::from_number(number(value)?)?),
        Scalar::OpSlotDevices => changes.slot_devices = Some(number(value)?),
        Scalar::OpSlotTime => changes.slot_time_s = Some(number(value)?),
        _ => return None,
    }
    Some(())
}

/// Text without control characters, which could stand for lines of their own where it ends up.
fn text(value: &Value) -> Option<String> {
    value.as_text().filter(|text| !text.chars().any(char::is_control)).map(str::to_owned)
}

fn list<T>(value: &Value, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text(value)?.split(' ').filter(|part| !part.is_empty()).map(item).collect()
}

fn number<N: TryFrom<i128>>(value: &Value) -> Option<N> {
    N::try_from(value.as_number()?).ok()
}

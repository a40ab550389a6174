//! A notification of the device as an SNMP event.

use core::time::Duration;

use snmp::notification::Event;
use snmp::{Value, VarBind};

use super::names::{IAD_MIB, Scalar, scalar};
use super::read::uptime;
use crate::device::{Device, Notification};

/// The event that tells this notification.
pub fn event(device: &Device, notification: &Notification, now: Duration) -> Event {
    let object = |object: Scalar, value: Value| VarBind { name: scalar(object).child(0), value };
    Event {
        name: IAD_MIB.join(&[0, notification.kind.number()]),
        uptime: uptime(device, now),
        varbinds: vec![
            object(Scalar::UniqueId, Value::OctetString(notification.unique_id.clone().into_bytes())),
            object(Scalar::OpId, Value::OctetString(notification.operation.clone().into_bytes())),
            object(Scalar::OpCommand, Value::Integer(notification.command.number())),
            object(Scalar::OpProgress, Value::Gauge32(notification.progress)),
            object(Scalar::OpError, Value::Integer(notification.error.number())),
        ],
    }
}

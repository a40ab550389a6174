//! What goes to the owner of all devices, and what it tells. Requests and responses are one line of JSON each on the control
//! socket, too.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::view::{DeviceView, FaultView};
use crate::device::{ConfigurationKind, Device, Notification, Power};
use crate::fault::Fault;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Show all devices.
    ListDevices,
    /// Show one device, by its unique id or number.
    ShowDevice {
        /// Which one.
        device: String,
    },
    /// Cut or restore the power.
    Power {
        /// Of which device; without it, of all.
        device: Option<String>,
        /// Whether it is switched on.
        on: bool,
    },
    /// Change the running configuration at the device itself.
    SetConfiguration {
        /// Of which device.
        device: String,
        /// Which kind.
        kind: ConfigurationKind,
        /// Keys and their new values.
        entries: Vec<(String, String)>,
    },
    /// How many calls there are from now on, as long as they are admitted.
    SetCalls {
        /// At which device; without it, at all.
        device: Option<String>,
        /// How many.
        calls: u32,
    },
    /// Let devices notify, one after the other, that they have restarted. One that is going on is replaced.
    Storm {
        /// Notifications per second, at least 1.
        rate: u32,
        /// How many in all; without it, one of each device.
        count: Option<u64>,
    },
    /// Let something go wrong.
    AddFault {
        /// What.
        fault: Fault,
    },
    /// Show all faults.
    ListFaults,
    /// Let nothing go wrong any more.
    ClearFaults {
        /// Only the fault with this number.
        number: Option<u32>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Response {
    /// Devices.
    Devices {
        /// In the order of their numbers.
        devices: Vec<DeviceView>,
    },
    /// One device.
    Device {
        /// The device.
        device: Box<DeviceView>,
    },
    /// Faults.
    Faults {
        /// In the order in which they were added.
        faults: Vec<FaultView>,
    },
    /// The fault was added.
    Added {
        /// Under this number.
        number: u32,
    },
    /// It was done.
    Done,
    /// It was not done.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What the handle sends.
pub(crate) enum Message {
    Ask(Request, oneshot::Sender<Response>),
    Wait(Waiter),
}

/// Somebody who waits until a device is as wanted.
pub(crate) struct Waiter {
    pub(crate) device: usize,
    pub(crate) wanted: Box<dyn Fn(&Device) -> bool + Send>,
    pub(crate) reply: oneshot::Sender<DeviceView>,
}

/// Something that happened to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The unique id of the device.
    pub device: String,
    /// What happened.
    pub happening: Happening,
}

/// What happened to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// It is doing something else now.
    Power(Power),
    /// It sent a notification.
    Notified(Notification),
}

//! Many devices in one process: sockets, timers, disk, and the handle by which tests and the command line reach them.
//!
//! One task owns all devices ([`Simulator`] talks to it by messages), with one SNMP socket for all of them: the address that a
//! request came to tells the device. A few more tasks each own a socket for TFTP transfers; each FTP transfer is a
//! task of its own. An idle device costs memory only.

mod clock;
mod control;
mod core;
mod ftp;
mod message;
mod notifier;
mod requests;
mod settings;
mod simulator;
mod spool;
mod store;
mod storm;
mod tftp;
mod timers;
mod transfers;
mod unit;
mod view;

pub use control::{ControlError, ask as ask_control};
pub use message::{Event, Happening, Request, Response};
pub use settings::{NotifySettings, SimulatorSettings};
pub use simulator::{Simulator, SimulatorError, StartError};
pub use view::{BufferView, ConfigurationView, DeviceView, FaultView, Role};

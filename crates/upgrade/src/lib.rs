//! The decisions of an upgrade: device, image, profile, operation, run.
//!
//! Pure: no protocol, no socket, no clock, no randomness, no file system. Time, random numbers and what was
//! read from a device are inputs; what to read, set, open and tell are outputs.

pub mod configuration;
pub mod digest;
pub mod id;
pub mod image;
pub mod object;
pub mod operation;
pub mod profile;
pub mod reading;
pub mod run;
pub mod ticket;
pub mod time;

pub use configuration::{ConfigurationSet, Kind, StoredFile};
pub use digest::Digest;
pub use id::{DeviceId, RunId};
pub use image::Image;
pub use object::{Oid, Value};
pub use operation::Operation;
pub use profile::Profile;
pub use reading::Reading;
pub use run::Run;
pub use ticket::{Content, Direction, Protocol, Ticket, TicketName};
pub use time::Time;

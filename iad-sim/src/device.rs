//! The device model: two software buffers, configuration, flash, power.
//!
//! Pure: the time (`now`, since an arbitrary but fixed moment), the seed of the randomness and what was stored are inputs; what
//! the device wants done in the world comes out as [`Effect`]s. [`Durable`] is all that survives a loss of power, so a power cut
//! at any moment is: drop the [`Device`], keep its [`Durable`], [`Device::boot`] again.
//!
//! ```text
//! Device          power switch, boot loader, faults, counters          (power.rs, boot.rs)
//!   Hardware      what the running software works with: flash, …       (hardware.rs, durable.rs, buffer.rs)
//!   Running       the software while it runs: the operation, calls     (running.rs, work/)
//! ```

pub mod buffer;
pub mod configuration;
pub mod conversion;
pub mod durable;
pub mod effect;
pub mod image;
pub mod operation;
pub mod request;
pub mod settings;

mod boot;
mod boot_reason;
mod calls;
mod counters;
mod digest;
mod hardware;
mod power;
mod random;
mod running;
mod span;
mod work;

#[cfg(test)]
mod tests;

pub use boot_reason::BootReason;
pub use buffer::{Buffer, BufferState};
pub use calls::CallAdmission;
pub use configuration::{ConfigurationKind, Document};
pub use counters::{Counters, IdCount};
pub use digest::{Digest, Hasher};
pub use durable::{Durable, Server, ServerProtocol};
pub use effect::{
    Effect, Fetch, Notification, NotificationKind, Purpose, Stall, TransferError, TransferEvent, TransferId,
    Upload,
};
pub use operation::{Command, ErrorCode, OperationState, Parameters, Record};
pub use power::{Device, Power};
pub use request::{Changes, Object, Refused};
pub use settings::{Capabilities, Settings, Timing};

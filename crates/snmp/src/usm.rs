//! The user-based security model of SNMPv3 (RFC 3414, RFC 3826, RFC 7860): who says something is proven by a digest, what is
//! said is hidden by encryption, and an old message is told from a new one by the clock of one of the two engines.
//!
//! Pure: engine ids, clocks and salts are inputs. The order is that of RFC 3414 section 3.2: engine, user, level, digest,
//! time, and only then is anything decrypted; what fails before the digest is proven changes nothing.

mod algorithm;
mod authority;
mod cipher;
mod clock;
mod engine;
mod key;
mod message;
mod report;
mod user;

pub use algorithm::{Authentication, Privacy, UnknownAlgorithm};
pub use authority::Authority;
pub use clock::{Clock, Untimely};
pub use engine::{EngineId, EngineTime, InvalidEngineId};
pub use message::{Overheard, Unheard};
pub use report::{Report, ReportKind, Statistics};
pub use user::{InvalidUser, Keys, SecurityLevel, User};

pub(crate) use authority::{Users, by_name};
pub(crate) use message::{Header, Seal, Sealed, Unopened};

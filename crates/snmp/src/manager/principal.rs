//! As whom agents are asked.

use std::sync::Arc;

use crate::usm::User;
use crate::{Security, Version};

/// On whose behalf a request is made (RFC 3411 section 3.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever knows the community of SNMPv1 or v2c.
    Community(Security),
    /// A user of SNMPv3, as well protected as the user can be.
    User(Arc<User>),
}

impl Principal {
    /// The version that is spoken.
    pub fn version(&self) -> Version {
        match self {
            Principal::Community(security) => security.version(),
            Principal::User(_) => Version::V3,
        }
    }

    /// More bytes than go around a PDU.
    pub(super) fn overhead(&self) -> usize {
        match self {
            Principal::Community(security) => 16 + security.community().map_or(0, <[u8]>::len),
            // Header, names, digest, salt and padding, at their longest.
            Principal::User(_) => 256,
        }
    }
}

impl From<Security> for Principal {
    fn from(security: Security) -> Principal {
        Principal::Community(security)
    }
}

impl From<Arc<User>> for Principal {
    fn from(user: Arc<User>) -> Principal {
        Principal::User(user)
    }
}

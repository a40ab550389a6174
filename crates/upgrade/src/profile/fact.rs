//! The facts that a reading is made of, and the names by which profiles give the objects that tell them.

/// What an object tells of a device; profiles give the object the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Product,
    Model,
    Hardware,
    UniqueId,
    Uptime,
    Boots,
    BootReason,
    Calls,
    CallAdmission,
    Health,
    FreeSpace,
    Capabilities,
    SoftwareVersion,
    SoftwareState,
    SoftwareRole,
    SoftwareSize,
    SoftwareDigest,
    SoftwareCapacity,
    SoftwareFormat,
    ConfigurationRevision,
    ConfigurationFormat,
    ConfigurationDigest,
    ConfigurationSize,
    Revision,
    OperationId,
    OperationCommand,
    OperationState,
    OperationProgress,
    OperationError,
    OperationText,
    OperationDigests,
    OperationPort,
    OperationFile,
    ServerAddress,
    ServerPort,
}

/// The names of objects that a reading is made of. An object of another name is only written.
const NAMES: [(&str, Fact); 35] = [
    ("product", Fact::Product),
    ("model", Fact::Model),
    ("hardware", Fact::Hardware),
    ("unique-id", Fact::UniqueId),
    ("uptime", Fact::Uptime),
    ("boots", Fact::Boots),
    ("boot-reason", Fact::BootReason),
    ("calls", Fact::Calls),
    ("call-admission", Fact::CallAdmission),
    ("health", Fact::Health),
    ("free-space", Fact::FreeSpace),
    ("capabilities", Fact::Capabilities),
    ("software-version", Fact::SoftwareVersion),
    ("software-state", Fact::SoftwareState),
    ("software-role", Fact::SoftwareRole),
    ("software-size", Fact::SoftwareSize),
    ("software-digest", Fact::SoftwareDigest),
    ("software-capacity", Fact::SoftwareCapacity),
    ("software-format", Fact::SoftwareFormat),
    ("configuration-revision", Fact::ConfigurationRevision),
    ("configuration-format", Fact::ConfigurationFormat),
    ("configuration-digest", Fact::ConfigurationDigest),
    ("configuration-size", Fact::ConfigurationSize),
    ("revision", Fact::Revision),
    ("operation-id", Fact::OperationId),
    ("operation-command", Fact::OperationCommand),
    ("operation-state", Fact::OperationState),
    ("operation-progress", Fact::OperationProgress),
    ("operation-error", Fact::OperationError),
    ("operation-text", Fact::OperationText),
    ("operation-digests", Fact::OperationDigests),
    ("operation-port", Fact::OperationPort),
    ("operation-file", Fact::OperationFile),
    ("server-address", Fact::ServerAddress),
    ("server-port", Fact::ServerPort),
];

/// The words that numbers of these objects must be translated to.
pub(super) const WORDS: [(&str, &[&str]); 4] = [
    ("software-state", &["empty", "writing", "valid", "invalid"]),
    ("software-role", &["active", "standby", "trial"]),
    ("operation-state", &["idle", "waiting", "running", "done", "failed", "aborted"]),
    ("health", &["good"]),
];

impl Fact {
    /// What an object of this name tells; none where it is only written.
    pub(super) fn of(name: &str) -> Option<Self> {
        NAMES.iter().find(|(own, _)| *own == name).map(|(_, fact)| *fact)
    }

    /// All names, for people.
    pub(super) fn names() -> Vec<&'static str> {
        NAMES.iter().map(|(name, _)| *name).collect()
    }

    /// Whether it is asked for first, so that all of these are answered at one moment: a look takes several messages, and
    /// what is commanded after it presumes the revision that was seen together with the version.
    pub(super) const fn is_of_the_moment(self) -> bool {
        let rests_on = matches!(
            self,
            Self::UniqueId
                | Self::Revision
                | Self::SoftwareVersion
                | Self::SoftwareState
                | Self::SoftwareRole
                | Self::OperationCommand
                | Self::OperationDigests
        );
        rests_on || self.is_of_progress()
    }

    /// Whether a poll of an operation under way asks it.
    pub(super) const fn is_of_progress(self) -> bool {
        matches!(
            self,
            Self::UniqueId
                | Self::Uptime
                | Self::Boots
                | Self::OperationId
                | Self::OperationState
                | Self::OperationProgress
                | Self::OperationError
                | Self::OperationText
                | Self::OperationPort
                | Self::OperationFile
        )
    }
}

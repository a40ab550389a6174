//! Reports: how an engine says that it cannot take a message (RFC 3412 section 7.2, RFC 3414 section 5, `usmStats`).

use crate::{ObjectIdentifier, Octets, Value, VarBind};

/// `usmStats`: the counters whose names tell the reason.
const USM_STATS: ObjectIdentifier = ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 15, 1, 1]);

/// Why an engine does not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ReportKind {
    /// `usmStatsUnsupportedSecLevels`: the user has no keys for the level of the message.
    #[error("the user has no keys for this level of security")]
    UnsupportedSecurityLevel,
    /// `usmStatsNotInTimeWindows`: the message is of another time.
    #[error("the message is outside of the time window")]
    NotInTimeWindow,
    /// `usmStatsUnknownUserNames`.
    #[error("there is no such user")]
    UnknownUserName,
    /// `usmStatsUnknownEngineIDs`: the message is for, or from, another engine.
    #[error("the message is of an unknown engine")]
    UnknownEngineId,
    /// `usmStatsWrongDigests`: the message was changed, or the key is another one.
    #[error("the digest is wrong")]
    WrongDigest,
    /// `usmStatsDecryptionErrors`: what was decrypted is no PDU.
    #[error("the message cannot be decrypted")]
    DecryptionError,
}

/// What a Report tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Why a message was not taken; `None` for a reason of another part of the engine, such as an unknown context.
    pub kind: Option<ReportKind>,
    /// How often the engine had to say so.
    pub count: u32,
}

impl ReportKind {
    /// All of them, by their numbers.
    pub const ALL: [ReportKind; 6] = [
        Self::UnsupportedSecurityLevel,
        Self::NotInTimeWindow,
        Self::UnknownUserName,
        Self::UnknownEngineId,
        Self::WrongDigest,
        Self::DecryptionError,
    ];

    /// The last arc of the counter, 1 to 6 (RFC 3414 section 5).
    const fn arc(self) -> u32 {
        match self {
            Self::UnsupportedSecurityLevel => 1,
            Self::NotInTimeWindow => 2,
            Self::UnknownUserName => 3,
            Self::UnknownEngineId => 4,
            Self::WrongDigest => 5,
            Self::DecryptionError => 6,
        }
    }

    /// The counter's instance.
    pub fn counter(self) -> ObjectIdentifier {
        USM_STATS.join(&[self.arc(), 0])
    }
}

impl Report {
    /// What the variable bindings of a Report say: the first of them counts.
    pub fn read<B: Octets>(varbinds: &[VarBind<B>]) -> Report {
        let first = varbinds.first();
        let name = first.map(|varbind| &varbind.name);
        Report {
            kind: ReportKind::ALL.into_iter().find(|kind| name == Some(&kind.counter())),
            count: match first.map(|varbind| &varbind.value) {
                Some(Value::Counter32(count)) => *count,
                _ => 0,
            },
        }
    }
}

/// How often each reason came up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics([u32; 6]);

impl Statistics {
    /// Counts one, and gives the count; like every Counter32 it starts anew after 2^32 - 1.
    pub fn count(&mut self, kind: ReportKind) -> u32 {
        let counter = self.0.get_mut(kind.arc() as usize - 1);
        counter.map_or(0, |counter| {
            *counter = counter.wrapping_add(1);
            *counter
        })
    }

    /// How often this reason came up.
    pub fn of(&self, kind: ReportKind) -> u32 {
        self.0.get(kind.arc() as usize - 1).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_known_by_its_counter() {
        for kind in ReportKind::ALL {
            let varbind: VarBind = VarBind::new(kind.counter(), Value::Counter32(7));
            assert_eq!(Report::read(&[varbind]), Report { kind: Some(kind), count: 7 });
        }
        let other: VarBind =
            VarBind::new(ObjectIdentifier::new([1, 3, 6, 1, 6, 3, 12, 1, 5, 0]), Value::Counter32(1));
        assert_eq!(Report::read(&[other]), Report { kind: None, count: 1 });
        assert_eq!(Report::read::<Vec<u8>>(&[]), Report { kind: None, count: 0 });
    }

    #[test]
    fn each_reason_is_counted_for_itself() {
        let mut statistics = Statistics::default();
        statistics.count(ReportKind::WrongDigest);
        assert_eq!(statistics.count(ReportKind::WrongDigest), 2);
        assert_eq!(statistics.of(ReportKind::WrongDigest), 2);
        assert_eq!(statistics.of(ReportKind::DecryptionError), 0);
    }
}

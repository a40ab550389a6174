//! The engine that keeps the time of what is said to it: an agent's, or that of who receives INFORMs (RFC 3414 sections 1.5.1
//! and 3.2).

use std::collections::BTreeMap;

use super::clock::judge_own;
use super::report::Statistics;
use super::{EngineId, EngineTime, Header, Keys, ReportKind, Seal, Sealed, SecurityLevel, User};
use crate::pdu::{self, Operation};
use crate::varbind::write_varbinds;
use crate::{EncodeError, Value, VarBind};

/// Users by their names.
pub(crate) type Users = BTreeMap<Vec<u8>, User>;

/// An engine of ours.
#[derive(Debug, Clone)]
pub struct Authority {
    id: EngineId,
    /// The keys of users who were heard: made when they are needed, since most engines never are.
    keys: BTreeMap<Vec<u8>, Keys>,
    statistics: Statistics,
}

impl Authority {
    /// An engine with this id, to which nobody has spoken yet.
    pub fn new(id: EngineId) -> Authority {
        Authority { id, keys: BTreeMap::new(), statistics: Statistics::default() }
    }

    /// Its id.
    pub fn id(&self) -> &EngineId {
        &self.id
    }

    /// How often it did not take a message, by the reasons of `usmStats`.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Users have changed: their keys are made anew.
    pub(crate) fn forget_keys(&mut self) {
        self.keys.clear();
    }

    /// Who has sent the message, if that is proven and it is of now.
    pub(crate) fn receive(
        &mut self,
        sealed: &Sealed<'_>,
        at: EngineTime,
        users: &Users,
    ) -> Result<&Keys, ReportKind> {
        if sealed.engine != self.id.as_ref() {
            return Err(ReportKind::UnknownEngineId);
        }
        let user = users.get(sealed.user).ok_or(ReportKind::UnknownUserName)?;
        let id = self.id;
        let keys = self.keys.entry(sealed.user.to_vec()).or_insert_with(|| user.localized(&id));
        sealed.authenticate(keys)?;
        if sealed.level > SecurityLevel::NoAuthNoPriv {
            judge_own(at, sealed.at).map_err(|_| ReportKind::NotInTimeWindow)?;
        }
        Ok(keys)
    }

    /// Counts why a message was not taken and, if its sender may be told, writes the Report (RFC 3412 section 7.1 (3)).
    /// Whether there is one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn report(
        &mut self,
        sealed: &Sealed<'_>,
        at: EngineTime,
        kind: ReportKind,
        datagram: &mut Vec<u8>,
    ) -> Result<bool, EncodeError> {
        let count = self.statistics.count(kind);
        if !sealed.header.reportable {
            return Ok(false);
        }
        // Only who has proven who it is gets a Report that proves who we are (RFC 3414 section 3.2 (7) (a)).
        let proven = matches!(kind, ReportKind::NotInTimeWindow | ReportKind::DecryptionError);
        let keys = if proven { self.keys.get(sealed.user) } else { None };
        let level = if keys.is_some() { SecurityLevel::AuthNoPriv } else { SecurityLevel::NoAuthNoPriv };
        let request_id = sealed.plain().ok().and_then(|scoped| pdu::request_id(scoped.pdu)).unwrap_or(0);
        let varbinds: [VarBind; 1] = [VarBind::new(kind.counter(), Value::Counter32(count))];
        Seal {
            header: Header { reportable: false, ..sealed.header },
            level,
            engine: self.id.as_ref(),
            at,
            keys,
            salt: 0,
            context_engine: self.id.as_ref(),
            context_name: &[],
        }
        .write(datagram, |writer| {
            pdu::write(Operation::Report, request_id, writer, |writer| write_varbinds(&varbinds, writer));
        })?;
        Ok(true)
    }
}

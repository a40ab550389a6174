//! The engine that keeps the time of what is said to it: an agent's, or that of who receives INFORMs (RFC 3414 sections 1.5.1
//! and 3.2).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::clock::judge_own;
use super::report::Statistics;
use super::{EngineId, EngineTime, Header, Keys, ReportKind, Seal, Sealed, SecurityLevel, User};
use crate::pdu::{self, Operation};
use crate::varbind::write_varbinds;
use crate::{EncodeError, Value, VarBind};

/// Users by their names. Those of one name are told apart by their keys; whoever protects messages best comes first.
pub(crate) type Users = BTreeMap<Vec<u8>, Vec<Arc<User>>>;

/// The users by their names.
pub(crate) fn by_name(users: impl IntoIterator<Item = Arc<User>>) -> Users {
    let mut named = Users::new();
    for user in users {
        named.entry(user.name().to_vec()).or_default().push(user);
    }
    named.values_mut().for_each(|same| same.sort_by_key(|user| Reverse(user.level())));
    named
}

/// An engine of ours.
#[derive(Debug, Clone)]
pub struct Authority {
    id: EngineId,
    /// The keys of users who were heard: made when they are needed, since most engines never are.
    keys: BTreeMap<Vec<u8>, Vec<Keys>>,
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
        let named = users.get(sealed.user).ok_or(ReportKind::UnknownUserName)?;
        let id = self.id;
        let localized = || named.iter().map(|user| user.localized(&id)).collect();
        let all = self.keys.entry(sealed.user.to_vec()).or_insert_with(localized);
        let keys = sealed.whose(all)?;
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
        let named = self.keys.get(sealed.user).filter(|_| proven);
        let keys = named.and_then(|all| sealed.whose(all).ok());
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

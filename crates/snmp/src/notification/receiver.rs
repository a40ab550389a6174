//! Taking notifications of SNMPv3 (RFC 3413 section 3.4, RFC 3414 section 3): who sends a trap keeps its time, who takes an
//! INFORM keeps that of the INFORM.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Notification, NotificationError, NotificationKind};
use crate::message::is_v3;
use crate::pdu::{self, Body};
use crate::security::{HeaderV3, USER_BASED};
use crate::usm::{
    Authority, Clock, EngineId, EngineTime, Header, Keys, ReportKind, Seal, Sealed, SecurityLevel,
    Statistics, Unopened, Untimely, User, Users, by_name,
};
use crate::varbind::write_varbinds;
use crate::{ErrorStatus, Message, Operation, Security};

/// So many traps of an engine are remembered, to know one that comes twice within the time window. A trap that is
/// sent again by its device is another one: it has another id, and so another digest.
const REMEMBERED: usize = 8;

/// Whoever takes notifications: an engine, its users, and what is known of the engines that send.
#[derive(Debug)]
pub struct Receiver {
    authority: Authority,
    users: Users,
    /// Of those that are known alone: strangers leave nothing here.
    engines: BTreeMap<EngineId, Sender>,
    /// What was wrong with traps; the authority counts what is wrong with INFORMs.
    statistics: Statistics,
    salt: u64,
}

/// What is known of an engine that sends traps.
#[derive(Debug, Default)]
struct Sender {
    /// The only ones that speak for it.
    users: Arc<[Arc<User>]>,
    clock: Option<Clock>,
    /// The keys that made its latest trap.
    keys: Option<Keys>,
    /// What its latest traps are known by, the next place to be taken first.
    latest: [u64; REMEMBERED],
    next: usize,
}

impl Sender {
    fn admit(&mut self, users: Arc<[Arc<User>]>) {
        if self.users != users {
            (self.users, self.keys) = (users, None);
        }
    }
}

/// A notification whose sender is known as far as its version allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<'a> {
    /// What it says.
    pub notification: Notification<'a>,
    /// The engine that has proven to be its sender; none in SNMPv1 and v2c, without authentication, and for INFORMs, whose
    /// sender proves to be one of its users alone.
    pub engine: Option<EngineId>,
    /// The answer to an INFORM, owed once the notification is safe.
    pub response: Option<Vec<u8>>,
}

/// A notification is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("notification not taken")]
pub struct NotTaken {
    /// Why.
    #[source]
    pub why: Why,
    /// The engine that sent it, if that is proven.
    pub engine: Option<EngineId>,
    /// A Report for its sender.
    pub report: Option<Vec<u8>>,
}

/// Why a notification is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is none.
    #[error(transparent)]
    NoNotification(#[from] NotificationError),
    /// The user-based security model does not take it.
    #[error(transparent)]
    Reported(#[from] ReportKind),
    /// It is authentic, and not of now: it may be an old one that somebody sends again, or the engine has forgotten how
    /// often it started. Asking the device tells which.
    #[error(transparent)]
    Untimely(#[from] Untimely),
    /// It came before.
    #[error("it came before")]
    Repeated,
}

impl From<Why> for NotTaken {
    fn from(why: Why) -> NotTaken {
        NotTaken { why, engine: None, report: None }
    }
}

impl Receiver {
    /// A receiver whose engine has this id. `salt` is random: answers are never encrypted with the same one again.
    pub fn new(id: EngineId, salt: u64) -> Receiver {
        Receiver {
            authority: Authority::new(id),
            users: Users::new(),
            engines: BTreeMap::new(),
            statistics: Statistics::default(),
            salt,
        }
    }

    /// From now on these users are believed, and no other: in INFORMs, and in traps of engines that are not known. Several may
    /// have one name.
    pub fn admit(&mut self, users: impl IntoIterator<Item = Arc<User>>) {
        let users = by_name(users);
        if self.users != users {
            self.users = users;
            // Their keys may be others.
            self.authority.forget_keys();
        }
    }

    /// From now on it is remembered what these engines send, and of no other. For each only its own users speak: who knows the
    /// secrets of one device does not speak for another.
    pub fn know(&mut self, engines: impl IntoIterator<Item = (EngineId, Arc<[Arc<User>]>)>) {
        let mut known = std::mem::take(&mut self.engines);
        let sender = |(engine, users): (EngineId, Arc<[Arc<User>]>)| {
            let mut sender = known.remove(&engine).unwrap_or_default();
            sender.admit(users);
            (engine, sender)
        };
        self.engines = engines.into_iter().map(sender).collect();
    }

    /// The same for one more, or for one that has other users from now on.
    pub fn learn(&mut self, engine: EngineId, users: Arc<[Arc<User>]>) {
        self.engines.entry(engine).or_default().admit(users);
    }

    /// It is no longer remembered what this engine sends.
    pub fn forget(&mut self, engine: &EngineId) {
        self.engines.remove(engine);
    }

    /// An engine has told its time otherwise, in an answer to a fresh question: what it sends is judged by that.
    pub fn heard(&mut self, engine: &EngineId, told: EngineTime, now: Duration) {
        if let Some(sender) = self.engines.get_mut(engine) {
            sender.clock = Some(Clock::heard(told, now));
        }
    }

    /// What was wrong with messages of SNMPv3: traps, and INFORMs.
    pub fn statistics(&self) -> [&Statistics; 2] {
        [&self.statistics, self.authority.statistics()]
    }

    /// Reads a datagram of any version. `at` is the time of the engine here, `scratch` room to decrypt.
    ///
    /// # Errors
    /// It is no notification, or nobody is proven to have sent it now.
    pub fn receive<'a>(
        &mut self,
        datagram: &'a [u8],
        at: EngineTime,
        now: Duration,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Received<'a>, NotTaken> {
        if !is_v3(datagram) {
            let notification = Notification::decode(datagram).map_err(Why::from)?;
            let response = notification.response().and_then(|message| encoded(&message));
            return Ok(Received { notification, engine: None, response });
        }
        let sealed = Sealed::read(datagram).map_err(NotificationError::from).map_err(Why::from)?;
        // Reportable is what wants an answer: an INFORM, or a question for the id and the time of this engine.
        if sealed.header.reportable {
            self.inform(&sealed, at, scratch)
        } else {
            self.trap(&sealed, now, scratch)
        }
    }

    fn inform<'a>(
        &mut self,
        sealed: &Sealed<'a>,
        at: EngineTime,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Received<'a>, NotTaken> {
        let opened = match self.authority.receive(sealed, at, &self.users) {
            // Whoever could say it better must.
            Ok(keys) if sealed.level < keys.level() => {
                Err(Unopened::Report(ReportKind::UnsupportedSecurityLevel))
            }
            Ok(keys) => {
                let keys = keys.clone();
                sealed.open(&keys, scratch).map(|scoped| (scoped, keys))
            }
            Err(kind) => Err(Unopened::Report(kind)),
        };
        let (scoped, keys) = match opened {
            Ok(opened) => opened,
            Err(Unopened::Decode(error)) => {
                return Err(Why::from(NotificationError::from(error)).into());
            }
            Err(Unopened::Report(kind)) => {
                let mut report = Vec::new();
                let written = self.authority.report(sealed, at, kind, &mut report);
                let report = written.is_ok_and(|written| written).then_some(report);
                return Err(NotTaken { why: kind.into(), engine: None, report });
            }
        };
        let body = Body::read(&mut scoped.pdu.clone()).map_err(NotificationError::from).map_err(Why::from)?;
        let security = header(sealed, scoped.context_engine, scoped.context_name);
        let notification = Notification::try_from(Message { security, body }).map_err(Why::from)?;
        let NotificationKind::Inform { request_id } = notification.kind else {
            return Err(Why::from(NotificationError::OtherPdu).into());
        };
        self.salt = self.salt.wrapping_add(1);
        let mut response = Vec::new();
        let seal = Seal {
            header: Header { reportable: false, ..sealed.header },
            level: sealed.level,
            engine: sealed.engine,
            at,
            keys: Some(&keys),
            salt: self.salt,
            context_engine: scoped.context_engine,
            context_name: scoped.context_name,
        };
        let operation = Operation::Response { status: ErrorStatus::NoError, index: 0 };
        let varbinds = notification.all_varbinds();
        let written = seal.write(&mut response, |writer| {
            pdu::write(operation, request_id, writer, |writer| write_varbinds(&varbinds, writer));
        });
        Ok(Received { notification, engine: None, response: written.ok().map(|()| response) })
    }

    /// In the order of RFC 3414 section 3.2: the user, the level, the digest, the time, and then it is decrypted.
    fn trap<'a>(
        &mut self,
        sealed: &Sealed<'a>,
        now: Duration,
        scratch: &'a mut Vec<u8>,
    ) -> Result<Received<'a>, NotTaken> {
        let count = |statistics: &mut Statistics, kind: ReportKind| {
            statistics.count(kind);
            NotTaken::from(Why::from(kind))
        };
        let Ok(id) = EngineId::new(sealed.engine) else {
            return Err(count(&mut self.statistics, ReportKind::UnknownEngineId));
        };
        let mut sender = self.engines.get_mut(&id);
        let kept = sender.as_ref().and_then(|sender| sender.keys.as_ref());
        let keys = match kept.filter(|keys| keys.name() == sealed.user && sealed.authenticate(keys).is_ok()) {
            Some(keys) => keys.clone(),
            None => {
                let users = match &sender {
                    Some(sender) => &sender.users[..],
                    None => self.users.get(sealed.user).map_or(&[][..], Vec::as_slice),
                };
                let named = users.iter().filter(|user| user.name() == sealed.user);
                let mut all: Vec<_> = named.map(|user| user.localized(&id)).collect();
                all.sort_by_key(|keys| Reverse(keys.level()));
                sealed.whose(&all).map_err(|kind| count(&mut self.statistics, kind))?.clone()
            }
        };
        // Whoever could say it better must: a trap without its digest says nothing of a user who has one.
        if sealed.level < keys.level() {
            return Err(count(&mut self.statistics, ReportKind::UnsupportedSecurityLevel));
        }
        let proven = sealed.level > SecurityLevel::NoAuthNoPriv;
        if let Some(sender) = sender.as_mut().filter(|_| proven) {
            sender.keys = Some(keys.clone());
            sender.judge(sealed, now).map_err(|why| {
                self.statistics.count(ReportKind::NotInTimeWindow);
                NotTaken { why, engine: Some(id), report: None }
            })?;
        }
        let scoped = match sealed.open(&keys, scratch) {
            Ok(scoped) => scoped,
            Err(Unopened::Report(kind)) => return Err(count(&mut self.statistics, kind)),
            Err(Unopened::Decode(error)) => return Err(Why::from(NotificationError::from(error)).into()),
        };
        let body = Body::read(&mut scoped.pdu.clone()).map_err(NotificationError::from).map_err(Why::from)?;
        let security = header(sealed, scoped.context_engine, scoped.context_name);
        let notification = Notification::try_from(Message { security, body }).map_err(Why::from)?;
        Ok(Received { notification, engine: proven.then_some(id), response: None })
    }
}

impl Sender {
    /// Whether an authentic trap is of now, and was not there before.
    fn judge(&mut self, sealed: &Sealed<'_>, now: Duration) -> Result<(), Why> {
        match &mut self.clock {
            Some(clock) => clock.judge(sealed.at, now)?,
            clock @ None => *clock = Some(Clock::heard(sealed.at, now)),
        }
        let mark = sealed.digest().iter().take(8).fold(0_u64, |mark, octet| mark << 8 | u64::from(*octet));
        if self.latest.contains(&mark) {
            return Err(Why::Repeated);
        }
        if let Some(place) = self.latest.get_mut(self.next) {
            *place = mark;
        }
        self.next = (self.next + 1) % REMEMBERED;
        Ok(())
    }
}

fn header<'a>(
    sealed: &Sealed<'a>,
    context_engine_id: &'a [u8],
    context_name: &'a [u8],
) -> Security<&'a [u8]> {
    Security::V3(HeaderV3 {
        message_id: sealed.header.message_id,
        maximum_size: sealed.header.maximum_size,
        authenticated: sealed.level > SecurityLevel::NoAuthNoPriv,
        reportable: sealed.header.reportable,
        model: USER_BASED,
        parameters: &[],
        context_engine_id,
        context_name,
    })
}

fn encoded(message: &Message<&[u8]>) -> Option<Vec<u8>> {
    let mut datagram = Vec::new();
    message.encode(&mut datagram).ok().map(|()| datagram)
}

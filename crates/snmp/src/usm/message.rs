//! Sealing and opening messages of SNMPv3 (RFC 3412 section 6, RFC 3414 sections 2.4 and 3).

use super::cipher::{decrypt, encrypt};
use super::{EngineTime, Keys, ReportKind, SecurityLevel};
use crate::EncodeError;
use crate::ber::{DecodeError, Reader, Writer, tag};
use crate::message::within_maximum;
use crate::pdu::Body;
use crate::security::{Envelope, USER_BASED};

/// What every message says of itself (RFC 3412 section 6, `HeaderData`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The same in a message and in its answer.
    pub(crate) message_id: i32,
    /// The longest message its sender takes.
    pub(crate) maximum_size: u32,
    /// Whether a Report may answer it.
    pub(crate) reportable: bool,
}

/// How a message is protected, and what goes around its PDU.
#[derive(Debug)]
pub(crate) struct Seal<'a> {
    pub(crate) header: Header,
    pub(crate) level: SecurityLevel,
    /// The engine that keeps the time of this message; empty while it is not known.
    pub(crate) engine: &'a [u8],
    pub(crate) at: EngineTime,
    /// Whose message it is; nobody's where an engine is asked for its id.
    pub(crate) keys: Option<&'a Keys>,
    /// Never used before with these keys.
    pub(crate) salt: u64,
    pub(crate) context_engine: &'a [u8],
    pub(crate) context_name: &'a [u8],
}

impl Seal<'_> {
    /// Appends the message around the PDU that `pdu` writes.
    ///
    /// # Errors
    /// It is too long; `datagram` is as before.
    pub(crate) fn write(
        &self,
        datagram: &mut Vec<u8>,
        pdu: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), EncodeError> {
        let start = datagram.len();
        let authentication = self
            .keys
            .and_then(|keys| keys.authentication.as_ref())
            .filter(|_| self.level >= SecurityLevel::AuthNoPriv);
        let privacy = self
            .keys
            .and_then(|keys| keys.privacy.as_ref())
            .filter(|_| self.level == SecurityLevel::AuthPriv);
        let digest_length = authentication.map_or(0, |(protocol, _)| protocol.digest_length());
        let mut hidden = Vec::new();
        let mut salt = None;
        let mut pdu = Some(pdu);
        if let (Some((protocol, key)), Some(pdu)) = (privacy, pdu.take_if(|_| privacy.is_some())) {
            let mut writer = Writer::new(&mut hidden);
            self.scoped(&mut writer, pdu);
            writer.finish();
            salt = Some(encrypt(*protocol, key, self.at, self.salt, &mut hidden));
        }
        let mut after_digest = 0;
        let mut writer = Writer::new(datagram);
        writer.constructed(tag::SEQUENCE, |writer| {
            match pdu {
                Some(pdu) => self.scoped(writer, pdu),
                None => writer.octets(tag::OCTET_STRING, &hidden),
            }
            writer.constructed(tag::OCTET_STRING, |writer| {
                writer.constructed(tag::SEQUENCE, |writer| {
                    writer.octets(tag::OCTET_STRING, salt.as_ref().map_or(&[], |salt| salt.as_slice()));
                    after_digest = writer.written();
                    writer.zeros(tag::OCTET_STRING, digest_length);
                    writer.octets(tag::OCTET_STRING, self.keys.map_or(&[], Keys::name));
                    writer.unsigned(tag::INTEGER, u64::from(self.at.time));
                    writer.unsigned(tag::INTEGER, u64::from(self.at.boots));
                    writer.octets(tag::OCTET_STRING, self.engine);
                });
            });
            Envelope {
                message_id: self.header.message_id,
                maximum_size: self.header.maximum_size,
                authenticated: self.level >= SecurityLevel::AuthNoPriv,
                encrypted: self.level == SecurityLevel::AuthPriv,
                reportable: self.header.reportable,
                model: USER_BASED,
            }
            .write(writer);
        });
        within_maximum(writer)?;
        if let Some((protocol, key)) = authentication {
            let message = datagram.get_mut(start..).unwrap_or_default();
            let digest = key.sign(*protocol, &[message]);
            let end = message.len().saturating_sub(after_digest);
            let place = message.get_mut(end.saturating_sub(digest.len())..end).unwrap_or_default();
            place.iter_mut().zip(digest).for_each(|(place, octet)| *place = octet);
        }
        Ok(())
    }

    fn scoped(&self, writer: &mut Writer<'_>, pdu: impl FnOnce(&mut Writer<'_>)) {
        writer.constructed(tag::SEQUENCE, |writer| {
            pdu(writer);
            writer.octets(tag::OCTET_STRING, self.context_name);
            writer.octets(tag::OCTET_STRING, self.context_engine);
        });
    }
}

/// A message as it came: nobody has checked anything of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed<'a> {
    pub(crate) header: Header,
    pub(crate) level: SecurityLevel,
    pub(crate) engine: &'a [u8],
    pub(crate) at: EngineTime,
    pub(crate) user: &'a [u8],
    /// The message before its digest, the digest, and what follows it.
    before: &'a [u8],
    digest: &'a [u8],
    after: &'a [u8],
    salt: &'a [u8],
    /// The scoped PDU, or an OCTET STRING that hides it.
    data: Reader<'a>,
}

/// A PDU, and of which engine's which context it speaks (RFC 3412 section 6, `ScopedPDU`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scoped<'a> {
    pub(crate) context_engine: &'a [u8],
    pub(crate) context_name: &'a [u8],
    pub(crate) pdu: Reader<'a>,
}

impl<'a> Sealed<'a> {
    /// Reads a datagram as far as it is plain. Octets after the message are ignored, as in all versions.
    pub(crate) fn read(datagram: &'a [u8]) -> Result<Sealed<'a>, DecodeError> {
        let mut outer = Reader::new(datagram);
        let mut content = Reader::new(outer.expect(tag::SEQUENCE)?);
        let whole = datagram.get(..datagram.len() - outer.rest().len()).unwrap_or(datagram);
        content.integer32()?;
        let envelope = Envelope::read(&mut content)?;
        if envelope.model != USER_BASED {
            return Err(DecodeError::SecurityModel(envelope.model));
        }
        let level = match (envelope.authenticated, envelope.encrypted) {
            (false, false) => SecurityLevel::NoAuthNoPriv,
            (true, false) => SecurityLevel::AuthNoPriv,
            (true, true) => SecurityLevel::AuthPriv,
            // RFC 3412 section 7.2 (5): there is no such level.
            (false, true) => return Err(DecodeError::HeaderV3),
        };
        let mut parameters =
            Reader::new(Reader::new(content.expect(tag::OCTET_STRING)?).expect(tag::SEQUENCE)?);
        let engine = parameters.expect(tag::OCTET_STRING)?;
        let mut seconds = || u32::try_from(parameters.integer32()?).map_err(|_| DecodeError::HeaderV3);
        let at = EngineTime { boots: seconds()?, time: seconds()? };
        let user = parameters.expect(tag::OCTET_STRING)?;
        let digest = parameters.expect(tag::OCTET_STRING)?;
        // What follows the digest is counted from the end: the salt and the scoped PDU.
        let end = whole.len().saturating_sub(parameters.rest().len() + content.rest().len());
        let (until_digest, after) = whole.split_at_checked(end).ok_or(DecodeError::HeaderV3)?;
        let before = until_digest.get(..end.saturating_sub(digest.len())).ok_or(DecodeError::HeaderV3)?;
        let salt = parameters.expect(tag::OCTET_STRING)?;
        let header = Header {
            message_id: envelope.message_id,
            maximum_size: envelope.maximum_size,
            reportable: envelope.reportable,
        };
        Ok(Sealed { header, level, engine, at, user, before, digest, after, salt, data: content })
    }

    /// Whether these keys can have made the message: they are for its level, and its digest is right (RFC 3414 sections
    /// 3.2 (5) and (6)). Without authentication everything is.
    pub(crate) fn authenticate(&self, keys: &Keys) -> Result<(), ReportKind> {
        if self.level > keys.level() {
            return Err(ReportKind::UnsupportedSecurityLevel);
        }
        let Some((protocol, key)) =
            keys.authentication.as_ref().filter(|_| self.level > SecurityLevel::NoAuthNoPriv)
        else {
            return Ok(());
        };
        // The digest is over a message that has zeros in its place.
        let zeros = [0; 64];
        let zeros = zeros.get(..self.digest.len()).ok_or(ReportKind::WrongDigest)?;
        if key.is_signed(*protocol, &[self.before, zeros, self.after], self.digest) {
            Ok(())
        } else {
            Err(ReportKind::WrongDigest)
        }
    }

    /// Whose keys have made the message. Where none have, the reason is that of the first.
    pub(crate) fn whose<'k>(&self, all: &'k [Keys]) -> Result<&'k Keys, ReportKind> {
        let mut reason = None;
        for keys in all {
            match self.authenticate(keys) {
                Ok(()) => return Ok(keys),
                Err(kind) => _ = reason.get_or_insert(kind),
            }
        }
        Err(reason.unwrap_or(ReportKind::UnknownUserName))
    }

    /// The PDU, decrypted into `scratch` where it is hidden. To be called last (RFC 3414 section 3.2 (8)).
    pub(crate) fn open(&self, keys: &Keys, scratch: &'a mut Vec<u8>) -> Result<Scoped<'a>, Unopened> {
        if self.level < SecurityLevel::AuthPriv {
            return Ok(Scoped::read(self.data)?);
        }
        let (protocol, key) =
            keys.privacy.as_ref().ok_or(Unopened::Report(ReportKind::UnsupportedSecurityLevel))?;
        scratch.clear();
        scratch.extend_from_slice({ self.data }.expect(tag::OCTET_STRING)?);
        decrypt(*protocol, key, self.at, self.salt, scratch)
            .map_err(|_| Unopened::Report(ReportKind::DecryptionError))?;
        // The digest was right, so who cannot be read here used another key to encrypt.
        Scoped::read(Reader::new(scratch)).map_err(|_| Unopened::Report(ReportKind::DecryptionError))
    }

    /// The plain PDU of a message that is not encrypted, whoever wrote it.
    pub(crate) fn plain(&self) -> Result<Scoped<'a>, DecodeError> {
        if self.level == SecurityLevel::AuthPriv {
            Err(DecodeError::Encrypted)
        } else {
            Scoped::read(self.data)
        }
    }

    /// Some octets that two messages hardly have in common: to know one that comes twice.
    pub(crate) fn digest(&self) -> &'a [u8] {
        self.digest
    }
}

/// Why a message has no PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unopened {
    /// A reason that is reported.
    #[error(transparent)]
    Report(#[from] ReportKind),
    /// It is broken.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What a message of SNMPv3 says to whoever looks on and has the keys: a capture that is to be understood. Nobody must act by it, since when it
/// was said is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheard {
    /// How well it is protected.
    pub level: SecurityLevel,
    /// Its PDU, as it is written.
    pdu: Vec<u8>,
}

impl Overheard {
    /// Opens a message.
    ///
    /// # Errors
    /// It is no message, or these keys have not made it.
    pub fn new(datagram: &[u8], keys: &Keys) -> Result<Self, Unheard> {
        let sealed = Sealed::read(datagram)?;
        sealed.authenticate(keys)?;
        let mut scratch = Vec::new();
        let scoped = sealed.open(keys, &mut scratch).map_err(|unopened| match unopened {
            Unopened::Report(kind) => Unheard::Keys(kind),
            Unopened::Decode(error) => Unheard::NoMessage(error),
        })?;
        Ok(Self { level: sealed.level, pdu: scoped.pdu.rest().to_vec() })
    }

    /// Whether it is a SET.
    pub fn is_set(&self) -> bool {
        self.pdu.first() == Some(&tag::SET)
    }

    /// Its PDU, as it is written.
    pub fn pdu(&self) -> &[u8] {
        &self.pdu
    }

    /// Its PDU.
    ///
    /// # Errors
    /// It is none.
    pub fn body(&self) -> Result<Body<&[u8]>, DecodeError> {
        Body::read(&mut Reader::new(&self.pdu))
    }
}

/// Why a message cannot be overheard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// It is none.
    #[error(transparent)]
    NoMessage(#[from] DecodeError),
    /// These keys are not those that made it.
    #[error(transparent)]
    Keys(#[from] ReportKind),
}

impl<'a> Scoped<'a> {
    fn read(mut data: Reader<'a>) -> Result<Scoped<'a>, DecodeError> {
        let mut scoped = Reader::new(data.expect(tag::SEQUENCE)?);
        let context_engine = scoped.expect(tag::OCTET_STRING)?;
        let context_name = scoped.expect(tag::OCTET_STRING)?;
        Ok(Scoped { context_engine, context_name, pdu: scoped })
    }
}

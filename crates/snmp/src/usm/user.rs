//! Users: who they are, what proves it and what hides what they say.

use std::fmt;

use super::key::Key;
use super::{Authentication, EngineId, Privacy};

/// The longest name of a user, in octets (RFC 3414 section 5, `usmUserName`).
const LONGEST_NAME: usize = 32;

/// The shortest pass-phrase, in octets (RFC 3414 section 11.2).
const SHORTEST_PASSPHRASE: usize = 8;

/// How well a message is protected (RFC 3411 section 3.4.3), least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityLevel {
    /// Anybody may have written it.
    NoAuthNoPriv,
    /// The user has written it, and anybody may read it.
    AuthNoPriv,
    /// The user has written it, and only who has the user's key reads it.
    AuthPriv,
}

/// A user with keys for all engines, derived once.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    name: Vec<u8>,
    secrets: Secrets,
}

/// What a user has. None is encrypted without being authenticated.
#[derive(Clone, PartialEq, Eq)]
enum Secrets {
    None,
    Authentication(Authentication, Key),
    Privacy(Authentication, Key, Privacy, Key),
}

/// A user's keys for one engine.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub(super) name: Vec<u8>,
    pub(super) authentication: Option<(Authentication, Key)>,
    pub(super) privacy: Option<(Privacy, Key)>,
}

/// There can be no such user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUser {
    /// RFC 3414 section 5.
    #[error("the name of a user has 1 to {LONGEST_NAME} octets")]
    Name,
    /// RFC 3414 section 11.2.
    #[error("a pass-phrase has {SHORTEST_PASSPHRASE} octets or more")]
    Passphrase,
    /// RFC 3411 section 3.4.3: there is no such level.
    #[error("a user who encrypts authenticates as well")]
    PrivacyAlone,
}

impl User {
    /// A user whom anybody may claim to be.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub fn new(name: impl Into<Vec<u8>>) -> Result<User, InvalidUser> {
        let name = name.into();
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Err(InvalidUser::Name);
        }
        Ok(User { name, secrets: Secrets::None })
    }

    /// The same user, who authenticates by a pass-phrase. Takes about a millisecond.
    ///
    /// # Errors
    /// The pass-phrase is too short.
    pub fn authenticating(self, protocol: Authentication, passphrase: &[u8]) -> Result<User, InvalidUser> {
        let key = Key::from_passphrase(protocol, long_enough(passphrase)?);
        Ok(User { secrets: Secrets::Authentication(protocol, key), ..self })
    }

    /// The same user, who encrypts as well, by a pass-phrase that may be another one. Takes about a millisecond.
    ///
    /// # Errors
    /// The pass-phrase is too short, or the user does not authenticate.
    pub fn encrypting(self, protocol: Privacy, passphrase: &[u8]) -> Result<User, InvalidUser> {
        let User { name, secrets } = self;
        match secrets {
            Secrets::None => Err(InvalidUser::PrivacyAlone),
            Secrets::Authentication(authentication, key) | Secrets::Privacy(authentication, key, ..) => {
                let privacy = Key::from_passphrase(authentication, long_enough(passphrase)?);
                Ok(User { name, secrets: Secrets::Privacy(authentication, key, protocol, privacy) })
            }
        }
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How well this user's messages can be protected.
    pub fn level(&self) -> SecurityLevel {
        match self.secrets {
            Secrets::None => SecurityLevel::NoAuthNoPriv,
            Secrets::Authentication(..) => SecurityLevel::AuthNoPriv,
            Secrets::Privacy(..) => SecurityLevel::AuthPriv,
        }
    }

    /// This user's keys for one engine. Takes less than a microsecond or two; with [`Privacy::Aes192Reeder`] and
    /// [`Privacy::Aes256Reeder`] up to milliseconds.
    pub fn localized(&self, engine: &EngineId) -> Keys {
        let (authentication, privacy) = match &self.secrets {
            Secrets::None => (None, None),
            Secrets::Authentication(protocol, key) => {
                (Some((*protocol, key.localized(*protocol, engine))), None)
            }
            Secrets::Privacy(authentication, key, privacy, secret) => {
                let secret = secret.localized(*authentication, engine);
                (
                    Some((*authentication, key.localized(*authentication, engine))),
                    Some((*privacy, secret.lengthened(*authentication, *privacy, engine))),
                )
            }
        };
        Keys { name: self.name.clone(), authentication, privacy }
    }
}

impl Keys {
    /// The user's name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How well messages can be protected with them.
    pub fn level(&self) -> SecurityLevel {
        match (&self.authentication, &self.privacy) {
            (None, _) => SecurityLevel::NoAuthNoPriv,
            (Some(_), None) => SecurityLevel::AuthNoPriv,
            (Some(_), Some(_)) => SecurityLevel::AuthPriv,
        }
    }
}

fn long_enough(passphrase: &[u8]) -> Result<&[u8], InvalidUser> {
    if passphrase.len() < SHORTEST_PASSPHRASE { Err(InvalidUser::Passphrase) } else { Ok(passphrase) }
}

impl fmt::Debug for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "User({}, {:?})", self.name.escape_ascii(), self.level())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({}, {:?})", self.name.escape_ascii(), self.level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn keys_are_those_of_the_rfcs() {
        // RFC 3414 appendices A.3.1 and A.3.2.
        let engine = EngineId::new(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]).unwrap();
        let known = [
            (Authentication::Md5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
            (
                Authentication::Sha1,
                "9fb5cc0381497b3793528939ff788d5d79145211",
                "6695febc9288e36282235fc7151f128497b38f3f",
            ),
        ];
        for (protocol, key, localized) in known {
            let derived = Key::from_passphrase(protocol, b"maplesyrup");
            assert_eq!(hex(derived.as_ref()), key);
            assert_eq!(hex(derived.localized(protocol, &engine).as_ref()), localized);
        }
    }

    /// By pysnmp 7.1, the passphrase and the engine of RFC 3414 appendix A.3: no RFC has any for these.
    #[test]
    fn keys_are_lengthened_as_others_lengthen_them() {
        let engine = EngineId::new(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]).unwrap();
        let known = [
            (Authentication::Md5, Privacy::Aes192, "526f5eed9fcce26f8964c2930787d82bfa24a92467426c2f"),
            (
                Authentication::Md5,
                Privacy::Aes256,
                "526f5eed9fcce26f8964c2930787d82bfa24a92467426c2f4b09192be10dfaec",
            ),
            (Authentication::Md5, Privacy::Aes192Reeder, "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0"),
            (
                Authentication::Md5,
                Privacy::Aes256Reeder,
                "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12",
            ),
            (Authentication::Sha1, Privacy::Aes192, "6695febc9288e36282235fc7151f128497b38f3f505e07eb"),
            (
                Authentication::Sha1,
                Privacy::Aes256,
                "6695febc9288e36282235fc7151f128497b38f3f505e07eb9af25568fa1f5dbe",
            ),
            (Authentication::Sha1, Privacy::Aes192Reeder, "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78"),
            (
                Authentication::Sha1,
                Privacy::Aes256Reeder,
                "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c",
            ),
            (
                Authentication::Sha224,
                Privacy::Aes256,
                "0bd8827c6e29f8065e08e09237f177e410f69b90e1782be682075674e82d9bf0",
            ),
            (
                Authentication::Sha224,
                Privacy::Aes256Reeder,
                "0bd8827c6e29f8065e08e09237f177e410f69b90e1782be68207567422c34be4",
            ),
            (
                Authentication::Sha256,
                Privacy::Aes256,
                "8982e0e549e866db361a6b625d84cccc11162d453ee8ce3a6445c2d6776f0f8b",
            ),
        ];
        for (authentication, privacy, lengthened) in known {
            let localized =
                Key::from_passphrase(authentication, b"maplesyrup").localized(authentication, &engine);
            let key = localized.lengthened(authentication, privacy, &engine);
            assert_eq!(hex(key.as_ref()), lengthened, "{authentication} {privacy}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let user = User::new("anna").unwrap().authenticating(Authentication::Sha256, b"maplesyrup").unwrap();
        let user = user.encrypting(Privacy::Aes128, b"rupryselpam").unwrap();
        assert_eq!(format!("{user:?}"), "User(anna, AuthPriv)");
        let engine = EngineId::of_enterprise(32473, b"1");
        assert_eq!(format!("{:?}", user.localized(&engine)), "Keys(anna, AuthPriv)");
        assert_eq!(format!("{:?}", Key::from_passphrase(Authentication::Md5, b"maplesyrup")), "Key");
    }

    #[test]
    fn users_that_cannot_be_are_refused() {
        assert_eq!(User::new(""), Err(InvalidUser::Name));
        assert_eq!(User::new([b'x'; 33]), Err(InvalidUser::Name));
        let anna = || User::new("anna").unwrap();
        assert_eq!(anna().authenticating(Authentication::Md5, b"1234567"), Err(InvalidUser::Passphrase));
        assert_eq!(anna().encrypting(Privacy::Aes128, b"12345678"), Err(InvalidUser::PrivacyAlone));
    }
}

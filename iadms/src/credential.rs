//! Credentials: as whom devices are asked by SNMPv3, and what only they and the manager know (RFC 3414).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use snmp::usm::{Authentication, InvalidUser, Privacy, SecurityLevel, User};
use upgrade::Time;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::inventory::{Community, is_name};
use crate::seal::{Key, NotOpened, NotSealed, Sealed};

/// A user of SNMPv3 as operators know it: all but the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// Its name at the devices, 1 to 32 bytes (`usmUserSecurityName`).
    pub user: String,
    /// How it proves who it is; none: not at all.
    #[serde(with = "word")]
    pub authentication: Option<Authentication>,
    /// How it hides what is said; none: not at all.
    #[serde(with = "word")]
    pub privacy: Option<Privacy>,
}

/// The pass-phrases of a user. Logs and debug output never show them, and nothing of them stays in memory.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// For its authentication, 8 bytes or more (RFC 3414 section 11.2); empty where it has none.
    #[serde(default)]
    pub authentication: String,
    /// For its encryption, the same.
    #[serde(default)]
    pub privacy: String,
}

/// A credential as operators give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// The name to know it by.
    pub name: String,
    /// The user.
    pub user: UserEntry,
    /// Its secrets.
    pub secrets: Secrets,
}

/// A credential as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The name to know it by.
    pub name: String,
    /// The user.
    pub user: UserEntry,
    /// Since when it has these secrets.
    pub since: Time,
    /// Devices that are asked by it.
    pub devices: u64,
    /// While it is rotated, the user of before, as whom devices are asked that do not know the new secrets.
    pub former: Option<UserEntry>,
}

/// A user as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUser {
    /// The user.
    pub entry: UserEntry,
    /// Since when it has its secrets.
    pub since: Time,
    /// Its secrets.
    pub secrets: Sealed,
}

/// A credential as it is stored: the users as whom devices are asked, the one in force first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCredential {
    /// The name to know it by.
    pub name: String,
    /// The user in force.
    pub user: SealedUser,
    /// The one before, while it is rotated.
    pub former: Option<SealedUser>,
    /// Devices that are asked by it.
    pub devices: u64,
}

/// What is wrong with a credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A name that cannot be typed.
    #[error(
        "the credential name {0:?} will not do: 1 to 64 letters, digits, '.', '_' or '-' were expected, the first a letter or digit"
    )]
    Name(String),
    /// There can be no such user.
    #[error(transparent)]
    User(#[from] InvalidUser),
    /// A secret for nothing.
    #[error("a pass-phrase for {0} was given, and the user has none")]
    Needless(&'static str),
    /// Its secrets cannot be opened.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
}

impl UserEntry {
    /// How well its messages are protected.
    pub const fn level(&self) -> SecurityLevel {
        match (self.authentication, self.privacy) {
            (None, _) => SecurityLevel::NoAuthNoPriv,
            (Some(_), None) => SecurityLevel::AuthNoPriv,
            (Some(_), Some(_)) => SecurityLevel::AuthPriv,
        }
    }

    /// What is given up, in one line; none where nothing is.
    pub fn gives_up(&self) -> Option<&'static str> {
        match self.level() {
            SecurityLevel::NoAuthNoPriv => Some(
                "SNMPv3 without authentication: anybody who knows the user's name can read and command the device",
            ),
            SecurityLevel::AuthNoPriv => {
                Some("SNMPv3 without privacy: anybody on the way can read what is said")
            }
            SecurityLevel::AuthPriv => None,
        }
    }

    /// The user with its keys. Takes milliseconds.
    ///
    /// # Errors
    ///
    /// There can be none.
    pub fn with(&self, secrets: &Secrets) -> Result<User, CredentialError> {
        let mut user = User::new(self.user.as_bytes())?;
        match self.authentication {
            Some(protocol) => user = user.authenticating(protocol, secrets.authentication.as_bytes())?,
            None if secrets.authentication.is_empty() => {}
            None => return Err(CredentialError::Needless("authentication")),
        }
        match self.privacy {
            Some(protocol) => user = user.encrypting(protocol, secrets.privacy.as_bytes())?,
            None if secrets.privacy.is_empty() => {}
            None => return Err(CredentialError::Needless("privacy")),
        }
        Ok(user)
    }

    /// What secrets of it are about: they are of no use to another one.
    fn about(&self, credential: &str) -> String {
        let word = |word: Option<&str>| word.unwrap_or("-").to_owned();
        let (authentication, privacy) =
            (word(self.authentication.map(Authentication::name)), word(self.privacy.map(Privacy::name)));
        [credential, &authentication, &privacy, &self.user].join("\n")
    }
}

impl NewCredential {
    /// Checks what the form alone cannot.
    ///
    /// # Errors
    ///
    /// The first thing that will not do.
    pub fn check(&self) -> Result<(), CredentialError> {
        if !is_name(&self.name) {
            return Err(CredentialError::Name(self.name.clone()));
        }
        self.user.with(&self.secrets).map(drop)
    }

    /// The same as it is stored.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn sealed(&self, key: &Key, since: Time) -> Result<SealedUser, NotSealed> {
        let text = Zeroizing::new(serde_json::to_vec(&self.secrets)?);
        let secrets = key.seal(&self.user.about(&self.name), &text)?;
        Ok(SealedUser { entry: self.user.clone(), since, secrets })
    }
}

impl SealedCredential {
    /// The same as operators see it.
    pub fn shown(self) -> Credential {
        let Self { name, user, former, devices } = self;
        let former = former.map(|former| former.entry);
        Credential { name, user: user.entry, since: user.since, devices, former }
    }

    /// The users as they are stored, the one in force first.
    pub fn users(&self) -> impl Iterator<Item = &SealedUser> {
        [&self.user].into_iter().chain(&self.former)
    }
}

impl SealedUser {
    /// The user with its keys, of the credential of this name. Takes milliseconds.
    ///
    /// # Errors
    ///
    /// It was sealed under another key, or is damaged.
    pub fn opened(&self, credential: &str, key: &Key) -> Result<Arc<User>, CredentialError> {
        let text = key.open(&self.entry.about(credential), &self.secrets)?;
        let secrets: Secrets = serde_json::from_slice(&text).map_err(|_| NotOpened)?;
        Ok(Arc::new(self.entry.with(&secrets)?))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Community::MASK)
    }
}

/// An algorithm by its name.
mod word {
    use core::fmt::Display;
    use core::str::FromStr;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    pub(super) fn serialize<T: Display, S: Serializer>(
        word: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        word.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub(super) fn deserialize<'a, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'a>,
    {
        let word = Option::<String>::deserialize(deserializer)?;
        word.map(|word| word.parse().map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewCredential {
        NewCredential {
            name: "north".into(),
            user: UserEntry {
                user: "anna".into(),
                authentication: Some(Authentication::Sha256),
                privacy: Some(Privacy::Aes256),
            },
            secrets: Secrets { authentication: "maplesyrup".into(), privacy: "rupryselpam".into() },
        }
    }

    #[test]
    fn what_can_be_no_user_is_refused() {
        assert_eq!(new().check(), Ok(()));
        let changed = |change: &dyn Fn(&mut NewCredential)| {
            let mut changed = new();
            change(&mut changed);
            changed.check().unwrap_err().to_string()
        };
        assert!(changed(&|new| new.name = "--all".into()).contains("--all"));
        assert!(changed(&|new| new.user.user.clear()).contains("1 to 32"));
        assert!(changed(&|new| new.secrets.authentication = "short".into()).contains("8 octets"));
        assert!(changed(&|new| new.secrets.privacy.clear()).contains("8 octets"));
        assert!(changed(&|new| new.user.authentication = None).contains("authentication"));
        assert!(changed(&|new| new.user.privacy = None).contains("privacy"));
    }

    #[test]
    fn secrets_are_sealed_for_their_own_user_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::make(&folder.path().join("key")).unwrap();
        let sealed = new().sealed(&key, Time::from_millis(1)).unwrap();
        assert_eq!(sealed.opened("north", &key).unwrap().level(), SecurityLevel::AuthPriv);
        assert!(sealed.opened("south", &key).is_err());
        let mut weaker = sealed.clone();
        weaker.entry.privacy = Some(Privacy::Des);
        assert!(weaker.opened("north", &key).is_err());
        for shown in [format!("{:?}", new()), format!("{sealed:?}")] {
            assert!(!shown.contains("maple") && !shown.contains("rupry"), "{shown}");
        }
        assert!(!sealed.secrets.bytes.windows(5).any(|bytes| bytes == b"maple"));
    }

    #[test]
    fn what_is_given_up_is_said() {
        let mut user = new().user;
        assert_eq!(user.gives_up(), None);
        user.privacy = None;
        assert!(user.gives_up().unwrap().contains("without privacy"));
        user.authentication = None;
        assert!(user.gives_up().unwrap().contains("without authentication"));
    }
}

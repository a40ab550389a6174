//! Secrets at rest: sealed under a key that is kept elsewhere than the database, so that a copy of that gives none away.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), with a random nonce before each sealed text.

use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a nonce.
const NONCE: usize = 24;
/// The name of the key among systemd's credentials (systemd.exec(5), `LoadCredential=`).
const CREDENTIAL: &str = "iadms.key";

/// What tells one key from another without giving it away: eight hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// A key.
pub struct Key {
    cipher: XChaCha20Poly1305,
    id: KeyId,
}

/// What is sealed, and under which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key's id.
    pub key: KeyId,
    /// The nonce, and after it what is sealed.
    pub bytes: Vec<u8>,
}

/// What is wrong with a file that should hold a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system says no.
    #[error("the key file {} cannot be {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the key file {} can be read by others than its owner", .0.display())]
    Open(PathBuf),
    /// It holds something else.
    #[error("the key file {} holds no key: {} hexadecimal digits were expected", .0.display(), KEY * 2)]
    NoKey(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl KeyError {
    /// What to do about it.
    pub fn next(&self) -> &'static str {
        match self {
            Self::File { what: "written", .. } => {
                "choose another place; a key that is there is never replaced"
            }
            Self::File { .. } => "check its path and its rights; `iadms credential key FILE` makes one",
            Self::Open(_) => "take the rights away: chmod 600; whoever may have read it knows the secrets",
            Self::NoKey(_) => "`iadms credential key FILE` makes one",
            Self::Random(_) => "check the system",
        }
    }
}

/// It cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// Each time it takes another nonce.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The cipher takes no more.
    #[error("it is too long to be sealed")]
    TooLong,
    /// It cannot be written.
    #[error("it cannot be written to be sealed")]
    Unwritten(#[from] serde_json::Error),
}

/// It was sealed under another key, or for something else, or is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed under another key, or is damaged")]
pub struct NotOpened;

impl Key {
    /// The key that systemd hands to the service, where it does.
    pub fn handed_over() -> Option<PathBuf> {
        let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
        path.exists().then_some(path)
    }

    /// Reads a key.
    ///
    /// # Errors
    ///
    /// The file cannot be read, others may read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), what: "read", source };
        if std::fs::metadata(path).map_err(failed)?.mode() & 0o077 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
        let bytes = Zeroizing::new(std::fs::read(path).map_err(failed)?);
        let no_key = || KeyError::NoKey(path.to_owned());
        let text = std::str::from_utf8(&bytes).map_err(|_| no_key())?;
        Self::from_digits(text.trim()).ok_or_else(no_key)
    }

    /// Makes a key and writes it to a new file that only its owner reads.
    ///
    /// # Errors
    ///
    /// There is such a file already, or it cannot be written.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), what: "written", source };
        let mut key = Zeroizing::new([0; KEY]);
        getrandom::fill(&mut key[..]).map_err(KeyError::Random)?;
        let mut digits = Zeroizing::new(String::with_capacity(KEY * 2 + 1));
        key.iter().for_each(|byte| digits.push_str(&format!("{byte:02x}")));
        digits.push('\n');
        let mut new = std::fs::OpenOptions::new();
        let mut file = new.write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(digits.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self::new(&key))
    }

    fn new(key: &[u8; KEY]) -> Self {
        let told = Sha256::new().chain_update(b"the id of a key of iadms").chain_update(key).finalize();
        let id = told.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { cipher: XChaCha20Poly1305::new(key.into()), id: KeyId(id) }
    }

    fn from_digits(digits: &str) -> Option<Self> {
        let mut key = Zeroizing::new([0; KEY]);
        if digits.len() != KEY * 2 || !digits.is_ascii() {
            return None;
        }
        for (byte, at) in key.iter_mut().zip((0..digits.len()).step_by(2)) {
            *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self::new(&key))
    }

    /// Its id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// Seals a text. It can be opened for the same thing alone that it is `about`.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers, or the text is longer than 256 GiB.
    pub fn seal(&self, about: &str, text: &[u8]) -> Result<Sealed, NotSealed> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: text, aad: about.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| NotSealed::TooLong)?;
        Ok(Sealed { key: self.id.clone(), bytes: [&nonce[..], &sealed].concat() })
    }

    /// Opens what was sealed about the same thing.
    ///
    /// # Errors
    ///
    /// It was not, or under another key, or it is damaged.
    pub fn open(&self, about: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let (nonce, bytes) = sealed.bytes.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
        let payload = Payload { msg: bytes, aad: about.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| NotOpened)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.id.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_thing_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::make(&folder.path().join("key")).unwrap();
        let read = Key::read(&folder.path().join("key")).unwrap();
        let sealed = key.seal("north", b"maplesyrup").unwrap();
        assert_eq!(sealed.key, *read.id());
        assert_eq!(read.open("north", &sealed).unwrap()[..], *b"maplesyrup");
        assert_eq!(read.open("south", &sealed), Err(NotOpened));
        let other = Key::make(&folder.path().join("other")).unwrap();
        assert_ne!(other.id(), key.id());
        assert_eq!(other.open("north", &sealed), Err(NotOpened));
        for place in 0..sealed.bytes.len() {
            let mut damaged = sealed.clone();
            damaged.bytes[place] ^= 1;
            assert_eq!(key.open("north", &damaged), Err(NotOpened));
            damaged.bytes.truncate(place);
            assert_eq!(key.open("north", &damaged), Err(NotOpened));
        }
        assert_ne!(key.seal("north", b"maplesyrup").unwrap().bytes, sealed.bytes);
    }

    #[test]
    fn a_key_file_is_for_its_owner_alone_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Key::make(&path).unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(Key::make(&path), Err(KeyError::File { what: "written", .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Key::read(&path), Err(KeyError::Open(_))));
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(63), &"ä".repeat(32)] {
            let path = folder.path().join("none");
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Key::read(&path), Err(KeyError::NoKey(_))), "{text}");
        }
        assert!(matches!(Key::read(&folder.path().join("away")), Err(KeyError::File { .. })));
    }
}

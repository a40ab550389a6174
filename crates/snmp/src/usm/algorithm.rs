//! The names and sizes of what authenticates and encrypts.

use std::fmt;
use std::str::FromStr;

/// How a message's origin is proven: a keyed digest (RFC 3414 sections 6 and 7, RFC 7860 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authentication {
    /// `usmHMACMD5AuthProtocol`, HMAC-MD5-96. Broken as a hash, and kept for devices that have nothing else.
    Md5,
    /// `usmHMACSHAAuthProtocol`, HMAC-SHA-96.
    Sha1,
    /// `usmHMAC128SHA224AuthProtocol`.
    Sha224,
    /// `usmHMAC192SHA256AuthProtocol`.
    Sha256,
    /// `usmHMAC256SHA384AuthProtocol`.
    Sha384,
    /// `usmHMAC384SHA512AuthProtocol`.
    Sha512,
}

/// How what is said is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Privacy {
    /// `usmDESPrivProtocol` (RFC 3414 section 8). A key of 56 bits hides nothing from anybody who wants to know.
    Des,
    /// `usmAesCfb128Protocol` (RFC 3826).
    Aes128,
    /// AES-192 with the key lengthened as draft-blumenthal-aes-usm-04 section 3.1.2.1 says; what net-snmp calls `AES-192`.
    Aes192,
    /// The same with AES-256.
    Aes256,
    /// AES-192 with the key lengthened as draft-reeder-snmpv3-usm-3desede-00 section 2.1 says, which routers of a large
    /// vendor do.
    Aes192Reeder,
    /// The same with AES-256.
    Aes256Reeder,
}

/// There is no algorithm of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} protocol {name}: {known}")]
pub struct UnknownAlgorithm {
    kind: &'static str,
    name: String,
    known: String,
}

impl Authentication {
    /// All of them, weakest first.
    pub const ALL: [Authentication; 6] =
        [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name, as net-snmp writes it too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Bytes of the digest that travel with a message.
    pub const fn digest_length(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }
}

impl Privacy {
    /// All of them, weakest first.
    pub const ALL: [Privacy; 6] =
        [Self::Des, Self::Aes128, Self::Aes192, Self::Aes256, Self::Aes192Reeder, Self::Aes256Reeder];

    /// Its name; net-snmp writes all but the last two so.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Des => "DES",
            Self::Aes128 => "AES",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
            Self::Aes192Reeder => "AES-192-C",
            Self::Aes256Reeder => "AES-256-C",
        }
    }

    /// Bytes of the key; of DES eight for the key and eight for its initialisation vector.
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 | Self::Aes192Reeder => 24,
            Self::Aes256 | Self::Aes256Reeder => 32,
        }
    }
}

impl fmt::Display for Authentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Authentication {
    type Err = UnknownAlgorithm;

    /// Case, hyphens and the `1` of `SHA-1` are as one likes.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let plain = plain(text);
        let plain = if plain == "SHA1" { "SHA".to_owned() } else { plain };
        find("authentication", text, &plain, &Self::ALL, Self::name)
    }
}

impl FromStr for Privacy {
    type Err = UnknownAlgorithm;

    /// Case, hyphens and the `128` of `AES-128` are as one likes.
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let plain = plain(text);
        let plain = if plain == "AES128" { "AES".to_owned() } else { plain };
        find("privacy", text, &plain, &Self::ALL, Self::name)
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|letter| *letter != '-').map(|letter| letter.to_ascii_uppercase()).collect()
}

fn find<T: Copy>(
    kind: &'static str,
    text: &str,
    wanted: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, UnknownAlgorithm> {
    let unknown = || UnknownAlgorithm {
        kind,
        name: text.to_owned(),
        known: all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", "),
    };
    all.iter().copied().find(|one| plain(name(*one)) == wanted).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_known_by_the_names_people_write() {
        assert_eq!("sha".parse(), Ok(Authentication::Sha1));
        assert_eq!("SHA-1".parse(), Ok(Authentication::Sha1));
        assert_eq!("sha512".parse(), Ok(Authentication::Sha512));
        assert_eq!("aes128".parse(), Ok(Privacy::Aes128));
        assert_eq!("AES-256-C".parse(), Ok(Privacy::Aes256Reeder));
        for one in Authentication::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for one in Privacy::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        let unknown = "ROT13".parse::<Privacy>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            "there is no privacy protocol ROT13: DES, AES, AES-192, AES-256, AES-192-C, AES-256-C"
        );
    }
}

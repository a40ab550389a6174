//! Keys: from a pass-phrase to a user's, from a user's to that of one engine, and digests made with them (RFC 3414 sections
//! 2.6, 6.3, 7.3 and appendix A.2, RFC 7860 section 9.3, draft-blumenthal-aes-usm-04, draft-reeder-snmpv3-usm-3desede-00).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Authentication, EngineId, Privacy};

/// The longest digest, and more than any cipher's key.
const MAXIMUM_KEY: usize = 64;

/// So much of a pass-phrase, repeated, is digested to a key: what makes guessing it take long.
const STRETCHED: usize = 1 << 20;

/// A secret of a known length: it is never shown, and nothing of it stays in memory.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key {
    octets: [u8; MAXIMUM_KEY],
    length: usize,
}

impl Key {
    /// The user's key for all engines. Takes about a millisecond: once for each user.
    pub(super) fn from_passphrase(authentication: Authentication, passphrase: &[u8]) -> Key {
        match authentication {
            Authentication::Md5 => stretched::<Md5>(passphrase),
            Authentication::Sha1 => stretched::<Sha1>(passphrase),
            Authentication::Sha224 => stretched::<Sha224>(passphrase),
            Authentication::Sha256 => stretched::<Sha256>(passphrase),
            Authentication::Sha384 => stretched::<Sha384>(passphrase),
            Authentication::Sha512 => stretched::<Sha512>(passphrase),
        }
    }

    /// The user's key for one engine: who finds it in one device has no other device's.
    pub(super) fn localized(&self, authentication: Authentication, engine: &EngineId) -> Key {
        digest(authentication, &[self.as_ref(), engine.as_ref(), self.as_ref()])
    }

    /// A localised key made as long as the cipher needs it.
    pub(super) fn lengthened(
        mut self,
        authentication: Authentication,
        privacy: Privacy,
        engine: &EngineId,
    ) -> Key {
        let wanted = privacy.key_length();
        while self.length < wanted {
            let more = match privacy {
                Privacy::Aes192Reeder | Privacy::Aes256Reeder => {
                    Key::from_passphrase(authentication, self.as_ref()).localized(authentication, engine)
                }
                _ => digest(authentication, &[self.as_ref()]),
            };
            self.append(more.as_ref());
        }
        self.octets.iter_mut().skip(wanted).for_each(Zeroize::zeroize);
        self.length = wanted;
        self
    }

    /// The digest of a message in these parts, as long as it travels.
    pub(super) fn sign(&self, authentication: Authentication, message: &[&[u8]]) -> Vec<u8> {
        let mut whole = match authentication {
            Authentication::Md5 => digested::<Hmac<Md5>>(self, message),
            Authentication::Sha1 => digested::<Hmac<Sha1>>(self, message),
            Authentication::Sha224 => digested::<Hmac<Sha224>>(self, message),
            Authentication::Sha256 => digested::<Hmac<Sha256>>(self, message),
            Authentication::Sha384 => digested::<Hmac<Sha384>>(self, message),
            Authentication::Sha512 => digested::<Hmac<Sha512>>(self, message),
        };
        whole.truncate(authentication.digest_length());
        whole
    }

    /// Whether `digest` is that of the message, found out in a time that does not tell where they differ.
    pub(super) fn is_signed(&self, authentication: Authentication, message: &[&[u8]], digest: &[u8]) -> bool {
        if digest.len() != authentication.digest_length() {
            return false;
        }
        match authentication {
            Authentication::Md5 => verified::<Hmac<Md5>>(self, message, digest),
            Authentication::Sha1 => verified::<Hmac<Sha1>>(self, message, digest),
            Authentication::Sha224 => verified::<Hmac<Sha224>>(self, message, digest),
            Authentication::Sha256 => verified::<Hmac<Sha256>>(self, message, digest),
            Authentication::Sha384 => verified::<Hmac<Sha384>>(self, message, digest),
            Authentication::Sha512 => verified::<Hmac<Sha512>>(self, message, digest),
        }
    }

    pub(super) fn of(octets: &[u8]) -> Key {
        let mut key = Key { octets: [0; MAXIMUM_KEY], length: 0 };
        key.append(octets);
        key
    }

    fn append(&mut self, more: &[u8]) {
        let room = self.octets.iter_mut().skip(self.length);
        self.length += room.zip(more).map(|(place, octet)| *place = *octet).count();
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&self.octets)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

/// RFC 3414 appendix A.2: the pass-phrase over and over, until it is a megabyte.
fn stretched<D: Digest>(passphrase: &[u8]) -> Key {
    let mut digest = D::new();
    if passphrase.is_empty() {
        return Key::of(&digest.finalize());
    }
    // Fed in pieces of many repetitions: a few octets at a time would take several times as long.
    let mut piece = passphrase.repeat(4096_usize.div_ceil(passphrase.len()));
    let mut left = STRETCHED;
    while left > 0 {
        let fed = piece.get(..left.min(piece.len())).unwrap_or(&piece);
        digest.update(fed);
        left -= fed.len();
    }
    piece.zeroize();
    let mut digested = digest.finalize();
    let key = Key::of(&digested);
    digested.as_mut_slice().zeroize();
    key
}

fn digest(authentication: Authentication, parts: &[&[u8]]) -> Key {
    fn of<D: Digest>(parts: &[&[u8]]) -> Key {
        let mut digest = D::new();
        parts.iter().for_each(|part| digest.update(part));
        Key::of(&digest.finalize())
    }
    match authentication {
        Authentication::Md5 => of::<Md5>(parts),
        Authentication::Sha1 => of::<Sha1>(parts),
        Authentication::Sha224 => of::<Sha224>(parts),
        Authentication::Sha256 => of::<Sha256>(parts),
        Authentication::Sha384 => of::<Sha384>(parts),
        Authentication::Sha512 => of::<Sha512>(parts),
    }
}

/// A digest that has seen the message. HMAC takes keys of every length, so there always is one.
fn keyed<M: Mac + KeyInit>(key: &Key, message: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key.as_ref()).ok()?;
    message.iter().for_each(|part| mac.update(part));
    Some(mac)
}

fn digested<M: Mac + KeyInit>(key: &Key, message: &[&[u8]]) -> Vec<u8> {
    keyed::<M>(key, message).map_or_else(Vec::new, |mac| mac.finalize().into_bytes().to_vec())
}

fn verified<M: Mac + KeyInit>(key: &Key, message: &[&[u8]], digest: &[u8]) -> bool {
    keyed::<M>(key, message).is_some_and(|mac| mac.verify_truncated_left(digest).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 sections 4.2 and 4.3; what travels is the beginning of each (RFC 7860 section 4.2).
    #[test]
    fn digests_are_those_of_the_rfc() {
        let first = (&[0x0b; 20][..], &b"Hi There"[..]);
        let second = (&b"Jefe"[..], &b"what do ya want for nothing?"[..]);
        let known = [
            (Authentication::Sha224, first, "896fb1128abbdf196832107cd49df33f"),
            (Authentication::Sha256, first, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7"),
            (
                Authentication::Sha384,
                first,
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c",
            ),
            (
                Authentication::Sha512,
                first,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4",
            ),
            (Authentication::Sha224, second, "a30e01098bc6dbbf45690f3a7e9e6d0f"),
            (Authentication::Sha256, second, "5bdcc146bf60754e6a042426089575c75a003f089d273983"),
            (
                Authentication::Sha384,
                second,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e",
            ),
            (
                Authentication::Sha512,
                second,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fd",
            ),
        ];
        for (authentication, (key, message), digest) in known {
            let key = Key::of(key);
            let (begin, end) = message.split_at(3);
            let signed = key.sign(authentication, &[begin, end]);
            let written: String = signed.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(written, digest, "{authentication}");
            assert!(key.is_signed(authentication, &[message], &signed));
            assert!(!key.is_signed(authentication, &[message, b"!"], &signed));
            assert!(!key.is_signed(authentication, &[message], &signed[1..]), "shorter ones are no digest");
        }
    }
}

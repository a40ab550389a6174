//! Encrypting and decrypting a scoped PDU where it stands (RFC 3414 section 8, RFC 3826 section 3).

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit};

use super::key::Key;
use super::{EngineTime, Privacy};

/// Octets of `msgPrivacyParameters`, whatever the protocol.
const SALT_LENGTH: usize = 8;

/// DES works on blocks of so many octets.
const DES_BLOCK: usize = 8;

/// A key, a salt or a text has a length that the cipher does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongLength;

/// Encrypts in place; DES needs whole blocks and adds octets, which the reader ignores. `salt` was never used before with
/// this key. What is given back travels along as `msgPrivacyParameters`.
pub(super) fn encrypt(
    privacy: Privacy,
    key: &Key,
    at: EngineTime,
    salt: u64,
    text: &mut Vec<u8>,
) -> [u8; SALT_LENGTH] {
    let (salt, encrypted) = match privacy {
        Privacy::Des => {
            // RFC 3414 section 8.1.1.1: the engine's boots and a counter; 32 bits of the salt are that counter.
            let [.., a, b, c, d] = salt.to_be_bytes();
            let [w, x, y, z] = at.boots.to_be_bytes();
            let salt = [w, x, y, z, a, b, c, d];
            text.resize(text.len().next_multiple_of(DES_BLOCK), 0);
            (salt, encrypt_des(key, salt, text))
        }
        _ => {
            let salt = salt.to_be_bytes();
            (salt, stream(privacy, key, &aes_iv(at, salt), text, Direction::Encrypt))
        }
    };
    if encrypted.is_err() {
        // It cannot be: keys and blocks have the right length. If it were, nothing is told rather than all.
        text.clear();
    }
    salt
}

fn encrypt_des(key: &Key, salt: [u8; SALT_LENGTH], text: &mut [u8]) -> Result<(), WrongLength> {
    let (key, iv) = des_key(key, salt)?;
    let cipher = cbc::Encryptor::<des::Des>::new_from_slices(&key, &iv).map_err(|_| WrongLength)?;
    let length = text.len();
    cipher.encrypt_padded::<NoPadding>(text, length).map(drop).map_err(|_| WrongLength)
}

/// Decrypts in place. `salt` is what came as `msgPrivacyParameters`, `at` the time that came with it.
///
/// # Errors
/// The salt or the text has an impossible length.
pub(super) fn decrypt(
    privacy: Privacy,
    key: &Key,
    at: EngineTime,
    salt: &[u8],
    text: &mut [u8],
) -> Result<(), WrongLength> {
    let salt: [u8; SALT_LENGTH] = salt.try_into().map_err(|_| WrongLength)?;
    match privacy {
        Privacy::Des => {
            let (key, iv) = des_key(key, salt)?;
            let cipher = cbc::Decryptor::<des::Des>::new_from_slices(&key, &iv).map_err(|_| WrongLength)?;
            cipher.decrypt_padded::<NoPadding>(text).map(|_| ()).map_err(|_| WrongLength)
        }
        _ => stream(privacy, key, &aes_iv(at, salt), text, Direction::Decrypt),
    }
}

enum Direction {
    Encrypt,
    Decrypt,
}

fn stream(
    privacy: Privacy,
    key: &Key,
    iv: &[u8; 16],
    text: &mut [u8],
    direction: Direction,
) -> Result<(), WrongLength> {
    fn run<C: BlockCipherEncrypt + KeyInit>(
        key: &[u8],
        iv: &[u8; 16],
        text: &mut [u8],
        direction: Direction,
    ) -> Result<(), WrongLength> {
        match direction {
            Direction::Encrypt => {
                let cipher = cfb_mode::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| WrongLength)?;
                cipher.encrypt(text);
            }
            Direction::Decrypt => {
                let cipher = cfb_mode::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| WrongLength)?;
                cipher.decrypt(text);
            }
        }
        Ok(())
    }
    match privacy {
        Privacy::Des => Err(WrongLength),
        Privacy::Aes128 => run::<aes::Aes128>(key.as_ref(), iv, text, direction),
        Privacy::Aes192 | Privacy::Aes192Reeder => run::<aes::Aes192>(key.as_ref(), iv, text, direction),
        Privacy::Aes256 | Privacy::Aes256Reeder => run::<aes::Aes256>(key.as_ref(), iv, text, direction),
    }
}

/// RFC 3826 section 3.1.2.1.
fn aes_iv(at: EngineTime, salt: [u8; SALT_LENGTH]) -> [u8; 16] {
    let mut iv = [0; 16];
    let octets = at.boots.to_be_bytes().into_iter().chain(at.time.to_be_bytes()).chain(salt);
    iv.iter_mut().zip(octets).for_each(|(place, octet)| *place = octet);
    iv
}

/// RFC 3414 section 8.1.1.1: half of the key is for the cipher, the other half is mixed with the salt.
fn des_key(key: &Key, salt: [u8; SALT_LENGTH]) -> Result<([u8; 8], [u8; 8]), WrongLength> {
    let (key, before) = key.as_ref().split_first_chunk::<8>().ok_or(WrongLength)?;
    let mut iv = *before.first_chunk::<8>().ok_or(WrongLength)?;
    iv.iter_mut().zip(salt).for_each(|(place, octet)| *place ^= octet);
    Ok((*key, iv))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(digits: &str) -> Vec<u8> {
        let pairs = digits.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// NIST SP 800-38A appendix F.3, CFB128 with AES-128, AES-192 and AES-256: the mode of RFC 3826 section 3.1.3.
    #[test]
    fn ciphers_are_those_of_the_standard() {
        let plain = octets(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
        );
        let known = [
            (
                Privacy::Aes128,
                "2b7e151628aed2a6abf7158809cf4f3c",
                "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b\
                 26751f67a3cbb140b1808cf187a4f4dfc04b05357c5d1c0eeac4c66f9ff7f2e6",
            ),
            (
                Privacy::Aes192,
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "cdc80d6fddf18cab34c25909c99a417467ce7f7f81173621961a2b70171d3d7a\
                 2e1e8a1dd59b88b1c8e60fed1efac4c9c05f9f9ca9834fa042ae8fba584b09ff",
            ),
            (
                Privacy::Aes256,
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "dc7e84bfda79164b7ecd8486985d386039ffed143b28b1c832113c6331e5407b\
                 df10132415e54b92a13ed0a8267ae2f975a385741ab9cef82031623d55b1e471",
            ),
        ];
        // The boots and the time of the engine, then the salt: 00 01 02 … 0f.
        let at = EngineTime { boots: 0x0001_0203, time: 0x0405_0607 };
        let salt = 0x0809_0a0b_0c0d_0e0f;
        for (privacy, key, hidden) in known {
            let key = Key::of(&octets(key));
            let mut text = plain.clone();
            let travels = encrypt(privacy, &key, at, salt, &mut text);
            assert_eq!(text, octets(hidden), "{privacy}");
            decrypt(privacy, &key, at, &travels, &mut text).unwrap();
            assert_eq!(text, plain, "{privacy}");
        }
    }
}

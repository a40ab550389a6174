//! Masking secrets in configuration files, whatever their form: lines of a key and a value, and PEM blocks.

use crate::inventory::Community;

/// Words in a key that make its value a secret.
const SECRET: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "key", "community", "token", "credential", "pin"];

/// What stands between a key and its value.
const BETWEEN: [char; 4] = ['=', ':', ' ', '\t'];

/// Masks one file, line by line.
#[derive(Debug, Default)]
pub(super) struct Masker {
    in_block: bool,
}

impl Masker {
    /// The lines of a file, with the values of secrets masked.
    pub(super) fn lines(&mut self, text: &str) -> Vec<String> {
        text.lines().map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &str) -> String {
        if line.contains("-----BEGIN") {
            self.in_block = true;
            return line.to_owned();
        }
        if line.contains("-----END") {
            self.in_block = false;
            return line.to_owned();
        }
        if self.in_block {
            return Community::MASK.to_owned();
        }
        let Some(end) = end_of_secret_key(line) else { return line.to_owned() };
        let rest = line.get(end..).unwrap_or_default();
        let value = rest.trim_start_matches(BETWEEN);
        if value.is_empty() {
            return line.to_owned();
        }
        let before = line.get(..line.len() - value.len()).unwrap_or_default();
        format!("{before}{}", Community::MASK)
    }
}

/// Where the first word ends that makes what follows a secret. Words are parted by anything but letters and digits
/// (`sip-password`, `snmpCommunity`); `pin` and `key` must stand alone or at an end, or `keypad` would be one.
fn end_of_secret_key(line: &str) -> Option<usize> {
    let mut start = None;
    let ends = line.char_indices().map(|(at, c)| (at, Some(c))).chain([(line.len(), None)]);
    for (at, c) in ends {
        match (start, c.is_some_and(char::is_alphanumeric)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let word = line.get(from..at).unwrap_or_default().to_lowercase();
                if SECRET
                    .iter()
                    .any(|secret| word == *secret || word.ends_with(secret) || is_long(&word, secret))
                {
                    return Some(at);
                }
                start = None;
            }
            _ => {}
        }
    }
    None
}

fn is_long(word: &str, secret: &str) -> bool {
    secret.len() > 3 && word.contains(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        Masker::default().lines(text).join("\n")
    }

    #[test]
    fn the_values_of_secrets_are_masked_and_nothing_else() {
        for (line, shown) in [
            ("password = alpha", "password = ********"),
            ("sip.1.Password: alpha beta", "sip.1.Password: ********"),
            ("  snmpCommunity\tpublic", "  snmpCommunity\t********"),
            ("enable secret 5 $1$x", "enable secret ********"),
            ("wpa-psk-key=abc", "wpa-psk-key=********"),
            ("authkey=abc", "authkey=********"),
            ("keypad = 12", "keypad = 12"),
            ("spinning = 12", "spinning = 12"),
            ("number = 100", "number = 100"),
            ("password =", "password ="),
            ("", ""),
            ("passwörter = ä", "passwörter = ä"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }

    #[test]
    fn key_blocks_are_masked_between_their_ends() {
        let text = "a = 1\n-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----\nb = 2";
        let shown = masked(text);
        assert!(!shown.contains("MIIE") && !shown.contains("abcd"), "{shown}");
        assert!(shown.ends_with("b = 2"), "{shown}");
    }
}

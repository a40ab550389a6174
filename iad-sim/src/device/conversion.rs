//! The conversion program: the same configuration in another format. Format 1 writes `subscriber.1.sip.user`, format 2 and
//! later `line/1/account/user`.

use super::configuration::Document;

/// Words of a key in format 1, and the same in format 2.
const WORDS: [(&str, &str); 7] = [
    ("subscriber", "line"),
    ("number", "directory-number"),
    ("name", "display-name"),
    ("sip", "account"),
    ("mgcp", "call-agent"),
    ("admin", "administrative-state"),
    ("gain", "level"),
];

/// `document` in the format `to`.
pub fn convert(document: &Document, to: u32) -> Document {
    let entries = document.entries().map(|(key, value)| (convert_key(key, document.format, to), value));
    Document::new(document.kind, to, entries)
}

fn convert_key(key: &str, from: u32, to: u32) -> String {
    let translate = |key: &str, from: char, to: &str, word: &dyn Fn(&str) -> Option<&'static str>| {
        key.split(from).map(|part| word(part).unwrap_or(part)).collect::<Vec<_>>().join(to)
    };
    match (from <= 1, to <= 1) {
        (true, false) => {
            translate(key, '.', "/", &|part| WORDS.iter().find(|word| word.0 == part).map(|word| word.1))
        }
        (false, true) => {
            translate(key, '/', ".", &|part| WORDS.iter().find(|word| word.1 == part).map(|word| word.0))
        }
        (true, true) | (false, false) => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::configuration::ConfigurationKind;

    #[test]
    fn format_two_has_other_keys_and_the_same_values() {
        let old = Document::generated(ConfigurationKind::UserData, "IAD-000001", 1);
        let new = convert(&old, 2);
        assert_eq!(new.get("line/1/account/user"), old.get("subscriber.1.sip.user"));
        assert!(new.get("subscriber.1.sip.user").is_none());
        assert_eq!(new.entries().count(), old.entries().count());
        assert!(new.text().starts_with("# iad configuration kind=userData format=2\n"));
    }

    #[test]
    fn there_and_back_again_is_the_original() {
        for kind in ConfigurationKind::ALL {
            let old = Document::generated(kind, "IAD-000001", 1);
            assert_eq!(convert(&convert(&old, 2), 1), old);
            assert_eq!(convert(&convert(&convert(&old, 2), 3), 1), old);
        }
    }
}

//! Configuration files: text of one header line and `key=value` lines, the same bytes for the same content.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::random::Random;

/// A configuration file with more bytes is refused.
pub const FILE_LIMIT: usize = 1 << 20;

/// A kind of configuration (`iadConfigKind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConfigurationKind {
    /// Data of the subscribers.
    UserData,
    /// Data of the ports.
    PortData,
    /// Parameters of the signalling protocols.
    ProtocolParameters,
    /// Parameters as delivered with the software.
    DefaultParameters,
}

impl ConfigurationKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] =
        [Self::UserData, Self::PortData, Self::ProtocolParameters, Self::DefaultParameters];

    /// The number in the MIB.
    pub fn number(self) -> u32 {
        match self {
            Self::UserData => 1,
            Self::PortData => 2,
            Self::ProtocolParameters => 3,
            Self::DefaultParameters => 4,
        }
    }

    /// The kind of this number in the MIB.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The name in the MIB.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserData => "userData",
            Self::PortData => "portData",
            Self::ProtocolParameters => "protocolParameters",
            Self::DefaultParameters => "defaultParameters",
        }
    }

    /// The kind of this name in the MIB.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The configuration of one kind. It is kept as the file that it is, which copies share: a laboratory has hundreds of thousands
/// of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDocument", into = "StoredDocument")]
pub struct Document {
    /// Its kind.
    pub kind: ConfigurationKind,
    /// The format that it is written in.
    pub format: u32,
    text: Arc<str>,
}

/// A document as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredDocument {
    kind: ConfigurationKind,
    format: u32,
    entries: Vec<(String, String)>,
}

/// A file that is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAConfiguration {
    /// It is too large.
    #[error("a configuration file has at most {FILE_LIMIT} bytes")]
    TooLarge,
    /// It is not text.
    #[error("a configuration file is text in UTF-8")]
    NotText,
    /// The first line is no header.
    #[error("the first line of a configuration file is '# iad configuration kind=... format=...'")]
    Header,
    /// A line cannot be read.
    #[error("line {0} of the configuration file is not 'key=value'")]
    Line(usize),
    /// The last line is not ended, so it may be a part of one.
    #[error("the last line of the configuration file is not ended")]
    Truncated,
}

impl Document {
    /// A document with nothing in it.
    pub fn empty(kind: ConfigurationKind, format: u32) -> Self {
        Self::new(kind, format, core::iter::empty::<(&str, &str)>())
    }

    /// A document of these keys and values, in this order.
    pub fn new<K: AsRef<str>, V: AsRef<str>>(
        kind: ConfigurationKind,
        format: u32,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut text = format!("# iad configuration kind={} format={format}\n", kind.name());
        for (key, value) in entries {
            for part in [key.as_ref(), "=", value.as_ref(), "\n"] {
                text.push_str(part);
            }
        }
        Self { kind, format, text: text.into() }
    }

    /// Keys and values in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().skip(1).filter_map(|line| line.split_once('='))
    }

    /// What a subscriber's device is configured with in format 1, made from its unique id: eight ports in use.
    pub fn generated(kind: ConfigurationKind, unique_id: &str, number: u32) -> Self {
        let mut seed = [0; 8];
        seed.copy_from_slice(Digest::of(unique_id.as_bytes()).0.first_chunk::<8>().unwrap_or(&[0; 8]));
        let mut random = Random::new(u64::from_le_bytes(seed) ^ u64::from(kind.number()));
        let mut entries: Vec<(String, String)> = Vec::new();
        let mut add = |key: String, value: String| entries.push((key, value));
        match kind {
            ConfigurationKind::UserData => {
                for port in 1..=8_u64 {
                    let directory = 5_550_000_000 + u64::from(number) * 8 + port;
                    add(format!("subscriber.{port}.number"), format!("+1{directory}"));
                    add(format!("subscriber.{port}.name"), format!("Subscriber {number}-{port}"));
                    add(format!("subscriber.{port}.sip.user"), format!("u{directory}"));
                    add(format!("subscriber.{port}.sip.password"), format!("{:016x}", random.next()));
                    add(format!("subscriber.{port}.forward"), "none".to_owned());
                }
            }
            ConfigurationKind::PortData => {
                for port in 1..=8 {
                    add(format!("port.{port}.admin"), "up".to_owned());
                    add(format!("port.{port}.gain.rx"), format!("-{}", random.up_to(7)));
                    add(format!("port.{port}.gain.tx"), format!("-{}", random.up_to(7)));
                    add(
                        format!("port.{port}.fax"),
                        ["t38", "passthrough"][usize::from(random.up_to(1) == 1)].to_owned(),
                    );
                }
            }
            ConfigurationKind::ProtocolParameters => {
                add("mgcp.agent".to_owned(), "callagent.example.net:2727".to_owned());
                add("mgcp.endpoint".to_owned(), format!("aaln/*@{}", unique_id.to_lowercase()));
                add("mgcp.password".to_owned(), format!("{:016x}", random.next()));
                add("sip.registrar".to_owned(), "sip.example.net".to_owned());
                add("sip.expires".to_owned(), "3600".to_owned());
                add("codec.order".to_owned(), "g711a,g711u,g729".to_owned());
            }
            ConfigurationKind::DefaultParameters => return Self::delivered("1.0", 1),
        }
        Self::new(kind, 1, entries)
    }

    /// The default parameters that software of this version and format brings along.
    pub fn delivered(version: &str, format: u32) -> Self {
        let entries =
            [("defaults.software", version), ("defaults.tone-plan", "europe"), ("defaults.ring-time", "60")];
        Self::new(ConfigurationKind::DefaultParameters, format, entries)
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is no configuration, or only a part of one that shows.
    pub fn parse(file: &[u8]) -> Result<Self, NotAConfiguration> {
        if file.len() > FILE_LIMIT {
            return Err(NotAConfiguration::TooLarge);
        }
        let text = std::str::from_utf8(file).map_err(|_| NotAConfiguration::NotText)?;
        let mut lines = text.lines().enumerate();
        let header = lines.next().and_then(|(_, line)| line.strip_prefix("# iad configuration "));
        let (kind, format) = header
            .and_then(|header| header.split_once(' '))
            .and_then(|(kind, format)| {
                let kind = ConfigurationKind::from_name(kind.strip_prefix("kind=")?)?;
                Some((kind, format.strip_prefix("format=")?.parse().ok()?))
            })
            .ok_or(NotAConfiguration::Header)?;
        if !text.ends_with('\n') {
            return Err(NotAConfiguration::Truncated);
        }
        let entries = lines
            .map(|(number, line)| line.split_once('=').ok_or(NotAConfiguration::Line(number + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(kind, format, entries))
    }

    /// Gives `key` this value, as the last entry if there was none.
    pub fn set(&mut self, key: &str, value: &str) {
        let mut entries: Vec<_> = self.entries().collect();
        match entries.iter_mut().find(|entry| entry.0 == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
        *self = Self::new(self.kind, self.format, entries);
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries().find(|entry| entry.0 == key).map(|entry| entry.1)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl From<StoredDocument> for Document {
    fn from(StoredDocument { kind, format, entries }: StoredDocument) -> Self {
        Self::new(kind, format, entries)
    }
}

impl From<Document> for StoredDocument {
    fn from(document: Document) -> Self {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            kind: document.kind,
            format: document.format,
            entries: document.entries().map(owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back_and_is_the_same_bytes_each_time() {
        for kind in ConfigurationKind::ALL {
            let document = Document::generated(kind, "IAD-000009", 9);
            let text = document.text();
            assert_eq!(Document::parse(text.as_bytes()).as_ref(), Ok(&document));
            assert_eq!(text, Document::generated(kind, "IAD-000009", 9).text());
        }
    }

    #[test]
    fn two_devices_have_different_secrets() {
        let password = |id| {
            let document = Document::generated(ConfigurationKind::UserData, id, 1);
            document.get("subscriber.1.sip.password").map(str::to_owned)
        };
        assert!(password("IAD-000001").is_some());
        assert_ne!(password("IAD-000001"), password("IAD-000002"));
    }

    #[test]
    fn a_broken_file_is_refused() {
        let header = "# iad configuration kind=userData format=1\n";
        assert_eq!(Document::parse(b""), Err(NotAConfiguration::Header));
        assert_eq!(Document::parse(b"\xff\xff"), Err(NotAConfiguration::NotText));
        assert_eq!(
            Document::parse(b"# iad configuration kind=other format=1\n"),
            Err(NotAConfiguration::Header)
        );
        assert_eq!(
            Document::parse(format!("{header}a=1\nnonsense\n").as_bytes()),
            Err(NotAConfiguration::Line(3))
        );
        assert_eq!(Document::parse(format!("{header}a=1\nb=").as_bytes()), Err(NotAConfiguration::Truncated));
        assert_eq!(Document::parse(&vec![b'a'; FILE_LIMIT + 1]), Err(NotAConfiguration::TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = Document::parse(&bytes);
        }
    }
}

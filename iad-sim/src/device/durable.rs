//! What survives a loss of power: flash, the boot record, configuration, the file server, the operation.

use serde::{Deserialize, Serialize};

use super::buffer::Buffer;
use super::configuration::{ConfigurationKind, Document};
use super::digest::Digest;
use super::operation::Record;
use super::settings::Settings;

/// All that survives a loss of power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Durable {
    /// The software buffers: two, or one without dual image storage.
    pub buffers: Vec<Buffer>,
    /// The configuration that belongs to each buffer.
    pub configurations: Vec<ConfigurationSet>,
    /// What the boot loader goes by.
    pub boot: BootRecord,
    /// Moves with each change of the running configuration.
    pub set_revision: u32,
    /// The file server.
    pub server: Server,
    /// The operation.
    pub operation: Record,
    /// The ids of the operations before it, the latest last.
    #[serde(default)]
    pub earlier_ids: Vec<String>,
    /// `sysContact`, `sysName` and `sysLocation`.
    pub contact: String,
    /// See [`Self::contact`].
    pub name: String,
    /// See [`Self::contact`].
    pub location: String,
}

/// What the boot loader goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BootRecord {
    /// The buffer to start.
    pub selected: usize,
    /// That its software is on trial.
    pub trial: Option<Trial>,
    /// How often software has started (`snmpEngineBoots`).
    pub boots: u32,
}

/// Software on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trial {
    /// How much of its time is left, in milliseconds of running.
    pub remaining_ms: u64,
    /// The operation that began it.
    pub operation: String,
}

/// The configuration that belongs to one buffer.
pub type ConfigurationSet = Vec<Configuration>;

/// The configuration of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", from = "StoredConfiguration")]
pub struct Configuration {
    revision: u32,
    document: Document,
    /// Known as soon as the document is, since it is read far more often than that changes.
    #[serde(skip)]
    sha256: Digest,
}

/// A configuration as it is read back.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredConfiguration {
    revision: u32,
    document: Document,
}

/// The file server (group `iadServer` of the IAD-MIB).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Server {
    /// The protocol.
    pub protocol: ServerProtocol,
    /// The address in text.
    pub address: String,
    /// The port; 0: the usual one.
    pub port: u16,
    /// The user name for FTP.
    pub user: String,
    /// The password for FTP.
    pub password: String,
}

/// By which protocol files are moved (`iadServerProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerProtocol {
    /// RFC 1350.
    Tftp,
    /// RFC 959.
    Ftp,
    /// RFC 1350, and the manager writes: the device serves.
    Push,
}

/// The configuration that software comes with: its default parameters, if it says which format it reads, and no subscriber's.
pub(crate) fn configuration_of_new(version: &str, format: Option<u32>) -> ConfigurationSet {
    let document = |kind| match format {
        Some(format) if kind == ConfigurationKind::DefaultParameters => Document::delivered(version, format),
        _ => Document::empty(kind, format.unwrap_or(0)),
    };
    ConfigurationKind::ALL.into_iter().map(|kind| Configuration::new(document(kind))).collect()
}

impl Durable {
    /// Its other buffer holds the same software, with the configuration that it came with: so some devices are delivered.
    pub fn deliver_twice(&mut self) {
        let Some((aside, running)) = self.standby_index().zip(self.active().cloned()) else { return };
        let format = running.header.as_ref().map(|header| header.format);
        if let Some(set) = self.configurations.get_mut(aside) {
            *set = configuration_of_new(&running.version, format);
        }
        if let Some(buffer) = self.buffers.get_mut(aside) {
            *buffer = running;
        }
    }

    /// A device as delivered: software `version` of `size` bytes in the first buffer, configured in that format for a subscriber.
    pub fn delivered(settings: &Settings, version: &str, format: u32, size: u64) -> Self {
        let mut buffers = vec![Buffer::delivered(version, &settings.hardware, format, size)];
        let configured = ConfigurationKind::ALL.into_iter().map(|kind| {
            let document = match kind {
                ConfigurationKind::DefaultParameters => Document::delivered(version, format),
                _ => super::conversion::convert(
                    &Document::generated(kind, &settings.unique_id, settings.number),
                    format,
                ),
            };
            Configuration::new(document)
        });
        let mut configurations = vec![configured.collect()];
        if settings.capabilities.dual_image {
            buffers.push(Buffer::empty());
            configurations.push(Vec::new());
        }
        Self {
            buffers,
            configurations,
            boot: BootRecord { selected: 0, trial: None, boots: 0 },
            set_revision: 1,
            server: Server {
                protocol: ServerProtocol::Tftp,
                address: String::new(),
                port: 0,
                user: String::new(),
                password: String::new(),
            },
            operation: Record::idle(),
            earlier_ids: Vec::new(),
            contact: String::new(),
            name: settings.unique_id.to_lowercase(),
            location: String::new(),
        }
    }

    /// The buffer whose software runs, or would run.
    pub fn active(&self) -> Option<&Buffer> {
        self.buffers.get(self.boot.selected)
    }

    /// The number of the other buffer, if there are two.
    pub fn standby_index(&self) -> Option<usize> {
        (self.buffers.len() == 2).then_some(1_usize.saturating_sub(self.boot.selected))
    }

    /// The other buffer, if there are two.
    pub fn standby(&self) -> Option<&Buffer> {
        self.buffers.get(self.standby_index()?)
    }

    /// The configuration of this kind that belongs to this buffer.
    pub fn configuration(&self, buffer: usize, kind: ConfigurationKind) -> Option<&Configuration> {
        self.configurations.get(buffer)?.iter().find(|configuration| configuration.document.kind == kind)
    }

    /// The configuration of this kind that is in force.
    pub fn running_configuration(&self, kind: ConfigurationKind) -> Option<&Configuration> {
        self.configuration(self.boot.selected, kind)
    }

    /// Puts documents in force, all at once.
    pub(crate) fn configure(&mut self, documents: Vec<Document>) {
        self.set_revision = self.set_revision.wrapping_add(1).max(1);
        let Some(set) = self.configurations.get_mut(self.boot.selected) else { return };
        for document in documents {
            match set.iter_mut().find(|configuration| configuration.document.kind == document.kind) {
                Some(configuration) => configuration.replace(document),
                None => set.push(Configuration::new(document)),
            }
        }
    }

    /// Makes the software in `buffer` the one that runs; the configuration that belongs to it is in force from then on.
    pub(crate) fn select(&mut self, buffer: usize, trial: Option<Trial>) {
        if self.boot.selected != buffer {
            self.set_revision = self.set_revision.wrapping_add(1).max(1);
        }
        self.boot.selected = buffer;
        self.boot.trial = trial;
    }
}

impl Configuration {
    /// A configuration that was never changed.
    pub fn new(document: Document) -> Self {
        Self::of(1, document)
    }

    fn of(revision: u32, document: Document) -> Self {
        Self { revision, sha256: Digest::of(document.text().as_bytes()), document }
    }

    /// Moves with each change.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// What is configured.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The file that a backup would send.
    pub fn file(&self) -> &str {
        self.document.text()
    }

    /// The digest of that file.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// How many bytes that file has.
    pub fn size(&self) -> usize {
        self.document.text().len()
    }

    fn replace(&mut self, document: Document) {
        *self = Self::of(self.revision.wrapping_add(1), document);
    }
}

impl From<StoredConfiguration> for Configuration {
    fn from(StoredConfiguration { revision, document }: StoredConfiguration) -> Self {
        Self::of(revision, document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let durable = Durable::delivered(&Settings::numbered(1), "1.0", 1, 1000);
        let stored = serde_json::to_string(&durable).unwrap();
        assert_eq!(serde_json::from_str::<Durable>(&stored).unwrap(), durable);
    }

    #[test]
    fn the_digest_told_of_a_file_changes_with_it() {
        let mut durable = Durable::delivered(&Settings::numbered(1), "1.0", 1, 1000);
        let before = durable.running_configuration(ConfigurationKind::UserData).unwrap().clone();
        let mut document = before.document().clone();
        document.set("subscriber.1.name", "Somebody else");
        durable.configure(vec![document]);
        let after = durable.running_configuration(ConfigurationKind::UserData).unwrap();
        assert_ne!(after.sha256(), before.sha256());
        assert_eq!(after.sha256(), Digest::of(after.file().as_bytes()));
        assert_eq!(after.size(), after.file().len());
        assert_eq!(after.revision(), before.revision() + 1);
    }

    #[test]
    fn a_device_with_one_buffer_has_no_standby() {
        let mut settings = Settings::numbered(1);
        settings.capabilities.dual_image = false;
        let durable = Durable::delivered(&settings, "1.0", 1, 1000);
        assert!(durable.standby().is_none());
        assert!(durable.active().is_some_and(|buffer| buffer.is_bootable("iad-8")));
    }
}

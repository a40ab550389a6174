//! SNMPv3 in the laboratory: the key of the daemon, the user whom the devices know, and the credential by which they are asked.

use std::path::Path;
use std::process::Command;

use super::{Answered, Laboratory, answer, path_text};

/// As whom devices are asked, and as whom they notify.
pub(crate) const CREDENTIAL: &str = "laboratory";
pub(crate) const USER: &str = "anna";
/// For authentication, and for privacy.
pub(crate) const PASSPHRASES: [&str; 2] = ["maplesyrup", "rupryselpam"];

/// The option that says so.
const LOST_KEY: &str = "--lost-key";

/// The options by which the daemon has a key, which is made in this folder.
pub(super) fn key(iadms: &Path, folder: &Path) -> [String; 2] {
    let key = folder.join("key");
    assert_eq!(answer(Command::new(iadms).args(["credential", "key"]).arg(&key)).code, Some(0));
    ["--key".into(), path_text(&key)]
}

/// The user, as `iad-sim` is told it.
pub(super) fn user([authentication, privacy]: [&str; 2]) -> String {
    format!("{USER},SHA-256,{authentication},AES,{privacy}")
}

impl Laboratory {
    /// Adds the credential by which the devices are asked.
    pub(super) fn add_credential(&self) {
        let added = self.credential(&["add", CREDENTIAL, "--user", USER], PASSPHRASES);
        assert_eq!(added.code, Some(0), "{added:?}");
    }

    /// The daemon's key is lost: from now on it is started with this one, and told so.
    pub(crate) fn lose_key(&mut self, other: &Path) {
        let place = self.manager_options.iter().position(|word| word == "--key").unwrap();
        self.manager_options[place + 1] = path_text(other);
        self.manager_options.push(LOST_KEY.into());
    }

    /// From now on it is not told so.
    pub(crate) fn is_over_the_lost_key(&mut self) {
        self.manager_options.retain(|word| word != LOST_KEY);
    }

    /// Whoever provisions the devices gives their user other pass-phrases; they restart.
    pub(crate) fn provision(&mut self, passphrases: [&str; 2]) {
        self.kill_simulator();
        let place = self.simulator_options.iter().position(|word| word == "--user").unwrap();
        self.simulator_options[place + 1] = user(passphrases);
        self.start_simulator_again();
    }

    /// From now on the device is spoken to in SNMPv2c.
    pub(crate) fn by_communities(&self, name: &str, read: &str, write: &str) {
        let communities = ["--read-community", read, "--write-community", write];
        let words = ["device", "change", name, "--snmp-version", "v2c"];
        self.succeed(&[&words, &communities[..]].concat());
    }

    /// Adds a credential, or changes one by other words.
    pub(crate) fn credential(&self, words: &[&str], passphrases: [&str; 2]) -> Answered {
        let file = self.folder.path().join("secrets");
        std::fs::write(&file, passphrases.join("\n")).unwrap();
        self.run(&[&["credential"], words, &["--secrets", &path_text(&file)]].concat())
    }
}

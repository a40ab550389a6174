//! MIB modules laid out for tools that look for them in a folder. Debian ships none of the standard modules, so these
//! come from what `mib-rs` embeds.

use std::path::PathBuf;
use std::process::Command;

use mib_rs::Loader;
use tempfile::TempDir;

/// The modules that ours import, and nothing else.
const BASE: [&str; 3] = ["SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF"];

/// The folder in which net-snmp finds and leaves its own things.
const NET_SNMP_STATE: &str = "net-snmp";

/// The files of our own modules, in `mibs/`.
///
/// # Panics
///
/// When the folder cannot be read.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(xtask::root().join("mibs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "mib")).collect()
}

/// A new folder that holds our modules and those that they import, each in a file named as its module. It goes when it is
/// dropped.
///
/// # Panics
///
/// When it cannot be written, or `mib-rs` does not embed a module any more.
#[must_use]
pub fn laid_out() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files() {
        let module = file.file_stem().unwrap();
        std::fs::copy(&file, folder.path().join(module)).unwrap();
    }
    let mib = Loader::new().modules(BASE).load().unwrap();
    for name in BASE {
        let source = mib.module(name).and_then(|module| mib.source(module.source_id()?)).unwrap();
        std::fs::write(folder.path().join(name), source.bytes()).unwrap();
    }
    // Where net-snmp keeps what it remembers. It tells on stderr of folders that it has to make.
    std::fs::create_dir_all(folder.path().join(NET_SNMP_STATE).join("cert_indexes")).unwrap();
    folder
}

/// Makes a program of net-snmp's load the modules laid out in `folder`, and nothing of this machine's own settings.
pub fn for_net_snmp<'a>(command: &'a mut Command, folder: &TempDir) -> &'a mut Command {
    let path = folder.path();
    let state = path.join(NET_SNMP_STATE);
    command
        .env("SNMPCONFPATH", &state)
        .env("SNMP_PERSISTENT_DIR", &state)
        .env("MIBDIRS", path)
        .env("MIBS", "IAD-MIB:IADMS-MIB")
}

//! Our MIB modules load without a word of complaint in three tools that share no code: smilint, net-snmp and mib-rs.

use std::path::{Path, PathBuf};
use std::process::Command;

use mib_rs::Loader;

/// The names of our modules, from their files.
fn modules() -> Vec<String> {
    let mut names: Vec<String> = tests::mibs::files()
        .iter()
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["IAD-MIB", "IADMS-MIB"]);
    names
}

mod needs_smitools {
    use super::*;

    /// What smilint says of these modules at its strictest, on either stream.
    fn complaints(folder: &Path, modules: &[PathBuf]) -> String {
        let mut smilint = Command::new(tests::peers::program("smitools"));
        let output = smilint.args(["-l", "3"]).args(modules).env("SMIPATH", folder).output().unwrap();
        let complaints = [output.stdout, output.stderr].concat();
        String::from_utf8(complaints).unwrap()
    }

    #[test]
    fn smilint_at_its_strictest_has_nothing_to_say() {
        let folder = tests::mibs::laid_out();
        let modules: Vec<_> = modules().iter().map(|module| folder.path().join(module)).collect();
        assert_eq!(complaints(folder.path(), &modules), "");
    }

    #[test]
    fn smilint_finds_a_planted_fault() {
        let folder = tests::mibs::laid_out();
        let module = folder.path().join("IAD-MIB");
        let text = std::fs::read_to_string(&module).unwrap();
        std::fs::write(&module, text.replacen("Gauge32", "Gauge33", 2)).unwrap();
        assert_ne!(complaints(folder.path(), &[module]), "");
    }

    #[test]
    fn smilint_finds_that_an_import_is_missing_although_it_exits_as_if_nothing_were_wrong() {
        let folder = tests::mibs::laid_out();
        std::fs::remove_file(folder.path().join("SNMPv2-TC")).unwrap();
        let complaints = complaints(folder.path(), &[folder.path().join("IAD-MIB")]);
        assert!(complaints.contains("SNMPv2-TC"), "{complaints}");
    }
}

mod needs_snmp {
    use super::*;

    #[test]
    fn net_snmp_loads_the_modules_silently_and_knows_every_name() {
        let folder = tests::mibs::laid_out();
        let mut snmptranslate = Command::new(tests::peers::program_of("snmp", "snmptranslate"));
        let output = tests::mibs::for_net_snmp(&mut snmptranslate, &folder).arg("-Tp").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert!(output.status.success());
        let tree = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = tree.split(|letter: char| !letter.is_alphanumeric()).collect();
        for module in modules() {
            for object in loaded(&[&module]).module(&module).unwrap().objects() {
                assert!(words.contains(&object.name()), "net-snmp does not know {}", object.name());
            }
        }
    }
}

/// Our modules, loaded by mib-rs, which must find nothing to complain about but matters of style, of which it has an
/// opinion of its own (a display hint for every list of numbers).
fn loaded(modules: &[&str]) -> mib_rs::Mib {
    let folder = mib_rs::source::dir(xtask::root().join("mibs")).unwrap();
    let mib = Loader::new().source(folder).modules(modules.iter().copied()).load().unwrap();
    assert_eq!(mib.diagnostics().iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    mib
}

#[test]
fn mib_rs_loads_the_modules_without_a_complaint() {
    let modules = modules();
    loaded(&modules.iter().map(String::as_str).collect::<Vec<_>>());
}

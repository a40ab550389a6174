//! What must be so once it is over, whatever happened and when.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::RESTORED_FORMAT;
use super::cell::{Trial, Trouble};
use super::moment::Moment;
use crate::laboratory::{DEVICE, path_text};

pub(super) fn check(trial: &Trial) {
    let after = trial.laboratory.device();
    let run = trial.laboratory.run_as_it_stands(trial.run);
    the_device_is_in_service(&after);
    nothing_of_the_configuration_is_lost(&trial.before, &after, &run);
    the_backup_is_whole(trial, &run);
    no_operation_was_started_twice(&after);
    if matches!(trial.trouble, Trouble::ManagerKilled | Trouble::DiskFull) {
        nobody_was_asked_for_nothing(trial);
        nothing_was_done_in_vain(trial, &after);
    }
}

fn the_device_is_in_service(after: &Value) {
    assert_eq!(after["power"], "running", "{after}");
    assert_eq!(after["healthy"], true, "{after}");
    assert_eq!(after["version"], "2.0", "{after}");
    assert_eq!(after["call-admission"], "open", "{after}");
    let buffers = after["buffers"].as_array().unwrap().iter();
    let mut buffers: Vec<_> = buffers.map(|one| [&one["role"], &one["state"], &one["version"]]).collect();
    buffers.sort_by_key(|buffer| buffer[0].as_str());
    assert_eq!(buffers, [["active", "valid", "2.0"], ["standby", "valid", "1.0"]], "{after}");
}

/// The new software has all that was there before, as it was converted; the old software has it as it was.
fn nothing_of_the_configuration_is_lost(before: &Value, after: &Value, run: &Value) {
    let (of_before, of_after) = (configuration(before, true), configuration(after, true));
    assert_eq!(of_before.len(), 4, "{before}");
    let entries = |all: &Configuration| -> Vec<_> {
        all.iter().map(|(kind, one)| (kind.clone(), one["entries"].clone())).collect()
    };
    assert_eq!(entries(&of_after), entries(&of_before));
    let format: Value = RESTORED_FORMAT.parse::<u32>().unwrap().into();
    assert!(of_after.values().all(|one| one["format"] == format), "{after}");
    assert_eq!(digests(&of_after), stored(&run["converted"]), "what was converted is in force");
    let untouched = configuration(after, false);
    assert_eq!(digests(&untouched), digests(&of_before), "the old software's own configuration");
    assert_eq!(digests(&of_before), stored(&run["backup"]), "the backup of before");
}

/// Every byte of what was backed up is in the manager's store.
fn the_backup_is_whole(trial: &Trial, run: &Value) {
    let listed = trial.laboratory.json(&["backup", "list", "--device", DEVICE]);
    let listed = listed.as_array().unwrap();
    let wanted = stored(&run["backup"]);
    assert!(listed.iter().any(|backup| stored(&backup["set"]) == wanted), "{listed:?}");
    for backup in listed {
        let (number, folder) = (backup["id"].to_string(), format!("backup-{}", backup["id"]));
        let folder = trial.laboratory.folder().join(folder);
        trial.laboratory.succeed(&["backup", "export", &number, &path_text(&folder)]);
        for (kind, digest) in stored(&backup["set"]) {
            let bytes = std::fs::read(folder.join(&kind)).unwrap();
            let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sum, digest, "{kind} of backup {number}");
        }
    }
}

fn no_operation_was_started_twice(after: &Value) {
    let operations = after["counters"]["operations"].as_array().unwrap();
    assert!(!operations.is_empty());
    for operation in operations {
        assert!(operation["started"].as_u64().unwrap() <= 1, "{operations:#?}");
    }
}

/// Neither a manager that was killed nor its disk is a failure of the device.
fn nobody_was_asked_for_nothing(trial: &Trial) {
    let phase = &trial.phase;
    let by_disk = phase.needs_disk && trial.trouble == Trouble::DiskFull;
    let expected = [phase.beside.is_some(), phase.moment == Moment::AskedToEdit, by_disk];
    let expected = expected.into_iter().filter(|one| *one).count();
    assert_eq!(trial.answered as usize, expected, "questions answered");
}

/// Each command was carried out once for each time the figure came to it, and once more where its transfer broke.
fn nothing_was_done_in_vain(trial: &Trial, after: &Value) {
    let phase = &trial.phase;
    let turns = if phase.beside.is_some() { 2 } else { 1 };
    for (command, times) in after["counters"]["started"].as_object().unwrap() {
        let original_too = phase.moment == Moment::OriginalMoved && command == "restore";
        let most = turns + u64::from(phase.repeated.contains(&command.as_str())) + u64::from(original_too);
        let times = times.as_u64().unwrap();
        assert!(times <= most, "{command} was started {times} times: {:#}", after["counters"]);
    }
}

type Configuration = BTreeMap<String, Value>;

/// The configuration that is in force, or that of the other buffer, by kind as the manager names it.
fn configuration(device: &Value, running: bool) -> Configuration {
    let all = device["configurations"].as_array().unwrap().iter();
    let wanted = all.filter(|one| one["running"] == running);
    wanted.map(|one| (kind(one["kind"].as_str().unwrap()), one.clone())).collect()
}

/// `userData` is `user-data` to the manager.
fn kind(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        'A'..='Z' => format!("-{}", letter.to_ascii_lowercase()),
        letter => letter.to_string(),
    });
    letters.collect()
}

fn digests(configuration: &Configuration) -> BTreeMap<String, String> {
    let digest = |one: &Value| one["sha256"].as_str().unwrap().to_owned();
    configuration.iter().map(|(kind, one)| (kind.clone(), digest(one))).collect()
}

/// The digests of a set as the manager keeps it.
fn stored(set: &Value) -> BTreeMap<String, String> {
    let files = set["files"].as_object().unwrap_or_else(|| panic!("no files: {set}"));
    let digest = |file: &Value| file["digest"].as_str().unwrap().to_owned();
    files.iter().map(|(kind, file)| (kind.clone(), digest(file))).collect()
}

//! As whom devices are asked by SNMPv3: what operators add, rotate and test, and what becomes of it when the key is lost.

use std::process::Command;

use crate::bad_input::{is_refused, is_refused_with};
use crate::bad_start::start_with;
use crate::laboratory::{Answered, CREDENTIAL, DEVICE, Laboratory, PASSPHRASES, USER, answer, path_text};

const NEW: [&str; 2] = ["pancakes for all", "syrup for nobody"];

fn backs_up(laboratory: &Laboratory) -> Answered {
    laboratory.run(&["backup", DEVICE, "--policy", "never", "--wait"])
}

#[test]
fn devices_are_taken_over_to_new_secrets_one_after_the_other() {
    let mut laboratory = Laboratory::start();
    let tested = |laboratory: &Laboratory| laboratory.succeed(&["credential", "test", CREDENTIAL]);
    assert!(tested(&laboratory).contains("knows it"));
    let rotated = laboratory.credential(&["rotate", CREDENTIAL], NEW);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    // Those that were not changed yet are asked by what they know.
    assert!(tested(&laboratory).contains("knows the secrets of before"));
    assert_eq!(backs_up(&laboratory).code, Some(0));
    let doctor = laboratory.succeed(&["doctor"]);
    assert!(doctor.contains("being rotated: laboratory"), "{doctor}");
    is_refused(&laboratory.credential(&["rotate", CREDENTIAL], NEW), &["being rotated", "--finish"]);

    laboratory.provision(NEW);
    assert!(tested(&laboratory).contains("knows it"));
    assert_eq!(backs_up(&laboratory).code, Some(0));
    laboratory.succeed(&["credential", "rotate", CREDENTIAL, "--finish"]);
    is_refused(&laboratory.run(&["credential", "rotate", CREDENTIAL, "--finish"]), &["not being rotated"]);
    assert_eq!(backs_up(&laboratory).code, Some(0));

    // A device that was forgotten is out of reach, and told by name.
    laboratory.provision(PASSPHRASES);
    let answered = laboratory.run(&["credential", "test", CREDENTIAL]);
    assert_eq!(answered.code, Some(1));
    assert!(answered.stdout.contains("digest") && answered.stdout.contains(DEVICE), "{answered:?}");
    assert!(answered.stderr.contains("1 of 1 devices"), "{answered:?}");
    assert_eq!(backs_up(&laboratory).code, Some(3));
    // The way back: give it the old ones, and forget the new ones.
    laboratory.credential(&["rotate", CREDENTIAL], ["mistyped secret", "mistyped secret"]);
    laboratory.succeed(&["credential", "rotate", CREDENTIAL, "--undo"]);
    laboratory.credential(&["rotate", CREDENTIAL], PASSPHRASES);
    assert!(tested(&laboratory).contains("knows it"));
}

#[test]
fn what_speaks_for_a_device_is_learnt_and_its_notifications_are_proven() {
    let laboratory = Laboratory::start();
    let engine = || laboratory.json(&["device", "show", DEVICE])["device"]["engine_id"].clone();
    assert!(engine().is_null());
    assert_eq!(backs_up(&laboratory).code, Some(0));
    assert_eq!(backs_up(&laboratory).code, Some(0));
    let learnt = engine().as_str().unwrap().to_owned();
    assert!(learnt.starts_with("80007ed9"), "of enterprise 32473: {learnt}");
    let tail = laboratory.succeed(&["trap", "tail", "--last", "100", "--no-follow", "--output", "json"]);
    let traps: Vec<serde_json::Value> =
        tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(traps.iter().any(|trap| trap["version"] == "v3" && trap["device"] == DEVICE), "{tail}");
    // Another unit in its place is another engine.
    laboratory.succeed(&["device", "change", DEVICE, "--replaced"]);
    assert!(engine().is_null());
}

#[test]
fn a_credential_that_devices_need_stays_and_one_that_is_not_there_is_refused() {
    let laboratory = Laboratory::start();
    is_refused(
        &laboratory.run(&["credential", "remove", CREDENTIAL]),
        &["referred to by devices", "--credential"],
    );
    let unknown = ["device", "add", "iad-9", "192.0.2.9", "--credential", "nobody"];
    is_refused(&laboratory.run(&unknown), &["no credential \"nobody\"", "iadms credential list"]);
    is_refused(&laboratory.credential(&["add", CREDENTIAL], NEW), &["already a credential"]);
    is_refused(&laboratory.credential(&["add", "short"], ["1234567", "12345678"]), &["8 octets"]);
    laboratory.by_communities(DEVICE, "public", "private");
    laboratory.succeed(&["credential", "remove", CREDENTIAL]);
    assert_eq!(backs_up(&laboratory).code, Some(0));
}

#[test]
fn what_a_way_of_speaking_gives_up_is_said_and_the_safe_one_is_proposed() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let added = laboratory.run(&["device", "add", "iad-1", "192.0.2.1"]);
    is_refused_with(
        2,
        &added,
        &["not said how the device is spoken to", "--credential NAME", "--snmp-version v2c"],
    );
    for (version, says) in [("v1", "SNMPv1: anybody"), ("v2c", "SNMPv2c: anybody")] {
        let added = laboratory.run(&[
            "device",
            "add",
            version,
            "192.0.2.2",
            "--snmp-version",
            version,
            "--port",
            if version == "v1" { "1" } else { "2" },
        ]);
        assert!(added.code == Some(0) && added.stderr.contains(says), "{added:?}");
    }
    let secure = laboratory.run(&["device", "add", "v3", "192.0.2.3", "--credential", CREDENTIAL]);
    assert!(secure.code == Some(0) && !secure.stderr.contains("anybody"), "{secure:?}");
    // A community that the environment holds for other devices is not in the way; one that is said is.
    let words = ["device", "add", "other", "192.0.2.4", "--credential", CREDENTIAL];
    let mut command = laboratory.command(&words);
    assert_eq!(answer(command.env("IADMS_WRITE_COMMUNITY", "open-sesame")).code, Some(0));
    let said =
        ["device", "add", "both", "192.0.2.5", "--credential", CREDENTIAL, "--read-community", "public"];
    is_refused(&laboratory.run(&said), &["which has no communities"]);
    let open = laboratory.credential(&["add", "open", "--priv", "none"], PASSPHRASES);
    assert!(open.code == Some(0) && open.stderr.contains("without privacy"), "{open:?}");
}

#[test]
fn without_its_key_the_daemon_does_not_start_and_a_lost_one_is_gone_on_without() {
    let mut laboratory = Laboratory::start();
    laboratory.end_manager();
    let other = laboratory.folder().join("other");
    let iadms = laboratory.program().to_owned();
    let make = || answer(Command::new(&iadms).args(["credential", "key"]).arg(&other));
    assert_eq!(make().code, Some(0));
    is_refused(&make(), &["cannot be written", "never replaced"]);
    let start = |options: &[(&str, &str)]| start_with(&laboratory, options);
    laboratory_says(&start(&[("--key", &path_text(&other))]), &["sealed under the key", "--lost-key"]);
    let open = laboratory.folder().join("open");
    std::fs::write(&open, "0".repeat(64)).unwrap();
    laboratory_says(&start(&[("--key", &path_text(&open))]), &["can be read by others", "chmod 600"]);

    laboratory.lose_key(&other);
    laboratory.start_manager();
    let doctor = laboratory.run(&["doctor"]);
    assert!(doctor.stdout.contains("under a key that is not here: laboratory"), "{doctor:?}");
    let refused = backs_up(&laboratory);
    assert!(
        refused.code == Some(3) && refused.stderr.contains("no credential \"laboratory\""),
        "{refused:?}"
    );
    let given = laboratory.credential(&["rotate", CREDENTIAL, "--user", USER], PASSPHRASES);
    assert_eq!(given.code, Some(0), "{given:?}");
    assert_eq!(backs_up(&laboratory).code, Some(0));
    // From now on it needs no such word.
    laboratory.kill_manager();
    laboratory.is_over_the_lost_key();
    laboratory.start_manager();
    assert_eq!(backs_up(&laboratory).code, Some(0));
}

/// No secret is in the database, nor in a copy of it.
#[test]
fn a_stolen_copy_gives_no_secret_away() {
    let laboratory = Laboratory::start();
    laboratory.succeed(&[
        "db",
        "backup",
        &path_text(&laboratory.folder().join("copy")),
        "--data",
        &path_text(&laboratory.data()),
    ]);
    for folder in [laboratory.data(), laboratory.folder().join("copy")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
            for secret in PASSPHRASES {
                assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
            }
        }
    }
}

fn laboratory_says(answered: &Answered, words: &[&str]) {
    for word in words {
        assert!(answered.stderr.contains(word), "{word:?} is not told: {answered:?}");
    }
    assert_ne!(answered.code, Some(0));
}

//! What a failure of power, a bad disk or a slip of the hand makes of the database's files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use iadms::store::{DATABASE, Store, StoreError};
use tempfile::TempDir;

use crate::samples::add_device;

const LOG: &str = "iadms.db-wal";
const SHARED: &str = "iadms.db-shm";

/// A database with some pages, closed in good order.
async fn closed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    for number in 0..200 {
        add_device(&store, &format!("iad-{number}")).await;
    }
    store.close().await;
    folder
}

/// The same, and a log with commits in it: the files that a kill leaves.
async fn killed() -> TempDir {
    let folder = closed().await;
    let store = Store::open(folder.path()).await.unwrap();
    for number in 200..210 {
        add_device(&store, &format!("iad-{number}")).await;
    }
    copied(folder.path())
}

/// The files of a database as they lie on the disk.
fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in [DATABASE, LOG, SHARED].iter().filter(|name| folder.join(name).exists()) {
        fs::copy(folder.join(name), copy.path().join(name)).unwrap();
    }
    copy
}

/// What must stay as it is. What the connections to a log share is made anew whenever the log is opened.
fn evidence(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let evidence = entries.filter(|entry| entry.path().is_file() && entry.file_name() != SHARED);
    let mut evidence: BTreeMap<_, _> = evidence
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    evidence.remove("iadms.lock");
    evidence
}

type Damage = fn(&mut Vec<u8>);

/// Every way of damage, with a word of what is told.
const DAMAGES: [(&str, Damage); 11] = [
    ("empty", |bytes| bytes.clear()),
    ("empty", |bytes| bytes.truncate(1)),
    ("empty", |bytes| bytes.truncate(511)),
    ("damaged", |bytes| bytes.truncate(512)),
    ("damaged", |bytes| bytes.truncate(4095)),
    ("not a database", |bytes| bytes[..16].copy_from_slice(b"no such database")),
    ("not a database", |bytes| *bytes = b"a letter to the operator\n".repeat(1000)),
    ("not a database", |bytes| bytes[..4096].fill(0)),
    ("damaged", |bytes| bytes.truncate(4096)),
    ("damaged", |bytes| bytes.truncate(bytes.len() / 2 + 100)),
    ("damaged", |bytes| {
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 8192].fill(0);
    }),
];

#[tokio::test]
async fn a_torn_database_is_told_by_its_path_and_what_was_found_and_left_as_it_is() {
    for (base, with_log) in [(closed().await, false), (killed().await, true)] {
        for (number, (told, damage)) in DAMAGES.iter().enumerate() {
            let folder = copied(base.path());
            let path = folder.path().join(DATABASE);
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes);
            fs::write(&path, &bytes).unwrap();
            let before = evidence(folder.path());
            match Store::open(folder.path()).await {
                Err(error) => {
                    let said = format!("{error}; {}", error.next());
                    assert!(matches!(error, StoreError::Damaged { .. }), "{number}: {said}");
                    for word in [path.to_str().unwrap(), "damaged", "left as it is", "iadms db backup"] {
                        assert!(said.contains(word), "{number}: {word:?} is not told: {said}");
                    }
                    // With a log, SQLite may find another of the faults first.
                    assert!(with_log || said.contains(told), "{number}: {told:?} is not told: {said}");
                    let after = evidence(folder.path());
                    assert!(after == before, "{number}: of {:?} is left {:?}", before.keys(), after.keys());
                }
                Ok(store) => {
                    assert!(with_log, "{number}: the damage was not found");
                    let devices = store.devices().await.unwrap().len();
                    assert_eq!(
                        devices, 210,
                        "{number}: only what the log holds whole, too, may be damaged unnoticed"
                    );
                    store.check().await.unwrap();
                }
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_file_in_the_place_of_one_is_told() {
    for name in [DATABASE, LOG, SHARED] {
        for what in ["a folder", "no plain file", "a link that leads nowhere"] {
            let folder = closed().await;
            let path = folder.path().join(name);
            let _ = fs::remove_file(&path);
            match what {
                "a folder" => fs::create_dir(&path).unwrap(),
                "no plain file" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                _ => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
            }
            let error = Store::open(folder.path()).await.unwrap_err();
            assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains(what), "{said}");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_made_anew_beside_what_it_left() {
    for left in [LOG, "files"] {
        let folder = killed().await;
        fs::remove_file(folder.path().join(DATABASE)).unwrap();
        if left == "files" {
            fs::remove_file(folder.path().join(LOG)).unwrap();
            fs::create_dir(folder.path().join("files")).unwrap();
        }
        let error = Store::open(folder.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains(left), "{error}");
        assert!(!folder.path().join(DATABASE).exists());
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE recipes (name TEXT)").execute(&pool).await.unwrap();
    pool.close().await;
    let before = evidence(folder.path());
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherSchema(_)), "{error}");
    assert!(evidence(folder.path()) == before);
}

#[tokio::test]
async fn a_log_torn_at_any_byte_loses_nothing_that_was_committed_before_the_tear() {
    const COMMITS: usize = 6;
    let folder = closed().await;
    let store = Store::open(folder.path()).await.unwrap();
    let log = folder.path().join(LOG);
    let mut ends = Vec::new();
    for number in 0..COMMITS {
        add_device(&store, &format!("late-{number}")).await;
        ends.push(fs::metadata(&log).unwrap().len());
    }
    let (database, log) = (fs::read(folder.path().join(DATABASE)).unwrap(), fs::read(&log).unwrap());
    // Every frame begins and ends at one of these, or just beside.
    let frame = 24 + 4096;
    let borders = (0..log.len())
        .filter(|cut| matches!((cut + frame - 32) % frame, 0 | 1 | 23 | 24 | 25 | 2000) || *cut < 34);
    let cuts: Vec<usize> = borders.chain([log.len()]).collect();
    assert!(cuts.len() > 40, "{}", cuts.len());
    for cut in cuts {
        let survived = ends.iter().filter(|end| **end <= cut as u64).count();
        for rubbish in [false, true] {
            let torn = tempfile::tempdir().unwrap();
            fs::write(torn.path().join(DATABASE), &database).unwrap();
            let mut bytes = log[..cut].to_vec();
            if rubbish {
                bytes.extend(log[cut..].iter().map(|byte| !byte));
            }
            fs::write(torn.path().join(LOG), bytes).unwrap();
            let store = Store::open(torn.path()).await.unwrap();
            let names: Vec<_> =
                store.devices().await.unwrap().into_iter().map(|device| device.entry.name).collect();
            let late: Vec<_> = names.iter().filter(|name| name.starts_with("late")).cloned().collect();
            let expected: Vec<_> = (0..survived).map(|number| format!("late-{number}")).collect();
            assert_eq!(late, expected, "torn at {cut}, rubbish behind it: {rubbish}");
            assert_eq!(names.len(), 200 + survived);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn what_connections_share_may_be_rubbish_and_nothing_is_lost() {
    for bytes in [vec![0xa5; 32 * 1024], vec![0; 32 * 1024], b"rubbish".to_vec(), Vec::new()] {
        let folder = killed().await;
        fs::write(folder.path().join(SHARED), &bytes).unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        assert_eq!(store.devices().await.unwrap().len(), 210);
        add_device(&store, "iad-999").await;
        store.close().await;
    }
}

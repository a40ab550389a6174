//! What `iadms db check` finds, in stores that are sound and in others, and that it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use iadms::api::{Check, Finding};
use iadms::files::Files;
use iadms::soundness::examine;
use iadms::store::{DATABASE, NorthboundTarget, Store, StoreError};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use upgrade::image::{ImageFile, Manifest};
use upgrade::operation::{Operation, Seen, Task};
use upgrade::run::{State, Step};
use upgrade::{ConfigurationSet, Digest, Image, Kind, TicketName};

use crate::samples::{add_device, backed_up, now, profiles, run, trap, write};

/// A folder with something of everything, whose store is still open.
pub(crate) async fn furnished() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let files = Files::open(folder.path()).unwrap();
    let device = add_device(&store, "iad-1").await;
    let mut set = ConfigurationSet { format: Some(1), revision: Some(2), files: BTreeMap::new() };
    for kind in ["user-data", "port-data"] {
        set.files.insert(Kind(kind.into()), files.add(&mut kind.as_bytes()).unwrap());
    }
    let image = files.add(&mut &b"software"[..]).unwrap();
    let file = ImageFile { name: "main.img".into(), size: image.size, sha256: image.digest };
    let manifest = Manifest {
        version: "2.0".into(),
        hardware: vec!["iad-8".into()],
        format: Some(2),
        from: Vec::new(),
        converter: None,
        files: vec![file],
    };
    store
        .add_image(&Image { name: "iad-2.0".into(), manifest, digest: Digest([4; 32]) }, now())
        .await
        .unwrap();
    let target = NorthboundTarget {
        name: "noc".into(),
        address: ([192, 0, 2, 9], 162).into(),
        community: iadms::inventory::Community("public".into()),
        inform: false,
        repeats: 0,
        timeout_ms: 1000,
    };
    store.add_target(&target).await.unwrap();
    let mut begun = run(1, device, "iad-1");
    begun.backup = Some(set.clone());
    let task = Task::Backup { kinds: vec![Kind("port-data".into())], have: None };
    let mut operation = Operation::new(task, "r1.abcdef-2".into(), [TicketName("port-data".into())]);
    let file = files.add(&mut &b"sent, and not proven yet"[..]).unwrap();
    operation.transfers[0].seen = Seen::Whole { file };
    begun.state = State::Working { step: Step::BackingUp, operation: operation.into() };
    let mut begun = write(begun, 1);
    begun.backups.push(backed_up(set));
    store.commit(now(), &[begun], &[trap(1)], &profiles()).await.unwrap();
    (folder, store)
}

/// Every file of a folder and its folders, with its bytes.
pub(crate) fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

pub(crate) fn all_good(checks: &[Check]) {
    assert!(checks.len() > 12, "{checks:#?}");
    for check in checks {
        assert_eq!(check.finding, Finding::Good, "{check:#?}");
    }
}

pub(crate) async fn change(folder: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.join(DATABASE)).foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn a_sound_store_is_found_so_beside_a_manager_after_a_kill_and_at_rest_and_stays_as_it_is() {
    let (folder, store) = furnished().await;
    all_good(&examine(folder.path()).await.unwrap());
    add_device(&store, "iad-2").await;

    let killed = tempfile::tempdir().unwrap();
    for (path, bytes) in everything(folder.path()) {
        let copy = killed.path().join(Path::new(&path).strip_prefix(folder.path()).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(copy, bytes).unwrap();
    }
    // What the connections to a log share is made anew by the first of them, whoever it is.
    let lasting = |folder: &Path| {
        let mut all = everything(folder);
        all.retain(|path, _| !path.ends_with("-shm"));
        all
    };
    let before = lasting(killed.path());
    let checks = examine(killed.path()).await.unwrap();
    all_good(&checks);
    let devices = checks.iter().find(|check| check.name == "devices").unwrap();
    assert!(devices.text.starts_with("2,"), "what is only in the log is read: {devices:?}");
    assert!(lasting(killed.path()) == before);

    store.close().await;
    drop(store);
    let before = everything(folder.path());
    all_good(&examine(folder.path()).await.unwrap());
    assert!(everything(folder.path()) == before, "no file was made, changed or removed");
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_told_by_name() {
    let (folder, store) = furnished().await;
    store.close().await;
    drop(store);
    let database = fs::read(folder.path().join(DATABASE)).unwrap();
    for (sql, name, words) in [
        ("UPDATE run SET state = '{\"id\":1'", "runs", &["run 1", "iadms run forget"][..]),
        ("UPDATE run SET state = CAST(x'ff' AS TEXT)", "runs", &["run 1", "utf-8"]),
        ("UPDATE story SET story = '{}'", "stories", &["story 1 of run 1"]),
        ("UPDATE run_event SET event = 'x'", "events", &["2, of which 2", "an event of run 1"]),
        ("UPDATE device SET labels = 'x'", "devices", &["device 1", "iadms db backup"]),
        ("UPDATE image SET manifest = '{}'", "images", &["image iad-2.0"]),
        ("UPDATE backup_file SET digest = 'x'", "backups", &["backup 1"]),
        ("UPDATE northbound_target SET address = 'x'", "targets", &["target noc"]),
        ("UPDATE notification SET trap = 'x'", "notifications", &["notification 1"]),
        ("UPDATE profile SET layers = 'x'", "profiles", &["profile iad"]),
        ("UPDATE profile SET layers = '[]'", "open runs", &["run 1", "missing", "iadms run forget"]),
        ("DELETE FROM profile", "references", &["\"run\"", "\"profile\""]),
        (
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET \
             sql = 'CREATE INDEX run_of_device ON run (changed, seq)' WHERE name = 'run_of_device'",
            "structure",
            &["run_of_device"],
        ),
        (
            "INSERT INTO _sqlx_migrations SELECT 99, '', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
            "schema",
            &["version 99", "newer"],
        ),
    ] {
        fs::write(folder.path().join(DATABASE), &database).unwrap();
        change(folder.path(), sql).await;
        let checks = examine(folder.path()).await.unwrap();
        let bad: Vec<_> = checks.iter().filter(|check| check.finding == Finding::Bad).collect();
        let [bad] = bad[..] else { panic!("{sql}: {checks:#?}") };
        assert_eq!(bad.name, name, "{sql}: {bad:#?}");
        for word in words {
            assert!(bad.text.contains(word) || bad.next.contains(word), "{word:?} is not told: {bad:#?}");
        }
    }
}

#[tokio::test]
async fn files_that_are_gone_damaged_or_nobodys_are_told() {
    let (folder, store) = furnished().await;
    let files = Files::open(folder.path()).unwrap();
    let nobodys = files.add(&mut &b"an upload that nothing came of"[..]).unwrap();
    let found = async |name: &str| {
        let checks = examine(folder.path()).await.unwrap();
        checks.into_iter().find(|check| check.name == name).unwrap()
    };
    let unnamed = found("unnamed files").await;
    assert_eq!(unnamed.finding, Finding::Warning);
    assert!(unnamed.text.contains(files.path(nobodys.digest).to_str().unwrap()), "{unnamed:?}");

    let image = store.image("iad-2.0").await.unwrap().image.manifest.files[0].sha256;
    fs::write(files.path(image), "softwarf").unwrap();
    let damaged = found("files").await;
    assert_eq!(damaged.finding, Finding::Bad);
    assert!(
        damaged.text.contains("image iad-2.0, main.img") && damaged.text.contains("damaged"),
        "{damaged:?}"
    );
    fs::remove_file(files.path(image)).unwrap();
    let gone = found("files").await;
    assert!(gone.text.contains("image iad-2.0, main.img: there is no stored file"), "{gone:?}");
}

#[tokio::test]
async fn a_folder_without_a_database_is_told_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = examine(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NoDatabase(_)) && error.next().contains("--data"), "{error}");
    assert!(everything(folder.path()).is_empty());
}

#[tokio::test]
async fn a_store_that_is_only_read_refuses_every_write() {
    let (folder, store) = furnished().await;
    for running in [true, false] {
        if !running {
            store.close().await;
        }
        let looking = Store::open_read_only(folder.path()).await.unwrap();
        let error = looking.note_unique_id("iad-1", "x").await.unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    }
}

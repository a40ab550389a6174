//! Older schemas with rows in them, newer ones, and steps that fail or are cut off.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::inventory::{Access, Community, DeviceEntry, SnmpVersion};
use crate::store::{DATABASE, Store, open};

/// The version after the latest.
const NEXT: i64 = STEPS.len() as i64 + 1;
const SECOND: Step = Step {
    version: NEXT,
    name: "second",
    sql: "ALTER TABLE device ADD COLUMN note TEXT NOT NULL DEFAULT 'none'; CREATE TABLE place (name TEXT) STRICT;",
};
/// It fails after it has done something.
const FAILING: Step =
    Step { version: NEXT + 1, name: "failing", sql: "DELETE FROM device; INSERT INTO nowhere VALUES (1);" };
/// It writes more than fits into SQLite's memory, so that its uncommitted pages reach the log.
const LONG: Step = Step {
    version: NEXT,
    name: "long",
    sql: "DELETE FROM device; CREATE TABLE filler (text TEXT) STRICT; \
          WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) \
          INSERT INTO filler SELECT hex(zeroblob(400)) FROM n;",
};

fn with(more: &[Step]) -> Vec<Step> {
    [&STEPS[..], more].concat()
}

/// A database of the latest schema, with a device in it.
async fn first(data: &Path) {
    let store = Store::open_by(data, &STEPS).await.unwrap();
    let access = Access {
        address: [192, 0, 2, 1].into(),
        port: 161,
        version: SnmpVersion::V2c,
        read_community: Community("public".into()),
        write_community: Community("private".into()),
        credential: None,
    };
    let labels = BTreeMap::new();
    let entry = DeviceEntry { name: "iad-1".into(), access, profile: "iad".into(), protocol: None, labels };
    store.add_devices(&[entry]).await.unwrap();
    store.close().await;
}

async fn has_its_device(store: &Store) {
    assert_eq!(store.device("iad-1").await.unwrap().entry.access.port, 161);
    assert_eq!(store.devices().await.unwrap().len(), 1);
}

/// Whether it is of the latest schema with its rows, as an older program finds it.
async fn is_as_before(data: &Path) {
    let store = Store::open_by(data, &STEPS).await.unwrap();
    has_its_device(&store).await;
    assert_eq!(found(&store.reading, &store.path).await.unwrap(), Some(NEXT - 1));
    assert!(!has_table(&store, "place").await && !has_table(&store, "filler").await);
    store.close().await;
}

async fn has_table(store: &Store, name: &str) -> bool {
    let asked = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM sqlite_schema WHERE name = ?").bind(name);
    asked.fetch_one(&store.reading).await.unwrap() == 1
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[tokio::test]
async fn an_older_database_is_brought_forward_with_its_rows_and_the_way_back_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    let store = Store::open_by(folder.path(), &with(&[SECOND])).await.unwrap();
    has_its_device(&store).await;
    assert!(has_table(&store, "place").await);
    assert_eq!(store.schema(), Some(NEXT));
    store.close().await;
    drop(store);

    let kept = before(&folder.path().join(DATABASE), NEXT);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o077, 0, "it holds secrets");
    let older = tempfile::tempdir().unwrap();
    fs::copy(kept, older.path().join(DATABASE)).unwrap();
    is_as_before(older.path()).await;
}

#[tokio::test]
async fn a_new_database_takes_all_steps_at_once_and_keeps_no_copy() {
    let folder = tempfile::tempdir().unwrap();
    // What a start that was cut off left behind.
    fs::write(folder.path().join("iadms.db.new"), "half a database").unwrap();
    let store = Store::open_by(folder.path(), &with(&[SECOND])).await.unwrap();
    assert!(has_table(&store, "place").await);
    store.close().await;
    drop(store);
    let names: Vec<_> = contents(folder.path()).into_keys().collect();
    assert_eq!(names, [DATABASE, "iadms.lock"]);
}

#[tokio::test]
async fn a_newer_database_is_refused_untouched_and_the_copy_from_before_is_named() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    Store::open_by(folder.path(), &with(&[SECOND])).await.unwrap().close().await;
    let left = contents(folder.path());
    let error = Store::open_by(folder.path(), &STEPS).await.unwrap_err();
    let is_newer = matches!(error, StoreError::NewerSchema { found: NEXT, known, .. } if known == NEXT - 1);
    assert!(is_newer, "{error}");
    assert!(error.next().contains(&format!("iadms.db.before-{NEXT}")), "{}", error.next());
    assert!(contents(folder.path()) == left, "every byte is as it was");
}

#[tokio::test]
async fn a_step_that_was_changed_after_its_release_is_no_schema_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    let mut changed = STEPS;
    changed[0].sql = "CREATE TABLE other (name TEXT) STRICT;";
    let error = Store::open_by(folder.path(), &changed).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherSchema(_)), "{error}");
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_version_before_it_in_use() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    for _ in 0..2 {
        let error = Store::open_by(folder.path(), &with(&[SECOND, FAILING])).await.unwrap_err();
        assert!(matches!(error, StoreError::Database { .. }), "{error}");
    }
    let store = Store::open_by(folder.path(), &with(&[SECOND])).await.unwrap();
    has_its_device(&store).await;
    assert!(has_table(&store, "place").await);
    store.close().await;
    drop(store);
    // The second attempt began at the second schema: its copy did not take the place of that of the first.
    let older = tempfile::tempdir().unwrap();
    fs::copy(before(&folder.path().join(DATABASE), NEXT), older.path().join(DATABASE)).unwrap();
    is_as_before(older.path()).await;
    assert!(before(&folder.path().join(DATABASE), NEXT + 1).is_file());
}

#[tokio::test]
async fn a_disk_that_runs_full_in_the_middle_of_a_step_leaves_the_older_database() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    let store = Store::open_by(folder.path(), &STEPS).await.unwrap();
    // SQLite's own limit gives the very error of a full disk.
    sqlx::query("PRAGMA max_page_count = 200").execute(&store.writing).await.unwrap();
    let error = bring_forward(&store.writing, &store.path, &with(&[LONG])).await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull(_)), "{error}");
    store.close().await;
    drop(store);
    is_as_before(folder.path()).await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_keeps_the_schema_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    let in_the_way = folder.path().join(format!("iadms.db.before-{NEXT}.partial"));
    fs::create_dir(&in_the_way).unwrap();
    let error = Store::open_by(folder.path(), &with(&[SECOND])).await.unwrap_err();
    assert!(error.to_string().contains(&format!("before-{NEXT}.partial")), "{error}");
    fs::remove_dir(in_the_way).unwrap();
    is_as_before(folder.path()).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_a_step_the_older_database_is_whole_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    first(folder.path()).await;
    let data = folder.path().to_owned();
    let stepping = tokio::spawn(async move { Store::open_by(&data, &with(&[LONG])).await });
    let log = folder.path().join("iadms.db-wal");
    while fs::metadata(&log).map_or(0, |about| about.len()) < 4_000_000 {
        assert!(!stepping.is_finished(), "the step ended before it could be cut off");
        tokio::task::yield_now().await;
    }
    // The files as they lie on the disk are what a kill leaves.
    for steps in [STEPS.to_vec(), with(&[LONG])] {
        let killed = tempfile::tempdir().unwrap();
        for name in [DATABASE, "iadms.db-wal"] {
            fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
        }
        let is_older = steps.len() == STEPS.len();
        let store = Store::open_by(killed.path(), &steps).await.unwrap();
        assert_eq!(
            store.devices().await.unwrap().len(),
            usize::from(is_older),
            "all of the step, or nothing"
        );
        assert_eq!(has_table(&store, "filler").await, !is_older);
        store.close().await;
    }
    stepping.await.unwrap().unwrap().close().await;
}

/// What the first released schema held is read after each step since.
#[tokio::test]
async fn devices_of_the_first_schema_have_no_credential_and_no_engine() {
    let folder = tempfile::tempdir().unwrap();
    Store::open_by(folder.path(), &STEPS[..1]).await.unwrap().close().await;
    let pool = SqlitePool::connect_with(open::options(&folder.path().join(DATABASE))).await.unwrap();
    let old = "INSERT INTO device (name, address, port, version, read_community, write_community, profile, labels) \
               VALUES ('iad-1', '192.0.2.1', 161, 'v2c', 'public', 'private', 'iad', '{}')";
    sqlx::query(old).execute(&pool).await.unwrap();
    pool.close().await;

    let looked = Store::open_read_only(folder.path()).await.unwrap();
    assert!(
        looked.decoded().await.unwrap().iter().all(|rows| rows.unreadable == 0),
        "an older one is looked at, too"
    );
    drop(looked);
    let store = Store::open(folder.path()).await.unwrap();
    let device = store.device("iad-1").await.unwrap();
    assert_eq!((device.entry.access.credential, device.engine_id), (None, None));
    assert_eq!(store.schema(), Some(NEXT - 1));
    assert!(store.credentials().await.unwrap().is_empty());
}

//! The store on SQLite: the shared tests, and what only a file can suffer.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use iadms::store::{DATABASE, Store, StoreError};

use crate::samples::{add_device, commit, run, write};
use crate::shared_store;

macro_rules! shared {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).await.unwrap();
            shared_store::$name(&store).await;
        }
    )*};
}

shared!(
    devices_are_added_all_or_none,
    only_a_replaced_unit_is_forgotten,
    a_device_with_a_history_is_not_removed,
    a_run_comes_back_with_its_log_and_its_profile,
    who_was_overtaken_writes_nothing,
    a_run_that_is_over_changes_no_more,
    a_device_is_in_one_run_at_a_time,
    one_commit_ends_a_run_and_begins_the_next_of_its_device,
    of_many_runs_in_one_commit_the_one_in_conflict_is_named_and_nothing_is_stored,
    runs_are_found_by_device_and_by_what_they_wait_for,
    backups_are_kept_and_numbered,
    what_a_device_is_known_by_is_kept_with_its_run_and_is_nobody_else_s,
    a_device_is_expected_as_the_last_run_of_the_same_unit_left_it,
    notifications_are_kept_with_what_they_brought_about_and_bounded,
    the_last_time_stored_never_goes_back,
    images_and_targets_have_names_of_their_own,
    a_centre_is_owed_a_story_until_it_was_told,
    credentials_are_rotated_with_a_way_back_and_kept_while_devices_need_them,
    an_engine_speaks_for_one_device,
);

#[tokio::test]
async fn what_was_committed_is_there_after_a_crash_and_the_rest_was_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let device = add_device(&store, "iad-1").await;
    commit(&store, &[write(run(1, device, "iad-1"), 1)]).await.unwrap();
    // A copy of the files as they lie on the disk is what a crash leaves: nothing was closed.
    let crashed = tempfile::tempdir().unwrap();
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
        fs::copy(folder.path().join(&name), crashed.path().join(&name)).unwrap();
    }
    // A commit that is given up before its end.
    let second = [write(run(1, device, "iad-1"), 2)];
    let mut given_up = Box::pin(commit(&store, &second));
    assert!(futures_lite::future::poll_once(&mut given_up).await.is_none(), "it has only begun");
    drop(given_up);
    assert_eq!(store.run(upgrade::RunId(1)).await.unwrap().seq, 1);
    commit(&store, &second).await.expect("the next one finds the store as if nothing had been");

    let store = Store::open(crashed.path()).await.unwrap();
    assert_eq!(store.open_runs().await.unwrap().readable.len(), 1);
}

#[tokio::test]
async fn a_second_manager_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path()).await.unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    first.close().await;
    drop(first);
    Store::open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_database_is_told_at_the_start_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    for number in 0..200 {
        add_device(&store, &format!("iad-{number}")).await;
    }
    store.close().await;
    drop(store);
    let path = folder.path().join(DATABASE);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 4, "there is something to damage");
    for page in 1..pages {
        file.write_all_at(&[0xa5; 256], page * 4096).unwrap();
    }
    let damaged = fs::read(&path).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(
        error.to_string().contains(DATABASE) && error.next().contains("copy"),
        "{error}: {}",
        error.next()
    );
    assert_eq!(fs::read(&path).unwrap(), damaged);

    fs::create_dir_all(folder.path().join("files/ab")).unwrap();
    for gone in [false, true] {
        fs::write(&path, "").unwrap();
        if gone {
            fs::remove_file(&path).unwrap();
        }
        let error = Store::open(folder.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }

    fs::write(&path, "this is no database, but it is long enough to be taken for one".repeat(99)).unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join(DATABASE));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations SELECT 9999, 'newer', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, .. }), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be refuses even the superuser.
    let path = folder.path().join("data");
    fs::write(&path, "").unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(error.next().contains("--data"), "{}", error.next());
}

#[tokio::test]
async fn nobody_else_reads_the_secrets_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let store = Store::open(&data).await.unwrap();
    add_device(&store, "iad-1").await;
    let mode = fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "the folder is its owner's alone, not {mode:o}");
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} is its owner's alone, not {mode:o}", entry.file_name());
    }
}

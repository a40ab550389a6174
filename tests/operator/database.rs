//! The manager's memory as an operator keeps it: checked, copied, gone back to, and what is done where it was torn.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use tests::process::{LIMIT, eventually};

use crate::bad_input::{is_refused, is_refused_with};
use crate::bad_start::start_with;
use crate::laboratory::{Answered, DEVICE, Laboratory, Setup, json, path_text};

/// The exit code of a database that cannot be used as it is.
const UNSOUND: i32 = 5;

/// So slow that there is time to do something in the middle of a download.
const SLOW: &[&str] = &["--flash-speed", "400KiB", "--give-up", "2s"];

fn check(laboratory: &Laboratory, data: &Path) -> Answered {
    laboratory.run(&["db", "check", "--data", &path_text(data)])
}

/// Writes a copy, and returns where.
fn back_up(laboratory: &Laboratory) -> PathBuf {
    let copy = laboratory.folder().join("copy");
    laboratory.succeed(&["db", "backup", &path_text(&copy), "--data", &path_text(&laboratory.data())]);
    copy
}

/// What the manual tells to do: the folder is put aside, and the copy in its place.
fn go_back(laboratory: &mut Laboratory, copy: &Path) {
    laboratory.kill_manager();
    fs::rename(laboratory.data(), laboratory.folder().join("aside")).unwrap();
    fs::rename(copy, laboratory.data()).unwrap();
    laboratory.start_manager();
}

/// Writes into the database as nobody should.
fn meddle(laboratory: &Laboratory, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(laboratory.data().join("iadms.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A laboratory whose device loads an image.
fn downloading(policy: &str) -> (Laboratory, u64) {
    let laboratory = Laboratory::with(&Setup { devices: SLOW, ..Setup::default() });
    laboratory.add_image("new", "2.0", &["--format", "2"]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--policy", policy]);
    laboratory.watch(run).wait_for("progress of the download", |story| {
        let percent = story["progress"]["percent"].as_u64()?;
        (story["progress"]["step"] == "downloading" && percent > 0).then_some(())
    });
    (laboratory, run)
}

fn holds(laboratory: &Laboratory, run: u64) {
    eventually("the run waits for its moment", || {
        laboratory.run_as_it_stands(run)["state"].get("holding").is_some()
    });
}

#[test]
fn b09_an_upgrade_goes_on_from_a_copy_that_was_made_in_the_middle_of_it() {
    let (mut laboratory, run) = downloading("ask");
    let copy = back_up(&laboratory);
    let checked = check(&laboratory, &copy);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    go_back(&mut laboratory, &copy);
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    assert_eq!(laboratory.device()["version"], "2.0");
    let checked = check(&laboratory, &laboratory.data());
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

/// The run in the copy knows nothing of what the run did after it.
#[test]
fn b09_a_run_in_an_old_copy_finds_that_its_device_went_on_and_harms_nothing() {
    let (mut laboratory, run) = downloading("ask");
    let copy = back_up(&laboratory);
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    let upgraded = laboratory.device();
    go_back(&mut laboratory, &copy);
    let mut watch = laboratory.watch(run);
    let ended = watch.wait_for("the end of the run", |story| story.get("ended").cloned());
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let after = laboratory.device();
    assert_eq!((&after["version"], &after["boots"]), (&upgraded["version"], &upgraded["boots"]));
    assert_eq!(in_force(&after), in_force(&upgraded));
    assert_eq!(after["buffers"], upgraded["buffers"], "the old software is kept where it was");
}

fn in_force(device: &Value) -> Vec<&Value> {
    device["configurations"].as_array().unwrap().iter().filter(|one| one["running"] == true).collect()
}

#[test]
fn a_database_is_checked_and_copied_beside_the_daemon_and_without_it() {
    let mut laboratory = Laboratory::start();
    laboratory.succeed(&["backup", DEVICE, "--wait"]);
    for running in [true, false] {
        if !running {
            laboratory.end_manager();
        }
        let checked = check(&laboratory, &laboratory.data());
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked:?}");
        for line in
            ["good  structure", "good  schema", "good  runs           1,", "good  files          4 are named"]
        {
            assert!(checked.stdout.contains(line), "{line:?}: {}", checked.stdout);
        }
        let data = path_text(&laboratory.data());
        let found = json(&laboratory.succeed(&["db", "check", "--data", &data, "--output", "json"]));
        assert!(found.as_array().unwrap().iter().all(|check| check["finding"] == "good"), "{found}");
        let copy = back_up(&laboratory);
        assert_eq!(check(&laboratory, &copy).code, Some(0));
        let again = laboratory.run(&["db", "backup", &path_text(&copy), "--data", &data]);
        is_refused(&again, &[&path_text(&copy), "there already"]);
        fs::remove_dir_all(copy).unwrap();
    }
    is_refused(
        &check(&laboratory, &laboratory.folder().join("nowhere")),
        &["no database", "nowhere", "--data"],
    );
}

#[test]
fn a_stored_file_that_is_gone_is_told_by_an_exit_code_of_its_own() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.add_image("new", "2.0", &[]);
    fs::rename(laboratory.data().join("files"), laboratory.folder().join("lost")).unwrap();
    let checked = check(&laboratory, &laboratory.data());
    assert_eq!(checked.code, Some(UNSOUND), "{checked:?}");
    assert!(checked.stdout.contains("BAD   files") && checked.stdout.contains("image new"), "{checked:?}");
    let copy = path_text(&laboratory.folder().join("copy"));
    let copied = laboratory.run(&["db", "backup", &copy, "--data", &path_text(&laboratory.data())]);
    assert_eq!(copied.code, Some(UNSOUND), "{copied:?}");
    assert!(copied.stderr.contains("the copy lacks") && copied.stderr.contains("image new"), "{copied:?}");
}

#[test]
fn a_torn_database_keeps_the_daemon_from_starting_until_a_copy_is_in_its_place() {
    let mut laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.succeed(&["device", "add", "iad-1", "192.0.2.1", "--snmp-version", "v2c"]);
    let copy = back_up(&laboratory);
    laboratory.end_manager();
    let database = laboratory.data().join("iadms.db");
    let whole = fs::read(&database).unwrap();
    for torn in [&[][..], b"a letter", &whole[..4096], &whole[..whole.len() / 2]] {
        fs::write(&database, torn).unwrap();
        let answered = start_with(&laboratory, &[]);
        let words = ["damaged", "left as it is", "iadms db backup", &path_text(&database)];
        is_refused_with(UNSOUND, &answered, &words);
        assert_eq!(fs::read(&database).unwrap(), torn, "the evidence is left as it is");
        assert_eq!(check(&laboratory, &laboratory.data()).code, Some(UNSOUND));
    }
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    is_refused_with(UNSOUND, &start_with(&laboratory, &[]), &["is a folder", &path_text(&database)]);

    fs::rename(laboratory.data(), laboratory.folder().join("aside")).unwrap();
    fs::rename(copy, laboratory.data()).unwrap();
    laboratory.start_manager();
    assert!(laboratory.succeed(&["device", "list"]).contains("iad-1"));
}

#[test]
fn a_run_that_cannot_be_read_holds_its_device_until_it_is_let_go_of_and_nothing_else() {
    let mut laboratory = Laboratory::with(&Setup { devices: &["--count", "2"], ..Setup::default() });
    let other = "IAD-000002";
    laboratory.add_image("new", "2.0", &[]);
    for device in [DEVICE, other] {
        let run = laboratory.begin(&["upgrade", device, "--image", "new", "--at", "2100-01-01T02:00:00Z"]);
        holds(&laboratory, run);
    }
    laboratory.kill_manager();
    meddle(
        &laboratory,
        "UPDATE run SET state = '{\"id\":1,' WHERE id = 1; UPDATE story SET story = '{' WHERE run = 1",
    );
    laboratory.start_manager();

    let listed = laboratory.succeed(&["run", "list"]);
    let line = listed.lines().find(|line| line.contains(DEVICE)).unwrap();
    assert!(line.starts_with('1') && line.contains("cannot be read"), "{listed}");
    assert!(laboratory.succeed(&["device", "show", DEVICE]).contains("cannot be read"));
    let doctor = laboratory.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(
        doctor.stdout.contains("BAD   unreadable     1 ") && doctor.stdout.contains("run forget"),
        "{doctor:?}"
    );
    for words in [
        &["backup", DEVICE][..],
        &["run", "show", "1"],
        &["run", "cancel", "1"],
        &["run", "answer", "1", "again"],
    ] {
        is_refused(&laboratory.run(words), &["run 1", "cannot be read", "iadms run forget 1"]);
    }

    is_refused(&laboratory.run(&["run", "forget", "2"]), &["run 2 can be read", "iadms run cancel 2"]);
    laboratory.succeed(&["run", "cancel", "2"]);
    assert_eq!(laboratory.ending(2)["outcome"], "cancelled");

    laboratory.succeed(&["run", "forget", "1"]);
    is_refused(&laboratory.run(&["run", "forget", "1"]), &["no run 1"]);
    assert_eq!(laboratory.run(&["doctor"]).code, Some(0));
    let run = laboratory.begin(&["backup", DEVICE]);
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
    laboratory.kill_manager();
    laboratory.start_manager();
    let open: Value = laboratory.json(&["run", "list", "--open"]);
    assert_eq!(open.as_array().unwrap().len(), 0, "{open}");
}

#[test]
fn a_run_whose_profile_cannot_be_read_is_not_given_up() {
    let mut laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &[]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--at", "2100-01-01T02:00:00Z"]);
    holds(&laboratory, run);
    laboratory.kill_manager();
    meddle(&laboratory, "UPDATE profile SET layers = '[]'");
    let checked = check(&laboratory, &laboratory.data());
    assert!(checked.code == Some(UNSOUND) && checked.stdout.contains("the profile of run 1"), "{checked:?}");
    laboratory.start_manager();
    for words in [
        &["backup", DEVICE][..],
        &["run", "show", "1"],
        &["run", "cancel", "1"],
        &["run", "answer", "1", "end"],
    ] {
        let told = ["run 1", "the profile that it began with", "iadms run forget 1"];
        is_refused(&laboratory.run(words), &told);
    }
    assert!(laboratory.succeed(&["run", "list"]).contains("cannot be read; set aside"));
    assert_eq!(laboratory.run(&["doctor"]).code, Some(1));
    laboratory.succeed(&["run", "forget", "1"]);
    assert_eq!(laboratory.ending(1)["outcome"], "device-lost");
    let run = laboratory.begin(&["backup", DEVICE]);
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
}

#[test]
fn a_run_that_somebody_else_wrote_ends_the_daemon_which_goes_on_with_what_is_stored() {
    let mut laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &[]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new", "--at", "2100-01-01T02:00:00Z"]);
    holds(&laboratory, run);
    meddle(&laboratory, "UPDATE run SET seq = seq + 1 WHERE id = 1");
    assert_eq!(laboratory.run(&["run", "cancel", "1"]).code, Some(1));
    let ended = laboratory.manager_ends(LIMIT);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    for words in ["error: run 1 was changed by somebody else", " next: start it again"] {
        assert!(ended.output.contains(words), "{words:?}: {ended:?}");
    }
    laboratory.start_manager();
    laboratory.succeed(&["run", "cancel", "1"]);
    assert_eq!(laboratory.ending(run)["outcome"], "cancelled");
}

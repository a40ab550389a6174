//! What an operator may get wrong: each is told in one sentence that names the thing and one that says what to do, by the
//! exit code that is documented, and nothing is sent, lost or half written.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::laboratory::{Answered, DEVICE, Laboratory, Setup, another_address, path_text};

/// An error: exit code 1, these words on stderr, what to do, and nothing on stdout.
pub(crate) fn is_refused(answered: &Answered, words: &[&str]) {
    is_refused_with(1, answered, words);
}

/// The same with another exit code.
pub(crate) fn is_refused_with(code: i32, answered: &Answered, words: &[&str]) {
    assert_eq!(answered.code, Some(code), "{answered:?}");
    for word in ["error: ", "\n next: "].iter().chain(words) {
        assert!(answered.stderr.contains(word), "{word:?} is not told: {}", answered.stderr);
    }
    assert_eq!(answered.stderr.matches("error: ").count(), 1, "one error is told once: {}", answered.stderr);
    assert_eq!(answered.stdout, "");
}

/// A run that is refused before anything is sent: exit code 3, these words on stderr.
fn is_refused_untouched(laboratory: &Laboratory, words: &[&str], says: &[&str]) {
    let before = laboratory.device();
    let answered = laboratory.run(&[words, &["--wait"]].concat());
    assert_eq!(answered.code, Some(3), "{answered:?}");
    for word in ["refused"].iter().chain(says) {
        assert!(answered.stderr.contains(word), "{word:?} is not told: {answered:?}");
    }
    let after = laboratory.device();
    assert_eq!(after["counters"]["operations"], before["counters"]["operations"], "nothing was sent");
    assert_eq!(after["version"], "1.0");
}

fn no_run_began(laboratory: &Laboratory) {
    assert_eq!(laboratory.json(&["run", "list"]).as_array().unwrap().len(), 0);
}

/// An address where nobody answers.
fn nobody() -> SocketAddr {
    SocketAddr::from((another_address(), 1161))
}

#[test]
fn an_unknown_device_is_named_by_every_command_and_begins_no_run() {
    let laboratory = Laboratory::start();
    laboratory.add_image("new", "2.0", &[]);
    for words in [
        &["upgrade", "nobody", "--image", "new"][..],
        &["upgrade", DEVICE, "nobody", "--image", "new"],
        &["backup", "nobody"],
        &["reset", "nobody"],
        &["rollback", "nobody"],
        &["device", "show", "nobody"],
        &["device", "probe", "nobody"],
        &["run", "list", "--device", "nobody"],
    ] {
        is_refused(&laboratory.run(words), &["nobody", "iadms device list"]);
    }
    no_run_began(&laboratory);
}

#[test]
fn an_unknown_image_backup_run_or_target_is_named() {
    let laboratory = Laboratory::start();
    for (words, says) in [
        (&["upgrade", DEVICE, "--image", "nothing"][..], "iadms image list"),
        (&["restore", DEVICE, "--backup", "4711"], "iadms backup list"),
        (&["backup", "show", "4711"], "iadms backup list"),
        (&["run", "show", "4711"], "iadms run list"),
        (&["run", "watch", "4711"], "iadms run list"),
        (&["run", "cancel", "4711"], "iadms run list"),
        (&["run", "answer", "4711", "again"], "iadms run list"),
        (&["operation", "abort", "4711"], "iadms run list"),
        (&["northbound", "target", "test", "nothing"], "iadms northbound target list"),
    ] {
        let answered = laboratory.run(words);
        let name = if answered.stderr.contains("4711") { "4711" } else { "nothing" };
        is_refused(&answered, &[name, says]);
        assert!(!answered.stderr.contains("--all"), "no such option: {}", answered.stderr);
    }
    no_run_began(&laboratory);
}

#[test]
fn a_wrong_read_community_and_an_address_where_nobody_answers_are_told_alike() {
    let laboratory =
        Laboratory::with(&Setup { limits: &["reach_s = 1", "answer_ms = 200"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &[]);
    laboratory.by_communities(DEVICE, "wrong", "private");
    laboratory.add_device("away", nobody());
    laboratory.by_communities("away", "public", "private");
    for device in [DEVICE, "away"] {
        is_refused(
            &laboratory.run(&["device", "probe", device]),
            &["no SNMP agent answers", "read community"],
        );
        let upgrade = ["upgrade", device, "--image", "new", "--policy", "never"];
        is_refused_untouched(&laboratory, &upgrade, &["did not answer"]);
    }
}

#[test]
fn a_wrong_write_community_changes_nothing() {
    let laboratory =
        Laboratory::with(&Setup { limits: &["reach_s = 1", "answer_ms = 200"], ..Setup::default() });
    laboratory.by_communities(DEVICE, "public", "wrong");
    let answered = laboratory.run(&["backup", DEVICE, "--policy", "never", "--wait"]);
    assert_eq!(answered.code, Some(3), "{answered:?}");
    assert!(answered.stdout.contains("check its write community"), "{answered:?}");
    assert_eq!(laboratory.device()["counters"]["operations"], serde_json::json!([]));
}

#[test]
fn images_that_are_not_as_their_manifest_says_are_not_added() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let image = |name: &str| -> (PathBuf, PathBuf) {
        let manifest = laboratory.make_image(name, "2.0", &["--size", "64KiB"]);
        let files = std::fs::read_dir(manifest.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        let file = files.into_iter().find(|path| *path != manifest).unwrap();
        (manifest, file)
    };
    let (manifest, file) = image("missing");
    std::fs::remove_file(&file).unwrap();
    is_refused(
        &laboratory.run(&["image", "add", &path_text(&manifest)]),
        &[&path_text(&file), "cannot read"],
    );

    let (manifest, file) = image("empty");
    std::fs::write(&file, b"").unwrap();
    is_refused(&laboratory.run(&["image", "add", &path_text(&manifest)]), &[&path_text(&file), "is empty"]);

    let (manifest, file) = image("digest");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4711] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    is_refused(&laboratory.run(&["image", "add", &path_text(&manifest)]), &[&path_text(&file), "SHA-256"]);

    let nowhere = path_text(&laboratory.folder().join("nowhere.toml"));
    is_refused(&laboratory.run(&["image", "add", &nowhere]), &[&nowhere, "cannot read"]);
    assert_eq!(laboratory.json(&["image", "list"]), serde_json::json!([]), "nothing was added");
}

#[test]
fn an_image_that_does_not_fit_the_device_is_refused_before_anything_is_sent() {
    let laboratory = Laboratory::with(&Setup { devices: &["--buffer-size", "1500KiB"], ..Setup::default() });
    laboratory.add_image("large", "2.0", &["--size", "2MiB"]);
    laboratory.add_image("other", "2.0", &["--hardware", "iad-16"]);
    for (image, says) in [("large", "room for 1536000"), ("other", "is for iad-16")] {
        is_refused_untouched(&laboratory, &["upgrade", DEVICE, "--image", image], &[image, says]);
    }
}

#[test]
fn s15_a_device_without_a_second_buffer_is_refused_before_anything_is_sent() {
    let laboratory =
        Laboratory::with(&Setup { devices: &["--capability", "needs-reset,tftp"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &[]);
    let says = ["no second software buffer"];
    is_refused_untouched(&laboratory, &["upgrade", DEVICE, "--image", "new"], &says);
}

#[test]
fn an_image_that_only_looks_whole_leaves_the_device_on_its_old_software() {
    let laboratory = Laboratory::start();
    let folder = laboratory.folder().join("junk");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("main.img"), b"no image of this device").unwrap();
    let file = path_text(&folder.join("main.img"));
    let words = ["image", "manifest", "--for-version", "2.0", "--hardware", "iad-8", &file];
    let manifest = laboratory.succeed(&words);
    std::fs::write(folder.join("junk.toml"), manifest).unwrap();
    laboratory.succeed(&["image", "add", &path_text(&folder.join("junk.toml"))]);
    let answered = laboratory.run(&["upgrade", DEVICE, "--image", "junk", "--policy", "never", "--wait"]);
    assert_eq!(answered.code, Some(3), "{answered:?}");
    assert_eq!(laboratory.device()["version"], "1.0");
}

#[test]
fn a_second_run_on_a_busy_device_is_refused_with_the_number_of_the_first() {
    let laboratory =
        Laboratory::with(&Setup { devices: &["--calls", "1", "--call-time", "1h"], ..Setup::default() });
    laboratory.add_image("new", "2.0", &[]);
    let run = laboratory.begin(&["upgrade", DEVICE, "--image", "new"]);
    laboratory.watch(run).step_begun("draining");
    let before = laboratory.device();
    for words in [&["upgrade", DEVICE, "--image", "new"][..], &["backup", DEVICE], &["reset", DEVICE]] {
        let (number, next) = (format!("run {run}"), format!("iadms run cancel {run}"));
        is_refused(&laboratory.run(words), &[DEVICE, &number, &next]);
    }
    assert_eq!(laboratory.device()["counters"]["operations"], before["counters"]["operations"]);
    laboratory.simulator(&["device", "calls", "0", DEVICE]);
    assert_eq!(laboratory.ending(run)["outcome"], "succeeded");
}

#[test]
fn malformed_files_are_told_by_file_and_line_and_nothing_of_them_is_used() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let file = |name: &str, text: &str| {
        let path = laboratory.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path_text(&path)
    };
    let profile =
        file("bad-profile.toml", "name = \"bad\"\nextends = \"iad\"\n\n[limits]\npoll_s = \"often\"\n");
    let answered = laboratory.run(&["profile", "check", &profile]);
    is_refused(&answered, &["bad-profile.toml", "line 5", "often"]);

    let manifest = file("bad-manifest.toml", "version = \"2.0\"\nhardware = \"iad-8\"\nfiles = []\n");
    let answered = laboratory.run(&["image", "add", &manifest]);
    is_refused(&answered, &["bad-manifest.toml", "line 2", "expected"]);

    let list = file(
        "bad-list.csv",
        "name,address,port\nfirst,192.0.2.1,161\nsecond,192.0.2.300,161\nthird,192.0.2.3,0\n",
    );
    let answered = laboratory.run(&["device", "import", &list]);
    assert_eq!(answered.code, Some(1), "{answered:?}");
    for word in ["bad-list.csv", "line 3", "192.0.2.300", "line 4", "expected", "next: "] {
        assert!(answered.stderr.contains(word), "{word:?} is not told: {}", answered.stderr);
    }
    assert_eq!(laboratory.json(&["device", "list"]), serde_json::json!([]), "no line was imported");
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    for words in [
        &["upgrade"][..],
        &["upgrade", "x"],
        &["upgrade", "x", "--image", "y", "--policy", "perhaps"],
        &["run", "show", "first"],
        &["serve", "--server-address", "0.0.0.0"],
        &["completion", "klingon"],
    ] {
        let answered = laboratory.run(words);
        assert_eq!(answered.code, Some(2), "{words:?}: {answered:?}");
        assert!(answered.stderr.contains("error: ") && answered.stdout.is_empty(), "{words:?}: {answered:?}");
    }
}

#[test]
fn without_a_daemon_every_command_says_how_to_start_one() {
    let mut laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.kill_manager();
    for words in
        [&["device", "list"][..], &["upgrade", "x", "--image", "y"], &["run", "watch"], &["trap", "tail"]]
    {
        is_refused(&laboratory.run(words), &["iadms.sock", "iadms serve"]);
    }
    let doctor = laboratory.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("BAD") && doctor.stdout.contains("iadms serve"), "{doctor:?}");
}

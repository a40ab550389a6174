//! Daemons that cannot start, or lose their disk: one sentence, what to do, and nothing half written.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tests::process::Running;

use crate::bad_input::{is_refused, is_refused_with};
use crate::disk::Disk;
use crate::laboratory::{Answered, Laboratory, another_address, answer, path_text};

/// Starts a daemon with the options of the laboratory's, but for these, and returns how it failed.
pub(crate) fn start_with(laboratory: &Laboratory, options: &[(&str, &str)]) -> Answered {
    answer(Command::new(laboratory.program()).args(options_with(laboratory, options)))
}

fn options_with(laboratory: &Laboratory, options: &[(&str, &str)]) -> Vec<String> {
    let mut all = laboratory.manager_options().to_vec();
    for (name, value) in options {
        match all.iter().position(|word| word == name) {
            Some(place) => all[place + 1] = (*value).to_owned(),
            None => all.extend([(*name).to_owned(), (*value).to_owned()]),
        }
    }
    all
}

#[test]
fn a_port_that_is_in_use_is_named_with_the_option_that_changes_it() {
    let mut laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.kill_manager();
    let address = another_address();
    let udp = UdpSocket::bind((address, 0)).unwrap();
    let tcp = TcpListener::bind((address, 0)).unwrap();
    let (by_udp, by_tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    for (option, taken) in [("--notifications", by_udp), ("--tftp", by_udp), ("--ftp", by_tcp)] {
        let answered = start_with(&laboratory, &[(option, &taken.to_string())]);
        is_refused(&answered, &[&taken.ip().to_string(), &taken.port().to_string(), "in use", option]);
    }
    laboratory.start_manager();
}

#[test]
fn a_data_folder_has_one_daemon() {
    let laboratory = Laboratory::with_manager_alone(&[]);
    let address = format!("{}:0", another_address());
    let elsewhere = [("--notifications", address.as_str()), ("--tftp", &address), ("--ftp", &address)];
    let answered = start_with(&laboratory, &elsewhere);
    is_refused(&answered, &[&path_text(&laboratory.data()), "in use", "--data"]);
    laboratory.succeed(&["device", "list"]);
}

#[test]
fn a_malformed_profile_is_told_by_file_and_line_at_the_start() {
    let mut laboratory = Laboratory::with_manager_alone(&[]);
    laboratory.kill_manager();
    let bad = laboratory.folder().join("profiles/bad.toml");
    fs::write(&bad, "name = \"bad\"\nextends = \"iad\"\n[limits]\npoll_s = 1\nsoka_s = 2\n").unwrap();
    is_refused(&start_with(&laboratory, &[]), &["bad.toml", "line 5", "soka_s", "iadms profile check"]);
    fs::remove_file(bad).unwrap();
    laboratory.start_manager();
}

#[test]
fn a_damaged_database_is_told_and_left_as_it_is() {
    for damage in [damage_header as fn(&mut [u8]), damage_middle] {
        let mut laboratory = Laboratory::with_manager_alone(&[]);
        for number in 0..50 {
            let (name, address) = (format!("device-{number}"), format!("192.0.2.{}", number + 1));
            laboratory.succeed(&["device", "add", &name, &address, "--snmp-version", "v2c"]);
        }
        // What is in the write-ahead log comes into the database as the daemon ends in good order.
        laboratory.end_manager();
        let database = laboratory.data().join("iadms.db");
        let mut bytes = fs::read(&database).unwrap();
        damage(&mut bytes);
        fs::write(&database, &bytes).unwrap();
        let answered = start_with(&laboratory, &[]);
        is_refused_with(5, &answered, &[&path_text(&database), "damaged", "copy"]);
        assert!(fs::read(&database).unwrap() == bytes, "the evidence is left as it is");
    }
}

fn damage_header(bytes: &mut [u8]) {
    bytes[..16].copy_from_slice(b"no such database");
}

/// Every page but the first: whatever is looked at there is wrong.
fn damage_middle(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().skip(4096) {
        *byte ^= 0x5a;
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let Some(place) = Place::of("ro") else { return };
    let laboratory = Laboratory::with_manager_alone(&[]);
    let answered = answer(&mut place.daemon(&laboratory));
    is_refused(&answered, &[&path_text(&place.data())]);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_told() {
    let Some(place) = Place::of("size=12k") else { return };
    let laboratory = Laboratory::with_manager_alone(&[]);
    let answered = answer(&mut place.daemon(&laboratory));
    is_refused(&answered, &[&path_text(&place.data())]);
}

#[test]
fn a_disk_that_runs_full_is_told_and_nothing_is_lost() {
    let Some(place) = Place::of("size=16m") else { return };
    let laboratory = Laboratory::with_manager_alone(&[]);
    let mut daemon = Running::start(&mut place.daemon(&laboratory));
    daemon.wait_for("the line that says that all listen", |line| line.starts_with("{\"").then_some(()));
    let run = |words: &[&str]| {
        answer(Command::new(laboratory.program()).args(words).arg("--socket").arg(place.socket()))
    };
    assert_eq!(run(&["device", "add", "before", "192.0.2.1", "--snmp-version", "v2c"]).code, Some(0));

    place.disk.fill(daemon.process_id());
    let answered = run(&["device", "add", "meanwhile", "192.0.2.2", "--snmp-version", "v2c"]);
    is_refused(&answered, &["disk is full", "make room"]);
    is_refused(&run(&["backup", "before"]), &["disk is full", "make room"]);
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("BAD   disk"), "{doctor:?}");

    place.disk.make_room(daemon.process_id());
    assert_eq!(run(&["device", "add", "afterwards", "192.0.2.3", "--snmp-version", "v2c"]).code, Some(0));
    let listed: Value = serde_json::from_str(&run(&["device", "list", "--output", "json"]).stdout).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|device| device["name"].clone()).collect();
    assert_eq!(names, ["afterwards", "before"]);
    let begun = run(&["backup", "before"]);
    assert_eq!(begun.code, Some(0), "runs can be begun again: {begun:?}");
    daemon.kill();
}

/// A disk, and a socket beside it by which the daemon is spoken to.
struct Place {
    folder: tempfile::TempDir,
    disk: Disk,
}

impl Place {
    /// One whose disk has these options; none where that cannot be had here.
    fn of(options: &'static str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::at(&folder.path().join("data"), options)?;
        Some(Self { folder, disk })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("iadms.sock")
    }

    fn daemon(&self, laboratory: &Laboratory) -> Command {
        let anywhere = format!("{}:0", another_address());
        let (data, socket) = (path_text(&self.data()), path_text(&self.socket()));
        let options = [
            ("--notifications", anywhere.as_str()),
            ("--tftp", &anywhere),
            ("--ftp", &anywhere),
            ("--data", &data),
            ("--socket", &socket),
        ];
        let mut command = self.disk.within();
        command.arg(laboratory.program()).args(options_with(laboratory, &options));
        command
    }
}

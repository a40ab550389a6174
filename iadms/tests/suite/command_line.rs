//! The command line by itself: what it takes, what it says, how it ends.

use std::process::{Command, Output};

use clap::{CommandFactory as _, Parser as _};
use iadms::cli::Cli;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn commands_are_understood_as_they_are_meant() {
    for line in [
        "backup iad-1 iad-2 --wait",
        "backup --all",
        "backup --label site=north --label floor=2",
        "backup list --device iad-1",
        "backup show 3",
        "backup diff 3 4 --secrets",
        "backup export 3 folder",
        "upgrade iad-1 --image iad-2.0 --policy auto:3 --question-limit 2h --protocol ftp",
        "backup iad-1 --kinds user-data,port-data",
        "upgrade iad-1 --image iad-2.0 --at 2199-01-01T00:00:00Z --wait",
        "restore iad-1 --backup 3 --replacement",
        "rollback iad-1",
        "reset --all --wait",
        "run list --asking --output json",
        "run watch",
        "run watch --until-question",
        "run watch 1 2 --until-question",
        "run answer 1 again",
        "run answer 1 image iad-2.1 --wait",
        "run answer 1 edited folder",
        "run answer 1 end",
        "run export 1 folder",
        "run cancel 1",
        "operation abort 1",
        "device add iad-1 2001:db8::1 --protocol ftp --label site=north",
        "device add iad-1 192.0.2.1 --credential north",
        "device change iad-1 --credential north",
        "credential key file",
        "credential add north --user anna --auth SHA-512 --priv AES-256 --secrets -",
        "credential add open --auth none --priv none",
        "credential list",
        "credential rotate north --secrets file",
        "credential rotate north --finish",
        "credential test north",
        "credential test north iad-1 iad-2",
        "credential test north --address 192.0.2.1 --port 1161",
        "credential remove north",
        "serve --key file --lost-key",
        "device probe iad-1",
        "device probe --address 192.0.2.1",
        "device import devices.csv --dry-run",
        "image add iad-2.0.toml --name iad-2.0",
        "image manifest --for-version 2.0 --hardware iad-8 a.img b.img",
        "northbound target add noc 192.0.2.9 --inform --repeats 5",
        "northbound target test noc",
        "trap tail --last 5 --no-follow",
        "profile check my.toml",
        "doctor --devices",
        "run forget 1",
        "db check --data d --output json",
        "db backup copy --data d",
        "completion bash",
        "serve --data d --tftp 127.0.0.1:0 --ftp off --notifications [::]:0 --server-address 192.0.2.1 --ready --ftp-passive-ports 50000-50999",
        "--socket /run/iadms.sock device list",
    ] {
        let words = ["iadms"].into_iter().chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn command_lines_that_make_no_sense_are_refused() {
    for line in [
        "",
        "backup",
        "backup iad-1 --all",
        "upgrade iad-1",
        "upgrade --image iad-2.0",
        "upgrade iad-1 --image x --policy maybe",
        "upgrade iad-1 --image x --question-limit 0s",
        "upgrade iad-1 --image x --at 1999-01-01T00:00:00Z",
        "backup iad-1 --kinds ../etc",
        "restore iad-1",
        "run answer 1",
        "run answer 1 maybe",
        "run show one",
        "db backup",
        "db check d",
        "device add iad-1",
        "device add iad-1 iad.example",
        "device add iad-1 192.0.2.1 --port 70000",
        "device add iad-1 192.0.2.1 --snmp-version v4",
        "credential add north --auth SHA-3",
        "credential rotate north --finish --undo",
        "credential rotate north --finish --user anna",
        "credential test north iad-1 --address 192.0.2.1",
        "northbound target add noc 192.0.2.9 --repeats 11",
        "serve --ftp somewhere",
        "serve --ftp-passive-ports 50999-50000",
        "serve --ftp-passive-ports 0-100",
        "serve --tftp 69",
    ] {
        let words = ["iadms"].into_iter().chain(line.split(' ').filter(|word| !word.is_empty()));
        assert!(Cli::try_parse_from(words).is_err(), "{line:?} was taken");
    }
}

fn iadms(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iadms"));
    command.args(arguments).env_remove("IADMS_SOCKET").env_remove("IADMS_DATA").output().unwrap()
}

/// The exit code and what was said on stderr; stdout must hold nothing.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let output = iadms(arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "stdout is for data");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn without_a_daemon_a_command_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("no.sock");
    let (code, said) = refused(&["--socket", socket.to_str().unwrap(), "device", "list"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no daemon answers") && said.contains("iadms serve"), "{said}");
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let data = data.to_str().unwrap();
    let arguments =
        ["serve", "--data", data, "--notifications", &port, "--tftp", "127.0.0.1:0", "--ftp", "off"];
    let (code, said) = refused(&arguments);
    assert_eq!(code, Some(1));
    let number = port.rsplit(':').next().unwrap();
    assert!(said.contains(number) && said.contains("in use") && said.contains("--notifications"), "{said}");
    assert!(!folder.path().join("data/iadms.sock").exists());
}

#[test]
fn server_addresses_that_no_device_can_reach_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for addresses in [&["0.0.0.0"][..], &["224.0.0.1"], &["192.0.2.1", "192.0.2.2"]] {
        let mut arguments = vec!["serve", "--data", data.to_str().unwrap()];
        for address in addresses {
            arguments.extend(["--server-address", address]);
        }
        let (code, said) = refused(&arguments);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--server-address"), "{said}");
    }
    assert!(!data.exists());
}

#[test]
fn a_wrong_profile_is_told_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    std::fs::write(&path, "name = \"wrong\"\nextends = \"iad\"\ntitel = \"x\"\n").unwrap();
    let (code, said) = refused(&["profile", "check", path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("wrong.toml, line 3") && said.contains("titel"), "{said}");
    std::fs::write(&path, "name = \"right\"\nextends = \"iad\"\ntitle = \"x\"\n").unwrap();
    let output = iadms(&["profile", "check", path.to_str().unwrap(), "--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["name"], "right");
}

#[test]
fn help_tells_the_exit_codes_and_completions_are_written() {
    let help = String::from_utf8(iadms(&["--help"]).stdout).unwrap();
    for code in [
        "0  done",
        "1  not done",
        "2  the command line",
        "3  a run ended otherwise",
        "4  a run waits",
        "5  the database",
    ] {
        assert!(help.contains(code), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(String::from_utf8(iadms(&["completion", shell]).stdout).unwrap().contains("northbound"));
    }
}

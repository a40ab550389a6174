//! Foreign TFTP clients read and write at the manager as it runs, more blocks than there are block numbers. They do it
//! with the tickets of a device that cannot do it itself: it lost its power just after it had been told their names.

mod daemon;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use daemon::Manager;
use iad_sim::device::{Command as Operation, Digest, Power};
use iad_sim::fault::{Fault, FaultKind, Phase};
use tests::process::{eventually, run};
use tests::tftp_client::{Client, Errand};

use crate::files::{MORE_THAN_BLOCK_NUMBERS, contents};
use crate::lab::Lab;

/// The usual device, but that its configuration may be large.
const ROOMY: &str = "name = \"roomy\"\nextends = \"iad\"\n\n[limits]\nconfiguration_bytes = 67108864\n";

/// Foreign clients come from here, whatever address of the loopback network they speak to.
const CLIENTS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A manager whose only device loses its power, for good, as soon as it begins to do this.
fn manager_of_a_device_that_dies(during: Phase) -> (Manager, Lab) {
    let lab = Lab::start(|settings| {
        settings.bind = CLIENTS;
        settings.device.buffer_capacity = 1 << 30;
        settings.faults.faults.push(Fault { during: Some(during), ..Fault::once(FaultKind::PowerLoss) });
    });
    let manager = Manager::with_profile(ROOMY);
    manager.add_device("lab", lab.address(), "roomy");
    (manager, lab)
}

/// The name of the first file that the device was told before it lost its power.
fn ticket(lab: &Lab, operation: Operation) -> String {
    let dead = lab.wait_until(move |device| {
        device.power() == Power::Off && device.durable().operation.command == operation
    });
    dead.operation.parameters.file_names[0].clone()
}

/// Has the client do its errand. The device may have begun it: until its transfer is given up others are refused.
fn transfer(client: Client, errand: Errand, manager: &Manager, ticket: &str) {
    eventually("the client has transferred the file", || {
        let mut command = client.command(errand, manager.tftp(), ticket, "local".as_ref());
        !client.has_failed(&run(command.current_dir(manager.folder())))
    });
}

fn reads_an_image(client: Client) {
    let (manager, lab) = manager_of_a_device_that_dies(Phase::Download);
    let image = contents(MORE_THAN_BLOCK_NUMBERS);
    let (file, manifest) = (manager.folder().join("image"), manager.folder().join("large.toml"));
    std::fs::write(&file, &image).unwrap();
    let of_image = ["image", "manifest", "--for-version", "2.0", "--hardware", "iad-8", "--format", "1"];
    std::fs::write(&manifest, manager.succeed(&[of_image.as_slice(), &[&file.to_string_lossy()]].concat()))
        .unwrap();
    manager.succeed(&["image", "add", &manifest.to_string_lossy()]);

    manager.succeed(&["upgrade", "lab", "--image", "large"]);
    transfer(client, Errand::Get, &manager, &ticket(&lab, Operation::Download));

    assert!(std::fs::read(manager.folder().join("local")).unwrap() == image);
}

fn writes_a_backup(client: Client) {
    let (manager, lab) = manager_of_a_device_that_dies(Phase::Backup);
    let backup = contents(MORE_THAN_BLOCK_NUMBERS);
    std::fs::write(manager.folder().join("local"), &backup).unwrap();

    manager.succeed(&["backup", "lab", "--kinds", "user-data"]);
    transfer(client, Errand::Put, &manager, &ticket(&lab, Operation::Backup));

    assert!(std::fs::read(kept(&manager, &backup)).unwrap() == backup);
}

/// Where the manager keeps a file: it is named by its digest.
fn kept(manager: &Manager, file: &[u8]) -> PathBuf {
    let digest = Digest::of(file).to_string();
    let (folder, rest) = digest.split_at(2);
    manager.data().join("files").join(folder).join(rest)
}

/// Nobody gets anything by a name that was not given to it, and nothing comes of trying.
fn is_refused_unknown_names(client: Client) {
    let manager = Manager::with_profile(ROOMY);
    std::fs::write(manager.folder().join("local"), b"never to arrive").unwrap();
    for errand in [Errand::Get, Errand::Put] {
        let mut command = client.command(errand, manager.tftp(), "nobody", "local".as_ref());
        let finished = run(command.current_dir(manager.folder()));
        assert!(client.has_failed(&finished), "{errand:?}: {}", finished.output);
    }
    assert!(!kept(&manager, b"never to arrive").exists());
}

mod needs_curl {
    use super::*;

    #[test]
    fn curl_reads_an_image() {
        reads_an_image(Client::CURL);
    }

    #[test]
    fn curl_writes_a_backup() {
        writes_a_backup(Client::CURL);
    }

    #[test]
    fn curl_is_refused_unknown_names() {
        is_refused_unknown_names(Client::CURL);
    }
}

mod needs_tftp_hpa {
    use super::*;

    #[test]
    fn tftp_hpa_reads_an_image() {
        reads_an_image(Client::TFTP_HPA);
    }

    #[test]
    fn tftp_hpa_writes_a_backup() {
        writes_a_backup(Client::TFTP_HPA);
    }

    #[test]
    fn tftp_hpa_is_refused_unknown_names() {
        is_refused_unknown_names(Client::TFTP_HPA);
    }
}

mod needs_atftp {
    use super::*;

    #[test]
    fn atftp_reads_an_image() {
        reads_an_image(Client::ATFTP);
    }

    #[test]
    fn atftp_reads_an_image_with_all_options() {
        reads_an_image(Client::ATFTP_ALL_OPTIONS);
    }

    #[test]
    fn atftp_writes_a_backup() {
        writes_a_backup(Client::ATFTP);
    }

    #[test]
    fn atftp_writes_a_backup_with_all_options() {
        writes_a_backup(Client::ATFTP_ALL_OPTIONS);
    }

    #[test]
    fn atftp_is_refused_unknown_names() {
        is_refused_unknown_names(Client::ATFTP);
    }
}

//! The manager's file server with foreign clients: files arrive byte for byte, and names that are not theirs are
//! refused in a way they understand.

mod serving;

use engine::file_server::{Refusal, Report};
use serving::Serving;
use tempfile::TempDir;
use tests::process::{Finished, LIMIT, Running, eventually};
use tests::tftp_client::{Client, Errand};
use tests::tftpd::Server;

use crate::files::{SIZES, contents};

const LOCAL: &str = "local";

/// Begins an errand of a client's in `folder`.
fn begin(client: Client, errand: Errand, serving: &Serving, ticket: &str, folder: &TempDir) -> Running {
    let mut command = client.command(errand, serving.address(), ticket, LOCAL.as_ref());
    Running::start(command.current_dir(folder.path()))
}

/// The client reads the file from us, and then writes it to us.
fn reads_and_writes(client: Client, file: &[u8]) {
    let mut serving = Serving::new();
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join(LOCAL);

    serving.offer("image", file);
    let reading = begin(client, Errand::Get, &serving, "image", &folder);
    let served = serving.serve("image");
    let finished = reading.finish_within(LIMIT);
    assert!(!client.has_failed(&finished), "{} bytes: {}\n{:?}", file.len(), finished.output, served.err());
    assert!(std::fs::read(&local).unwrap() == file, "{} bytes were read wrong", file.len());

    std::fs::write(&local, file).unwrap();
    serving.expect("backup", file.len());
    let writing = begin(client, Errand::Put, &serving, "backup", &folder);
    let stored = serving.serve("backup");
    let finished = writing.finish_within(LIMIT);
    assert!(!client.has_failed(&finished), "{} bytes: {}\n{:?}", file.len(), finished.output, stored.err());
    assert!(stored.unwrap() == file, "{} bytes were written wrong", file.len());
}

fn reads_and_writes_all(client: Client, sizes: impl IntoIterator<Item = usize>) {
    sizes.into_iter().for_each(|size| reads_and_writes(client, &contents(size)));
}

/// The client asks for names that are not for it; it fails, and what they are for is still there.
fn is_refused_what_is_not_its(client: Client) {
    let mut serving = Serving::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(LOCAL), b"never to arrive").unwrap();
    serving.offer("image", b"the image");
    serving.expect("backup", 1000);

    for (errand, ticket, expected) in [
        (Errand::Get, "nowhere", Refusal::UnknownName),
        (Errand::Get, "backup", Refusal::OtherDirection),
        (Errand::Put, "image", Refusal::OtherDirection),
    ] {
        let asking = begin(client, errand, &serving, ticket, &folder);
        let refusal = serving.serve_until(|report| match report {
            Report::Refused { reason, name, .. } if name.as_deref() == Some(ticket) => Some(reason),
            Report::Refused { .. } | Report::Ticket { .. } => None,
        });
        assert_eq!(refusal, expected, "{errand:?} {ticket}");
        let finished: Finished = asking.finish_within(LIMIT);
        assert!(client.has_failed(&finished), "{errand:?} {ticket}: {}", finished.output);
    }

    let reading = begin(client, Errand::Get, &serving, "image", &folder);
    assert_eq!(serving.serve("image").unwrap(), b"the image");
    assert!(!client.has_failed(&reading.finish_within(LIMIT)));
}

/// Files of all sizes are written to a server that is none of ours (row S18).
fn writes_to(server: &Server) {
    let mut serving = Serving::new();
    for size in SIZES {
        let (file, name) = (contents(size), format!("pushed-{size}"));
        serving.push(&name, &file, server.address());
        assert!(serving.serve(&name).unwrap_or_else(|report| panic!("{size} bytes: {report:?}")) == file);
        // Some servers acknowledge the last block before they have written it.
        eventually("the server has the whole file", || {
            std::fs::read(server.file(&name)).is_ok_and(|stored| stored == file)
        });
    }
}

#[test]
fn s18_files_are_pushed_to_async_tftp() {
    writes_to(&Server::async_tftp());
}

mod needs_tftpd_hpa {
    use super::*;

    #[test]
    fn s18_files_are_pushed_to_tftpd_hpa() {
        writes_to(&Server::tftpd_hpa());
    }
}

mod needs_atftpd {
    use super::*;

    #[test]
    fn s18_files_are_pushed_to_atftpd() {
        writes_to(&Server::atftpd());
    }
}

mod needs_curl {
    use super::*;

    /// Curl takes a size of 0 in a server's answer for a fault and gives up.
    fn sizes_that_curl_takes() -> impl Iterator<Item = usize> {
        SIZES.into_iter().filter(|size| *size > 0)
    }

    #[test]
    fn curl_reads_and_writes_files_of_all_sizes() {
        reads_and_writes_all(Client::CURL, sizes_that_curl_takes());
    }

    #[test]
    fn curl_reads_and_writes_without_options() {
        reads_and_writes_all(Client::CURL_WITHOUT_OPTIONS, SIZES);
    }

    #[test]
    fn curl_reads_and_writes_in_large_blocks() {
        reads_and_writes_all(Client::CURL_LARGE_BLOCKS, sizes_that_curl_takes());
    }

    #[test]
    fn curl_is_refused_what_is_not_its() {
        is_refused_what_is_not_its(Client::CURL);
    }
}

mod needs_tftp_hpa {
    use super::*;

    #[test]
    fn tftp_hpa_reads_and_writes_files_of_all_sizes() {
        reads_and_writes_all(Client::TFTP_HPA, SIZES);
    }

    #[test]
    fn tftp_hpa_is_refused_what_is_not_its() {
        is_refused_what_is_not_its(Client::TFTP_HPA);
    }
}

mod needs_atftp {
    use super::*;

    #[test]
    fn atftp_reads_and_writes_files_of_all_sizes() {
        reads_and_writes_all(Client::ATFTP, SIZES);
    }

    #[test]
    fn atftp_reads_and_writes_with_all_options() {
        reads_and_writes_all(Client::ATFTP_ALL_OPTIONS, SIZES);
    }

    #[test]
    fn atftp_is_refused_what_is_not_its() {
        is_refused_what_is_not_its(Client::ATFTP);
    }
}

//! What survives a way to a foreign server and back, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use tests::process::eventually;
use tests::tftpd::Server;
use tftp::{ErrorCode, Failure, Mode, Options, Receiver, Sender, Timing};

use super::drive::{Transfer, drive};
use crate::files::{MORE_THAN_BLOCK_NUMBERS, SIZES, contents};

const BEGINNING: Duration = Duration::ZERO;

fn option_sets() -> [Options; 4] {
    let none = Options::default();
    let block_size = Options { block_size: Some(1428), transfer_size: Some(0), ..none };
    let window = Options { window_size: Some(8), ..block_size };
    [none, block_size, window, Options { timeout_s: Some(2), block_size: Some(8192), ..window }]
}

fn put(server: &Server, name: &str, file: &[u8], options: &Options) -> Result<Vec<u8>, Failure> {
    let options = Options { transfer_size: options.transfer_size.map(|_| file.len() as u64), ..*options };
    let sender = Sender::request(name, Mode::Octet, &options, &Timing::default(), BEGINNING);
    drive(Transfer::Sending(sender, Arc::from(file)), server.address())
}

fn get(server: &Server, name: &str, mode: Mode, options: &Options) -> Result<Vec<u8>, Failure> {
    let receiver = Receiver::request(name, mode, options, u64::MAX, &Timing::default(), BEGINNING);
    drive(Transfer::Receiving(receiver, Vec::new()), server.address())
}

/// Some servers acknowledge the last block before they have written it.
fn wait_for_file(server: &Server, name: &str, file: &[u8]) {
    eventually("the server has the whole file", || {
        std::fs::read(server.file(name)).is_ok_and(|stored| stored == file)
    });
}

fn files_of_all_sizes_survive_with_all_options(server: &Server) {
    for (number, options) in option_sets().iter().enumerate() {
        for size in SIZES {
            let (file, name) = (contents(size), format!("{number}-{size}"));
            put(server, &name, &file, options)
                .unwrap_or_else(|failure| panic!("{size}, {options:?}: {failure}"));
            wait_for_file(server, &name, &file);
            let read = get(server, &name, Mode::Octet, options);
            let read = read.unwrap_or_else(|failure| panic!("{size}, {options:?}: {failure}"));
            assert!(read == file, "{size} bytes, {options:?}");
        }
    }
}

fn block_numbers_roll_over_both_ways(server: &Server) {
    let (file, options) = (contents(MORE_THAN_BLOCK_NUMBERS), Options::default());
    put(server, "large", &file, &options).unwrap();
    wait_for_file(server, "large", &file);
    assert!(get(server, "large", Mode::Octet, &options).unwrap() == file);
}

fn a_file_that_is_not_there_is_refused_as_such(server: &Server) {
    match get(server, "nowhere", Mode::Octet, &Options::default()) {
        Err(Failure::Peer { code: ErrorCode::FileNotFound, .. }) => {}
        other => panic!("{other:?}"),
    }
}

fn lines_of_text_survive_as_netascii(server: &Server) {
    // A carriage return that is no line's end, and lines that end across the edges of blocks.
    let text = format!("a\rb\n{}\n{}", "x".repeat(505), "y\n".repeat(1000)).into_bytes();
    std::fs::write(server.file("text"), &text).unwrap();
    let read = get(server, "text", Mode::Netascii, &Options::default()).unwrap();
    assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(&text));
}

mod needs_tftpd_hpa {
    use super::*;

    #[test]
    fn files_of_all_sizes_survive_both_ways_with_all_options() {
        files_of_all_sizes_survive_with_all_options(&Server::tftpd_hpa());
    }

    #[test]
    fn block_numbers_roll_over() {
        block_numbers_roll_over_both_ways(&Server::tftpd_hpa());
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        a_file_that_is_not_there_is_refused_as_such(&Server::tftpd_hpa());
    }

    #[test]
    fn text_survives_netascii() {
        lines_of_text_survive_as_netascii(&Server::tftpd_hpa());
    }
}

mod needs_atftpd {
    use super::*;

    #[test]
    fn files_of_all_sizes_survive_both_ways_with_all_options() {
        files_of_all_sizes_survive_with_all_options(&Server::atftpd());
    }

    #[test]
    fn block_numbers_roll_over() {
        block_numbers_roll_over_both_ways(&Server::atftpd());
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        a_file_that_is_not_there_is_refused_as_such(&Server::atftpd());
    }
}

mod with_async_tftp {
    use super::*;

    #[test]
    fn files_of_all_sizes_survive_both_ways_with_all_options() {
        files_of_all_sizes_survive_with_all_options(&Server::async_tftp());
    }

    #[test]
    fn block_numbers_roll_over() {
        block_numbers_roll_over_both_ways(&Server::async_tftp());
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        a_file_that_is_not_there_is_refused_as_such(&Server::async_tftp());
    }
}

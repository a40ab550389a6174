//! Files by digest: durable, never written over, nothing left behind.

use std::fs;
use std::io::{self, Read};

use iadms::files::{FileError, Files};
use upgrade::Digest;

/// SHA-256 of "abc" (FIPS 180-4, by NIST's example).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn a_file_is_known_by_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let stored = files.add(&mut &b"abc"[..]).unwrap();
    assert_eq!((stored.digest.to_string().as_str(), stored.size), (ABC, 3));
    assert!(folder.path().join("files/ba").join(&ABC[2..]).exists());
    assert_eq!(files.read(stored.digest).unwrap(), b"abc");
    assert_eq!(files.verify(stored.digest).unwrap(), 3);
    let mut range = [0; 8];
    assert_eq!(files.read_range(stored.digest, 1, &mut range).unwrap(), 2);
    assert_eq!(&range[..2], b"bc");
    assert_eq!(files.read_range(stored.digest, 3, &mut range).unwrap(), 0);
    assert!(matches!(files.file(Digest([0; 32])), Err(FileError::Missing(_))));
}

#[test]
fn a_stored_file_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let stored = files.add(&mut &b"abc"[..]).unwrap();
    let inode = |digest| std::os::unix::fs::MetadataExt::ino(&fs::metadata(files.path(digest)).unwrap());
    let before = inode(stored.digest);
    assert_eq!(files.add(&mut &b"abc"[..]).unwrap(), stored);
    assert_eq!(inode(stored.digest), before, "it is the same file still");
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn a_damaged_file_is_told_and_healed_when_its_bytes_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let stored = files.add(&mut &b"abc"[..]).unwrap();
    fs::write(files.path(stored.digest), b"abd").unwrap();
    assert!(matches!(files.verify(stored.digest), Err(FileError::Damaged(_))));
    assert!(matches!(files.read(stored.digest), Err(FileError::Damaged(_))));
    files.add(&mut &b"abc"[..]).unwrap();
    assert_eq!(files.read(stored.digest).unwrap(), b"abc");
}

#[test]
fn what_does_not_come_to_its_end_was_never_there() {
    struct Breaks(u32);
    impl Read for Breaks {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 2 {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            into.fill(7);
            Ok(into.len())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    assert!(matches!(files.add(&mut Breaks(0)), Err(FileError::Source(_))));
    for bytes in [4, 100_000] {
        let mut given_up = files.begin();
        given_up.write(&vec![7; bytes]).unwrap();
        drop(given_up);
    }
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_half_written_is_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let whole = files.add(&mut &b"abc"[..]).unwrap();
    let mut half = files.begin();
    half.write(&[7; 100_000]).unwrap();
    // The process ends here: nothing is dropped.
    std::mem::forget(half);
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 1);
    let files = Files::open(folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    assert_eq!(files.read(whole.digest).unwrap(), b"abc");
}

#[test]
fn files_of_all_sizes_are_kept_however_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let bytes: Vec<u8> = (0_u32..70_000).flat_map(u32::to_be_bytes).collect();
    for size in [0, 1, 16_383, 16_384, 16_385, 32_769, 280_000] {
        for piece in [1000, 16_384, 100_000] {
            let mut incoming = files.begin();
            bytes[..size].chunks(piece).for_each(|piece| incoming.write(piece).unwrap());
            assert_eq!(incoming.size(), size as u64);
            let stored = incoming.keep().unwrap();
            assert!(files.read(stored.digest).unwrap() == bytes[..size], "{size} bytes, {piece} at once");
        }
    }
    assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[test]
fn many_come_in_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::open(folder.path()).unwrap();
    let stored: Vec<_> = std::thread::scope(|scope| {
        let add = |number: u8| {
            let files = files.clone();
            scope.spawn(move || files.add(&mut io::repeat(number % 3).take(300_000)).unwrap())
        };
        let threads: Vec<_> = (0..12).map(add).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for file in &stored {
        assert_eq!(files.verify(file.digest).unwrap(), 300_000);
    }
    assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 3);
}

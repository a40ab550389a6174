//! The threads that read and write files for the file server.

use std::collections::BTreeMap;
use std::sync::mpsc;

use engine::file_server::{FromStorage, StorageFailure, ToStorage, TransferId};
use tokio::sync::mpsc::UnboundedSender;

use crate::files::{FileError, Files, Incoming};

/// Threads that write: what each transfer writes stays in its order on one of them. Their number bounds how many
/// files are made safe on the disk at once.
const WRITERS: usize = 4;

/// The threads. They end with this.
#[derive(Debug)]
pub struct Storage {
    reader: mpsc::Sender<ToStorage>,
    writers: Vec<mpsc::Sender<ToStorage>>,
}

impl Storage {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn start(files: &Files, answers: &UnboundedSender<FromStorage>) -> std::io::Result<Self> {
        let start =
            |name: String, work: fn(&Files, &mpsc::Receiver<ToStorage>, &UnboundedSender<FromStorage>)| {
                let (sender, receiver) = mpsc::channel();
                let (files, answers) = (files.clone(), answers.clone());
                let thread = std::thread::Builder::new().name(name);
                thread.spawn(move || work(&files, &receiver, &answers))?;
                Ok(sender)
            };
        let writers =
            (0..WRITERS).map(|n| start(format!("storage-{n}"), write)).collect::<std::io::Result<_>>()?;
        Ok(Self { reader: start("storage-read".into(), read)?, writers })
    }

    /// Gives one of them work.
    pub fn ask(&self, work: ToStorage) {
        let thread = match &work {
            ToStorage::Need { .. } => Some(&self.reader),
            ToStorage::Write { transfer, .. }
            | ToStorage::Finish { transfer, .. }
            | ToStorage::Discard { transfer } => {
                let turn = usize::try_from(transfer.0 % WRITERS as u64).unwrap_or(0);
                self.writers.get(turn)
            }
        };
        // A thread that ended did so because nobody listens any more.
        let _ = thread.map(|thread| thread.send(work));
    }
}

fn read(files: &Files, work: &mpsc::Receiver<ToStorage>, answers: &UnboundedSender<FromStorage>) {
    while let Ok(asked) = work.recv() {
        let ToStorage::Need { file, offset, length } = asked else { continue };
        let mut bytes = vec![0; length];
        let answer = match files.read_range(file, offset, &mut bytes) {
            Ok(read) => {
                bytes.truncate(read);
                FromStorage::Chunk { file, offset, bytes: bytes.into(), last: read < length }
            }
            Err(error) => FromStorage::Unreadable { file, offset, cause: error.to_string() },
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn write(files: &Files, work: &mpsc::Receiver<ToStorage>, answers: &UnboundedSender<FromStorage>) {
    let mut incoming: BTreeMap<TransferId, Incoming> = BTreeMap::new();
    while let Ok(asked) = work.recv() {
        let (transfer, done) = match asked {
            ToStorage::Write { transfer, offset, bytes } => {
                (transfer, append(files, &mut incoming, transfer, offset, &bytes))
            }
            ToStorage::Finish { transfer, size } => (transfer, finish(files, &mut incoming, transfer, size)),
            ToStorage::Discard { transfer } => {
                incoming.remove(&transfer);
                continue;
            }
            ToStorage::Need { .. } => continue,
        };
        let answer = done.unwrap_or_else(|cause| {
            incoming.remove(&transfer);
            FromStorage::Failed { transfer, cause }
        });
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn append(
    files: &Files,
    incoming: &mut BTreeMap<TransferId, Incoming>,
    transfer: TransferId,
    offset: u64,
    bytes: &[u8],
) -> Result<FromStorage, StorageFailure> {
    if offset == 0 {
        incoming.insert(transfer, files.begin());
    }
    let out_of_order = || StorageFailure::Other("bytes out of order".into());
    let file = incoming.get_mut(&transfer).filter(|file| file.size() == offset).ok_or_else(out_of_order)?;
    file.write(bytes).map_err(|error| failure(&error))?;
    Ok(FromStorage::Written { transfer, offset: file.size() })
}

fn finish(
    files: &Files,
    incoming: &mut BTreeMap<TransferId, Incoming>,
    transfer: TransferId,
    size: u64,
) -> Result<FromStorage, StorageFailure> {
    let file = match incoming.remove(&transfer) {
        Some(file) => file,
        None if size == 0 => files.begin(),
        None => return Err(StorageFailure::Other("nothing was written".into())),
    };
    let stored = file.keep().map_err(|error| failure(&error))?;
    Ok(FromStorage::Stored { transfer, size: stored.size, sha256: stored.digest })
}

fn failure(error: &FileError) -> StorageFailure {
    tracing::error!(error = error as &dyn std::error::Error, "a file that arrives cannot be kept");
    if error.is_disk_full() { StorageFailure::NoRoom } else { StorageFailure::Other(error.to_string()) }
}

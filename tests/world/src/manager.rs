//! One life of the manager: its four parts, and what they say to each other. When it is killed all of this is gone.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::commander::{Ask, Commander};
use engine::director::{Director, Input, Inputs, Turn};
use engine::file_server::{FileServer, FromStorage, Order, Settings, StorageFailure, ToStorage, TransferId};
use engine::listener::{Learnt, Listener};
use snmp::manager::Regression;
use snmp::usm::EngineId;
use upgrade::{Kind, Profile, RunId, StoredFile};

use crate::images::digest_of;
use crate::secured::credentials;
use crate::store::Store;

/// One life of the manager.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) director: Director,
    pub(crate) commander: Commander,
    pub(crate) listener: Listener,
    pub(crate) files: FileServer,
    pub(crate) next_run: u64,
    /// What waits for the director.
    pub(crate) inbox: Inbox,
    /// What could not be stored, until it is tried again.
    pub(crate) given_back: Option<Inputs>,
    /// What is being committed.
    pub(crate) committing: Option<Committing>,
    /// Files that arrive.
    incoming: BTreeMap<TransferId, Vec<u8>>,
    /// When each part is to be called next.
    pub(crate) due: BTreeMap<Part, Duration>,
    /// When the last message of each channel arrives: none overtakes another.
    pub(crate) channels: BTreeMap<Channel, Duration>,
}

/// Of each kind of messages the director takes so few into one turn that it often is behind.
const MOST_AT_ONCE: usize = 2;

/// What waits for the director, by its kind.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    answers: VecDeque<Input>,
    reports: VecDeque<Input>,
    news: VecDeque<Input>,
    /// Of the start, and of the converter.
    others: Vec<Input>,
    /// Of operators.
    pub(crate) words: Vec<Input>,
}

impl Inbox {
    pub(crate) fn put(&mut self, input: Input) {
        match input {
            Input::Answer(_) => self.answers.push_back(input),
            Input::Report(_) => self.reports.push_back(input),
            Input::Heard(_) | Input::Gap | Input::Doubted(_) => self.news.push_back(input),
            Input::Resume(_) | Input::Converted { .. } => self.others.push(input),
            word => self.words.push(word),
        }
    }

    /// Answers and reports that wait still.
    pub(crate) fn what_came_in_time(&self) -> usize {
        self.answers.len() + self.reports.len()
    }

    /// What goes into one turn, as the daemon takes it.
    pub(crate) fn take(&mut self) -> Inputs {
        let mut inputs = Inputs::at_most(MOST_AT_ONCE);
        inputs.extend(self.others.drain(..).chain(self.words.drain(..)));
        inputs.take(|| self.answers.pop_front());
        inputs.take(|| self.reports.pop_front());
        inputs.take_news(|| self.news.pop_front());
        inputs
    }
}

/// A batch on its way into the store.
#[derive(Debug)]
pub(crate) struct Committing {
    pub(crate) inputs: Inputs,
    pub(crate) turn: Turn,
}

/// A part of the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Director,
    Commander,
    Files,
}

/// A channel between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    Asks,
    Answers,
    News,
    Receipts,
    Orders,
    Reports,
    Reading,
    Writing,
    Stored,
    Converted,
    Index,
    Regressions,
    Operator,
}

/// A message from one part to another.
#[derive(Debug)]
pub(crate) enum Message {
    Ask(Ask),
    Order(Order),
    Storage(ToStorage),
    Stored(FromStorage),
    Input(Input),
    Receipt(u64),
    Learnt(Learnt),
    /// An engine counts its starts anew.
    Regression(Regression),
    /// The disk has taken the commit, or refuses it.
    Commit,
    /// A commit that was refused is tried again.
    Retry,
}

impl Manager {
    pub(crate) fn new(seed: u64, store: &Store) -> Self {
        let mut commander = Commander::new(seed);
        commander.know(credentials());
        Self {
            director: Director::new(),
            commander,
            listener: Listener::new(EngineId::of_text(32473, "manager"), seed),
            files: FileServer::new(Settings::default()),
            next_run: store.next_run(),
            inbox: Inbox::default(),
            given_back: None,
            committing: None,
            incoming: BTreeMap::new(),
            due: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }

    /// What the storage threads do.
    pub(crate) fn store(&mut self, asked: ToStorage, store: &mut Store) -> Option<FromStorage> {
        match asked {
            ToStorage::Need { file, offset, length } => Some(match store.files.get(&file) {
                Some(bytes) => {
                    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                    let to = from.saturating_add(length).min(bytes.len());
                    let piece: Arc<[u8]> = bytes.get(from..to).unwrap_or_default().into();
                    let last = piece.len() < length;
                    FromStorage::Chunk { file, offset, bytes: piece, last }
                }
                None => FromStorage::Unreadable { file, offset, cause: "there is no such file".into() },
            }),
            ToStorage::Write { transfer, .. } | ToStorage::Finish { transfer, .. } if store.full => {
                self.incoming.remove(&transfer);
                Some(FromStorage::Failed { transfer, cause: StorageFailure::NoRoom })
            }
            ToStorage::Write { transfer, offset, bytes } => {
                let file = self.incoming.entry(transfer).or_default();
                if u64::try_from(file.len()) != Ok(offset) {
                    let cause = StorageFailure::Other("bytes out of order".into());
                    return Some(FromStorage::Failed { transfer, cause });
                }
                file.extend_from_slice(&bytes);
                let offset = u64::try_from(file.len()).unwrap_or(u64::MAX);
                Some(FromStorage::Written { transfer, offset })
            }
            ToStorage::Finish { transfer, .. } => {
                let bytes = self.incoming.remove(&transfer).unwrap_or_default();
                let (size, sha256) = (u64::try_from(bytes.len()).unwrap_or(u64::MAX), digest_of(&bytes));
                store.files.insert(sha256, bytes.into());
                Some(FromStorage::Stored { transfer, size, sha256 })
            }
            ToStorage::Discard { transfer } => {
                self.incoming.remove(&transfer);
                None
            }
        }
    }
}

/// What the manager's converter makes of these files.
pub(crate) fn convert(run: RunId, set: &upgrade::ConfigurationSet, format: u32, store: &mut Store) -> Input {
    let mut files: BTreeMap<Kind, StoredFile> = BTreeMap::new();
    for (kind, file) in &set.files {
        let made = store.files.get(&file.digest).and_then(|bytes| crate::images::converted(bytes, format));
        let Some(made) = made.filter(|_| !store.full) else {
            return Input::Converted { run, result: Err("the converter failed".into()) };
        };
        let stored =
            StoredFile { digest: digest_of(&made), size: u64::try_from(made.len()).unwrap_or(u64::MAX) };
        store.files.insert(stored.digest, made.into());
        files.insert(kind.clone(), stored);
    }
    Input::Converted { run, result: Ok(files) }
}

/// The profile of all devices: that of IAD-MIB, with waits that fit what goes wrong here.
pub(crate) fn profile() -> Arc<Profile> {
    PROFILE.with(Arc::clone)
}

thread_local! {
    // What two threads count references to, they wait for each other for.
    static PROFILE: Arc<Profile> = make_profile();
}

fn make_profile() -> Arc<Profile> {
    let mut profile = match upgrade::profile::load("iad.toml", upgrade::profile::IAD, |_| None) {
        Ok(profile) => profile,
        // It is read by the product's own tests, too.
        Err(error) => unreachable!("{error}"),
    };
    profile.limits.drain_s = 120.0;
    profile.limits.busy_s = 120.0;
    profile.limits.trial_s = 600;
    profile.limits.soak_s = 10.0;
    profile.limits.backoff_s = 10.0;
    profile.limits.backoff_cap_s = 60.0;
    Arc::new(profile)
}

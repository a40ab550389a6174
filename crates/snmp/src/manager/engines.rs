//! The engines of the agents that are asked by SNMPv3: what they are called, what their clocks show, and the keys for them
//! (RFC 3414 section 4).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::RequestKey;
use crate::usm::{Clock, EngineId, EngineTime, Keys, User};

/// All engines that were asked.
#[derive(Debug, Default)]
pub(super) struct Engines {
    known: BTreeMap<SocketAddr, Engine>,
    asked: BTreeMap<SocketAddr, Asked>,
}

/// An engine that has told its id.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) id: EngineId,
    /// Its time, as far as that was ever authenticated.
    pub(super) clock: Option<Clock>,
    /// What it told before it was known, which anybody may have made up: good enough to read something, and the answer proves
    /// it. What is written is worth a proof before: a SET for a time to come could be held back until then.
    pub(super) told: Clock,
    /// Of the users as whom it is asked.
    keys: Vec<(Arc<User>, Keys)>,
    /// The one that was proven to be there before. It is back as soon as it tells its id, unless this one has proven itself.
    former: Option<Box<Engine>>,
}

/// Somebody asks for an engine's id, and the others wait.
#[derive(Debug)]
struct Asked {
    by: RequestKey,
    waiting: BTreeSet<RequestKey>,
}

/// What is known of an engine that is to be asked something.
pub(super) enum Knowledge<'a> {
    /// Its id and the keys for it.
    Known(&'a mut Engine),
    /// Nothing: this request asks.
    Ask,
    /// Another request has asked, and this one waits.
    Wait,
}

impl Engines {
    pub(super) fn knowledge(&mut self, peer: SocketAddr, key: RequestKey) -> Knowledge<'_> {
        if let Some(engine) = self.known.get_mut(&peer) {
            return Knowledge::Known(engine);
        }
        let asked = self.asked.entry(peer).or_insert_with(|| Asked { by: key, waiting: BTreeSet::new() });
        if asked.by == key {
            return Knowledge::Ask;
        }
        asked.waiting.insert(key);
        Knowledge::Wait
    }

    pub(super) fn get_mut(&mut self, peer: SocketAddr) -> Option<&mut Engine> {
        self.known.get_mut(&peer)
    }

    /// An engine tells its id, and its time; nobody has proven it. Who waited for that is given back.
    pub(super) fn discovered(
        &mut self,
        peer: SocketAddr,
        id: EngineId,
        told: EngineTime,
        now: Duration,
    ) -> BTreeSet<RequestKey> {
        let told = Clock::heard(told, now);
        let anew = Engine { id, clock: None, told, keys: Vec::new(), former: None };
        match self.known.entry(peer) {
            Entry::Vacant(place) => drop(place.insert(anew)),
            Entry::Occupied(place) if place.get().id == id => {}
            Entry::Occupied(mut place) => {
                let before = place.insert(anew);
                place.get_mut().follow(before);
            }
        }
        self.asked.remove(&peer).map(|asked| asked.waiting).unwrap_or_default()
    }

    /// A request is over. If it was the one that asked for an engine's id, those who waited for that are given back: one of them
    /// asks next.
    pub(super) fn over(&mut self, peer: SocketAddr, key: RequestKey) -> BTreeSet<RequestKey> {
        match self.asked.get_mut(&peer) {
            Some(asked) if asked.by == key => {
                self.asked.remove(&peer).map(|asked| asked.waiting).unwrap_or_default()
            }
            Some(asked) => {
                asked.waiting.remove(&key);
                BTreeSet::new()
            }
            None => BTreeSet::new(),
        }
    }
}

impl Engine {
    /// Its clock shows this, which is proven: whoever was there before is gone.
    pub(super) fn proven(&mut self, at: EngineTime, now: Duration) {
        self.clock = Some(Clock::heard(at, now));
        self.former = None;
    }

    /// It tells its id where another one was, and has proven nothing yet.
    fn follow(&mut self, mut before: Engine) {
        let former = before.former.take();
        let proven = if before.clock.is_some() { Some(Box::new(before)) } else { former };
        match proven {
            Some(proven) if proven.id == self.id => *self = *proven,
            proven => self.former = proven,
        }
    }

    /// The keys of a user for this engine.
    pub(super) fn keys(&mut self, user: &Arc<User>) -> &Keys {
        let place = match self.keys.iter().position(|(own, _)| own == user) {
            Some(place) => place,
            None => {
                self.keys.push((Arc::clone(user), user.localized(&self.id)));
                self.keys.len() - 1
            }
        };
        &self.keys[place].1
    }
}

//! Looks at devices of one kind, prepared once for all of them: which instances are asked for, and what each tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fact::Fact;
use super::{Object, Per, Scope};
use crate::configuration::Kind;
use crate::object::Oid;

/// The looks at devices of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looks {
    whole: Arc<[Oid]>,
    progress: Arc<[Oid]>,
    /// In the order of the whole look.
    meanings: Vec<Meaning>,
}

/// What the value of one instance tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Meaning {
    oid: Oid,
    pub(super) fact: Fact,
    pub(super) object: Arc<Object>,
    pub(super) place: Place,
}

/// What of a device an instance belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    Device,
    Buffer(u32),
    Configuration(u32, Kind),
}

impl Looks {
    pub(super) fn new(
        objects: &BTreeMap<String, Object>,
        buffers: &[u32],
        kinds: &BTreeMap<Kind, u32>,
    ) -> Self {
        let mut meanings = Vec::new();
        for (name, object) in objects {
            let Some(fact) = Fact::of(name) else { continue };
            let object = Arc::new(object.clone());
            for (oid, place) in instances(&object, buffers, kinds) {
                meanings.push(Meaning { oid, fact, object: Arc::clone(&object), place });
            }
        }
        let oids = |asked: fn(&Meaning) -> bool| {
            meanings.iter().filter(|meaning| asked(meaning)).map(|meaning| meaning.oid.clone()).collect()
        };
        let (whole, progress) = (oids(|_| true), oids(|meaning| meaning.fact.is_of_progress()));
        Self { whole, progress, meanings }
    }

    /// The instances to ask the device for.
    pub(super) fn questions(&self, scope: Scope) -> Arc<[Oid]> {
        match scope {
            Scope::Whole => Arc::clone(&self.whole),
            Scope::Progress => Arc::clone(&self.progress),
        }
    }

    /// What each of these instances tells; none of one that is not asked for.
    pub(super) fn meanings<'a>(
        &'a self,
        oids: impl Iterator<Item = &'a Oid>,
    ) -> impl Iterator<Item = Option<&'a Meaning>> {
        let mut expected = 0;
        oids.map(move |oid| {
            // Answers come in the order of the questions: nearly always the next one is the one expected.
            let (before, after) = self.meanings.split_at_checked(expected)?;
            let found = after.iter().chain(before).position(|meaning| meaning.oid == *oid)?;
            let place = (expected + found) % self.meanings.len();
            expected = place + 1;
            self.meanings.get(place)
        })
    }
}

fn instances(object: &Object, buffers: &[u32], kinds: &BTreeMap<Kind, u32>) -> Vec<(Oid, Place)> {
    match object.per {
        Per::Device => vec![(object.oid.clone(), Place::Device)],
        Per::Buffer => {
            let of_buffer = |&buffer| (object.oid.instance(&[buffer]), Place::Buffer(buffer));
            buffers.iter().map(of_buffer).collect()
        }
        Per::BufferAndKind => buffers
            .iter()
            .flat_map(|&buffer| {
                kinds.iter().map(move |(kind, &number)| {
                    let place = Place::Configuration(buffer, kind.clone());
                    (object.oid.instance(&[buffer, number]), place)
                })
            })
            .collect(),
    }
}

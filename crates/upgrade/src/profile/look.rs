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
        meanings.sort_by_key(|meaning| !meaning.fact.is_of_the_moment());
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

#[cfg(test)]
mod tests {
    use crate::object::Value;
    use crate::profile::{IAD, Scope, load};
    use crate::{Profile, Time};

    fn iad() -> Profile {
        load("iad.toml", IAD, |_| None).unwrap()
    }

    #[test]
    fn what_a_value_tells_does_not_depend_on_the_order_of_the_answer() {
        let profile = iad();
        let number = |n: usize| Value::Unsigned(u32::try_from(n).unwrap());
        let mut values: Vec<_> =
            profile.questions(Scope::Whole).iter().cloned().zip((1..).map(number)).collect();
        let in_order = profile.reading(&values, Time::default());
        assert!(!in_order.configuration.is_empty());
        values.rotate_left(7);
        assert_eq!(profile.reading(&values, Time::default()).revision, in_order.revision);
        values.reverse();
        let mut reversed = profile.reading(&values, Time::default());
        reversed.configuration.reverse();
        for entry in &in_order.configuration {
            assert!(reversed.configuration.contains(entry), "{entry:?}");
        }
        reversed.configuration.clone_from(&in_order.configuration);
        assert_eq!(reversed, in_order);
    }

    #[test]
    fn a_poll_asks_for_a_part_of_the_whole_look() {
        let profile = iad();
        let (whole, progress) = (profile.questions(Scope::Whole), profile.questions(Scope::Progress));
        assert_eq!(progress.len(), 10);
        assert!(progress.iter().all(|oid| whole.contains(oid)));
        let values: Vec<_> = progress.iter().map(|oid| (oid.clone(), Value::Unsigned(9))).collect();
        let reading = profile.reading(&values, Time::default());
        assert_eq!((reading.boots, reading.model), (Some(9), None));
    }
}

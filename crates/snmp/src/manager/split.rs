//! Splitting a long list of objects into requests whose answers fit in one message each.

use crate::ObjectIdentifier;
use crate::varbind::unset_length;

/// What one request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitLimits {
    /// The longest answer wanted, in bytes.
    pub message_size: usize,
    /// Bytes to count for each value, whose true length nobody knows before.
    pub value_size: usize,
    /// The most objects, for agents with a limit of their own.
    pub objects: usize,
}

impl Default for SplitLimits {
    /// Answers that fit in one Ethernet frame over IPv6, for values of 32 bytes.
    fn default() -> Self {
        SplitLimits { message_size: 1452, value_size: 32, objects: 64 }
    }
}

/// Bytes of a message around its variable bindings, with a community of 32 bytes.
const ENVELOPE_SIZE: usize = 68;

/// Cuts `names` into runs that can be asked for at once; none is empty, and one object always fits.
pub fn split(names: &[ObjectIdentifier], limits: SplitLimits) -> impl Iterator<Item = &[ObjectIdentifier]> {
    let mut rest = names;
    std::iter::from_fn(move || {
        let mut size = ENVELOPE_SIZE;
        let fitting = rest
            .iter()
            .take(limits.objects)
            .take_while(|name| {
                size += unset_length(name) + limits.value_size;
                size <= limits.message_size
            })
            .count();
        let (run, after) = rest.split_at_checked(fitting.max(1))?;
        rest = after;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_where_the_answer_would_be_too_long() {
        let column = ObjectIdentifier::new([1, 3, 6, 1, 2, 1, 2, 2, 1, 10]);
        let names: Vec<_> = (1..=100).map(|index| column.child(index)).collect();
        let limits = SplitLimits { message_size: 484, value_size: 5, objects: 64 };
        let runs: Vec<_> = split(&names, limits).collect();
        assert_eq!(runs.concat(), names);
        // Each variable binding takes 16 bytes without its value.
        assert!(runs.iter().rev().skip(1).all(|run| run.len() == (484 - ENVELOPE_SIZE) / 21), "{runs:?}");
        let by_count = SplitLimits { objects: 7, ..SplitLimits::default() };
        assert_eq!(split(&names, by_count).map(<[_]>::len).max(), Some(7));
    }

    #[test]
    fn one_object_is_asked_for_even_if_it_will_hardly_fit() {
        let name = [ObjectIdentifier::new([1, 3, 6, 1])];
        let limits = SplitLimits { message_size: 10, value_size: 1000, objects: 0 };
        assert_eq!(split(&name, limits).collect::<Vec<_>>(), [&name[..]]);
        assert_eq!(split(&[], limits).count(), 0);
    }
}

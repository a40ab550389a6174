//! Object identifiers (RFC 2578 section 7.1.3): up to 128 arcs of 32 bits, ordered lexicographically. Short ones, which
//! nearly all are, live without an allocation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The most arcs an object identifier may have (RFC 2578 section 3.5).
pub const MAXIMUM_ARCS: usize = 128;

/// Enough for a column with a two-part index below an enterprise number.
const INLINE_ARCS: usize = 15;

/// The name of an object: a list of arcs, compared arc by arc.
///
/// `Display` and `FromStr` use dotted numbers; a leading dot is accepted.
#[derive(Clone)]
pub struct ObjectIdentifier(Arcs);

#[derive(Clone)]
enum Arcs {
    Inline { length: u8, arcs: [u32; INLINE_ARCS] },
    Heap(Vec<u32>),
}

impl ObjectIdentifier {
    /// The object identifier `0.0` (`zeroDotZero`, RFC 2578 section 2), which stands for "none".
    pub const ZERO_DOT_ZERO: ObjectIdentifier = ObjectIdentifier::new([0, 0]);

    /// A constant of at most 15 arcs; longer ones come from [`from_arcs`](Self::from_arcs).
    ///
    /// The first two arcs must be ones that can be encoded (X.690 section 8.19.4), otherwise the peer reads another name.
    pub const fn new<const N: usize>(constant: [u32; N]) -> ObjectIdentifier {
        const { assert!(N <= INLINE_ARCS, "a constant object identifier has at most 15 arcs") };
        let mut arcs = [0; INLINE_ARCS];
        let mut position = 0;
        while position < N {
            arcs[position] = constant[position];
            position += 1;
        }
        ObjectIdentifier(Arcs::Inline { length: N as u8, arcs })
    }

    /// Checks and takes arcs.
    ///
    /// # Errors
    /// More than 128 arcs, or first two arcs that BER cannot encode.
    pub fn from_arcs(arcs: &[u32]) -> Result<ObjectIdentifier, InvalidObjectIdentifier> {
        if arcs.len() > MAXIMUM_ARCS {
            return Err(InvalidObjectIdentifier::TooLong);
        }
        match *arcs {
            [first, ..] if first > 2 => Err(InvalidObjectIdentifier::FirstArcs),
            [first, second, ..] if first < 2 && second > 39 => Err(InvalidObjectIdentifier::FirstArcs),
            _ => Ok(ObjectIdentifier::from_slice(arcs)),
        }
    }

    /// The arcs, first to last.
    pub fn arcs(&self) -> &[u32] {
        match &self.0 {
            Arcs::Inline { length, arcs } => arcs.get(..usize::from(*length)).unwrap_or(arcs),
            Arcs::Heap(arcs) => arcs,
        }
    }

    /// The name one arc longer, even past 128 arcs, which no peer will accept: a column of an entry, an instance of an object.
    #[must_use]
    pub fn child(&self, arc: u32) -> ObjectIdentifier {
        let mut longer = self.clone();
        longer.push(arc);
        longer
    }

    /// The name followed by `arcs`, for an instance with an index of several arcs.
    #[must_use]
    pub fn join(&self, arcs: &[u32]) -> ObjectIdentifier {
        let mut longer = self.clone();
        longer.extend(arcs.iter().copied());
        longer
    }

    /// The name without its last arc; `None` for the empty name.
    #[must_use]
    pub fn parent(&self) -> Option<ObjectIdentifier> {
        let (_, rest) = self.arcs().split_last()?;
        Some(ObjectIdentifier::from_slice(rest))
    }

    /// Whether `prefix` is this name or one above it.
    pub fn starts_with(&self, prefix: &ObjectIdentifier) -> bool {
        self.arcs().starts_with(prefix.arcs())
    }

    /// The arcs below `prefix`: of an instance, its index. `None` if the name is not at or below `prefix`.
    pub fn strip_prefix(&self, prefix: &ObjectIdentifier) -> Option<&[u32]> {
        self.arcs().strip_prefix(prefix.arcs())
    }

    /// Takes arcs without a check.
    #[inline]
    pub(crate) fn from_slice(slice: &[u32]) -> ObjectIdentifier {
        let mut name = ObjectIdentifier::new([]);
        // Filled where it is, since moving it afterwards costs more than filling it.
        if let Arcs::Inline { length, arcs } = &mut name.0
            && let Some(places) = arcs.get_mut(..slice.len())
        {
            places.copy_from_slice(slice);
            *length = slice.len() as u8;
            return name;
        }
        ObjectIdentifier(Arcs::Heap(slice.to_vec()))
    }

    /// Room for a short name, in place of another one; what `fill` puts there, and how many arcs it tells, is the name, and none
    /// where it does not fit.
    #[inline]
    pub(crate) fn refill(&mut self, fill: impl FnOnce(&mut [u32; INLINE_ARCS]) -> Option<u8>) -> Option<()> {
        if let Arcs::Heap(_) = self.0 {
            *self = ObjectIdentifier::new([]);
        }
        if let Arcs::Inline { length, arcs } = &mut self.0 {
            *length = 0;
            *length = fill(arcs)?;
        }
        Some(())
    }

    /// Takes all arcs away.
    #[inline]
    pub(crate) fn clear(&mut self) {
        match &mut self.0 {
            Arcs::Inline { length, .. } => *length = 0,
            Arcs::Heap(arcs) => arcs.clear(),
        }
    }

    /// Appends one arc in place, without a check.
    #[inline]
    pub(crate) fn push(&mut self, arc: u32) {
        match &mut self.0 {
            Arcs::Inline { length, arcs } => match arcs.get_mut(usize::from(*length)) {
                Some(place) => {
                    *place = arc;
                    *length += 1;
                }
                None => {
                    let mut longer = Vec::with_capacity(2 * INLINE_ARCS);
                    longer.extend_from_slice(arcs);
                    longer.push(arc);
                    self.0 = Arcs::Heap(longer);
                }
            },
            Arcs::Heap(arcs) => arcs.push(arc),
        }
    }
}

/// Why a text or a list of arcs is no object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectIdentifier {
    /// More than 128 arcs.
    #[error("object identifier has more than {MAXIMUM_ARCS} arcs")]
    TooLong,
    /// The first arc is above 2, or the second above 39 below 0 or 1 (X.690 section 8.19.4).
    #[error("object identifier begins with arcs that cannot be encoded")]
    FirstArcs,
    /// A part of the text between dots is no number of 32 bits.
    #[error("object identifier has a part that is no number of 32 bits")]
    Arc,
}

impl FromStr for ObjectIdentifier {
    type Err = InvalidObjectIdentifier;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut arcs = ObjectIdentifier::new([]);
        for part in text.strip_prefix('.').unwrap_or(text).split('.') {
            // `u32::from_str` alone would also take a plus sign.
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(InvalidObjectIdentifier::Arc);
            }
            if arcs.arcs().len() == MAXIMUM_ARCS {
                return Err(InvalidObjectIdentifier::TooLong);
            }
            arcs.push(part.parse().map_err(|_| InvalidObjectIdentifier::Arc)?);
        }
        ObjectIdentifier::from_arcs(arcs.arcs())
    }
}

impl TryFrom<&[u32]> for ObjectIdentifier {
    type Error = InvalidObjectIdentifier;

    fn try_from(arcs: &[u32]) -> Result<Self, Self::Error> {
        ObjectIdentifier::from_arcs(arcs)
    }
}

impl FromIterator<u32> for ObjectIdentifier {
    fn from_iter<I: IntoIterator<Item = u32>>(arcs: I) -> Self {
        let mut name = ObjectIdentifier::new([]);
        name.extend(arcs);
        name
    }
}

impl Extend<u32> for ObjectIdentifier {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, arcs: I) {
        for arc in arcs {
            self.push(arc);
        }
    }
}

impl fmt::Display for ObjectIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, arc) in self.arcs().iter().enumerate() {
            if position > 0 {
                formatter.write_str(".")?;
            }
            write!(formatter, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl PartialEq for ObjectIdentifier {
    fn eq(&self, other: &Self) -> bool {
        self.arcs() == other.arcs()
    }
}

impl Eq for ObjectIdentifier {}

impl PartialOrd for ObjectIdentifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectIdentifier {
    fn cmp(&self, other: &Self) -> Ordering {
        self.arcs().cmp(other.arcs())
    }
}

impl Hash for ObjectIdentifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.arcs().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ObjectIdentifier {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_ordered_arc_by_arc_and_not_as_text() {
        let mut names = [name("1.3.6.1.10"), name("1.3.6.1.2.1"), name("1.3.6.1.2"), name("1.3.6.1.16384")];
        names.sort();
        assert_eq!(
            names.map(|name| name.to_string()),
            ["1.3.6.1.2", "1.3.6.1.2.1", "1.3.6.1.10", "1.3.6.1.16384"]
        );
    }

    #[test]
    fn a_name_may_grow_past_its_inline_room() {
        let mut grown = ObjectIdentifier::new([1, 3]);
        for arc in 2..40 {
            grown = grown.child(arc);
            assert_eq!(grown.arcs().len(), usize::try_from(arc).unwrap() + 1);
            assert_eq!(grown.arcs().last(), Some(&arc));
        }
        assert_eq!(grown.parent().unwrap().child(39), grown);
        assert!(grown.starts_with(&name("1.3.2.3")));
        assert!(!grown.starts_with(&name("1.3.2.4")));
        assert_eq!(name("1.3.6.1.5.7").strip_prefix(&name("1.3.6.1")), Some(&[5, 7][..]));
        assert_eq!(name("1.3.6.1").strip_prefix(&name("1.3.6.1.5")), None);
    }

    #[test]
    fn text_that_is_no_name_is_refused_with_its_reason() {
        assert_eq!("".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::Arc));
        assert_eq!("1.3..6".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::Arc));
        assert_eq!("1.3.+6".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::Arc));
        assert_eq!("1.3.4294967296".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::Arc));
        assert_eq!("3.1".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::FirstArcs));
        assert_eq!("1.40".parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::FirstArcs));
        let long = vec!["1"; 129].join(".");
        assert_eq!(long.parse::<ObjectIdentifier>(), Err(InvalidObjectIdentifier::TooLong));
        assert_eq!(name(".1.3.6"), ObjectIdentifier::new([1, 3, 6]));
        assert_eq!(name("2.999.4294967295").to_string(), "2.999.4294967295");
    }
}

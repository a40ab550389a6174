//! One file on its way in: what faults do to it, and whether it is the one announced.

use std::borrow::Cow;

use super::Context;
use crate::device::digest::{Digest, Hasher};
use crate::device::operation::ErrorCode;
use crate::fault::{Fault, FaultKind};

/// A file on its way in.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) size: u64,
    hasher: Hasher,
    ends_at: Option<u64>,
    changed_at: Option<u64>,
}

impl Incoming {
    /// A file of which `expected` says how large it should be, if that is known.
    pub(super) fn begin(context: &mut Context<'_>, expected: Option<u64>) -> Self {
        let phase = context.phase();
        let mut strike = |kind| {
            let version = context.hardware.running_version().to_owned();
            context.hardware.faults.strike_during(|fault| {
                fault.kind == kind
                    && fault.during.is_none_or(|during| Some(during) == phase)
                    && fault.version.as_ref().is_none_or(|only| *only == version)
            })
        };
        let place = |fault: &Fault| {
            fault.byte.unwrap_or(expected.unwrap_or_default() * u64::from(fault.percent) / 100)
        };
        Self {
            size: 0,
            hasher: Hasher::default(),
            ends_at: strike(FaultKind::TruncateTransfer).map(|fault| place(&fault)),
            changed_at: strike(FaultKind::CorruptTransfer).map(|fault| place(&fault)),
        }
    }

    /// Whether what arrives differs from what was sent.
    pub(super) fn is_changed(&self) -> bool {
        self.changed_at.is_some()
    }

    /// Takes the next bytes, and gives back what the device believes to have received. True: it believes the file to be whole.
    pub(super) fn take<'b>(&mut self, bytes: &'b [u8]) -> (Cow<'b, [u8]>, bool) {
        let begin = self.size;
        let mut taken = Cow::Borrowed(bytes);
        let mut ends = false;
        if let Some(end) = self.ends_at
            && begin + length(bytes) >= end
        {
            let kept = usize::try_from(end.saturating_sub(begin)).unwrap_or(usize::MAX).min(bytes.len());
            taken = Cow::Borrowed(bytes.get(..kept).unwrap_or_default());
            ends = true;
        }
        if let Some(place) = self.changed_at.and_then(|place| usize::try_from(place.checked_sub(begin)?).ok())
            && place < taken.len()
            && let Some(byte) = taken.to_mut().get_mut(place)
        {
            *byte ^= 0x55;
        }
        self.hasher.update(&taken);
        self.size += length(&taken);
        (taken, ends)
    }

    /// Whether the file that has arrived is the one announced.
    pub(super) fn verify(
        &self,
        size: Option<&u64>,
        digest: Option<&Digest>,
    ) -> Result<(), (ErrorCode, String)> {
        if let Some(size) = size.filter(|size| **size != self.size) {
            return Err((ErrorCode::SizeMismatch, format!("{} bytes came instead of {size}", self.size)));
        }
        if digest.is_some_and(|digest| *digest != self.hasher.digest()) {
            return Err((ErrorCode::DigestMismatch, "the file is not the one announced".to_owned()));
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

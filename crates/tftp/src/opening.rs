//! The first packet of a side, sent until it is answered: a request, or the options a server agrees to.

use core::time::Duration;

use crate::options::{OptionList, Options};
use crate::packet::{Direction, Mode, Packet, Request};

/// What opens the transfer from this side, sent until it is answered.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    pub(crate) packet: Vec<u8>,
    pub(crate) due: bool,
    /// When it went out, while that was only once.
    pub(crate) sent_once_at: Option<Duration>,
    pub(crate) was_sent: bool,
}

impl Opening {
    pub(crate) fn request(direction: Direction, filename: &str, mode: Mode, asked: &Options) -> Self {
        let mut options = Vec::new();
        asked.encode(&mut options);
        let options = OptionList::new(&options);
        Self::of(&Packet::Request(Request { direction, filename, mode, options }))
    }

    /// Nothing where there is nothing to agree to.
    pub(crate) fn option_acknowledgement(agreed: &Options) -> Self {
        if agreed.is_empty() {
            return Self::default();
        }
        let mut options = Vec::new();
        agreed.encode(&mut options);
        Self::of(&Packet::OptionAcknowledgement(OptionList::new(&options)))
    }

    fn of(packet: &Packet<'_>) -> Self {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        Self { packet: bytes, due: true, ..Self::default() }
    }

    /// Puts it into `buffer` if it is due.
    pub(crate) fn transmit(&mut self, now: Duration, buffer: &mut Vec<u8>) -> bool {
        if !std::mem::take(&mut self.due) {
            return false;
        }
        buffer.extend_from_slice(&self.packet);
        self.sent_once_at = (!self.was_sent).then_some(now);
        self.was_sent = true;
        true
    }
}

//! Option negotiation (RFC 2347) of block size (RFC 2348), time-out and transfer size (RFC 2349) and window size
//! (RFC 7440).

use std::ops::RangeInclusive;

use crate::text::split_text;

/// Bytes of contents in a block where no block size was agreed (RFC 1350).
pub const DEFAULT_BLOCK_SIZE: u16 = 512;
/// The block sizes that may be agreed, in bytes (RFC 2348).
pub const BLOCK_SIZES: RangeInclusive<u16> = 8..=65_464;
/// The largest window this implementation uses, in blocks; RFC 7440 would allow 65,535.
pub const MAX_WINDOW_SIZE: u16 = 128;

/// Options as they stand in a request or an OACK: names and values, each ended by a zero byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OptionList<'a>(&'a [u8]);

/// The options known here; `None` is an option that is not asked for, or not agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// `blksize`: bytes in a block, 8 to 65,464.
    pub block_size: Option<u16>,
    /// `timeout`: seconds before something is sent again, 1 to 255.
    pub timeout_s: Option<u8>,
    /// `tsize`: bytes in the file; 0 in a read request asks for it.
    pub transfer_size: Option<u64>,
    /// `windowsize`: blocks sent before an ACK is awaited, 1 to 65,535.
    pub window_size: Option<u16>,
}

/// The most a server agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a block. Blocks that do not fit the path's MTU travel as IP fragments, and one lost fragment
    /// costs the block.
    pub block_size: u16,
    /// Blocks in a window, up to [`MAX_WINDOW_SIZE`].
    pub window_size: u16,
    /// Bytes in a window: what a transfer has in flight, and so what it may cost in memory.
    pub window_bytes: u32,
    /// Whether it waits as long as the client proposes before it sends again (RFC 2349). A server need not agree to that, and then
    /// goes by the round-trip time that it measures.
    pub timeout: bool,
}

impl Default for Limits {
    /// Any block size, windows of up to 64 blocks and 256 KiB.
    fn default() -> Self {
        Self { block_size: *BLOCK_SIZES.end(), window_size: 64, window_bytes: 256 * 1024, timeout: true }
    }
}

/// What both sides go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) block_size: u16,
    pub(crate) window_size: u16,
    pub(crate) timeout_s: Option<u8>,
}

/// An OACK that answers something else than what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server agreed to options that were not asked for")]
pub(crate) struct NotAsked;

impl<'a> OptionList<'a> {
    /// Options as they stood in a packet.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand in the packet.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Names and values in their order, up to the first that is cut short.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, after_name) = split_text(rest)?;
            let (value, after_value) = split_text(after_name)?;
            rest = after_value;
            Some((name, value))
        })
    }

    /// Whether every name has its value. Zero bytes behind the options are no fault: some clients send a buffer of
    /// fixed size.
    pub fn is_whole(&self) -> bool {
        let length: usize = self.pairs().map(|(name, value)| name.len() + value.len() + 2).sum();
        self.0.get(length..).unwrap_or_default().iter().all(|&byte| byte == 0)
    }

    /// What a client asks for. Unknown options, values out of range and repetitions are ignored, as RFC 2347
    /// has it: what is not acknowledged is not in force.
    pub fn requested(&self) -> Options {
        let mut options = Options::default();
        for (name, value) in self.pairs() {
            options.set_if_unset(name, value);
        }
        options
    }

    /// What a server agreed to.
    ///
    /// # Errors
    /// [`NotAsked`] where it is anything but what `asked` allows: the client answers that with ERROR 8.
    pub(crate) fn agreed(&self, asked: &Options) -> Result<Options, NotAsked> {
        let mut agreed = Options::default();
        for (name, value) in self.pairs().filter(|(name, _)| !name.is_empty()) {
            if !agreed.set_if_unset(name, value) {
                return Err(NotAsked);
            }
        }
        let no_more = |agreed: Option<u16>, asked: Option<u16>| agreed.is_none() || agreed <= asked;
        let fits = self.is_whole()
            && no_more(agreed.block_size, asked.block_size)
            && no_more(agreed.window_size, asked.window_size)
            && (agreed.timeout_s.is_none() || agreed.timeout_s == asked.timeout_s)
            && (agreed.transfer_size.is_none() || asked.transfer_size.is_some());
        if fits { Ok(agreed) } else { Err(NotAsked) }
    }
}

impl Options {
    /// Appends the options as they stand in a request or an OACK.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        let named = [
            ("blksize", self.block_size.map(u64::from)),
            ("timeout", self.timeout_s.map(u64::from)),
            ("tsize", self.transfer_size),
            ("windowsize", self.window_size.map(u64::from)),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                buffer.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
            }
        }
    }

    /// What of these a server agrees to. `transfer_size` is what it answers to `tsize`, if it knows.
    pub(crate) fn within(&self, limits: &Limits, transfer_size: Option<u64>) -> Self {
        let largest = limits.block_size.clamp(*BLOCK_SIZES.start(), *BLOCK_SIZES.end());
        let block_size = self.block_size.map(|asked| asked.min(largest));
        let in_use = u32::from(block_size.unwrap_or(DEFAULT_BLOCK_SIZE));
        let by_memory = u16::try_from(limits.window_bytes / in_use).unwrap_or(u16::MAX);
        let window = limits.window_size.min(MAX_WINDOW_SIZE).min(by_memory).max(1);
        Self {
            block_size,
            timeout_s: self.timeout_s.filter(|_| limits.timeout),
            transfer_size: self.transfer_size.and(transfer_size),
            window_size: self.window_size.map(|asked| asked.min(window)),
        }
    }

    /// What is in force once these are agreed.
    pub(crate) fn parameters(&self) -> Parameters {
        Parameters {
            block_size: self.block_size.unwrap_or(DEFAULT_BLOCK_SIZE),
            window_size: self.window_size.unwrap_or(1),
            timeout_s: self.timeout_s,
        }
    }

    /// The same with every value brought into its range and to what this implementation can do.
    pub(crate) fn in_range(&self) -> Self {
        Self {
            block_size: self.block_size.map(|size| size.clamp(*BLOCK_SIZES.start(), *BLOCK_SIZES.end())),
            timeout_s: self.timeout_s.filter(|&seconds| seconds > 0),
            transfer_size: self.transfer_size,
            window_size: self.window_size.map(|size| size.clamp(1, MAX_WINDOW_SIZE)),
        }
    }

    /// Whether no option is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the option of that name. False where it is unknown, out of range or set already.
    fn set_if_unset(&mut self, name: &[u8], value: &[u8]) -> bool {
        if name.eq_ignore_ascii_case(b"blksize") {
            set(&mut self.block_size, number(value).filter(|size| BLOCK_SIZES.contains(size)))
        } else if name.eq_ignore_ascii_case(b"timeout") {
            set(&mut self.timeout_s, number(value).filter(|&seconds| seconds > 0))
        } else if name.eq_ignore_ascii_case(b"tsize") {
            set(&mut self.transfer_size, number(value))
        } else if name.eq_ignore_ascii_case(b"windowsize") {
            set(&mut self.window_size, number(value).filter(|&blocks| blocks > 0))
        } else {
            false
        }
    }
}

fn set<T: Copy>(option: &mut Option<T>, value: Option<T>) -> bool {
    let takes = option.is_none() && value.is_some();
    if takes {
        *option = value;
    }
    takes
}

/// A decimal number and nothing else: no sign, no blank.
fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    let digits =
        str::from_utf8(text).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(options: &[u8]) -> Options {
        OptionList::new(options).requested()
    }

    #[test]
    fn values_out_of_range_and_unknown_options_are_dropped_and_the_rest_stays() {
        for dropped in [
            "blksize\x007\x00",
            "blksize\x0065465\x00",
            "blksize\x00+512\x00",
            "blksize\x00\x00",
            "timeout\x000\x00",
            "timeout\x00256\x00",
            "windowsize\x000\x00",
            "windowsize\x0065536\x00",
            "tsize\x00-1\x00",
            "multicast\x00\x00",
        ] {
            let list = format!("{dropped}BLKSIZE\x001024\x00tsize\x005");
            let expected = Options { block_size: Some(1024), ..Options::default() };
            assert_eq!(requested(list.as_bytes()), expected, "{dropped:?}; the last is cut short");
        }
        assert_eq!(requested(b"windowsize\x0065535\x00windowsize\x001\x00").window_size, Some(65_535));
    }

    #[test]
    fn the_server_keeps_to_its_limits() {
        let asked = Options {
            block_size: Some(65_464),
            timeout_s: Some(3),
            transfer_size: Some(0),
            window_size: Some(65_535),
        };
        let limits = Limits { block_size: 1428, window_size: u16::MAX, window_bytes: 1 << 20, timeout: true };
        let agreed = asked.within(&limits, Some(70_000));
        assert_eq!(agreed.block_size, Some(1428));
        assert_eq!(agreed.window_size, Some(MAX_WINDOW_SIZE));
        assert_eq!((agreed.timeout_s, agreed.transfer_size), (Some(3), Some(70_000)));

        let little_memory =
            Limits { block_size: 65_464, window_size: 64, window_bytes: 10_000, timeout: true };
        assert_eq!(asked.within(&little_memory, None).window_size, Some(1));
        assert_eq!(asked.within(&little_memory, None).transfer_size, None, "an unknown size is not answered");
        assert!(Options::default().within(&Limits::default(), Some(1)).is_empty());
    }

    #[test]
    fn a_client_takes_only_what_it_asked_for() {
        let asked = Options { block_size: Some(1024), transfer_size: Some(0), ..Options::default() };
        for (answer, good) in [
            (b"blksize\x001024\x00tsize\x007\x00".as_slice(), true),
            (b"blksize\x00512\x00", true),
            (b"", true),
            (b"blksize\x001025\x00", false),
            (b"blksize\x004\x00", false),
            (b"windowsize\x001\x00", false),
            (b"timeout\x001\x00", false),
            (b"blksize\x001024\x00blksize\x001024\x00", false),
            (b"blksize\x001024\x00tsi", false),
        ] {
            assert_eq!(OptionList::new(answer).agreed(&asked).is_ok(), good, "{answer:?}");
        }
    }

    #[test]
    fn options_survive_encoding() {
        let options = Options {
            block_size: Some(8),
            timeout_s: Some(255),
            transfer_size: Some(u64::MAX),
            window_size: Some(16),
        };
        let mut buffer = Vec::new();
        options.encode(&mut buffer);
        assert_eq!(
            buffer,
            b"blksize\x008\x00timeout\x00255\x00tsize\x0018446744073709551615\x00windowsize\x0016\x00"
        );
        assert_eq!(requested(&buffer), options);
    }
}

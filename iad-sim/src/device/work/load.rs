//! Loading an image into the standby buffer: erase, then file after file through the memory into flash, then the verdict.

use core::time::Duration;

use super::incoming::Incoming;
use super::{Context, Outcome, Span, Step, Work, failed};
use crate::device::buffer::{Buffer, BufferState};
use crate::device::digest::Hasher;
use crate::device::durable::{Server, configuration_of_new};
use crate::device::effect::{Effect, Purpose, TransferEvent};
use crate::device::hardware::{Halt, Hardware};
use crate::device::image::ImageReader;
use crate::device::operation::{ErrorCode, Parameters};
use crate::fault::{FaultKind, Phase};

/// The erasing is so much of a download, in hundredths of a percent.
const ERASED: u32 = 500;
/// And all bytes in flash are so much.
const WRITTEN: u32 = 9500;

/// Slow flash is looked after in so many parts of an image.
const PARTS: u64 = 50;

/// Erasing the standby buffer.
#[derive(Debug)]
pub(crate) struct Erase {
    pub(super) span: Span,
    then_load: bool,
    buffer: usize,
}

/// Loading an image.
#[derive(Debug)]
pub(crate) struct Load {
    buffer: usize,
    server: Server,
    parameters: Parameters,
    /// The place of the file that is loaded, or is to be loaded next.
    file: usize,
    incoming: Option<Incoming>,
    /// The UDP port at which it is waited for; 0 for none.
    waits_at: u16,
    image: ImageReader,
    hasher: Hasher,
    is_changed: bool,
    received: u64,
    written: u64,
    /// Until when the writing of what was received has been accounted for.
    accounted: Duration,
    room: u64,
}

impl Erase {
    pub(super) fn begin(context: &mut Context<'_>, then_load: bool) -> Step {
        let Some(buffer) = context.hardware.durable.standby_index() else {
            return failed(ErrorCode::Unsupported, "the device has one software buffer only");
        };
        let expected: u64 = context
            .hardware
            .durable
            .operation
            .parameters
            .sizes
            .iter()
            .fold(0, |sum, size| sum.saturating_add(*size));
        if then_load && expected > context.hardware.settings.buffer_capacity {
            return failed(ErrorCode::NoSpace, "the image is larger than the buffer");
        }
        let durable = context.hardware.store();
        if let Some(erased) = durable.buffers.get_mut(buffer) {
            *erased = Buffer { state: BufferState::Writing, ..Buffer::empty() };
        }
        if let Some(configuration) = durable.configurations.get_mut(buffer) {
            configuration.clear();
        }
        let span =
            context.span(0, if then_load { ERASED } else { 10_000 }, context.hardware.settings.timing.erase);
        Ok(Outcome::Again(Work::Erase(Self { span, then_load, buffer })))
    }

    pub(super) fn step(self, context: &mut Context<'_>) -> Step {
        context.advance(self.span.reached(context.now), 0)?;
        if !self.span.is_over(context.now) {
            return Ok(Outcome::Wait(Work::Erase(self)));
        }
        if !self.then_load {
            if let Some(erased) = context.hardware.store().buffers.get_mut(self.buffer) {
                erased.state = BufferState::Empty;
            }
            return Ok(Outcome::Done("the standby buffer is empty"));
        }
        let capacity = context.hardware.settings.buffer_capacity;
        let full = context.hardware.strikes(FaultKind::FlashFull);
        let room =
            full.map_or(capacity, |fault| fault.byte.unwrap_or(capacity * u64::from(fault.percent) / 100));
        Ok(Outcome::Again(Work::Load(Box::new(Load {
            buffer: self.buffer,
            server: context.hardware.durable.server.clone(),
            parameters: context.hardware.durable.operation.parameters.clone(),
            file: 0,
            incoming: None,
            waits_at: 0,
            image: ImageReader::default(),
            hasher: Hasher::default(),
            is_changed: false,
            received: 0,
            written: 0,
            accounted: context.now,
            room,
        }))))
    }
}

impl Load {
    pub(super) fn step(mut self: Box<Self>, context: &mut Context<'_>) -> Step {
        if self.write(context)? {
            return failed(ErrorCode::FlashError, "writing the flash memory failed");
        }
        if self.incoming.is_some() {
            return Ok(Outcome::Wait(Work::Load(self)));
        }
        let Some(name) = self.parameters.file_names.get(self.file) else {
            if self.written < self.received {
                return Ok(Outcome::Wait(Work::Load(self)));
            }
            return self.finish(context);
        };
        let expected = self.parameters.sizes.get(self.file).copied();
        context.fetch(&self.server, name, Purpose::Image(self.file), expected);
        self.incoming = Some(Incoming::begin(context, expected));
        Ok(Outcome::Wait(Work::Load(self)))
    }

    pub(super) fn transfer(mut self: Box<Self>, event: TransferEvent<'_>, context: &mut Context<'_>) -> Step {
        let Some(mut incoming) = self.incoming.take() else { return Ok(Outcome::Wait(Work::Load(self))) };
        self.waits_at = if let TransferEvent::Waits(port) = event { port } else { 0 };
        let mut is_whole = matches!(event, TransferEvent::Finished);
        if let TransferEvent::Received(bytes) = event {
            let (bytes, ends) = incoming.take(bytes);
            is_whole = ends;
            self.is_changed |= ends || incoming.is_changed();
            self.hasher.update(&bytes);
            self.image.update(&bytes);
            if self.received == self.written {
                self.accounted = context.now;
            }
            self.received += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if self.received > self.room {
                return failed(ErrorCode::NoSpace, "the flash memory is full");
            }
        }
        if !is_whole {
            self.incoming = Some(incoming);
            return Ok(Outcome::Again(Work::Load(self)));
        }
        if let Some(transfer) = context.transfer.take() {
            context.hardware.effects.push_back(Effect::Cancel { transfer, silent: false });
        }
        let (size, digest) = (self.parameters.sizes.get(self.file), self.parameters.digests.get(self.file));
        if let Err((error, text)) = incoming.verify(size, digest) {
            return failed(error, format!("file {}: {text}", self.file + 1));
        }
        self.file += 1;
        Ok(Outcome::Again(Work::Load(self)))
    }

    /// The UDP port at which it waits for a file; 0 for none.
    pub(super) fn waits_at(&self) -> u16 {
        self.waits_at
    }

    /// The place of the file that it is at, from 0; none between two files.
    pub(super) fn file(&self) -> Option<usize> {
        self.incoming.as_ref().map(|_| self.file)
    }

    /// When flash will have taken the next part of what was received.
    pub(super) fn deadline(&self, hardware: &Hardware) -> Option<Duration> {
        let waiting = self.received.checked_sub(self.written).filter(|waiting| *waiting > 0)?;
        let speed = hardware.settings.timing.flash_bytes_per_second.max(1);
        let part = (self.expected().max(self.received) / PARTS).clamp(1, waiting);
        let stop = hardware.next_byte_stop(Phase::Download, self.written + 1).map(|stop| stop - self.written);
        let bytes = stop.map_or(part, |stop| stop.min(part));
        Some(self.accounted + time_for(bytes, speed))
    }

    /// Writes into flash what its speed allows. True: it cannot be written.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, Halt> {
        let speed = context.hardware.settings.timing.flash_bytes_per_second;
        loop {
            let waiting = self.received - self.written;
            let stop = context.hardware.next_byte_stop(Phase::Download, self.written);
            let until_stop = stop.map_or(u64::MAX, |stop| stop - self.written);
            let allowed =
                if speed == 0 { waiting } else { earned(context.now.saturating_sub(self.accounted), speed) };
            let part = waiting.min(allowed).min(until_stop);
            self.written += part;
            if speed != 0 {
                self.accounted += time_for(part, speed);
            }
            if let Some(buffer) = context.hardware.durable.buffers.get_mut(self.buffer) {
                buffer.size = self.written;
            }
            context.advance(self.reached(), self.written)?;
            if part > 0 && context.hardware.strikes(FaultKind::FlashError).is_some() {
                return Ok(true);
            }
            if part == 0 || part == waiting {
                return Ok(false);
            }
        }
    }

    /// How large the image is, as far as it was announced.
    fn expected(&self) -> u64 {
        self.parameters.sizes.iter().fold(0, |sum, size| sum.saturating_add(*size))
    }

    fn reached(&self) -> u32 {
        let expected = self.expected();
        let (part, whole) = if expected > 0 {
            (self.written.min(expected), expected)
        } else {
            (length(self.file), length(self.parameters.file_names.len()))
        };
        let part = u128::from(WRITTEN - ERASED) * u128::from(part) / u128::from(whole.max(1));
        ERASED + u32::try_from(part).unwrap_or_default()
    }

    /// All files are in flash: whether they are an image for this device.
    fn finish(self: Box<Self>, context: &mut Context<'_>) -> Step {
        context.advance(WRITTEN, self.written)?;
        let header = self.image.header().cloned();
        let wanted = &self.parameters.version;
        if let Some(header) = &header {
            if !header.hardware.contains(&context.hardware.settings.hardware) {
                return failed(
                    ErrorCode::WrongHardware,
                    format!("the image is for {}", header.hardware.join(", ")),
                );
            }
            if !wanted.is_empty() && *wanted != header.version {
                return failed(ErrorCode::NoImage, format!("the image is of version {}", header.version));
            }
        }
        // What has no header is flashed like any other: only the boot loader finds out.
        let version = header.as_ref().map_or_else(|| wanted.clone(), |header| header.version.clone());
        let sha256 = self.hasher.digest();
        let came_with = configuration_of_new(&version, header.as_ref().map(|header| header.format));
        // 100 % comes before it is valid, so that a loss of power there leaves a buffer that does not count.
        context.advance(10_000, self.written)?;
        let durable = context.hardware.store();
        if let Some(set) = durable.configurations.get_mut(self.buffer) {
            *set = came_with;
        }
        if let Some(buffer) = durable.buffers.get_mut(self.buffer) {
            *buffer = Buffer {
                state: BufferState::Valid,
                version,
                size: self.written,
                sha256: Some(sha256),
                intact: self.image.is_intact(),
                header,
            };
        }
        if !self.is_changed {
            context.hardware.effects.push_back(Effect::KeepImage(sha256));
        }
        Ok(Outcome::Done("the image is loaded"))
    }
}

/// An image that is not whole when its operation ends is no image.
pub(crate) fn give_up_loading(hardware: &mut Hardware) {
    if hardware.durable.buffers.iter().any(|buffer| buffer.state == BufferState::Writing) {
        let writing = |buffer: &&mut Buffer| buffer.state == BufferState::Writing;
        hardware
            .store()
            .buffers
            .iter_mut()
            .filter(writing)
            .for_each(|buffer| buffer.state = BufferState::Invalid);
    }
}

/// How many bytes are written in this time.
fn earned(time: Duration, bytes_per_second: u64) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(bytes_per_second) / 1_000_000_000).unwrap_or(u64::MAX)
}

/// How long it takes to write so many bytes, rounded up so that they are earned by then.
fn time_for(bytes: u64, bytes_per_second: u64) -> Duration {
    let nanoseconds = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(bytes_per_second.max(1)));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

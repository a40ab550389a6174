//! Sending configuration to the server: as it is (backup), or that of the other buffer converted.

use std::collections::VecDeque;

use super::{Context, Outcome, Span, Step, Work, failed};
use crate::device::Digest;
use crate::device::configuration::Document;
use crate::device::conversion::convert;
use crate::device::effect::TransferEvent;
use crate::device::operation::ErrorCode;
use crate::fault::FaultKind;

/// The conversion is so much of its operation, in hundredths of a percent.
const CONVERTED: u32 = 5000;

/// Converting the configuration of the other buffer.
#[derive(Debug)]
pub(crate) struct Convert {
    pub(super) span: Span,
    converted: Vec<Document>,
}

/// Sending files.
#[derive(Debug)]
pub(crate) struct Sending {
    files: VecDeque<(String, Vec<u8>)>,
    from: u32,
    total: u64,
    sent: u64,
    /// How large the file is that is being sent.
    current: u64,
}

impl Convert {
    pub(super) fn begin(context: &mut Context<'_>) -> Step {
        let durable = &context.hardware.durable;
        let other =
            durable.standby_index().filter(|_| durable.standby().is_some_and(|buffer| buffer.is_valid()));
        let (Some(other), Some(active)) = (other, durable.active().and_then(|buffer| buffer.header.as_ref()))
        else {
            return failed(ErrorCode::NoImage, "the other buffer holds no software");
        };
        let format = active.format;
        let convertible = |from: u32| from == format || active.converts_from.contains(&from);
        let mut converted = Vec::new();
        for kind in &durable.operation.parameters.kinds {
            let Some(configuration) = durable.configuration(other, *kind) else {
                return failed(
                    ErrorCode::ConversionFailed,
                    format!("there is no {} to convert", kind.name()),
                );
            };
            let document = configuration.document();
            if !convertible(document.format) {
                let text = format!("format {} cannot be converted to {format}", document.format);
                return failed(ErrorCode::ConversionFailed, text);
            }
            converted.push(convert(document, format));
        }
        let span = context.span(0, CONVERTED, context.hardware.settings.timing.convert);
        Ok(Outcome::Again(Work::Convert(Self { span, converted })))
    }

    pub(super) fn step(self, context: &mut Context<'_>) -> Step {
        context.advance(self.span.reached(context.now), 0)?;
        if !self.span.is_over(context.now) {
            return Ok(Outcome::Wait(Work::Convert(self)));
        }
        if context.hardware.strikes(FaultKind::ConversionFails).is_some() {
            return failed(ErrorCode::ConversionFailed, "the conversion program failed");
        }
        let files = self.converted.iter().map(|document| document.text().into()).collect();
        Ok(Sending::begin(context, files, CONVERTED))
    }
}

impl Sending {
    pub(super) fn backup(context: &mut Context<'_>) -> Step {
        let durable = &context.hardware.durable;
        let mut files = Vec::new();
        for kind in &durable.operation.parameters.kinds {
            match durable.running_configuration(*kind) {
                Some(configuration) => files.push(configuration.file().into()),
                None => return failed(ErrorCode::ApplyFailed, format!("there is no {}", kind.name())),
            }
        }
        Ok(Self::begin(context, files, 0))
    }

    fn begin(context: &mut Context<'_>, contents: Vec<Vec<u8>>, from: u32) -> Outcome {
        let names = context.hardware.durable.operation.parameters.file_names.iter().cloned();
        let mut files: VecDeque<(String, Vec<u8>)> = names.zip(contents).collect();
        // Whoever receives them can hold against it what came.
        let digests = files.iter().map(|(_, content)| Digest::of(content)).collect();
        context.hardware.durable.operation.parameters.digests = digests;
        if let Some(fault) = context.hardware.strikes(FaultKind::TruncateBackup)
            && let Some((_, content)) = files.front_mut()
        {
            let kept = fault.byte.unwrap_or(length(content.len()) * u64::from(fault.percent) / 100);
            content.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        let total = files.iter().map(|(_, content)| length(content.len())).sum();
        Outcome::Again(Work::Send(Self { files, from, total, sent: 0, current: 0 }))
    }

    pub(super) fn step(mut self, context: &mut Context<'_>) -> Outcome {
        if context.transfer.is_some() {
            return Outcome::Wait(Work::Send(self));
        }
        let Some((name, content)) = self.files.pop_front() else {
            return Outcome::Done("the configuration is sent");
        };
        self.current = length(content.len());
        let server = context.hardware.durable.server.clone();
        context.send(&server, &name, content);
        Outcome::Wait(Work::Send(self))
    }

    pub(super) fn transfer(mut self, event: TransferEvent<'_>, context: &mut Context<'_>) -> Step {
        let of_file = match event {
            TransferEvent::Sent(bytes) => bytes.min(self.current),
            TransferEvent::Finished => self.current,
            TransferEvent::Waits(_) | TransferEvent::Received(_) | TransferEvent::Failed(_) => 0,
        };
        let sent = self.sent + of_file;
        let part = u128::from(9900 - self.from) * u128::from(sent) / u128::from(self.total.max(1));
        context.advance(self.from + u32::try_from(part).unwrap_or_default(), sent)?;
        if event == TransferEvent::Finished {
            self.sent = sent;
            return Ok(Outcome::Again(Work::Send(self)));
        }
        Ok(Outcome::Wait(Work::Send(self)))
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

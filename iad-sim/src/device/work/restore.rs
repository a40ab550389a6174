//! Restoring a configuration: all files are loaded and verified, then applied all at once or not at all, unless a fault has a part
//! of them applied.

use super::incoming::Incoming;
use super::{Context, Outcome, Span, Step, Work, failed};
use crate::device::configuration::{Document, FILE_LIMIT};
use crate::device::durable::Server;
use crate::device::effect::{Effect, Purpose, TransferEvent};
use crate::device::operation::{ErrorCode, Parameters};
use crate::fault::FaultKind;

/// The files loaded are so much of the operation, in hundredths of a percent.
const COLLECTED: u32 = 8000;

/// Loading configuration files.
#[derive(Debug)]
pub(crate) struct Collect {
    server: Server,
    parameters: Parameters,
    incoming: Option<Incoming>,
    current: Vec<u8>,
    documents: Vec<Document>,
}

/// Applying configuration.
#[derive(Debug)]
pub(crate) struct Apply {
    pub(super) span: Span,
    documents: Vec<Document>,
}

impl Collect {
    pub(super) fn begin(context: &Context<'_>) -> Self {
        Self {
            server: context.hardware.durable.server.clone(),
            parameters: context.hardware.durable.operation.parameters.clone(),
            incoming: None,
            current: Vec::new(),
            documents: Vec::new(),
        }
    }

    pub(super) fn step(mut self: Box<Self>, context: &mut Context<'_>) -> Outcome {
        if self.incoming.is_some() {
            return Outcome::Wait(Work::Collect(self));
        }
        let Some(name) = self.parameters.file_names.get(self.documents.len()) else {
            let span = context.span(COLLECTED, 9900, context.hardware.settings.timing.apply);
            return Outcome::Again(Work::Apply(Apply { span, documents: self.documents }));
        };
        let expected = self.parameters.sizes.get(self.documents.len()).copied();
        context.fetch(&self.server, name, Purpose::Configuration, expected);
        self.incoming = Some(Incoming::begin(context, expected));
        Outcome::Wait(Work::Collect(self))
    }

    pub(super) fn transfer(mut self: Box<Self>, event: TransferEvent<'_>, context: &mut Context<'_>) -> Step {
        let Some(mut incoming) = self.incoming.take() else { return Ok(Outcome::Wait(Work::Collect(self))) };
        let mut is_whole = event == TransferEvent::Finished;
        if let TransferEvent::Received(bytes) = event {
            let (bytes, ends) = incoming.take(bytes);
            is_whole = ends;
            if self.current.len() + bytes.len() > FILE_LIMIT {
                return failed(ErrorCode::ApplyFailed, "the file is too large for a configuration");
            }
            self.current.extend_from_slice(&bytes);
            context.advance(self.reached(), incoming.size)?;
        }
        if !is_whole {
            self.incoming = Some(incoming);
            return Ok(Outcome::Wait(Work::Collect(self)));
        }
        if let Some(transfer) = context.transfer.take() {
            context.hardware.effects.push_back(Effect::Cancel { transfer, silent: false });
        }
        match self.verify(&incoming, context) {
            Err((error, text)) => failed(error, format!("file {}: {text}", self.documents.len() + 1)),
            Ok(document) => {
                self.documents.push(document);
                self.current.clear();
                context.advance(self.reached(), incoming.size)?;
                Ok(Outcome::Again(Work::Collect(self)))
            }
        }
    }

    fn verify(&self, incoming: &Incoming, context: &Context<'_>) -> Result<Document, (ErrorCode, String)> {
        let place = self.documents.len();
        incoming.verify(self.parameters.sizes.get(place), self.parameters.digests.get(place))?;
        let document =
            Document::parse(&self.current).map_err(|error| (ErrorCode::ApplyFailed, error.to_string()))?;
        if self.parameters.kinds.get(place) != Some(&document.kind) {
            return Err((ErrorCode::ApplyFailed, format!("it is {}", document.kind.name())));
        }
        let format = context.hardware.durable.active().map_or(0, |buffer| buffer.format());
        if document.format != format {
            let text = format!("it is in format {}, the software reads {format}", document.format);
            return Err((ErrorCode::FormatUnsupported, text));
        }
        Ok(document)
    }

    fn reached(&self) -> u32 {
        let files = self.parameters.file_names.len().max(1);
        let part = usize::try_from(COLLECTED).unwrap_or_default() * self.documents.len() / files;
        u32::try_from(part).unwrap_or_default()
    }
}

impl Apply {
    pub(super) fn step(mut self, context: &mut Context<'_>) -> Step {
        context.advance(self.span.reached(context.now), 0)?;
        if !self.span.is_over(context.now) {
            return Ok(Outcome::Wait(Work::Apply(self)));
        }
        if context.hardware.durable.operation.parameters.is_stale(&context.hardware.durable) {
            return failed(ErrorCode::RevisionMoved, "the running configuration has moved");
        }
        if context.hardware.strikes(FaultKind::ApplyFails).is_some() {
            return failed(ErrorCode::ApplyFailed, "the configuration could not be applied");
        }
        if context.hardware.strikes(FaultKind::ApplyPart).is_some() {
            let applied = self.documents.split_off(self.documents.len().div_ceil(2));
            context.hardware.store().configure(applied);
            return failed(ErrorCode::ApplyFailed, "only a part of the configuration could be applied");
        }
        // 100 % comes before anything is changed, so that a loss of power there changes nothing.
        context.advance(10_000, 0)?;
        context.hardware.store().configure(self.documents);
        Ok(Outcome::Done("the configuration is restored"))
    }
}

//! One batch of messages being worked out, on copies of the runs it touches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use upgrade::operation::Seen;
use upgrade::profile::{Limits, NotificationKind};
use upgrade::run::{self, Event, State, Story};
use upgrade::{RunId, StoredFile, Time};

use super::{Convert, Director, Effect, Entry, Input, Told, Transaction, Turn, Write};
use crate::access::Access;
use crate::commander::{Answer, Ask, Asker, Outcome, What};
use crate::file_server::{News, Order, Report};
use crate::listener::Heard;

pub(super) struct Working<'a> {
    director: &'a Director,
    now: Time,
    entries: BTreeMap<RunId, Entry>,
    writes: BTreeMap<RunId, Write>,
    effects: Vec<Effect>,
    heeded: Vec<bool>,
}

impl<'a> Working<'a> {
    pub(super) const fn new(director: &'a Director, now: Time) -> Self {
        Self {
            director,
            now,
            entries: BTreeMap::new(),
            writes: BTreeMap::new(),
            effects: Vec::new(),
            heeded: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, input: &Input) {
        match input {
            Input::Start(entry) => self.begin(entry, &Event::Begin),
            Input::Resume(entry) => self.begin(entry, &Event::Resumed),
            Input::Moved { run, access, server } => self.moved(*run, access, *server),
            Input::Answer(answer) => self.answer(answer),
            Input::Heard(heard) => self.heard(heard),
            Input::Gap => self.director.ids().into_iter().for_each(|run| self.doubt(run)),
            Input::Doubted(device) => {
                self.director.run_of(*device).into_iter().for_each(|run| self.doubt(run))
            }
            Input::Report(report) => self.report(report),
            Input::Converted { run, result } => self.give(*run, &Event::Converted(result.clone())),
            Input::Operator { run, asked_at, answer } => self.operator_answers(*run, *asked_at, answer),
            Input::Cancel(run) => self.give_operator(*run, &Event::Cancelled),
            Input::StopOperation(run) => self.give_operator(*run, &Event::StopOperation),
            Input::Hindered => {
                for run in self.director.ids() {
                    self.give(run, &Event::Hindered);
                }
            }
            Input::Clock => {
                for run in self.director.due(self.now).collect::<Vec<_>>() {
                    self.tick(run);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Turn {
        let transaction = Transaction { writes: self.writes.into_values().collect() };
        Turn { transaction, effects: self.effects, heeded: self.heeded, entries: self.entries }
    }

    fn tick(&mut self, run: RunId) {
        let now = self.now;
        if let Some(due) = self.entry(run).map(|entry| entry.run.due(&entry.profile, now)) {
            self.give(run, &due);
        }
    }

    fn begin(&mut self, entry: &Entry, event: &Event) {
        let id = entry.run.id;
        self.entries.insert(id, entry.clone());
        self.give(id, event);
    }

    fn moved(&mut self, run: RunId, access: &Access, server: SocketAddr) {
        let Some(entry) = self.entry(run) else { return };
        let (address, elsewhere) = (access.address.ip(), access.address != entry.access.address);
        entry.access = access.clone();
        self.give(run, &Event::Moved { address, elsewhere, server });
    }

    fn answer(&mut self, answer: &Answer) {
        let Asker::Run { run, asked } = answer.asker else { return };
        let Some(entry) = self.entry(run) else { return };
        let setting = entry.run.is_commanding();
        let event = match &answer.outcome {
            Outcome::Values(_) if setting => Event::Accepted { asked },
            Outcome::Refused(why) if setting => Event::Refused { asked, why: why.clone() },
            Outcome::Unanswered if setting => Event::Unanswered { asked },
            Outcome::Values(values) => {
                let reading = entry.profile.reading(values, answer.at).into();
                Event::Read { asked, reading }
            }
            Outcome::Refused(why) => Event::Unread { asked, why: why.clone() },
            Outcome::Unanswered => Event::Unread { asked, why: "no answer".into() },
        };
        self.give(run, &event);
        self.learn_engine(run, answer);
    }

    /// An engine has proven to be that of the device which a run is about: from now on it speaks for that, and nobody else
    /// does. The device must say who it is; at its address may be another one.
    fn learn_engine(&mut self, run: RunId, answer: &Answer) {
        let (Some(proof), Outcome::Values(values)) = (answer.proof, &answer.outcome) else { return };
        let Some(entry) = self.entry(run) else { return };
        let says = entry.profile.unique_id_in(values);
        if says.is_none() || says != entry.run.device.unique_id || entry.access.engine == Some(proof.engine) {
            return;
        }
        entry.access.engine = Some(proof.engine);
        if let Some(write) = self.write(run) {
            write.engine = Some(proof.engine);
        }
    }

    fn heard(&mut self, heard: &Heard) {
        if let (Some(device), Some(notice)) = (heard.device, &heard.notice)
            && let Some(run) = self.director.run_of(device)
        {
            self.give(run, &Event::Notified(notice.clone()));
        }
        if heard.inform {
            self.effects.push(Effect::Committed { receipt: heard.receipt });
        }
    }

    /// What was not heard may have been anything: the device is looked at as if it had restarted.
    fn doubt(&mut self, run: RunId) {
        let kind = NotificationKind::Restarted;
        let notice = upgrade::operation::Notice { kind, operation: None, progress: None };
        self.give(run, &Event::Notified(notice));
    }

    fn report(&mut self, report: &Report) {
        let Report::Ticket { name, run, news } = report else { return };
        let seen = match news {
            News::Ready => {
                if let Some(entry) = self.entry(*run)
                    && entry.opening.remove(name)
                    && entry.opening.is_empty()
                {
                    self.give(*run, &Event::TicketsReady);
                }
                return;
            }
            News::Progress { bytes } => {
                return self.give(*run, &Event::Bytes { name: name.clone(), bytes: *bytes });
            }
            News::Begun { .. } => Seen::Begun,
            News::Done { size, sha256 } => Seen::Whole { file: StoredFile { digest: *sha256, size: *size } },
            News::Failed { cause } => Seen::Broken { why: cause.to_string() },
        };
        self.give(*run, &Event::Transferred { name: name.clone(), seen });
    }

    fn give_operator(&mut self, run: RunId, event: &Event) {
        let heeded = self.step(run, event);
        self.heeded.push(heeded);
    }

    /// While an operator thought about it, the question may have been answered, and another one asked.
    fn operator_answers(&mut self, run: RunId, asked_at: Time, answer: &upgrade::run::Answer) {
        let asks = |entry: &Entry| matches!(&entry.run.state, State::Asking(question) if question.asked_at == asked_at);
        if self.entry(run).is_some_and(|entry| asks(entry)) {
            self.give_operator(run, &Event::Answered(answer.clone()));
        } else {
            self.heeded.push(false);
        }
    }

    fn give(&mut self, run: RunId, event: &Event) {
        self.step(run, event);
    }

    fn entry(&mut self, run: RunId) -> Option<&mut Entry> {
        if !self.entries.contains_key(&run)
            && let Some(entry) = self.director.entry(run)
        {
            self.entries.insert(run, entry.clone());
        }
        self.entries.get_mut(&run)
    }

    /// Whether the event meant something to the run.
    fn step(&mut self, id: RunId, event: &Event) -> bool {
        let now = self.now;
        let Some(entry) = self.entry(id) else { return false };
        let Ok((next, effects)) = entry.run.step(event, &entry.profile, now) else { return false };
        let lasting = entry.seq == 0 || !next.lasts_as(&entry.run) || effects.iter().any(is_lasting);
        entry.run = Arc::new(next);
        if lasting
            && let Some(write) = self.write(id)
            && event.is_lasting()
        {
            write.events.push((now, event.clone()));
        }
        for effect in effects {
            self.perform(id, effect);
        }
        true
    }

    /// What is committed of a run, as it is now.
    fn write(&mut self, id: RunId) -> Option<&mut Write> {
        let entry = self.entries.get_mut(&id)?;
        let write = self.writes.entry(id).or_insert_with(|| {
            entry.seq += 1;
            Write {
                run: Arc::clone(&entry.run),
                seq: entry.seq,
                events: Vec::new(),
                stories: Vec::new(),
                backups: Vec::new(),
                unique_id: None,
                engine: None,
            }
        });
        write.run = Arc::clone(&entry.run);
        Some(write)
    }

    fn perform(&mut self, id: RunId, effect: run::Effect) {
        let now = self.now;
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let write = self.writes.get_mut(&id);
        match effect {
            run::Effect::Look { asked, scope } => {
                let what = What::Get(entry.profile.questions(scope));
                let asker = Asker::Run { run: id, asked };
                self.effects.push(Effect::Ask(Ask { asker, access: entry.access.clone(), what }));
            }
            run::Effect::Set { asked, writes, .. } => {
                let asker = Asker::Run { run: id, asked };
                let what = What::Set(writes);
                self.effects.push(Effect::Ask(Ask { asker, access: entry.access.clone(), what }));
            }
            run::Effect::Open(tickets) => {
                entry.opening = tickets.iter().map(|ticket| ticket.name.clone()).collect();
                self.effects.extend(tickets.into_iter().map(|ticket| Effect::File(Order::Open(ticket))));
            }
            run::Effect::Withdraw(names) => {
                self.effects.extend(names.into_iter().map(|name| Effect::File(Order::Withdraw(name))));
            }
            run::Effect::Push { name, port } => {
                let to = SocketAddr::new(entry.access.address.ip(), port);
                self.effects.push(Effect::File(Order::Push { name, to }));
            }
            run::Effect::Convert { converter, set, format } => {
                let limit = Limits::span(entry.profile.limits.convert_s);
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                self.effects.push(Effect::Convert(Convert { run: id, converter, set, format, limit_ms }));
            }
            run::Effect::Keep(backup) => {
                if let Some(write) = write {
                    write.backups.push(backup);
                }
            }
            run::Effect::Known(unique_id) => {
                if let Some(write) = write {
                    write.unique_id = Some(unique_id);
                }
            }
            run::Effect::Tell(story) => {
                let kept = !matches!(story, Story::Progress { .. });
                entry.told += u64::from(kept);
                let told =
                    Told { run: id, device: entry.run.device.name.clone(), at: now, n: entry.told, story };
                if let (true, Some(write)) = (kept, write) {
                    write.stories.push(told.clone());
                }
                self.effects.push(Effect::Tell(told));
            }
        }
    }
}

/// Whether the effect must be committed before it is performed.
fn is_lasting(effect: &run::Effect) -> bool {
    match effect {
        // What is pushed twice goes over once.
        run::Effect::Look { .. } | run::Effect::Push { .. } | run::Effect::Tell(Story::Progress { .. }) => {
            false
        }
        run::Effect::Set { .. }
        | run::Effect::Open(_)
        | run::Effect::Withdraw(_)
        | run::Effect::Convert { .. }
        | run::Effect::Keep(_)
        | run::Effect::Known(_)
        | run::Effect::Tell(_) => true,
    }
}

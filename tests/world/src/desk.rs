//! The operators: each minds one device, asks for what is wanted of it, and answers questions, sooner, later or never.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use engine::director::{Entry, Input};
use upgrade::profile::Server;
use upgrade::run::{Answer, AnswerKind, Beginning, Choices, Goal, Outcome, Question, State, Subject};
use upgrade::{Kind, Protocol, Run, RunId, StoredFile, Time};

use crate::images::{Quality, converted, digest_of, image};
use crate::manager::Channel;
use crate::plan::{After, Errand, Reaction, Trouble, Wanted};
use crate::unit::address;
use crate::world::{FTP_PORT, Item, MANAGER, TFTP_PORT, World, device_id};

/// How long an operator waits before looking again at what may have been missed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// So long a device that left its software is left alone.
const LONG_AFTER: Duration = Duration::from_secs(300);

/// After all trouble is over, a run is tried so often once more before it is left at that.
const MOST_TRIES_IN_PEACE: u32 = 2;

/// What an operator has in mind.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The errand at hand.
    pub(crate) turn: usize,
    /// Nothing is asked for before.
    not_before: Duration,
    /// Its run, once that was asked for.
    run: Option<RunId>,
    /// When it was asked for.
    asked_for: Option<Duration>,
    /// The question that is being answered, by when it was asked.
    question: Option<Time>,
    /// How many answers are used up.
    used: usize,
    /// Tries after all trouble was over.
    tries: u32,
}

impl World {
    /// The operator of a device looks at how its errand goes.
    pub(crate) fn operate(&mut self, place: usize) {
        let Some(desk) = self.desks.get(place) else { return };
        let Some(errand) = self.plan.devices.get(place).and_then(|plan| plan.errands.get(desk.turn)).copied()
        else {
            return;
        };
        if self.manager.is_none() {
            return self.put(Duration::from_secs(5), Item::Operator(place));
        }
        let early = desk.not_before.saturating_sub(self.now);
        if !early.is_zero() {
            return self.put(early, Item::Operator(place));
        }
        let Some(run) = desk.run else { return self.ask_for(place, errand) };
        let (asked_for, now) = (desk.asked_for, self.now);
        match self.store.runs.get(&run).map(|stored| stored.run.clone()) {
            // Not committed: the manager was killed, or its disk was full. The word was in vain.
            None if asked_for.is_none_or(|at| now > at + Duration::from_secs(20)) => {
                self.ask_for(place, errand)
            }
            None => self.put(Duration::from_secs(10), Item::Operator(place)),
            Some(run) => match &run.state {
                State::Ended(ending) if ending.outcome == Outcome::DeviceLost => self.give_up_device(place),
                State::Ended(_) => {
                    // Whoever comes next comes long after, and finds it answering.
                    let slides = self.slide(place, After::Ended);
                    if slides {
                        self.more_is_wanted(place);
                    }
                    self.next_errand(place, if slides { LONG_AFTER } else { Duration::ZERO });
                }
                State::Asking(question) => self.react(place, &run, question),
                _ => self.put(LOOK_AGAIN, Item::Operator(place)),
            },
        }
    }

    /// Nothing more is asked of a device that was given up: somebody drives there.
    fn give_up_device(&mut self, place: usize) {
        let all = self.plan.devices.get(place).map_or(0, |device| device.errands.len());
        if let Some(desk) = self.desks.get_mut(place) {
            desk.turn = all;
        }
    }

    fn next_errand(&mut self, place: usize, after: Duration) {
        let Some(desk) = self.desks.get_mut(place) else { return };
        desk.turn += 1;
        desk.not_before = self.now + after;
        desk.run = None;
        desk.question = None;
        let next = self.plan.devices.get(place).and_then(|plan| plan.errands.get(desk.turn));
        if let Some(errand) = next {
            let at = errand.at;
            self.put(at, Item::Operator(place));
        }
    }

    /// More is wanted of a device that left its software: it is to be upgraded once more, or to be brought back.
    fn more_is_wanted(&mut self, place: usize) {
        const MORE: [&[Wanted]; 4] = [
            &[Wanted::Upgrade(Quality::Good)],
            &[Wanted::Upgrade(Quality::TwoFiles)],
            &[Wanted::RollBack],
            &[Wanted::Backup, Wanted::RollBack],
        ];
        let more = self.random.one_of(&MORE).copied().unwrap_or_default();
        let Some(device) = self.plan.devices.get_mut(place) else { return };
        let Some(last) = device.errands.last().copied() else { return };
        let errand = |wanted: &Wanted| Errand { wanted: *wanted, held: None, ..last };
        // Before whatever else is wanted.
        let next = self.desks.get(place).map_or(device.errands.len(), |desk| desk.turn + 1);
        drop(device.errands.splice(next..next, more.iter().map(errand)));
    }

    fn ask_for(&mut self, place: usize, errand: Errand) {
        let Some(goal) = self.goal(place, errand.wanted) else {
            return self.next_errand(place, Duration::ZERO);
        };
        let seed = self.random.number();
        let protocol = self.units.get(place).map_or(Protocol::Tftp, |unit| unit.plan.protocol);
        let expected = self.store.expected(device_id(place));
        let unique_id = self.store.unique_ids.get(&device_id(place)).cloned();
        let name = self.units.get(place).map(|unit| unit.plan.settings.unique_id.clone()).unwrap_or_default();
        let (now, access, profile) = (self.now, self.access(place), Arc::clone(&self.profile));
        let Some(manager) = &mut self.manager else { return };
        if manager.director.run_of(device_id(place)).is_some() {
            return self.put(LOOK_AGAIN, Item::Operator(place));
        }
        let id = RunId(manager.next_run);
        manager.next_run += 1;
        let secret = format!("{seed:016x}{id}");
        let (user, password, port) = match protocol {
            Protocol::Ftp => (id.to_string(), Run::password(&secret), FTP_PORT),
            Protocol::Tftp | Protocol::Push => (String::new(), String::new(), TFTP_PORT),
        };
        let run = Run::new(Beginning {
            id,
            device: Subject { id: device_id(place), name, address: address(place), unique_id },
            goal,
            choices: Choices {
                kinds: Vec::new(),
                policy: errand.policy,
                question_limit_ms: errand.question_limit_ms,
                activate_at: errand.held.map(|held| Time::from(now + held)),
                overwrite: false,
            },
            profile: profile.name.clone(),
            server: Server { protocol, address: MANAGER, port, user, password },
            secret,
            begun: Time::from(now),
            expected,
        });
        self.checks.begun(place, &run);
        if let Some(desk) = self.desks.get_mut(place) {
            desk.run = Some(id);
            desk.asked_for = Some(now);
            desk.question = None;
        }
        self.note(|| format!("operator: run {id} of device {}: {:?}", place + 1, errand.wanted));
        let entry = Entry::stored(run, 0, 0, profile, access);
        self.send_input(Channel::Operator, Input::Start(Box::new(entry)));
        self.put(Duration::from_secs(30), Item::Operator(place));
    }

    fn goal(&self, place: usize, wanted: Wanted) -> Option<Goal> {
        let turn = self.desks.get(place).map_or(0, |desk| desk.turn);
        let misfit = |trouble: &Trouble| trouble.misfit().filter(|(device, _)| *device == place && turn == 0);
        let misfit = self.plan.troubles.iter().find_map(misfit);
        Some(match wanted {
            Wanted::Upgrade(quality) => {
                let wanted = if quality == Quality::Good { self.good(place, turn) } else { quality };
                Goal::Upgrade { image: image(misfit.map_or(wanted, |(_, image)| image)).into() }
            }
            Wanted::Backup => Goal::Backup,
            Wanted::RollBack => Goal::RollBack,
            Wanted::Reset => Goal::Reset,
            Wanted::Restore => {
                let own = |backup: &&crate::store::Backup| backup.device == device_id(place);
                Goal::Restore { set: self.store.backups.iter().find(own)?.set.clone() }
            }
        })
    }

    /// A good image, where it is the n-th one.
    fn good(&self, place: usize, n: usize) -> Quality {
        let rebuilt = self.plan.troubles.iter().any(|trouble| trouble.rebuilt() == Some(place));
        if rebuilt && n % 2 == 1 { Quality::Rebuilt } else { Quality::Good }
    }

    fn react(&mut self, place: usize, run: &Run, question: &Question) {
        let quiet = self.is_quiet();
        let answers = self.plan.devices.get(place).map(|plan| plan.answers.clone()).unwrap_or_default();
        let Some(desk) = self.desks.get_mut(place) else { return };
        if desk.question != Some(question.asked_at) {
            // It is thought about first.
            desk.question = Some(question.asked_at);
            desk.used += 1;
            let takes = self.random.span(200, 60_000);
            self.put(takes, Item::Operator(place));
            self.slide(place, After::Asked);
            return;
        }
        let used = desk.used;
        let planned = answers.get(used.saturating_sub(1)).copied().unwrap_or(Reaction::End);
        let reaction = match planned {
            Reaction::Never if !quiet => {
                return self.put(Duration::from_secs(300), Item::Operator(place));
            }
            // In peace a device that could not be brought back is brought back.
            Reaction::End | Reaction::Never | Reaction::Cancel
                if quiet && question.lost && desk.tries < MOST_TRIES_IN_PEACE =>
            {
                desk.tries += 1;
                Reaction::Again
            }
            // Giving a device up while it is dark is what an operator would not do.
            Reaction::End | Reaction::Cancel if question.lost && !quiet => {
                return self.put(Duration::from_secs(300), Item::Operator(place));
            }
            Reaction::Never => Reaction::End,
            planned => planned,
        };
        let answer = match reaction {
            Reaction::Again | Reaction::Never => Answer::Again,
            Reaction::GoodImage => Answer::OtherImage(Arc::new(image(self.good(place, used)))),
            Reaction::Edited => Answer::Edited(self.edited_files(run)),
            Reaction::End => Answer::End,
            Reaction::Cancel => {
                self.send_input(Channel::Operator, Input::Cancel(run.id));
                return self.put(LOOK_AGAIN, Item::Operator(place));
            }
        };
        let taken = question.answers.contains(&answer.kind());
        let again = question.answers.contains(&AnswerKind::Again);
        let answer = match answer {
            answer if taken => answer,
            _ if again => Answer::Again,
            _ => Answer::End,
        };
        let id = run.id;
        self.note(|| format!("operator: run {id} is answered {:?}", answer.kind()));
        let word = Input::Operator { run: id, asked_at: question.asked_at, answer };
        let twice = self.plan.troubles.iter().find_map(|trouble| trouble.said_twice(place));
        if let Some(after) = twice {
            self.put(after, Item::SaidAgain(Box::new(word.clone())));
        }
        self.send_input(Channel::Operator, word);
        // The word may be lost with the manager: then it is said again.
        self.put(Duration::from_secs(30), Item::Operator(place));
    }

    /// The configuration that was backed up, in the format that the run's image reads.
    fn edited_files(&mut self, run: &Run) -> BTreeMap<Kind, StoredFile> {
        let format = match &run.goal {
            Goal::Upgrade { image } => image.manifest.format.unwrap_or(1),
            _ => 1,
        };
        let mut files = BTreeMap::new();
        for (kind, file) in run.backed_up() {
            let made = self.store.files.get(&file.digest).and_then(|bytes| converted(bytes, format));
            let Some(made) = made else { continue };
            let stored =
                StoredFile { digest: digest_of(&made), size: u64::try_from(made.len()).unwrap_or(u64::MAX) };
            self.store.files.insert(stored.digest, made.into());
            files.insert(kind, stored);
        }
        files
    }

    /// The operator cancels whatever run the device is in.
    pub(crate) fn cancel(&mut self, place: usize) {
        if let Some(run) = self.run_of(place).map(|run| run.id) {
            self.note(|| format!("operator: run {run} is cancelled"));
            self.send_input(Channel::Operator, Input::Cancel(run));
        }
    }

    /// The operator has whatever is under way there stopped.
    pub(crate) fn stop(&mut self, place: usize) {
        if let Some(run) = self.run_of(place).map(|run| run.id) {
            self.note(|| format!("operator: the operation of run {run} is stopped"));
            self.send_input(Channel::Operator, Input::StopOperation(run));
        }
    }
}

//! What must never be broken, each with the reason why. They are checked as things happen: after each change of a device,
//! after each commit, when the manager is killed, and at the end.

use std::collections::{BTreeMap, BTreeSet};

use engine::director::Write;
use engine::file_server::{News, Report, TransferId};
use iad_sim::device::{Command, ConfigurationKind, Document, Durable, Power, conversion};
use upgrade::run::{Ending, Goal, Outcome, State};
use upgrade::{Digest, Profile, Run, RunId, TicketName};

use crate::images::{digest, digest_of, kind};
use crate::store::Store;
use crate::unit::Unit;
use crate::world::device_id;

/// More operations than this in one run are a run that goes round in circles.
const MOST_OPERATIONS: u32 = 300;

/// More events than this in the log of one run would fill the disk.
const MOST_EVENTS: usize = 20_000;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, by the name of its function.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

type Checked = Result<(), Violation>;

fn broken(invariant: &'static str, what: impl Into<String>) -> Checked {
    Err(Violation { invariant, what: what.into() })
}

/// What is known of the devices by those who see everything.
#[derive(Debug)]
pub(crate) struct Checks {
    devices: Vec<Known>,
    /// Whose a configuration is, by its digest. What comes with the software is everybody's.
    owners: BTreeMap<Digest, usize>,
    /// Runs as they began.
    begun: BTreeMap<RunId, Run>,
    /// Tickets by which a whole file went over.
    used: BTreeSet<TicketName>,
    /// Transfers by FTP that the file server has stopped.
    pub(crate) ftp_stopped: BTreeSet<TransferId>,
}

/// What is known of one device.
#[derive(Debug)]
struct Known {
    /// The configuration that its subscribers are owed, by kind.
    owed: BTreeMap<ConfigurationKind, Document>,
    /// Every configuration that was ever owed.
    history: BTreeSet<Digest>,
    /// The digests of what it held when that was looked at last.
    held: BTreeSet<Digest>,
    seen: Vec<iad_sim::device::durable::ConfigurationSet>,
    operation: String,
    /// The version in the buffer that a trial began from.
    before_trial: Option<String>,
}

impl Checks {
    pub(crate) fn new(units: &[Unit]) -> Self {
        let mut owners = BTreeMap::new();
        let devices = units
            .iter()
            .enumerate()
            .map(|(place, unit)| {
                let owed = in_force(unit.device.durable());
                let mut known = Known {
                    owed: BTreeMap::new(),
                    history: BTreeSet::new(),
                    held: BTreeSet::new(),
                    seen: Vec::new(),
                    operation: String::new(),
                    before_trial: None,
                };
                known.owe(place, owed, &mut owners);
                known
            })
            .collect();
        Self { devices, owners, begun: BTreeMap::new(), used: BTreeSet::new(), ftp_stopped: BTreeSet::new() }
    }

    /// A run begins.
    pub(crate) fn begun(&mut self, _place: usize, run: &Run, _units: &[Unit]) {
        self.begun.insert(run.id, run.clone());
    }

    /// Whether nobody has made the device run anything else: then a person may change its settings.
    pub(crate) fn is_at_rest(&self, place: usize, store: &Store) -> bool {
        store
            .open_runs()
            .filter(|stored| stored.run.device.id == device_id(place))
            .all(|stored| stored.run.activated.is_none() && !stored.run.returning)
    }

    /// A person changed settings at the device: from now on these are owed. What they replace is given up.
    pub(crate) fn edited(&mut self, place: usize, units: &[Unit]) {
        let (Some(known), Some(unit)) = (self.devices.get_mut(place), units.get(place)) else { return };
        for document in known.owed.values() {
            known.history.remove(&digest_of(document.to_text().as_bytes()));
        }
        known.owe(place, in_force(unit.device.durable()), &mut self.owners);
    }

    /// After each change of a device's durable memory.
    pub(crate) fn device_changed(&mut self, place: usize, units: &[Unit], store: &Store) -> Checked {
        let (Some(known), Some(unit)) = (self.devices.get_mut(place), units.get(place)) else {
            return Ok(());
        };
        let durable = unit.device.durable();
        if known.seen != durable.configurations {
            known.seen.clone_from(&durable.configurations);
            known.held = held(durable);
            self.a_configuration_is_on_its_device_or_in_a_backup(place, store)?;
            self.no_configuration_is_on_another_device(place, durable)?;
        }
        self.the_old_image_stays_until_the_new_one_is_confirmed(place, durable)?;
        an_operation_is_started_once(unit)?;
        self.nothing_is_loaded_without_a_whole_backup(place, durable, store)
    }

    /// After each commit of a run.
    pub(crate) fn committed(&mut self, write: &Write, units: &[Unit], store: &Store) -> Checked {
        let run = &write.run;
        let place = usize::try_from(run.device.id.0).unwrap_or(1).saturating_sub(1);
        let Some(unit) = units.get(place) else { return Ok(()) };
        let durable = unit.device.durable();
        a_run_is_bounded(run, store)?;
        match &run.state {
            State::Asking(question) if !question.lost => {
                self.a_question_finds_the_device_as_it_was(place, run, durable)
            }
            State::Ended(ending) => {
                self.an_end_leaves_the_device_in_service(place, run, ending, durable, store)
            }
            _ => Ok(()),
        }
    }

    /// The file server tells something.
    pub(crate) fn reported(&mut self, report: &Report) -> Checked {
        match report {
            Report::Ticket { name, news: News::Done { .. }, .. } if !self.used.insert(name.clone()) => {
                // A name says which file it is: a second one under it could be anything.
                broken("a_ticket_is_used_once", format!("a second file went over by {name}"))
            }
            _ => Ok(()),
        }
    }

    /// When everything has come to its end.
    pub(crate) fn at_the_end(&self, units: &[Unit], store: &Store) -> Checked {
        for (place, unit) in units.iter().enumerate() {
            self.a_configuration_is_on_its_device_or_in_a_backup(place, store)?;
            // A device that runs nothing is dead, and somebody has to drive there.
            if matches!(unit.device.power(), Power::Dead) {
                return broken("no_device_is_left_dead", format!("device {}", place + 1));
            }
        }
        Ok(())
    }

    /// A subscriber's configuration that is nowhere is lost for ever: at every instant it is on the device it belongs
    /// to, in a backup of it, or both.
    fn a_configuration_is_on_its_device_or_in_a_backup(&self, place: usize, store: &Store) -> Checked {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        let lost = known
            .history
            .iter()
            .find(|digest| !known.held.contains(digest) && !store.has_backup(device_id(place), **digest));
        match lost {
            Some(digest) => broken(
                "a_configuration_is_on_its_device_or_in_a_backup",
                format!("device {} has lost {}", place + 1, digest.short()),
            ),
            None => Ok(()),
        }
    }

    /// With another one's configuration a device answers to other people's numbers.
    fn no_configuration_is_on_another_device(&self, place: usize, durable: &Durable) -> Checked {
        for configuration in durable.configurations.iter().flatten() {
            let owner = self.owners.get(&digest(configuration.sha256()));
            if let Some(owner) = owner.filter(|owner| **owner != place) {
                let what = format!("device {} has the configuration of device {}", place + 1, owner + 1);
                return broken("no_configuration_is_on_another_device", what);
            }
        }
        Ok(())
    }

    /// The way back is the other buffer: it must be there for as long as the new software may fail.
    fn the_old_image_stays_until_the_new_one_is_confirmed(
        &mut self,
        place: usize,
        durable: &Durable,
    ) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        if durable.boot.trial.is_none() {
            known.before_trial = None;
            return Ok(());
        }
        let standby =
            durable.standby().filter(|standby| standby.is_valid()).map(|standby| standby.version.clone());
        let before = known.before_trial.get_or_insert_with(|| standby.clone().unwrap_or_default());
        if standby.as_ref() == Some(before) {
            return Ok(());
        }
        let what = format!("device {}: {before:?} was the way back, now it is {standby:?}", place + 1);
        broken("the_old_image_stays_until_the_new_one_is_confirmed", what)
    }

    /// An upgrade that begins without a backup bets the subscribers' configuration on its success.
    fn nothing_is_loaded_without_a_whole_backup(
        &mut self,
        place: usize,
        durable: &Durable,
        store: &Store,
    ) -> Checked {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        let operation = &durable.operation;
        if known.operation == operation.id {
            return Ok(());
        }
        known.operation.clone_from(&operation.id);
        let risky = matches!(
            operation.command,
            Command::Download | Command::Activate | Command::Convert | Command::Restore
        );
        let Some(run) = run_of(&operation.id).filter(|_| risky) else { return Ok(()) };
        let stored = store.runs.get(&run).map(|stored| &stored.run);
        let backup = stored.and_then(|run| run.backup.as_ref());
        let whole = backup.is_some_and(|backup| {
            !backup.files.is_empty()
                && backup.files.values().all(|file| store.files.contains_key(&file.digest))
        });
        if whole && stored.is_some_and(|run| run.device.id == device_id(place)) {
            return Ok(());
        }
        let what =
            format!("device {}: {:?} by {} without a backup", place + 1, operation.command, operation.id);
        broken("nothing_is_loaded_without_a_whole_backup", what)
    }

    /// A question may stay open for days. Until it is answered the device serves its subscribers as before.
    fn a_question_finds_the_device_as_it_was(&self, place: usize, run: &Run, durable: &Durable) -> Checked {
        self.is_as_before(place, run, durable).map_err(|what| Violation {
            invariant: "a_question_finds_the_device_as_it_was",
            what: format!("run {} of device {}: {what}", run.id, place + 1),
        })
    }

    /// Whatever became of a run: its device is in service, with the configuration that belongs on it.
    fn an_end_leaves_the_device_in_service(
        &mut self,
        place: usize,
        run: &Run,
        ending: &Ending,
        durable: &Durable,
        store: &Store,
    ) -> Checked {
        let judged = match ending.outcome {
            Outcome::Succeeded => self.is_as_wanted(place, run, durable, store),
            Outcome::RolledBack | Outcome::EndedByOperator | Outcome::Cancelled => {
                self.is_as_before(place, run, durable)
            }
            Outcome::Refused | Outcome::DeviceLost => Ok(()),
        };
        judged.map_err(|what| Violation {
            invariant: "an_end_leaves_the_device_in_service",
            what: format!("run {} of device {}, {}: {what}", run.id, place + 1, ending.outcome),
        })
    }

    fn is_as_before(&self, place: usize, run: &Run, durable: &Durable) -> Result<(), String> {
        let Some(known) = self.devices.get(place) else { return Ok(()) };
        let Some(old) = &run.old else { return Ok(()) };
        runs(durable, &old.version)?;
        same(&known.owed, &in_force(durable))
    }

    fn is_as_wanted(
        &mut self,
        place: usize,
        run: &Run,
        durable: &Durable,
        store: &Store,
    ) -> Result<(), String> {
        let Some(known) = self.devices.get_mut(place) else { return Ok(()) };
        let now = in_force(durable);
        let format = durable.active().map_or(0, iad_sim::device::Buffer::format);
        match &run.goal {
            Goal::Upgrade { image } => {
                runs(durable, &image.manifest.version)?;
                let wanted = known
                    .owed
                    .iter()
                    .map(|(kind, document)| (*kind, conversion::convert(document, format)))
                    .collect();
                same(&wanted, &now)?;
                known.owe(place, now, &mut self.owners);
            }
            Goal::RollBack => {
                runs(durable, run.target_version().unwrap_or_default())?;
                let readable = known.owed.values().all(|document| document.format == format);
                if readable {
                    same(&known.owed, &now)?;
                }
                known.owe(place, now, &mut self.owners);
            }
            Goal::Restore { set } => {
                for (restored, file) in &set.files {
                    let document =
                        now.iter().find(|(own, _)| kind(**own) == *restored).map(|(_, document)| document);
                    let held = document.map(|document| digest_of(document.to_text().as_bytes()));
                    if held != Some(file.digest) {
                        return Err(format!("{restored} is not the one restored"));
                    }
                }
                known.owe(place, now, &mut self.owners);
            }
            Goal::Backup => {
                let backup = run.backup.as_ref().ok_or("there is no backup")?;
                if !backup.files.values().all(|file| store.files.contains_key(&file.digest)) {
                    return Err("a file of the backup is not there".into());
                }
            }
            Goal::Reset => {}
        }
        Ok(())
    }

    /// What is stored must follow from what happened, or nobody can say afterwards why a device was treated as it was.
    pub(crate) fn replays(&self, store: &Store, profile: &Profile) -> Checked {
        for (id, stored) in &store.runs {
            let Some(begun) = self.begun.get(id) else { continue };
            let mut run = begun.clone();
            for (at, event) in &stored.events {
                if let Some(asked) = asked(event) {
                    run.asked = asked;
                }
                match run.step(event, profile, *at) {
                    Ok((next, _)) => run = next,
                    Err(_) => {
                        let what = format!("run {id}: {event:?} means nothing in {:?}", run.state);
                        return broken("the_log_leads_to_the_state", what);
                    }
                }
            }
            if !run.lasts_as(&stored.run) {
                let what =
                    format!("run {id}: the log leads to {:?}, stored is {:?}", run.state, stored.run.state);
                return broken("the_log_leads_to_the_state", what);
            }
        }
        Ok(())
    }
}

impl Known {
    fn owe(
        &mut self,
        place: usize,
        owed: BTreeMap<ConfigurationKind, Document>,
        owners: &mut BTreeMap<Digest, usize>,
    ) {
        for (kind, document) in &owed {
            let digest = digest_of(document.to_text().as_bytes());
            self.history.insert(digest);
            // What is empty, or comes with the software, is nobody's own.
            if *kind != ConfigurationKind::DefaultParameters && !document.entries.is_empty() {
                owners.insert(digest, place);
            }
        }
        self.owed = owed;
    }
}

/// A second start of the same operation is a command repeated blindly.
fn an_operation_is_started_once(unit: &Unit) -> Checked {
    match unit.device.counters().operations.iter().find(|count| count.started > 1) {
        Some(count) => broken(
            "an_operation_is_started_once",
            format!("{} was started {} times", count.id, count.started),
        ),
        None => Ok(()),
    }
}

/// A run that grows without bound fills the manager's memory, and asks people for ever.
fn a_run_is_bounded(run: &Run, store: &Store) -> Checked {
    let events = store.runs.get(&run.id).map_or(0, |stored| stored.events.len());
    if run.operations > MOST_OPERATIONS || events > MOST_EVENTS {
        let what = format!("run {} has {} operations and {events} events", run.id, run.operations);
        return broken("a_run_is_bounded", what);
    }
    Ok(())
}

fn runs(durable: &Durable, version: &str) -> Result<(), String> {
    let active = durable.active();
    let running = active.map(|active| active.version.clone()).unwrap_or_default();
    if running != version {
        return Err(format!("it runs {running:?}, not {version:?}"));
    }
    if !active.is_some_and(iad_sim::device::Buffer::is_valid) {
        return Err("its image is not whole".into());
    }
    if durable.boot.trial.is_some() {
        return Err(format!("{running} is still on trial"));
    }
    Ok(())
}

fn same(
    wanted: &BTreeMap<ConfigurationKind, Document>,
    now: &BTreeMap<ConfigurationKind, Document>,
) -> Result<(), String> {
    match wanted.iter().find(|(kind, document)| now.get(kind) != Some(document)) {
        Some((kind, _)) => Err(format!("its {} is another one", kind.name())),
        None => Ok(()),
    }
}

/// The configuration in force.
fn in_force(durable: &Durable) -> BTreeMap<ConfigurationKind, Document> {
    let document = |kind| Some((kind, durable.running_configuration(kind)?.document().clone()));
    ConfigurationKind::ALL.into_iter().filter_map(document).collect()
}

/// The digests of all that a device holds.
fn held(durable: &Durable) -> BTreeSet<Digest> {
    durable.configurations.iter().flatten().map(|configuration| digest(configuration.sha256())).collect()
}

/// The run that an operation is one of.
fn run_of(operation: &str) -> Option<RunId> {
    operation.strip_prefix('r')?.split('.').next()?.parse().ok().map(RunId)
}

const fn asked(event: &upgrade::run::Event) -> Option<u32> {
    use upgrade::run::Event;
    match event {
        Event::Read { asked, .. }
        | Event::Unread { asked, .. }
        | Event::Accepted { asked }
        | Event::Refused { asked, .. }
        | Event::Unanswered { asked } => Some(*asked),
        _ => None,
    }
}

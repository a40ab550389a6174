//! What may go wrong with a device, by script or by command. Pure: a fault strikes when its moment comes, and is counted.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::device::{Command, NotificationKind};

/// A fault that is to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// What happens
    pub kind: FaultKind,
    /// The unique id or number of the device; without it, all devices
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// How often it happens to each device; 0: each time
    #[arg(long, default_value_t = 1)]
    #[serde(default = "once")]
    pub times: u32,
    /// How many occasions pass before it happens first
    #[arg(long, default_value_t = 0)]
    #[serde(default)]
    pub skip: u32,
    /// While the device does what (power-loss, crash, hang, mute; false-progress and stall-transfer with any if not given)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<Phase>,
    /// Once so many percent of it are done; how much of a file is still good (truncate-*); the progress told (false-progress)
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    #[serde(default)]
    pub percent: u32,
    /// Once so many bytes are in flash or transferred, instead of a percentage
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// For how many milliseconds (power-loss: off; stall-transfer: stalled; delay-notification: late); without it, for good
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// Only with this software: which is started (boot-loop, boot-hang), or which runs (all others)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Only this notification (*-notification)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<NotificationKind>,
    /// Only the answer to this request (lose-answer)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestKind>,
}

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Power is lost, for a time or until it is switched on
    PowerLoss,
    /// The software crashes, and starts again
    Crash,
    /// The software hangs until the watchdog restarts it
    Hang,
    /// The device never says anything again, until it is switched off and on
    Mute,
    /// A byte of a file that is loaded is another one
    CorruptTransfer,
    /// A file that is loaded ends early
    TruncateTransfer,
    /// A transfer stands still
    StallTransfer,
    /// A file that is sent ends early, and the device does not notice
    TruncateBackup,
    /// The flash memory is full
    FlashFull,
    /// The flash memory cannot be written
    FlashError,
    /// The conversion program fails
    ConversionFails,
    /// The configuration cannot be applied
    ApplyFails,
    /// The latter half of the configuration files is applied, the rest cannot be
    ApplyPart,
    /// The software crashes whenever it is started
    BootLoop,
    /// The software hangs whenever it is started
    BootHang,
    /// The check of itself finds the running software degraded
    Unhealthy,
    /// The device tells a progress that is not so
    FalseProgress,
    /// A notification is lost
    LoseNotification,
    /// A notification comes twice
    DoubleNotification,
    /// A notification comes late
    DelayNotification,
    /// A request is carried out, and its answer is lost
    LoseAnswer,
}

/// What a device is doing when a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // named like the commands
pub enum Phase {
    Backup,
    Download,
    Activate,
    Reset,
    Rollback,
    Convert,
    Restore,
    Confirm,
    Erase,
    /// Between power on, or a restart, and the first answer
    Boot,
}

/// Which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A GET, GETNEXT or GETBULK
    Get,
    /// A SET
    Set,
}

/// A file of faults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The faults, in the order in which they are looked through.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// A fault that does not say what it needs to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The script cannot be read.
    #[error("cannot read the fault script: {0}")]
    Script(String),
    /// A fault lacks a field.
    #[error("the fault {0:?} needs '{1}'")]
    Lacks(FaultKind, &'static str),
}

impl Script {
    /// Reads a script in TOML: `[[fault]]` with the fields of [`Fault`].
    ///
    /// # Errors
    /// When it cannot be read, or a fault lacks what it needs.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let script: Self = toml::from_str(text).map_err(|error| FaultError::Script(error.to_string()))?;
        script.faults.iter().try_for_each(Fault::check)?;
        Ok(script)
    }
}

impl Fault {
    /// A fault of this kind that happens once, with nothing else said.
    pub fn once(kind: FaultKind) -> Self {
        Self {
            kind,
            device: None,
            times: 1,
            skip: 0,
            during: None,
            percent: 0,
            byte: None,
            for_ms: None,
            version: None,
            notification: None,
            request: None,
        }
    }

    /// Whether it says all that it needs to.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self) -> Result<(), FaultError> {
        let halts =
            matches!(self.kind, FaultKind::PowerLoss | FaultKind::Crash | FaultKind::Hang | FaultKind::Mute);
        if halts && self.during.is_none() {
            return Err(FaultError::Lacks(self.kind, "during"));
        }
        if self.kind == FaultKind::DelayNotification && self.for_ms.is_none() {
            return Err(FaultError::Lacks(self.kind, "for-ms"));
        }
        Ok(())
    }

    /// Whether it is meant for the device with this identity and number.
    pub fn is_for(&self, unique_id: &str, number: u32) -> bool {
        self.device.as_ref().is_none_or(|device| device == unique_id || device.parse() == Ok(number))
    }
}

/// A fault that waits for its moment at one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Armed {
    /// The number under which it was added.
    pub number: u32,
    /// What is to happen.
    pub fault: Fault,
    /// How often it has happened.
    pub struck: u32,
    #[serde(skip)]
    passed: u32,
    #[serde(skip)]
    last_occasion: Option<u64>,
}

/// The faults of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    armed: Vec<Armed>,
    occasion: u64,
}

impl Faults {
    /// Adds a fault under a number.
    pub fn add(&mut self, number: u32, fault: Fault) {
        self.armed.push(Armed { number, fault, struck: 0, passed: 0, last_occasion: None });
    }

    /// Removes the fault with this number, or all.
    pub fn clear(&mut self, number: Option<u32>) {
        self.armed.retain(|armed| number.is_some_and(|number| armed.number != number));
    }

    /// The faults, also those that will not happen again.
    pub fn list(&self) -> &[Armed] {
        &self.armed
    }

    /// An operation or a boot begins: faults that strike while something goes on may do so once more.
    pub(crate) fn begin_occasion(&mut self) {
        self.occasion += 1;
    }

    /// Strikes at a single moment, such as the sending of a notification.
    pub(crate) fn strike(&mut self, kind: FaultKind, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let armed = self
            .armed
            .iter_mut()
            .find(|armed| armed.is_live() && armed.fault.kind == kind && wanted(&armed.fault))?;
        armed.take_occasion().then(|| armed.fault.clone())
    }

    /// Strikes at most once in each operation and boot, however often it is asked.
    pub(crate) fn strike_during(&mut self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let occasion = self.occasion;
        let armed = self
            .armed
            .iter_mut()
            .find(|armed| armed.is_live() && armed.last_occasion != Some(occasion) && wanted(&armed.fault))?;
        armed.last_occasion = Some(occasion);
        armed.take_occasion().then(|| armed.fault.clone())
    }

    /// The live faults that could still strike in this operation or boot.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Fault> {
        self.armed
            .iter()
            .filter(|armed| armed.is_live() && armed.last_occasion != Some(self.occasion))
            .map(|armed| &armed.fault)
    }
}

impl Armed {
    /// Whether it can still happen.
    pub fn is_live(&self) -> bool {
        self.fault.times == 0 || self.struck < self.fault.times
    }

    fn take_occasion(&mut self) -> bool {
        if self.passed < self.fault.skip {
            self.passed += 1;
            return false;
        }
        self.struck += 1;
        true
    }
}

impl Phase {
    /// What a device does that carries out this command.
    pub(crate) fn of(command: Command) -> Option<Self> {
        match command {
            Command::Backup => Some(Self::Backup),
            Command::Download => Some(Self::Download),
            Command::Activate => Some(Self::Activate),
            Command::Reset => Some(Self::Reset),
            Command::Rollback => Some(Self::Rollback),
            Command::Convert => Some(Self::Convert),
            Command::Restore => Some(Self::Restore),
            Command::Confirm => Some(Self::Confirm),
            Command::Erase => Some(Self::Erase),
            Command::None | Command::Abort => None,
        }
    }
}

fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_like_the_laboratorys_notes() {
        let script = Script::parse(
            "[[fault]]\nkind = 'power-loss'\nduring = 'download'\npercent = 50\nfor-ms = 5000\ndevice = 'IAD-000003'\n\
             [[fault]]\nkind = 'lose-notification'\nnotification = 'done'\ntimes = 0\n",
        )
        .unwrap();
        assert_eq!(script.faults[0].during, Some(Phase::Download));
        assert_eq!(script.faults[0].times, 1);
        assert!(script.faults[0].is_for("IAD-000003", 3) && !script.faults[0].is_for("IAD-000004", 4));
        assert!(script.faults[1].is_for("IAD-000004", 4));
    }

    #[test]
    fn the_script_of_the_readme_is_one() {
        let readme = include_str!("../README.md");
        let script = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(Script::parse(script).map(|script| script.faults.len()), Ok(5));
    }

    #[test]
    fn a_misspelt_or_incomplete_fault_is_refused() {
        assert!(matches!(
            Script::parse("[[fault]]\nkind = 'hang'\ndurign = 'boot'"),
            Err(FaultError::Script(_))
        ));
        assert_eq!(
            Script::parse("[[fault]]\nkind = 'power-loss'"),
            Err(FaultError::Lacks(FaultKind::PowerLoss, "during"))
        );
    }

    #[test]
    fn a_fault_passes_its_occasions_strikes_its_times_and_is_over() {
        let mut faults = Faults::default();
        faults.add(1, Fault { skip: 1, times: 2, ..Fault::once(FaultKind::LoseAnswer) });
        let struck: Vec<bool> =
            (0..5).map(|_| faults.strike(FaultKind::LoseAnswer, |_| true).is_some()).collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert_eq!(faults.list()[0].struck, 2);
    }

    #[test]
    fn a_fault_of_an_operation_strikes_once_in_it_however_often_it_is_asked() {
        let mut faults = Faults::default();
        faults.add(1, Fault { times: 0, skip: 1, ..Fault::once(FaultKind::FalseProgress) });
        let mut struck = Vec::new();
        for _ in 0..3 {
            faults.begin_occasion();
            struck.push((0..4).filter(|_| faults.strike_during(|_| true).is_some()).count());
        }
        assert_eq!(struck, [0, 1, 1]);
    }
}

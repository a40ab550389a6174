//! Runs as they stand, and their logs.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::run::{Event, Expected, Run, Story};
use upgrade::{DeviceId, Digest, RunId, Time};

use super::decode::reason;
use super::row::{integer, number, read, read_word, time};
use super::{ListedRun, Store, StoreError, UnreadableRun};

/// The profile a run began with: its own text and those it extends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredProfile {
    /// Its name.
    pub name: String,
    /// SHA-256 over its layers.
    pub digest: Digest,
    /// Name, file name and text of it and of all profiles it extends, itself first.
    pub layers: Vec<(String, String, String)>,
}

/// A run that is not over, with all that is needed to go on with it.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// The run.
    pub run: Run,
    /// Its sequence number.
    pub seq: u64,
    /// When it changed last.
    pub changed: Time,
    /// The number of the last story told of it; 0: none.
    pub told: u64,
    /// The profile it began with.
    pub profile: StoredProfile,
}

/// The runs that are not over.
#[derive(Debug, Clone, Default)]
pub struct OpenRuns {
    /// Those that can be gone on with.
    pub readable: Vec<OpenRun>,
    /// Those that cannot.
    pub unreadable: Vec<UnreadableRun>,
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its sequence number.
    pub seq: u64,
    /// When it changed last.
    pub changed: Time,
    /// The run.
    pub run: Run,
}

impl OpenRun {
    /// Nobody can go on with it.
    pub fn unreadable(self, why: String) -> UnreadableRun {
        let Run { id, device, begun, .. } = self.run;
        UnreadableRun {
            id,
            device: device.id,
            name: device.name,
            begun,
            changed: self.changed,
            over: false,
            unreadable: why,
        }
    }
}

impl RunRecord {
    /// The same without its secrets: names of tickets and the password by FTP are made of them.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.run.secret.clear();
        self.run.server.password.clear();
        self
    }
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Only those of this device.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// Only those that are not over.
    #[serde(default)]
    pub open: bool,
    /// Only those that wait for an operator.
    #[serde(default)]
    pub asking: bool,
    /// At most so many, the latest.
    pub most: u32,
}

/// A story and when it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStory {
    /// Its number within the run, from 1.
    pub n: u64,
    /// When.
    pub at: Time,
    /// What.
    pub story: Story,
}

/// An event and when it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// The sequence number of the state it led to.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// What.
    pub event: Event,
}

impl Store {
    /// All runs that are not over, in their order.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn open_runs(&self) -> Result<OpenRuns, StoreError> {
        let rows = sqlx::query(
            "SELECT run.*, profile.digest, profile.name, profile.layers, device.name AS device_name, \
             (SELECT coalesce(max(n), 0) FROM story WHERE story.run = run.id) AS told \
             FROM run LEFT JOIN profile ON profile.digest = run.profile LEFT JOIN device ON device.id = run.device \
             WHERE run.over = 0 ORDER BY run.id",
        )
        .fetch_all(&self.reading)
        .await
        .map_err(|error| self.told(error))?;
        let mut open = OpenRuns::default();
        for row in &rows {
            match self.open_run_of(row) {
                Ok(run) => open.readable.push(run),
                Err(error) => open.unreadable.push(self.unreadable_of(row, &error)?),
            }
        }
        Ok(open)
    }

    /// The run of this number.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be understood.
    pub async fn run(&self, id: RunId) -> Result<RunRecord, StoreError> {
        let row = sqlx::query("SELECT id, seq, changed, state FROM run WHERE id = ?").bind(integer(id.0));
        let row = row.fetch_optional(&self.reading).await.map_err(|error| self.told(error))?;
        let unknown = || StoreError::Unknown { what: "run", name: id.to_string() };
        let read = self.run_of(&row.ok_or_else(unknown)?);
        read.map_err(|error| StoreError::UnreadableRun { run: id, why: reason(&error) })
    }

    /// The runs that pass the filter, latest first.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<ListedRun>, StoreError> {
        let rows = sqlx::query(
            "SELECT run.*, device.name AS device_name FROM run LEFT JOIN device ON device.id = run.device \
             WHERE (?1 IS NULL OR run.device = ?1) AND (NOT ?2 OR run.over = 0) AND (NOT ?3 OR run.asking = 1) \
             ORDER BY run.id DESC LIMIT ?4",
        )
        .bind(filter.device.map(|device| integer(device.0)))
        .bind(filter.open)
        .bind(filter.asking)
        .bind(i64::from(filter.most))
        .fetch_all(&self.reading)
        .await
        .map_err(|error| self.told(error))?;
        let listed = |row: &SqliteRow| match self.run_of(row) {
            Ok(record) => Ok(ListedRun::Readable(Box::new(record))),
            Err(error) => self.unreadable_of(row, &error).map(ListedRun::Unreadable),
        };
        rows.iter().map(listed).collect()
    }

    /// What the runs of a device know of it: the latest one that can be understood. Those of the unit that it replaced know
    /// nothing.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn expected(
        &self,
        device: DeviceId,
        unique_id: Option<&str>,
    ) -> Result<Option<Expected>, StoreError> {
        let rows =
            sqlx::query("SELECT id, seq, changed, state FROM run WHERE device = ? ORDER BY id DESC LIMIT 10")
                .bind(integer(device.0))
                .fetch_all(&self.reading)
                .await
                .map_err(|error| self.told(error))?;
        let latest = rows.iter().find_map(|row| self.run_of(row).ok());
        let own = latest.filter(|record| record.run.device.unique_id.as_deref() == unique_id);
        Ok(own.and_then(|record| record.run.leaves()))
    }

    /// What was told of a run after the story of number `after`, in order.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn stories(&self, run: RunId, after: u64) -> Result<Vec<ToldStory>, StoreError> {
        let rows = sqlx::query("SELECT n, at, story FROM story WHERE run = ? AND n > ? ORDER BY n")
            .bind(integer(run.0))
            .bind(integer(after))
            .fetch_all(&self.reading)
            .await
            .map_err(|error| self.told(error))?;
        let what = format!("run {run}");
        let story = |row: &SqliteRow| {
            let told = |error| self.told(error);
            Ok(ToldStory {
                n: number(row.try_get("n").map_err(told)?),
                at: time(row.try_get("at").map_err(told)?),
                story: read(&what, row.try_get("story").map_err(told)?)?,
            })
        };
        rows.iter().map(story).collect()
    }

    /// The log of a run: every lasting event, in order.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn events(&self, run: RunId) -> Result<Vec<LoggedEvent>, StoreError> {
        let rows = sqlx::query("SELECT seq, at, event FROM run_event WHERE run = ? ORDER BY seq, part");
        let rows =
            rows.bind(integer(run.0)).fetch_all(&self.reading).await.map_err(|error| self.told(error))?;
        let what = format!("run {run}");
        let event = |row: &SqliteRow| {
            let told = |error| self.told(error);
            Ok(LoggedEvent {
                seq: number(row.try_get("seq").map_err(told)?),
                at: time(row.try_get("at").map_err(told)?),
                event: read(&what, row.try_get("event").map_err(told)?)?,
            })
        };
        rows.iter().map(event).collect()
    }

    pub(super) fn run_of(&self, row: &SqliteRow) -> Result<RunRecord, StoreError> {
        let told = |error| self.told(error);
        let id: i64 = row.try_get("id").map_err(told)?;
        Ok(RunRecord {
            seq: number(row.try_get("seq").map_err(told)?),
            changed: time(row.try_get("changed").map_err(told)?),
            run: read(&format!("run {id}"), row.try_get("state").map_err(told)?)?,
        })
    }

    fn open_run_of(&self, row: &SqliteRow) -> Result<OpenRun, StoreError> {
        let told = |error| self.told(error);
        let id: i64 = row.try_get("id").map_err(told)?;
        let what = format!("run {id}");
        Ok(OpenRun {
            run: read(&what, row.try_get("state").map_err(told)?)?,
            seq: number(row.try_get("seq").map_err(told)?),
            changed: time(row.try_get("changed").map_err(told)?),
            told: number(row.try_get("told").map_err(told)?),
            profile: StoredProfile {
                name: row.try_get("name").map_err(told)?,
                digest: read_word(&what, row.try_get("digest").map_err(told)?)?,
                layers: read(&what, row.try_get("layers").map_err(told)?)?,
            },
        })
    }
}

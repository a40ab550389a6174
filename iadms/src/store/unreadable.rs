//! Runs that cannot be understood: told as far as their columns go, and let go of by an operator's word.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::run::{Ending, LeftWith, Outcome, State, Story};
use upgrade::{DeviceId, Run, RunId, Time};

use super::decode::reason;
use super::row::{integer, millis, number, read, time, write};
use super::{RunRecord, Store, StoreError, ToldStory};

/// A run of which the state, or the profile it began with, cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableRun {
    /// Its number.
    pub id: RunId,
    /// The number of its device.
    pub device: DeviceId,
    /// The name of its device.
    pub name: String,
    /// When it began.
    pub begun: Time,
    /// When it changed last.
    pub changed: Time,
    /// Whether it is over.
    pub over: bool,
    /// Why it cannot be understood.
    pub unreadable: String,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ListedRun {
    /// As it stands.
    Readable(Box<RunRecord>),
    /// As far as it can be told.
    Unreadable(UnreadableRun),
}

impl ListedRun {
    /// Its number.
    pub fn id(&self) -> RunId {
        match self {
            Self::Readable(record) => record.run.id,
            Self::Unreadable(run) => run.id,
        }
    }
}

impl Store {
    /// A run that cannot be read is over: its device is free for another one. What was stored of it stays, but where it can be
    /// read after all (what could not was its profile) it becomes one that ended.
    ///
    /// # Errors
    ///
    /// There is no such run, it is over, or the database cannot be written.
    pub async fn forget_run(&self, id: RunId, at: Time) -> Result<ToldStory, StoreError> {
        let told = |error| self.told(error);
        let mut open = self.begin().await?;
        let ended = sqlx::query("UPDATE run SET over = 1, asking = 0, changed = ? WHERE id = ? AND over = 0");
        let ended = ended.bind(millis(at)).bind(integer(id.0)).execute(&mut *open).await.map_err(told)?;
        if ended.rows_affected() == 0 {
            return Err(StoreError::Unknown { what: "run", name: id.to_string() });
        }
        let last = sqlx::query_scalar::<_, i64>("SELECT coalesce(max(n), 0) FROM story WHERE run = ?");
        let n = last.bind(integer(id.0)).fetch_one(&mut *open).await.map_err(told)? + 1;
        let reason = "an operator let go of it: what was stored of it could not be read".to_owned();
        let ending = Ending { outcome: Outcome::DeviceLost, reason, left_with: LeftWith::default() };
        let state = sqlx::query_scalar::<_, String>("SELECT state FROM run WHERE id = ?").bind(integer(id.0));
        // It may be its profile that could not be read.
        // What is no text at all cannot be read either; a database that cannot be read fails right after this.
        let state = state.fetch_one(&mut *open).await;
        if let Some(mut run) = state.ok().and_then(|text| read::<Run>("a run", &text).ok()) {
            run.state = State::Ended(ending.clone());
            let stored = sqlx::query("UPDATE run SET state = ? WHERE id = ?").bind(write("a run", &run)?);
            stored.bind(integer(id.0)).execute(&mut *open).await.map_err(told)?;
        }
        let story = Story::Ended(ending);
        let logged =
            sqlx::query("INSERT INTO story (run, n, at, story) VALUES (?, ?, ?, ?)").bind(integer(id.0));
        let logged = logged.bind(n).bind(millis(at)).bind(write("a story", &story)?);
        logged.execute(&mut *open).await.map_err(told)?;
        self.end(open).await?;
        Ok(ToldStory { n: number(n), at, story })
    }

    /// What a row of runs and devices tells of a run that cannot be understood. Columns of devices begin with `device_`.
    pub(super) fn unreadable_of(
        &self,
        row: &SqliteRow,
        error: &StoreError,
    ) -> Result<UnreadableRun, StoreError> {
        let told = |error| self.told(error);
        let name: Option<String> = row.try_get("device_name").map_err(told)?;
        Ok(UnreadableRun {
            id: RunId(number(row.try_get("id").map_err(told)?)),
            device: DeviceId(number(row.try_get("device").map_err(told)?)),
            name: name.unwrap_or_default(),
            begun: time(row.try_get("begun").map_err(told)?),
            changed: time(row.try_get("changed").map_err(told)?),
            over: row.try_get("over").map_err(told)?,
            unreadable: reason(error),
        })
    }
}

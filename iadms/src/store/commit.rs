//! The one write of the director: many runs at once, in one transaction that is durable or was never there.
//!
//! `(run, seq)` is the optimistic lock: a run is changed only from the state that its change was computed from.

use sqlx::SqliteConnection;
use upgrade::run::{Event, Run, State, Story};
use upgrade::{ConfigurationSet, RunId, Time};

use super::notification::KEPT;
use super::row::{integer, millis, number, write};
use super::{Store, StoreError, StoredProfile};
use crate::daemon::Trap;

/// What is to be stored together.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Now. Becomes the last time stored.
    pub at: Time,
    /// The runs that changed or began, each once.
    pub runs: Vec<RunChange>,
    /// Notifications that came.
    pub notifications: Vec<Trap>,
}

/// What becomes of one run.
#[derive(Debug, Clone)]
pub struct RunChange {
    /// Its new state.
    pub run: Run,
    /// The sequence number that its state in the store has; none for a new run, which has the profile it begins with
    /// instead.
    pub from: Result<u64, StoredProfile>,
    /// The sequence number of its new state.
    pub seq: u64,
    /// The lasting events that brought it there, in order.
    pub events: Vec<Event>,
    /// What is told, with the numbers within the run. Progress is not kept: leave it out.
    pub stories: Vec<(u64, Story)>,
    /// Backups to be kept.
    pub kept: Vec<ConfigurationSet>,
    /// What its device is known by from now on.
    pub unique_id: Option<String>,
}

/// The number of a backup that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The run that took it.
    pub run: RunId,
    /// Its number.
    pub backup: u64,
}

impl Store {
    /// Stores it all, durably, or nothing. Tells the numbers of the backups kept, in order.
    ///
    /// # Errors
    ///
    /// A run changed in between, a device is in another run, or the disk refuses.
    pub async fn commit(&self, transaction: &Transaction) -> Result<Vec<Kept>, StoreError> {
        let told = |error| self.told(error);
        let mut open = self.writing.begin_with("BEGIN IMMEDIATE").await.map_err(told)?;
        let mut kept = Vec::new();
        for change in &transaction.runs {
            self.change(&mut open, transaction.at, change, &mut kept).await?;
        }
        self.note(&mut open, &transaction.notifications).await?;
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('time', ?) \
             ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        )
        .bind(millis(transaction.at))
        .execute(&mut *open)
        .await
        .map_err(told)?;
        open.commit().await.map_err(told)?;
        Ok(kept)
    }

    /// The number for the next new run: above all that ever were.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn next_run(&self) -> Result<RunId, StoreError> {
        let last = sqlx::query_scalar::<_, i64>("SELECT seq FROM sqlite_sequence WHERE name = 'run'");
        let last = last.fetch_optional(&self.reading).await.map_err(|error| self.told(error))?;
        Ok(RunId(number(last.unwrap_or(0)) + 1))
    }

    async fn change(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        change: &RunChange,
        kept: &mut Vec<Kept>,
    ) -> Result<(), StoreError> {
        let run = integer(change.run.id.0);
        match &change.from {
            Ok(from) => self.update(open, at, change, *from).await?,
            Err(profile) => self.insert(open, at, change, profile).await?,
        }
        for (part, event) in (0_i64..).zip(&change.events) {
            let logged =
                sqlx::query("INSERT INTO run_event (run, seq, part, at, event) VALUES (?, ?, ?, ?, ?)")
                    .bind(run)
                    .bind(integer(change.seq))
                    .bind(part)
                    .bind(millis(at))
                    .bind(write("an event", event)?);
            logged.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        for (n, story) in &change.stories {
            let logged = sqlx::query("INSERT INTO story (run, n, at, story) VALUES (?, ?, ?, ?)")
                .bind(run)
                .bind(integer(*n))
                .bind(millis(at))
                .bind(write("a story", story)?);
            logged.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        for set in &change.kept {
            let backup = self.keep(open, at, &change.run, set).await?;
            kept.push(Kept { run: change.run.id, backup });
        }
        if let Some(unique_id) = &change.unique_id {
            let learnt = sqlx::query("UPDATE device SET unique_id = ? WHERE id = ?").bind(unique_id);
            let learnt = learnt.bind(integer(change.run.device.id.0));
            learnt.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        Ok(())
    }

    async fn insert(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        change: &RunChange,
        profile: &StoredProfile,
    ) -> Result<(), StoreError> {
        let run = &change.run;
        let kept =
            sqlx::query("INSERT INTO profile (digest, name, layers) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(profile.digest.to_string())
                .bind(&profile.name)
                .bind(write("a profile", &profile.layers)?);
        kept.execute(&mut *open).await.map_err(|error| self.told(error))?;
        let added = sqlx::query(
            "INSERT INTO run (id, device, seq, begun, changed, over, asking, profile, state) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(integer(run.id.0))
        .bind(integer(run.device.id.0))
        .bind(integer(change.seq))
        .bind(millis(run.begun))
        .bind(millis(at))
        .bind(run.is_over())
        .bind(matches!(run.state, State::Asking(_)))
        .bind(profile.digest.to_string())
        .bind(write("a run", run)?)
        .execute(&mut *open)
        .await;
        let Err(error) = added else { return Ok(()) };
        let violation = error.as_database_error();
        if violation.is_some_and(|told| told.is_foreign_key_violation()) {
            return Err(StoreError::Unknown { what: "device", name: run.device.name.clone() });
        }
        if !violation.is_some_and(|told| told.is_unique_violation()) {
            return Err(self.told(error));
        }
        let other = sqlx::query_scalar::<_, i64>("SELECT id FROM run WHERE device = ? AND over = 0");
        let other = other.bind(integer(run.device.id.0)).fetch_optional(&mut *open).await;
        Err(match other.map_err(|error| self.told(error))? {
            Some(other) if number(other) != run.id.0 => {
                StoreError::OpenRun { device: run.device.name.clone(), run: RunId(number(other)) }
            }
            _ => StoreError::Conflict(run.id),
        })
    }

    async fn update(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        change: &RunChange,
        from: u64,
    ) -> Result<(), StoreError> {
        let run = &change.run;
        let changed = sqlx::query(
            "UPDATE run SET seq = ?, changed = ?, over = ?, asking = ?, state = ? WHERE id = ? AND seq = ? AND over = 0",
        )
        .bind(integer(change.seq))
        .bind(millis(at))
        .bind(run.is_over())
        .bind(matches!(run.state, State::Asking(_)))
        .bind(write("a run", run)?)
        .bind(integer(run.id.0))
        .bind(integer(from))
        .execute(&mut *open)
        .await
        .map_err(|error| self.told(error))?;
        if changed.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict(run.id)) }
    }

    async fn keep(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        run: &Run,
        set: &ConfigurationSet,
    ) -> Result<u64, StoreError> {
        let told = |error| self.told(error);
        let added = sqlx::query(
            "INSERT INTO backup (device, run, at, version, format, revision) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(integer(run.device.id.0))
        .bind(integer(run.id.0))
        .bind(millis(at))
        .bind(run.old.as_ref().map(|old| old.version.as_str()))
        .bind(set.format.map(i64::from))
        .bind(set.revision.map(i64::from))
        .execute(&mut *open)
        .await
        .map_err(told)?;
        let backup = added.last_insert_rowid();
        for (kind, file) in &set.files {
            let added =
                sqlx::query("INSERT INTO backup_file (backup, kind, digest, size) VALUES (?, ?, ?, ?)")
                    .bind(backup)
                    .bind(&kind.0)
                    .bind(file.digest.to_string())
                    .bind(integer(file.size));
            added.execute(&mut *open).await.map_err(told)?;
        }
        Ok(number(backup))
    }

    async fn note(&self, open: &mut SqliteConnection, notifications: &[Trap]) -> Result<(), StoreError> {
        let mut last = None;
        for trap in notifications {
            let noted = sqlx::query("INSERT INTO notification (trap) VALUES (?)")
                .bind(write("a notification", trap)?);
            let noted = noted.execute(&mut *open).await.map_err(|error| self.told(error))?;
            last = Some(noted.last_insert_rowid());
        }
        if let Some(last) = last {
            let pruned = sqlx::query("DELETE FROM notification WHERE id <= ?").bind(last - i64::from(KEPT));
            pruned.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        Ok(())
    }
}

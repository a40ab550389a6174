//! The one write of the director: many runs at once, in one transaction that is durable or was never there.
//!
//! `(run, seq)` is the optimistic lock: a run is changed only from the state that its change was computed from.

use engine::director::Write;
use sqlx::{QueryBuilder, SqliteConnection};
use upgrade::run::{BackedUp, Run, State};
use upgrade::{RunId, Time};

use super::notification::KEPT;
use super::pieces::pieces;
use super::row::{integer, millis, number, write};
use super::{Store, StoreError};
use crate::daemon::Trap;
use crate::profiles::Catalogue;

/// The number of a backup that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The run that took it.
    pub run: RunId,
    /// Its number.
    pub backup: u64,
}

impl Store {
    /// Stores what became of runs, each once, and the notifications that came: durably and all, or nothing. A run
    /// that begins is given its profile out of `profiles`. Tells the numbers of the backups kept, in order.
    ///
    /// # Errors
    ///
    /// A run changed in between, a device is in another run, or the disk refuses.
    pub async fn commit(
        &self,
        at: Time,
        runs: &[Write],
        notifications: &[Trap],
        profiles: &Catalogue,
    ) -> Result<Vec<Kept>, StoreError> {
        let told = |error| self.told(error);
        let mut open = self.begin().await?;
        let mut kept = Vec::new();
        let (begun, changed): (Vec<_>, Vec<_>) = runs.iter().partition(|write| write.seq == 1);
        // A run that ends makes room for the next one of its device.
        for piece in pieces(&changed) {
            self.update(&mut open, at, piece).await?;
        }
        for write in begun {
            self.insert(&mut open, at, write, profiles).await?;
        }
        self.log(&mut open, runs).await?;
        for write in runs {
            self.learn(&mut open, at, write, &mut kept).await?;
        }
        self.note(&mut open, notifications).await?;
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ('time', ?) \
             ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        )
        .bind(millis(at))
        .execute(&mut *open)
        .await
        .map_err(told)?;
        self.end(open).await?;
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

    /// What happened, and what is told.
    async fn log(&self, open: &mut SqliteConnection, changes: &[Write]) -> Result<(), StoreError> {
        let told = |error| self.told(error);
        let (mut events, mut stories) = (Vec::new(), Vec::new());
        for Write { run, seq, events: happened, stories: said, .. } in changes {
            for (part, (at, event)) in (0_i64..).zip(happened) {
                events.push((integer(run.id.0), integer(*seq), part, millis(*at), write("an event", event)?));
            }
            for story in said {
                let text = write("a story", &story.story)?;
                let owed = engine::northbound::is_told(&story.story);
                stories.push((integer(run.id.0), integer(story.n), millis(story.at), text, owed));
            }
        }
        for piece in pieces(&events) {
            let mut insert = QueryBuilder::new("INSERT INTO run_event (run, seq, part, at, event) ");
            insert.push_values(piece, |mut row, (run, seq, part, at, event)| {
                row.push_bind(*run).push_bind(*seq).push_bind(*part).push_bind(*at).push_bind(event);
            });
            insert.build().execute(&mut *open).await.map_err(told)?;
        }
        for piece in pieces(&stories) {
            let mut insert = QueryBuilder::new("INSERT INTO story (run, n, at, story) ");
            insert.push_values(piece, |mut row, (run, n, at, story, _)| {
                row.push_bind(*run).push_bind(*n).push_bind(*at).push_bind(story);
            });
            insert.build().execute(&mut *open).await.map_err(told)?;
        }
        stories.retain(|(.., owed)| *owed);
        for piece in pieces(&stories) {
            let mut insert = QueryBuilder::new(
                "INSERT INTO northbound_owed (run, n, target) SELECT column1, column2, name FROM (",
            );
            insert.push_values(piece, |mut row, (run, n, ..)| {
                row.push_bind(*run).push_bind(*n);
            });
            insert.push("), northbound_target");
            insert.build().execute(&mut *open).await.map_err(told)?;
        }
        Ok(())
    }

    /// What is kept, and known of the device from now on.
    async fn learn(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        change: &Write,
        kept: &mut Vec<Kept>,
    ) -> Result<(), StoreError> {
        for backup in &change.backups {
            let backup = self.keep(open, at, &change.run, backup).await?;
            kept.push(Kept { run: change.run.id, backup });
        }
        if let Some(unique_id) = &change.unique_id {
            let learnt = sqlx::query("UPDATE device SET unique_id = ? WHERE id = ?").bind(unique_id);
            let learnt = learnt.bind(integer(change.run.device.id.0));
            learnt.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        if let Some(engine) = &change.engine {
            self.speaks_for(open, change.run.device.id, &engine.to_string()).await?;
        }
        Ok(())
    }

    async fn insert(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        change: &Write,
        profiles: &Catalogue,
    ) -> Result<(), StoreError> {
        let run = &change.run;
        let unknown = || StoreError::Unknown { what: "profile", name: run.profile.clone() };
        let profile = &profiles.get(&run.profile).ok_or_else(unknown)?.stored;
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
        changes: &[&Write],
    ) -> Result<(), StoreError> {
        let told = |error| self.told(error);
        let states: Result<Vec<_>, _> = changes.iter().map(|change| write("a run", &change.run)).collect();
        let mut update = QueryBuilder::new("UPDATE run SET changed = ");
        update.push_bind(millis(at));
        update.push(
            ", seq = new.column2, over = new.column3, asking = new.column4, state = new.column5 FROM (",
        );
        update.push_values(changes.iter().zip(states?), |mut row, (Write { run, seq, .. }, state)| {
            row.push_bind(integer(run.id.0)).push_bind(integer(*seq)).push_bind(run.is_over());
            row.push_bind(matches!(run.state, State::Asking(_))).push_bind(state);
        });
        update.push(") AS new WHERE run.id = new.column1 AND run.seq = new.column2 - 1 AND run.over = 0 ");
        update.push("RETURNING id");
        let changed: Vec<i64> = update.build_query_scalar().fetch_all(&mut *open).await.map_err(told)?;
        let overtaken = |change: &&&Write| !changed.contains(&integer(change.run.id.0));
        match changes.iter().find(overtaken) {
            Some(change) => Err(StoreError::Conflict(change.run.id)),
            None => Ok(()),
        }
    }

    async fn keep(
        &self,
        open: &mut SqliteConnection,
        at: Time,
        run: &Run,
        BackedUp { version, set }: &BackedUp,
    ) -> Result<u64, StoreError> {
        let told = |error| self.told(error);
        let added = sqlx::query(
            "INSERT INTO backup (device, run, at, version, format, revision) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(integer(run.device.id.0))
        .bind(integer(run.id.0))
        .bind(millis(at))
        .bind(version)
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
                    .bind(&*kind.0)
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

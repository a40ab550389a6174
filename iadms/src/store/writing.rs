//! A transaction on the one connection that writes.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use super::{Store, StoreError};

/// A transaction. Unless it is committed its connection is closed, which undoes it: after some errors, a full disk for
/// one, SQLite has ended the transaction by itself, and nobody can tell from here in which state the connection is.
pub(super) struct Writing {
    connection: PoolConnection<Sqlite>,
    committed: bool,
}

impl Store {
    pub(super) async fn begin(&self) -> Result<Writing, StoreError> {
        let connection = self.writing.acquire().await.map_err(|error| self.told(error))?;
        let mut writing = Writing { connection, committed: false };
        writing.execute("BEGIN IMMEDIATE").await.map_err(|error| self.told(error))?;
        Ok(writing)
    }

    pub(super) async fn end(&self, mut writing: Writing) -> Result<(), StoreError> {
        writing.execute("COMMIT").await.map_err(|error| self.told(error))?;
        writing.committed = true;
        Ok(())
    }
}

impl Writing {
    async fn execute(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut *self.connection).await.map(drop)
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.committed {
            self.connection.close_on_drop();
        }
    }
}

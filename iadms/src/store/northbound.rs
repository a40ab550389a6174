//! Who is told of runs by SNMP notifications.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use upgrade::RunId;

use super::row::{integer, number, read_word};
use super::{Store, StoreError};
use crate::inventory::{Community, is_name};

/// Somebody who is told of runs: a network management system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NorthboundTarget {
    /// The name operators give it; unique.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The community it expects; v2c.
    pub community: Community,
    /// Whether it is told by INFORM, which it acknowledges, or by TRAP.
    pub inform: bool,
    /// How often an INFORM that is not acknowledged is repeated; 0 to 10.
    pub repeats: u32,
    /// How long an acknowledgement is waited for, milliseconds; 50 to 60,000.
    pub timeout_ms: u32,
}

/// What is wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A name that cannot be typed.
    #[error("the target name {0:?} will not do: 1 to 64 letters, digits, '.', '_' or '-' were expected")]
    Name(String),
    /// Nobody's address.
    #[error("the address {0} is nobody's: an address and a port other than 0 were expected")]
    Address(SocketAddr),
    /// A community that no message can carry.
    #[error("the community will not do: 1 to 255 characters were expected")]
    Community,
    /// Out of range.
    #[error("repeats are {0}; 0 to 10 were expected")]
    Repeats(u32),
    /// Out of range.
    #[error("the timeout is {0} ms; 50 to 60000 were expected")]
    Timeout(u32),
}

impl NorthboundTarget {
    /// Checks what the form alone cannot.
    ///
    /// # Errors
    ///
    /// The first field that will not do.
    pub fn check(&self) -> Result<(), TargetError> {
        if !is_name(&self.name) {
            return Err(TargetError::Name(self.name.clone()));
        }
        if self.address.port() == 0 || self.address.ip().is_unspecified() {
            return Err(TargetError::Address(self.address));
        }
        if !(1..=255).contains(&self.community.0.len()) {
            return Err(TargetError::Community);
        }
        if self.repeats > 10 {
            return Err(TargetError::Repeats(self.repeats));
        }
        if !(50..=60_000).contains(&self.timeout_ms) {
            return Err(TargetError::Timeout(self.timeout_ms));
        }
        Ok(())
    }
}

/// A story that a target is still to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The run.
    pub run: RunId,
    /// The number of the story within the run.
    pub n: u64,
    /// The name of the target.
    pub target: String,
}

impl Store {
    /// What was not yet told when the daemon ended, in order.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn owed(&self) -> Result<Vec<Owed>, StoreError> {
        let rows = sqlx::query("SELECT run, n, target FROM northbound_owed ORDER BY run, n, target");
        let rows = rows.fetch_all(&self.reading).await.map_err(|error| self.told(error))?;
        let owed = |row: &SqliteRow| {
            let told = |error| self.told(error);
            Ok(Owed {
                run: RunId(number(row.try_get("run").map_err(told)?)),
                n: number(row.try_get("n").map_err(told)?),
                target: row.try_get("target").map_err(told)?,
            })
        };
        rows.iter().map(owed).collect()
    }

    /// These were sent, or given up.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub async fn no_longer_owed(&self, told: &[Owed]) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        for Owed { run, n, target } in told {
            let settled = sqlx::query("DELETE FROM northbound_owed WHERE run = ? AND n = ? AND target = ?");
            let settled = settled.bind(integer(run.0)).bind(integer(*n)).bind(target);
            settled.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        self.end(open).await
    }

    /// Adds a target.
    ///
    /// # Errors
    ///
    /// The name is taken.
    pub async fn add_target(&self, target: &NorthboundTarget) -> Result<(), StoreError> {
        let added = sqlx::query(
            "INSERT INTO northbound_target (name, address, community, inform, repeats, timeout_ms) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&target.name)
        .bind(target.address.to_string())
        .bind(&target.community.0)
        .bind(target.inform)
        .bind(i64::from(target.repeats))
        .bind(i64::from(target.timeout_ms))
        .execute(&self.writing)
        .await;
        added.map(drop).map_err(|error| match error.as_database_error() {
            Some(told) if told.is_unique_violation() => {
                StoreError::Taken { what: "a northbound target", name: target.name.clone() }
            }
            _ => self.told(error),
        })
    }

    /// Removes a target.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    pub async fn remove_target(&self, name: &str) -> Result<(), StoreError> {
        let removed = sqlx::query("DELETE FROM northbound_target WHERE name = ?").bind(name);
        let removed = removed.execute(&self.writing).await.map_err(|error| self.told(error))?;
        if removed.rows_affected() == 0 { Err(unknown(name)) } else { Ok(()) }
    }

    /// All targets by name.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn targets(&self) -> Result<Vec<NorthboundTarget>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM northbound_target ORDER BY name").fetch_all(&self.reading).await;
        rows.map_err(|error| self.told(error))?.iter().map(|row| self.target_of(row)).collect()
    }

    /// The target of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn target(&self, name: &str) -> Result<NorthboundTarget, StoreError> {
        let row = sqlx::query("SELECT * FROM northbound_target WHERE name = ?").bind(name);
        let row = row.fetch_optional(&self.reading).await.map_err(|error| self.told(error))?;
        self.target_of(&row.ok_or_else(|| unknown(name))?)
    }

    pub(super) fn target_of(&self, row: &SqliteRow) -> Result<NorthboundTarget, StoreError> {
        let told = |error| self.told(error);
        let name: String = row.try_get("name").map_err(told)?;
        let what = format!("northbound target {name:?}");
        Ok(NorthboundTarget {
            address: read_word(&what, row.try_get("address").map_err(told)?)?,
            community: Community(row.try_get("community").map_err(told)?),
            inform: row.try_get("inform").map_err(told)?,
            repeats: row.try_get("repeats").map_err(told)?,
            timeout_ms: row.try_get("timeout_ms").map_err(told)?,
            name,
        })
    }
}

fn unknown(name: &str) -> StoreError {
    StoreError::Unknown { what: "northbound target", name: name.to_owned() }
}

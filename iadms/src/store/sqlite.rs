//! Which SQLite this program was built with, and whether it may be trusted with a write-ahead log.

use std::fmt;
use std::str::FromStr;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::StoreError;

/// A version of SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqliteVersion(u32, u32, u32);

/// The first one without the fault of the WAL reset. In those before, a checkpoint during which another connection begins
/// the log anew may leave commits out of the database, and damage it (sqlite.org/wal.html#walresetbug).
pub const OLDEST_SQLITE: SqliteVersion = SqliteVersion(3, 51, 3);

/// What stands there is no version of SQLite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("three numbers, such as 3.51.3, were expected")]
pub struct NotAVersion;

impl FromStr for SqliteVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut numbers = text.split('.').map(|number| number.parse().map_err(|_| NotAVersion));
        let mut next = || numbers.next().unwrap_or(Err(NotAVersion));
        let version = Self(next()?, next()?, next()?);
        if numbers.next().is_none() { Ok(version) } else { Err(NotAVersion) }
    }
}

impl fmt::Display for SqliteVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The SQLite of this program, which touches no file to say its version.
///
/// # Errors
///
/// It is one that may lose commits, or says nothing that could be understood.
pub(super) async fn trusted() -> Result<SqliteVersion, StoreError> {
    let failed = |source| StoreError::Database { path: ":memory:".into(), source };
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.map_err(failed)?;
    let text = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await;
    judged(text.map_err(failed)?)
}

fn judged(text: String) -> Result<SqliteVersion, StoreError> {
    match text.parse() {
        Ok(version) if version >= OLDEST_SQLITE => Ok(version),
        _ => Err(StoreError::OldSqlite { found: text }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sqlite_that_is_built_in_may_be_trusted() {
        assert!(trusted().await.unwrap() >= OLDEST_SQLITE);
    }

    #[test]
    fn an_sqlite_from_before_the_mended_fault_is_refused_with_its_version() {
        for good in ["3.51.3", "3.51.4", "3.52.0", "3.100.0", "4.0.0"] {
            assert_eq!(judged(good.into()).unwrap().to_string(), good);
        }
        for bad in ["3.51.2", "3.51.1", "3.50.9", "3.9.9", "2.99.99", "3.51", "3.51.3.1", "", "new"] {
            let error = judged(bad.into()).unwrap_err();
            assert!(matches!(&error, StoreError::OldSqlite { found } if found == bad), "{error}");
            assert!(error.to_string().contains("3.51.3"), "{error}");
        }
    }
}

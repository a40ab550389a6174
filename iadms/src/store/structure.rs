//! Whether the file holds together: its pages, its indexes, and what rows refer to.

use sqlx::Row as _;

use super::{Store, StoreError};

/// At most twenty faults are told: where there are more, these show what kind they are.
const WHOLE_CHECK: &str = "PRAGMA integrity_check(20)";

impl Store {
    /// Reads the whole database and tells what SQLite finds wrong in it. It takes as long as reading it, and looks deeper
    /// than [`Store::check`].
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn faults(&self) -> Result<Vec<String>, StoreError> {
        let checked = sqlx::query_scalar::<_, String>(WHOLE_CHECK).fetch_all(&self.reading).await;
        let mut faults = checked.map_err(|error| self.told(error))?;
        faults.retain(|fault| fault != "ok");
        Ok(faults)
    }

    /// Tells which rows refer to what is not there.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn dangling(&self) -> Result<Vec<String>, StoreError> {
        let told = |error| self.told(error);
        let checked =
            "SELECT \"table\", parent, count(*) AS count FROM pragma_foreign_key_check GROUP BY 1, 2";
        let rows = sqlx::query(checked).fetch_all(&self.reading).await.map_err(told)?;
        let dangling = |row: &sqlx::sqlite::SqliteRow| {
            let (table, parent): (String, String) =
                (row.try_get("table").map_err(told)?, row.try_get("parent").map_err(told)?);
            let count: i64 = row.try_get("count").map_err(told)?;
            Ok(format!("{count} of {table:?} refer to what is not in {parent:?}"))
        };
        rows.iter().map(dangling).collect()
    }
}

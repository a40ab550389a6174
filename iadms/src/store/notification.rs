//! The latest notifications that came. An INFORM is in here before it is acknowledged.

use super::row::{integer, read};
use super::{Store, StoreError};
use crate::daemon::Trap;

/// Notifications that are kept; older ones go when new ones come.
pub(super) const KEPT: u32 = 10_000;

impl Store {
    /// The latest notifications, at most `count` of them, oldest first.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn notifications(&self, count: u32) -> Result<Vec<Trap>, StoreError> {
        let rows = sqlx::query_scalar::<_, String>("SELECT trap FROM notification ORDER BY id DESC LIMIT ?")
            .bind(integer(u64::from(count)))
            .fetch_all(&self.reading)
            .await
            .map_err(|error| self.told(error))?;
        rows.iter().rev().map(|text| read("a notification", text)).collect()
    }
}

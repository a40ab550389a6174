//! The credentials by which devices are asked in SNMPv3. Their secrets are sealed before they come here.

use serde_json::json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::row::{millis, number, time};
use super::writing::Writing;
use super::{Store, StoreError};
use crate::credential::{SealedCredential, SealedUser, UserEntry};
use crate::seal::{KeyId, Sealed};

/// All of them, the user in force before the former one.
const ALL: &str = "SELECT *, (SELECT count(*) FROM device WHERE device.credential = credential_user.credential) AS devices \
                   FROM credential_user ORDER BY credential, former";

impl Store {
    /// Adds a credential.
    ///
    /// # Errors
    ///
    /// The name is taken.
    pub async fn add_credential(&self, name: &str, user: &SealedUser) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        let added = sqlx::query("INSERT INTO credential (name) VALUES (?)").bind(name);
        added.execute(&mut *open).await.map_err(|error| match error.as_database_error() {
            Some(told) if told.is_unique_violation() => {
                StoreError::Taken { what: "a credential", name: name.to_owned() }
            }
            _ => self.told(error),
        })?;
        self.put_user(&mut open, name, user).await?;
        self.end(open).await
    }

    /// Gives it another user, or the same one other secrets. The one before is kept, since devices have that still.
    ///
    /// # Errors
    ///
    /// There is no such credential, or it is being rotated already.
    pub async fn rotate_credential(&self, name: &str, user: &SealedUser) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        if self.former(&mut open, name).await? {
            return Err(StoreError::Rotating(name.to_owned()));
        }
        self.change_users(&mut open, name, "UPDATE credential_user SET former = 1 WHERE credential = ?")
            .await?;
        self.put_user(&mut open, name, user).await?;
        self.end(open).await
    }

    /// Gives it a user in place of all that it had: nobody can open their secrets any more.
    ///
    /// # Errors
    ///
    /// There is no such credential.
    pub async fn replace_credential(&self, name: &str, user: &SealedUser) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        self.former(&mut open, name).await?;
        self.change_users(&mut open, name, "DELETE FROM credential_user WHERE credential = ?").await?;
        self.put_user(&mut open, name, user).await?;
        self.end(open).await
    }

    /// No device has the secrets of before any more: they are forgotten.
    ///
    /// # Errors
    ///
    /// There is no such credential, or it is not being rotated.
    pub async fn finish_rotation(&self, name: &str) -> Result<(), StoreError> {
        self.end_rotation(name, &["DELETE FROM credential_user WHERE credential = ? AND former = 1"]).await
    }

    /// The secrets of before are in force again, and the new ones forgotten.
    ///
    /// # Errors
    ///
    /// There is no such credential, or it is not being rotated.
    pub async fn undo_rotation(&self, name: &str) -> Result<(), StoreError> {
        let steps = [
            "DELETE FROM credential_user WHERE credential = ? AND former = 0",
            "UPDATE credential_user SET former = 0 WHERE credential = ?",
        ];
        self.end_rotation(name, &steps).await
    }

    async fn end_rotation(&self, name: &str, steps: &[&'static str]) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        if !self.former(&mut open, name).await? {
            return Err(StoreError::NotRotating(name.to_owned()));
        }
        for step in steps {
            self.change_users(&mut open, name, step).await?;
        }
        self.end(open).await
    }

    /// Removes a credential by which no device is asked.
    ///
    /// # Errors
    ///
    /// There is no such credential, or devices refer to it.
    pub async fn remove_credential(&self, name: &str) -> Result<(), StoreError> {
        let removed = sqlx::query("DELETE FROM credential WHERE name = ?").bind(name);
        match removed.execute(&self.writing).await {
            Ok(removed) if removed.rows_affected() == 0 => Err(unknown(name)),
            Ok(_) => Ok(()),
            Err(error) if error.as_database_error().is_some_and(|told| told.is_foreign_key_violation()) => {
                Err(StoreError::Referred { what: "credential", name: name.to_owned(), by: "devices" })
            }
            Err(error) => Err(self.told(error)),
        }
    }

    /// All credentials by name.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn credentials(&self) -> Result<Vec<SealedCredential>, StoreError> {
        let rows = sqlx::query(ALL).fetch_all(&self.reading).await.map_err(|error| self.told(error))?;
        let mut all: Vec<SealedCredential> = Vec::new();
        for row in &rows {
            let name: String = row.try_get("credential").map_err(|error| self.told(error))?;
            let user = self.sealed_user_of(row)?;
            match all.last_mut().filter(|last| last.name == name) {
                Some(last) => last.former = Some(user),
                None => {
                    let devices = number(row.try_get("devices").map_err(|error| self.told(error))?);
                    all.push(SealedCredential { name, user, former: None, devices });
                }
            }
        }
        Ok(all)
    }

    /// The credential of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn credential(&self, name: &str) -> Result<SealedCredential, StoreError> {
        let all = self.credentials().await?;
        all.into_iter().find(|known| known.name == name).ok_or_else(|| unknown(name))
    }

    /// Whether there are secrets of before.
    async fn former(&self, open: &mut Writing, name: &str) -> Result<bool, StoreError> {
        let users = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM credential_user WHERE credential = ?");
        match users.bind(name).fetch_one(&mut **open).await.map_err(|error| self.told(error))? {
            0 => Err(unknown(name)),
            1 => Ok(false),
            _ => Ok(true),
        }
    }

    async fn change_users(
        &self,
        open: &mut Writing,
        name: &str,
        sql: &'static str,
    ) -> Result<(), StoreError> {
        let changed = sqlx::query(sql).bind(name).execute(&mut **open).await;
        changed.map(drop).map_err(|error| self.told(error))
    }

    async fn put_user(&self, open: &mut Writing, name: &str, user: &SealedUser) -> Result<(), StoreError> {
        let SealedUser { entry, since, secrets } = user;
        sqlx::query(
            "INSERT INTO credential_user (credential, former, user, authentication, privacy, since, key, secrets) \
             VALUES (?, 0, ?, ?, ?, ?, ?, ?)",
        )
        .bind(name)
        .bind(&entry.user)
        .bind(entry.authentication.map(|protocol| protocol.name()))
        .bind(entry.privacy.map(|protocol| protocol.name()))
        .bind(millis(*since))
        .bind(&secrets.key.0)
        .bind(&secrets.bytes)
        .execute(&mut **open)
        .await
        .map(drop)
        .map_err(|error| self.told(error))
    }

    pub(super) fn sealed_user_of(&self, row: &SqliteRow) -> Result<SealedUser, StoreError> {
        let told = |error| self.told(error);
        let name: String = row.try_get("credential").map_err(told)?;
        let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(told);
        let entry = json!({
            "user": text("user")?, "authentication": text("authentication")?, "privacy": text("privacy")?,
        });
        let what = || format!("credential {name:?}");
        let entry: UserEntry = serde_json::from_value(entry)
            .map_err(|source| StoreError::Unreadable { what: what(), source })?;
        Ok(SealedUser {
            entry,
            since: time(row.try_get("since").map_err(told)?),
            secrets: Sealed {
                key: KeyId(row.try_get("key").map_err(told)?),
                bytes: row.try_get("secrets").map_err(told)?,
            },
        })
    }
}

fn unknown(name: &str) -> StoreError {
    StoreError::Unknown { what: "credential", name: name.to_owned() }
}

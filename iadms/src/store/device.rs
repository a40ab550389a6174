//! The inventory of devices.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use upgrade::DeviceId;

use super::row::{integer, number, read, read_word, write};
use super::{Store, StoreError};
use crate::inventory::{Access, Community, Device, DeviceEntry};

impl Store {
    /// Adds devices, all or none.
    ///
    /// # Errors
    ///
    /// A name is taken.
    pub async fn add_devices(&self, entries: &[DeviceEntry]) -> Result<Vec<DeviceId>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut ids = Vec::with_capacity(entries.len());
        for entry in entries {
            let added = sqlx::query(
                "INSERT INTO device (name, address, port, version, read_community, write_community, profile, protocol, \
                 labels, credential) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&entry.name)
            .bind(entry.access.address.to_string())
            .bind(i64::from(entry.access.port))
            .bind(entry.access.version.to_string())
            .bind(&entry.access.read_community.0)
            .bind(&entry.access.write_community.0)
            .bind(&entry.profile)
            .bind(entry.protocol.map(|protocol| protocol.to_string()))
            .bind(write("a device", &entry.labels)?)
            .bind(&entry.access.credential)
            .execute(&mut *transaction)
            .await;
            match added {
                Ok(added) => ids.push(DeviceId(number(added.last_insert_rowid()))),
                Err(error) if error.as_database_error().is_some_and(|told| told.is_unique_violation()) => {
                    return Err(StoreError::Taken { what: "a device", name: entry.name.clone() });
                }
                Err(error) if is_dangling(&error) => return Err(no_credential(entry)),
                Err(error) => return Err(self.told(error)),
            }
        }
        self.end(transaction).await?;
        Ok(ids)
    }

    /// Says of a device what holds from now on. Which unit it is (its unique id, its engine) is only forgotten where that was
    /// `replaced` by another one: whatever else answers at a new address is no device of ours.
    ///
    /// # Errors
    ///
    /// There is no such device, or no such credential.
    pub async fn change_device(&self, entry: &DeviceEntry, replaced: bool) -> Result<(), StoreError> {
        let changed = sqlx::query(
            "UPDATE device SET unique_id = CASE WHEN ?10 THEN NULL ELSE unique_id END, \
             engine_id = CASE WHEN ?10 OR ?11 IS NULL THEN NULL ELSE engine_id END, address = ?1, port = ?2, \
             version = ?3, read_community = ?4, write_community = ?5, profile = ?6, protocol = ?7, labels = ?8, \
             credential = ?11 WHERE name = ?9",
        )
        .bind(entry.access.address.to_string())
        .bind(i64::from(entry.access.port))
        .bind(entry.access.version.to_string())
        .bind(&entry.access.read_community.0)
        .bind(&entry.access.write_community.0)
        .bind(&entry.profile)
        .bind(entry.protocol.map(|protocol| protocol.to_string()))
        .bind(write("a device", &entry.labels)?)
        .bind(&entry.name)
        .bind(replaced)
        .bind(&entry.access.credential)
        .execute(&self.writing)
        .await
        .map_err(|error| if is_dangling(&error) { no_credential(entry) } else { self.told(error) })?;
        if changed.rows_affected() == 0 { Err(unknown(&entry.name)) } else { Ok(()) }
    }

    /// Removes a device that no run or backup refers to.
    ///
    /// # Errors
    ///
    /// There is no such device, or it is referred to.
    pub async fn remove_device(&self, name: &str) -> Result<(), StoreError> {
        let removed =
            sqlx::query("DELETE FROM device WHERE name = ?").bind(name).execute(&self.writing).await;
        match removed {
            Ok(removed) if removed.rows_affected() == 0 => Err(unknown(name)),
            Ok(_) => Ok(()),
            Err(error) if is_dangling(&error) => Err(StoreError::Referred {
                what: "device",
                name: name.to_owned(),
                by: "runs or backups, which are kept",
            }),
            Err(error) => Err(self.told(error)),
        }
    }

    /// All devices by name.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn devices(&self) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query("SELECT * FROM device ORDER BY name").fetch_all(&self.reading).await;
        rows.map_err(|error| self.told(error))?.iter().map(|row| self.device_of(row)).collect()
    }

    /// The device of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn device(&self, name: &str) -> Result<Device, StoreError> {
        let row =
            sqlx::query("SELECT * FROM device WHERE name = ?").bind(name).fetch_optional(&self.reading).await;
        let row = row.map_err(|error| self.told(error))?.ok_or_else(|| unknown(name))?;
        self.device_of(&row)
    }

    /// The device of this number.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn device_by_id(&self, id: DeviceId) -> Result<Device, StoreError> {
        let asked = sqlx::query("SELECT * FROM device WHERE id = ?").bind(integer(id.0));
        let row = asked.fetch_optional(&self.reading).await.map_err(|error| self.told(error))?;
        self.device_of(&row.ok_or_else(|| unknown(&id.to_string()))?)
    }

    /// Notes what a device said of itself when it was probed.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub async fn note_unique_id(&self, name: &str, unique_id: &str) -> Result<(), StoreError> {
        let noted = sqlx::query("UPDATE device SET unique_id = ? WHERE name = ?").bind(unique_id).bind(name);
        noted.execute(&self.writing).await.map(drop).map_err(|error| self.told(error))
    }

    /// Notes which engine has proven to speak for a device. No other device keeps it: an engine speaks for one.
    ///
    /// # Errors
    ///
    /// The database cannot be written.
    pub async fn note_engine_id(&self, device: DeviceId, engine_id: &str) -> Result<(), StoreError> {
        let mut open = self.begin().await?;
        self.speaks_for(&mut open, device, engine_id).await?;
        self.end(open).await
    }

    pub(super) async fn speaks_for(
        &self,
        open: &mut SqliteConnection,
        device: DeviceId,
        engine_id: &str,
    ) -> Result<(), StoreError> {
        for (sql, device) in [
            ("UPDATE device SET engine_id = NULL WHERE engine_id = ?1 AND id <> ?2", device),
            ("UPDATE device SET engine_id = ?1 WHERE id = ?2", device),
        ] {
            let noted = sqlx::query(sql).bind(engine_id).bind(integer(device.0));
            noted.execute(&mut *open).await.map_err(|error| self.told(error))?;
        }
        Ok(())
    }

    pub(super) fn device_of(&self, row: &SqliteRow) -> Result<Device, StoreError> {
        let told = |error| self.told(error);
        let name: String = row.try_get("name").map_err(told)?;
        let what = format!("device {name:?}");
        let text = |column: &str| row.try_get::<String, _>(column).map_err(told);
        // An older database that is only looked at has no such column.
        let newer = |column: &str| match row.try_get::<Option<String>, _>(column) {
            Err(sqlx::Error::ColumnNotFound(_)) => Ok(None),
            read => read.map_err(told),
        };
        let protocol: Option<String> = row.try_get("protocol").map_err(told)?;
        let port: i64 = row.try_get("port").map_err(told)?;
        Ok(Device {
            id: DeviceId(number(row.try_get("id").map_err(told)?)),
            unique_id: row.try_get("unique_id").map_err(told)?,
            engine_id: newer("engine_id")?,
            entry: DeviceEntry {
                access: Access {
                    address: read_word(&what, &text("address")?)?,
                    port: u16::try_from(port).unwrap_or(crate::inventory::SNMP_PORT),
                    version: read_word(&what, &text("version")?)?,
                    read_community: Community(text("read_community")?),
                    write_community: Community(text("write_community")?),
                    credential: newer("credential")?,
                },
                profile: text("profile")?,
                protocol: protocol.map(|word| read_word(&what, &word)).transpose()?,
                labels: read(&what, &text("labels")?)?,
                name,
            },
        })
    }
}

/// It refers to what is not there: a device refers to nothing but its credential.
fn is_dangling(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|told| told.is_foreign_key_violation())
}

fn no_credential(entry: &DeviceEntry) -> StoreError {
    let name = entry.access.credential.clone().unwrap_or_default();
    StoreError::Unknown { what: "credential", name }
}

fn unknown(name: &str) -> StoreError {
    StoreError::Unknown { what: "device", name: name.to_owned() }
}

//! The inventory of devices.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
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
                 labels) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            .execute(&mut *transaction)
            .await;
            match added {
                Ok(added) => ids.push(DeviceId(number(added.last_insert_rowid()))),
                Err(error) if error.as_database_error().is_some_and(|told| told.is_unique_violation()) => {
                    return Err(StoreError::Taken { what: "a device", name: entry.name.clone() });
                }
                Err(error) => return Err(self.told(error)),
            }
        }
        self.end(transaction).await?;
        Ok(ids)
    }

    /// Says of a device what holds from now on. Which unit it is (its unique id) is only forgotten where that was
    /// `replaced` by another one: whatever else answers at a new address is no device of ours.
    ///
    /// # Errors
    ///
    /// There is no such device.
    pub async fn change_device(&self, entry: &DeviceEntry, replaced: bool) -> Result<(), StoreError> {
        let changed = sqlx::query(
            "UPDATE device SET unique_id = CASE WHEN ?10 THEN NULL ELSE unique_id END, address = ?1, port = ?2, \
             version = ?3, read_community = ?4, write_community = ?5, profile = ?6, protocol = ?7, labels = ?8 \
             WHERE name = ?9",
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
        .execute(&self.writing)
        .await
        .map_err(|error| self.told(error))?;
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
            Err(error) if error.as_database_error().is_some_and(|told| told.is_foreign_key_violation()) => {
                Err(StoreError::Referred { what: "device", name: name.to_owned() })
            }
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

    pub(super) fn device_of(&self, row: &SqliteRow) -> Result<Device, StoreError> {
        let told = |error| self.told(error);
        let name: String = row.try_get("name").map_err(told)?;
        let what = format!("device {name:?}");
        let text = |column: &str| row.try_get::<String, _>(column).map_err(told);
        let protocol: Option<String> = row.try_get("protocol").map_err(told)?;
        let port: i64 = row.try_get("port").map_err(told)?;
        Ok(Device {
            id: DeviceId(number(row.try_get("id").map_err(told)?)),
            unique_id: row.try_get("unique_id").map_err(told)?,
            entry: DeviceEntry {
                access: Access {
                    address: read_word(&what, &text("address")?)?,
                    port: u16::try_from(port).unwrap_or(crate::inventory::SNMP_PORT),
                    version: read_word(&what, &text("version")?)?,
                    read_community: Community(text("read_community")?),
                    write_community: Community(text("write_community")?),
                },
                profile: text("profile")?,
                protocol: protocol.map(|word| read_word(&what, &word)).transpose()?,
                labels: read(&what, &text("labels")?)?,
                name,
            },
        })
    }
}

fn unknown(name: &str) -> StoreError {
    StoreError::Unknown { what: "device", name: name.to_owned() }
}

//! The images that may be loaded. Their files are in [`crate::files::Files`].

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::{Image, Time};

use super::row::{millis, read, read_word, time, write};
use super::{Store, StoreError};

/// An image and when it was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    /// When.
    pub at: Time,
    /// The image.
    pub image: Image,
}

impl Store {
    /// Adds an image, whose files are stored already.
    ///
    /// # Errors
    ///
    /// The name is taken.
    pub async fn add_image(&self, image: &Image, now: Time) -> Result<(), StoreError> {
        let added = sqlx::query("INSERT INTO image (name, at, manifest, digest) VALUES (?, ?, ?, ?)")
            .bind(&image.name)
            .bind(millis(now))
            .bind(write("an image", &image.manifest)?)
            .bind(image.digest.to_string())
            .execute(&self.writing)
            .await;
        added.map(drop).map_err(|error| match error.as_database_error() {
            Some(told) if told.is_unique_violation() => {
                StoreError::Taken { what: "an image", name: image.name.clone() }
            }
            _ => self.told(error),
        })
    }

    /// All images by name.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn images(&self) -> Result<Vec<StoredImage>, StoreError> {
        let rows = sqlx::query("SELECT * FROM image ORDER BY name").fetch_all(&self.reading).await;
        rows.map_err(|error| self.told(error))?.iter().map(|row| self.image_of(row)).collect()
    }

    /// The image of this name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub async fn image(&self, name: &str) -> Result<StoredImage, StoreError> {
        let row =
            sqlx::query("SELECT * FROM image WHERE name = ?").bind(name).fetch_optional(&self.reading).await;
        let unknown = || StoreError::Unknown { what: "image", name: name.to_owned() };
        self.image_of(&row.map_err(|error| self.told(error))?.ok_or_else(unknown)?)
    }

    pub(super) fn image_of(&self, row: &SqliteRow) -> Result<StoredImage, StoreError> {
        let told = |error| self.told(error);
        let name: String = row.try_get("name").map_err(told)?;
        let what = format!("image {name:?}");
        let manifest = read(&what, row.try_get("manifest").map_err(told)?)?;
        let digest = read_word(&what, row.try_get("digest").map_err(told)?)?;
        Ok(StoredImage {
            at: time(row.try_get("at").map_err(told)?),
            image: Image { name, manifest, digest },
        })
    }
}

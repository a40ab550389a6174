//! The stored files that something in the database names: they are as much a part of it as its rows.

use std::collections::BTreeMap;

use futures_lite::StreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use upgrade::run::{Goal, State};
use upgrade::{ConfigurationSet, Digest, Image, Run};

use super::row::{number, read_word};
use super::{Store, StoreError};

/// Who names a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The first who does, as an operator knows it.
    pub by: String,
    /// The bytes it should have, where that is told.
    pub size: Option<u64>,
}

/// The files that are named.
#[derive(Debug, Default)]
pub struct NamedFiles {
    /// By digest.
    pub files: BTreeMap<Digest, Named>,
    /// The rows that name files, and cannot be understood: what they name is not known.
    pub unreadable: Vec<String>,
}

impl Store {
    /// Every stored file that an image, a backup or a run names.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn named_files(&self) -> Result<NamedFiles, StoreError> {
        let told = |error| self.told(error);
        let mut naming = NamedFiles::default();
        let mut images = sqlx::query("SELECT * FROM image ORDER BY name").fetch(&self.reading);
        while let Some(row) = images.next().await {
            let row = row.map_err(told)?;
            match self.image_of(&row) {
                Ok(stored) => naming.image(&stored.image, &format!("image {}", stored.image.name)),
                Err(_) => {
                    let name: String = row.try_get("name").map_err(told)?;
                    naming.unreadable.push(format!("image {name}"));
                }
            }
        }
        drop(images);
        let backups = "SELECT backup, kind, digest, size FROM backup_file ORDER BY backup";
        let mut backups = sqlx::query(backups).fetch(&self.reading);
        while let Some(row) = backups.next().await {
            self.name_backup(&row.map_err(told)?, &mut naming)?;
        }
        drop(backups);
        let mut runs =
            sqlx::query("SELECT id, seq, changed, state FROM run ORDER BY id").fetch(&self.reading);
        while let Some(row) = runs.next().await {
            let row = row.map_err(told)?;
            match self.run_of(&row) {
                Ok(record) => naming.run(&record.run),
                Err(_) => {
                    let id: i64 = row.try_get("id").map_err(told)?;
                    naming.unreadable.push(format!("run {id}"));
                }
            }
        }
        Ok(naming)
    }

    fn name_backup(&self, row: &SqliteRow, naming: &mut NamedFiles) -> Result<(), StoreError> {
        let told = |error| self.told(error);
        let backup: i64 = row.try_get("backup").map_err(told)?;
        let kind: String = row.try_get("kind").map_err(told)?;
        let Ok(digest) = read_word("a backup", row.try_get("digest").map_err(told)?) else {
            naming.unreadable.push(format!("backup {backup}, {kind}"));
            return Ok(());
        };
        let size = number(row.try_get("size").map_err(told)?);
        naming.file(digest, Some(size), || format!("backup {backup}, {kind}"));
        Ok(())
    }
}

impl NamedFiles {
    fn file(&mut self, digest: Digest, size: Option<u64>, by: impl FnOnce() -> String) {
        self.files.entry(digest).or_insert_with(|| Named { by: by(), size });
    }

    fn image(&mut self, image: &Image, by: &str) {
        for file in &image.manifest.files {
            self.file(file.sha256, Some(file.size), || format!("{by}, {}", file.name));
        }
        if let Some(converter) = &image.manifest.converter {
            self.file(converter.sha256, None, || format!("{by}, converter {}", converter.name));
        }
    }

    /// What a run was told of its device's configuration names no file of ours; what it backed up or converted does.
    fn run(&mut self, run: &Run) {
        let id = run.id;
        match &run.goal {
            Goal::Upgrade { image } => self.image(image, &format!("run {id}, image {}", image.name)),
            Goal::Restore { set } => self.set(set, &format!("run {id}, to be restored")),
            Goal::Backup | Goal::RollBack | Goal::Reset => {}
        }
        for (set, what) in
            [(&run.backup, "backed up"), (&run.replaced, "replaced"), (&run.converted, "converted")]
        {
            if let Some(set) = set {
                self.set(set, &format!("run {id}, {what}"));
            }
        }
        if let State::Working { operation, .. } = &run.state {
            for (kind, file) in operation.written() {
                self.file(file.digest, Some(file.size), || format!("run {id}, sent by its device: {kind}"));
            }
        }
    }

    fn set(&mut self, set: &ConfigurationSet, by: &str) {
        for (kind, file) in &set.files {
            self.file(file.digest, Some(file.size), || format!("{by}: {kind}"));
        }
    }
}

//! WAL files by name, as Postgres asks for them.

use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::BytesMut;

use super::Timelines;
use crate::Repository;
use crate::postgres::facts::ClusterFacts;

/// Serves WAL files by name: what Postgres' `restore_command` needs.
#[derive(Debug, Clone)]
pub struct WalFetch {
    timelines: Timelines,
    segment_bytes: u64,
}

impl WalFetch {
    /// Of the cluster with this system identifier, or of the newest backup's.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the repository has no backup of such a cluster; the store's.
    pub async fn new(repository: &Repository, system_id: Option<&str>) -> Result<Self> {
        let backups = repository.catalog().await?.backups;
        let mut facts = backups.iter().rev().filter_map(|record| ClusterFacts::read(&record.facts).ok());
        let facts = facts.find(|facts| system_id.is_none_or(|wanted| wanted == facts.system_id));
        let facts = facts.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "fetch WAL", "there is no backup of such a cluster")
                .with_target(repository.location())
        })?;
        let timelines = Timelines::new(repository.clone(), facts.system_id);
        Ok(Self { timelines, segment_bytes: facts.segment_bytes })
    }

    /// Writes the file that Postgres calls `name`, a segment or a history, to `path`. A segment that is not
    /// yet stored whole is filled up with zeros, which Postgres takes for the end. After an error there is no
    /// such file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing of it is stored; [`ErrorKind::InvalidInput`] for another name; the
    /// store's.
    pub async fn fetch(&self, name: &str, path: &Path) -> Result<()> {
        let not_found = || {
            Error::new(ErrorKind::NotFound, "fetch WAL", format!("{name} is not stored"))
                .with_target(self.timelines.repository().location())
        };
        let hex = |text: &str| (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten();
        if let Some(timeline) = name.strip_suffix(".history").and_then(hex) {
            let text = self.timelines.text(timeline).await?.ok_or_else(not_found)?;
            return place(path, text.to_vec()).await;
        }
        let (timeline, start) = self.segment(name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "fetch WAL", format!("{name:?} is no WAL file"))
        })?;
        let log = self.timelines.log(timeline);
        let end = log.stored_until(start).await?.min(start + self.segment_bytes);
        if end <= start {
            return Err(not_found());
        }
        let length = usize::try_from(self.segment_bytes).unwrap_or(usize::MAX);
        let mut segment = BytesMut::with_capacity(length);
        let mut reader = log.read(start..end).await?;
        while let Some(data) = reader.next().await? {
            segment.extend_from_slice(&data);
        }
        segment.resize(length, 0);
        place(path, segment.to_vec()).await
    }

    /// The timeline of a segment and where it begins.
    fn segment(&self, name: &str) -> Option<(u32, u64)> {
        if name.len() != 24 || !name.is_ascii() {
            return None;
        }
        let number = |text: &str| u32::from_str_radix(text, 16).ok();
        let (timeline, high, low) = (number(&name[..8])?, number(&name[8..16])?, number(&name[16..])?);
        let per_name = (1 << 32) / self.segment_bytes;
        let start = (u64::from(high) << 32).checked_add(u64::from(low) * self.segment_bytes)?;
        (u64::from(low) < per_name).then_some((timeline, start))
    }
}

/// Writes beside and renames, so that no half of a file has the name.
async fn place(path: &Path, content: Vec<u8>) -> Result<()> {
    let (path, mut beside) = (path.to_owned(), path.as_os_str().to_owned());
    beside.push(".part");
    let beside = PathBuf::from(beside);
    blocking(move || {
        std::fs::write(&beside, content).and_then(|()| std::fs::rename(&beside, &path)).map_err(|source| {
            let _ = std::fs::remove_file(&beside);
            Error::new(ErrorKind::Unavailable, "fetch WAL", "the file could not be written")
                .with_target(path.display().to_string())
                .with_source(source)
        })
    })
    .await?
}

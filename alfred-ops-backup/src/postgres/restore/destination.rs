//! The folder that a cluster is restored into: what may lie there, and what is made before any file.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, Id, Result};

use super::file_writer::{failed, make_private_folder};
use super::{CONTROL_FILE, CONTROL_FILE_DRAFT};
use crate::postgres::facts::ClusterFacts;
use crate::{Entry, EntryKind, RestoreRequest};

/// Lies in the folder from the first change until everything is in place, and names the backup. Whoever
/// finds it may go on.
const MARKER: &str = "alfred-ops.restoring";

/// The folder that a cluster is restored into.
#[derive(Debug)]
pub(super) struct Destination {
    root: PathBuf,
    backup: Id,
    system_id: String,
    /// What the folder holds may be used.
    update: bool,
    directories: Vec<PathBuf>,
    /// Links to tablespaces, and where they lead.
    links: Vec<(PathBuf, PathBuf)>,
    files: HashSet<PathBuf>,
}

impl Destination {
    pub(super) fn plan<'a>(
        entries: impl Iterator<Item = &'a Entry>,
        backup: Id,
        facts: &ClusterFacts,
        request: &RestoreRequest,
    ) -> Result<Self> {
        let mut planned = Self {
            root: request.destination.clone(),
            backup,
            system_id: facts.system_id.clone(),
            update: request.update,
            directories: Vec::new(),
            links: Vec::new(),
            files: HashSet::new(),
        };
        for entry in entries {
            let path = request.destination.join(&entry.path);
            match &entry.kind {
                EntryKind::Directory => planned.directories.push(path),
                EntryKind::Symlink { target } => {
                    let place = tablespace(entry, target, facts, request)?;
                    planned.links.push((path, place));
                }
                EntryKind::File { .. } => {
                    planned.files.insert(path);
                }
            }
        }
        Ok(planned)
    }

    fn places(&self) -> impl Iterator<Item = &PathBuf> {
        self.links.iter().map(|(_, place)| place).chain([&self.root])
    }

    /// Looks at what is there and makes the folder ready for files. Returns whether files that are there
    /// may be used.
    pub(super) fn prepare(&self) -> Result<bool> {
        let mut empty = true;
        for place in self.places() {
            empty &= is_empty(place)?;
        }
        if !empty {
            self.may_be_used()?;
        }
        for place in self.places() {
            make_private_folder(place)?;
        }
        let marker = self.root.join(MARKER);
        std::fs::write(&marker, self.backup.to_string()).map_err(failed("mark destination", &marker))?;
        if !empty {
            self.clear()?;
        }
        self.make_folders()?;
        Ok(!empty)
    }

    /// Refuses a folder that is in use, or whose content nobody gave free.
    fn may_be_used(&self) -> Result<()> {
        let refuse = |what: String, remedy: &'static str| {
            Err(Error::new(ErrorKind::AlreadyExists, "restore", what)
                .with_target(self.root.display().to_string())
                .with_remedy(remedy))
        };
        if self.root.join("postmaster.pid").exists() {
            return refuse(
                "a Postgres server runs in the destination".to_owned(),
                "stop the server; if it crashed, remove its postmaster.pid",
            );
        }
        // The mark goes just before pg_control gets its name.
        let draft = self.root.join(CONTROL_FILE_DRAFT).exists() && !self.root.join(CONTROL_FILE).exists();
        if draft || self.root.join(MARKER).exists() {
            return Ok(());
        }
        if !self.update {
            return refuse(
                "the destination is not empty".to_owned(),
                "name an empty folder or one that does not exist, or allow an update of what is there",
            );
        }
        match system_id_in(&self.root.join(CONTROL_FILE)) {
            Some(found) if found == self.system_id => Ok(()),
            found => refuse(
                format!(
                    "the destination holds {}, the backup is of cluster {}",
                    found.map_or("no cluster".to_owned(), |id| format!("cluster {id}")),
                    self.system_id
                ),
                "name the folder of the same cluster, or an empty one",
            ),
        }
    }

    /// Takes away what would let a server start and what is not in the backup.
    fn clear(&self) -> Result<()> {
        for file in [CONTROL_FILE, CONTROL_FILE_DRAFT] {
            remove(&self.root.join(file))?;
        }
        let keep: HashSet<&Path> = self
            .directories
            .iter()
            .chain(&self.files)
            .chain(self.links.iter().map(|(link, _)| link))
            .map(PathBuf::as_path)
            .collect();
        for (link, place) in &self.links {
            if std::fs::read_link(link).ok().as_ref() != Some(place) {
                remove(link)?;
            }
            // Seen through the link, so that paths compare.
            clear_folder(place, link, &keep)?;
        }
        clear_folder(&self.root, &self.root, &keep)
    }

    fn make_folders(&self) -> Result<()> {
        // Parents come first in the archives, and links lie in a folder of the root.
        let (linked, root): (Vec<_>, Vec<_>) = self
            .directories
            .iter()
            .partition(|folder| self.links.iter().any(|(link, _)| folder.starts_with(link)));
        for folder in root {
            make_private_folder(folder)?;
        }
        for (link, place) in &self.links {
            match std::os::unix::fs::symlink(place, link) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(failed("make link", link))?,
            }
        }
        for folder in linked {
            make_private_folder(folder)?;
        }
        Ok(())
    }

    /// Everything is in place.
    pub(super) fn unmark(&self) -> Result<()> {
        remove(&self.root.join(MARKER))
    }
}

fn tablespace(
    entry: &Entry,
    target: &str,
    facts: &ClusterFacts,
    request: &RestoreRequest,
) -> Result<PathBuf> {
    let oid = entry.path.strip_prefix("pg_tblspc/").unwrap_or_default();
    if !facts.tablespaces.contains_key(oid) {
        let what = format!("{:?} is a link and no tablespace", entry.path);
        return Err(Error::new(ErrorKind::Corrupt, "restore", what));
    }
    request.relocations.get(target).cloned().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "restore",
            format!("tablespace {oid} lay in {target:?} and no place is given for it"),
        )
        .with_remedy("name an empty folder for it with RestoreRequest::with_relocation")
    })
}

fn is_empty(folder: &Path) -> Result<bool> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed("look at destination", folder)(error)),
        Ok(mut entries) => Ok(entries.next().is_none()),
    }
}

/// The system identifier is the first field of the control file (`ControlFileData`).
fn system_id_in(control: &Path) -> Option<String> {
    let content = std::fs::read(control).ok()?;
    Some(u64::from_le_bytes(*content.first_chunk()?).to_string())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove file", path)(error)),
        _ => Ok(()),
    }
}

/// Removes what `keep` does not name below `folder`, which is known there as `name`. Links are not followed.
fn clear_folder(folder: &Path, name: &Path, keep: &HashSet<&Path>) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("look at destination", folder))?,
    };
    for entry in entries {
        let entry = entry.map_err(failed("look at destination", folder))?;
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let kind = entry.file_type().map_err(failed("look at destination", &path))?;
        if name.file_name().is_some_and(|name| name == MARKER) {
            continue;
        }
        if kind.is_dir() && keep.contains(name.as_path()) {
            clear_folder(&path, &name, keep)?;
        } else if kind.is_dir() {
            std::fs::remove_dir_all(&path).map_err(failed("remove folder", &path))?;
        } else if !keep.contains(name.as_path()) {
            remove(&path)?;
        }
    }
    Ok(())
}

//! From the server's archives into a snapshot.

use std::collections::HashMap;

use alfred_ops_core::{Error, ErrorKind, Result};

use super::backup_label::{self, BACKUP_LABEL, IncrementalFrom, LABEL_BYTES_MAX};
use super::incremental_file::{self, IncrementalEvent, IncrementalReader};
use super::manifest::Received;
use super::tar::{TarEvent, TarKind, TarMember, TarReader};
use crate::SnapshotWriter;

const BLOCK_BYTES: u64 = 8192;

/// The archives of a base backup on their way into a snapshot.
#[derive(Debug)]
pub(super) struct Archives<'a> {
    pub(super) snapshot: &'a mut SnapshotWriter,
    tar: Option<TarReader>,
    prefix: String,
    /// The file whose content is arriving.
    current: Option<Arriving>,
    /// What came of each file, by its path in the archives.
    pub(super) received: HashMap<String, Received>,
    /// What the label says that the backup builds on.
    pub(super) incremental_from: Option<IncrementalFrom>,
}

#[derive(Debug)]
struct Arriving {
    path: String,
    received: Received,
    content: Content,
}

/// How a file's content goes into the snapshot.
#[derive(Debug)]
enum Content {
    Whole,
    /// Kept until it is whole.
    Label(TarMember, Vec<u8>),
    Incremental(TarMember, IncrementalReader),
}

impl<'a> Archives<'a> {
    pub(super) fn new(snapshot: &'a mut SnapshotWriter) -> Self {
        Self {
            snapshot,
            tar: None,
            prefix: String::new(),
            current: None,
            received: HashMap::new(),
            incremental_from: None,
        }
    }

    /// Begins an archive whose members lie below `prefix`.
    pub(super) async fn begin(&mut self, prefix: String) -> Result<()> {
        self.end().await?;
        self.prefix = prefix;
        self.tar = Some(TarReader::default());
        Ok(())
    }

    pub(super) async fn feed(&mut self, mut data: &[u8]) -> Result<()> {
        let Some(mut tar) = self.tar.take() else {
            return Err(Error::new(ErrorKind::Corrupt, "read base backup", "data came before any archive"));
        };
        while let Some(event) = tar.next(&mut data)? {
            match event {
                TarEvent::Data(data) => self.content(data).await?,
                TarEvent::Member(member) => self.member(member).await?,
            }
        }
        self.tar = Some(tar);
        Ok(())
    }

    async fn member(&mut self, mut member: TarMember) -> Result<()> {
        self.close_file().await?;
        let path = format!("{}{}", self.prefix, member.path);
        member.path.clone_from(&path);
        match &member.kind {
            TarKind::Directory => self.snapshot.directory(&path, member.mode).await?,
            TarKind::Symlink { target } => self.snapshot.symlink(&path, target).await?,
            TarKind::File { .. } => {
                let content = if path == BACKUP_LABEL {
                    Content::Label(member, Vec::new())
                } else if let Some(subject) = incremental_file::subject(&path) {
                    Content::Incremental(TarMember { path: subject, ..member }, IncrementalReader::default())
                } else {
                    self.snapshot.begin_file(&path, member.mode, member.modified).await?;
                    Content::Whole
                };
                self.current = Some(Arriving { path, received: Received::default(), content });
            }
        }
        Ok(())
    }

    async fn content(&mut self, mut data: &[u8]) -> Result<()> {
        let Some(Arriving { received, content, .. }) = &mut self.current else { return Ok(()) };
        received.add(data);
        match content {
            Content::Whole => self.snapshot.write(data).await?,
            Content::Label(_, label) => {
                if label.len() + data.len() > LABEL_BYTES_MAX {
                    return Err(Error::new(
                        ErrorKind::Corrupt,
                        "read base backup",
                        "backup_label is too long",
                    ));
                }
                label.extend_from_slice(data);
            }
            Content::Incremental(member, reader) => {
                while let Some(event) = reader.next(&mut data)? {
                    match event {
                        IncrementalEvent::Header(header) => {
                            let bytes = u64::from(header.blocks) * BLOCK_BYTES;
                            let kept = u64::from(header.kept_blocks) * BLOCK_BYTES;
                            let TarMember { path, mode, modified, .. } = member;
                            self.snapshot.begin_patch(path, *mode, *modified, bytes, kept).await?;
                        }
                        IncrementalEvent::Block(number, block) => {
                            self.snapshot.write_at(u64::from(number) * BLOCK_BYTES, &block).await?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the present archive.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.close_file().await?;
        if self.tar.as_ref().is_some_and(|tar| !tar.is_complete()) {
            return Err(Error::new(ErrorKind::Corrupt, "read base backup", "an archive is cut short"));
        }
        self.tar = None;
        Ok(())
    }

    async fn close_file(&mut self) -> Result<()> {
        let Some(Arriving { path, received, content }) = self.current.take() else { return Ok(()) };
        match content {
            Content::Whole => {}
            Content::Label(member, label) => {
                let (label, from) = backup_label::as_full(&label)?;
                self.incremental_from = from;
                self.snapshot.begin_file(&member.path, member.mode, member.modified).await?;
                self.snapshot.write(&label).await?;
            }
            Content::Incremental(_, reader) => {
                if !reader.is_complete() {
                    let what = format!("{path:?} is cut short");
                    return Err(Error::new(ErrorKind::Corrupt, "read base backup", what));
                }
            }
        }
        self.received.insert(path, received);
        Ok(())
    }
}

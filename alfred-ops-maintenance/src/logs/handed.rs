//! Up to where a journal's lines are in the log's file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::journal::{Journal, Mark};
use super::whole_lines::whole;

/// Up to where a journal's lines are in the log's file.
pub(super) struct Handed {
    journal: Arc<Journal>,
    position: u64,
}

/// Device and inode of a file.
pub(super) type Identity = (u64, u64);

impl Handed {
    /// Goes on from where the journal's process died. What `file` has of its lines already counts as handed over, although
    /// nobody noted it; `file` ends with a whole line.
    pub(super) fn resume(
        journal: Arc<Journal>,
        file: &mut File,
        identity: Identity,
        length: u64,
    ) -> io::Result<Self> {
        let (mark, waiting) = (journal.mark()?, journal.waiting());
        let mut done = 0;
        if (mark.device, mark.inode) == identity && length > mark.length {
            let grown = (length - mark.length).min(waiting.end - waiting.start);
            let (mut theirs, mut ours) = (Vec::new(), Vec::new());
            file.seek(SeekFrom::Start(mark.length))?;
            file.take(grown).read_to_end(&mut theirs)?;
            journal.read(waiting.start..waiting.start + grown, &mut ours)?;
            let equal = theirs.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
            done = whole(&ours[..equal]);
        }
        let handed = Self { journal, position: waiting.start + done as u64 };
        handed.mark(identity, length);
        Ok(handed)
    }

    /// The lines up to `position` are in the file, which is so long now; or they were dropped.
    pub(super) fn advance(&mut self, position: u64, identity: Identity, length: u64) {
        self.position = position;
        self.mark(identity, length);
    }

    /// The file is so long now, and has no more of the journal's lines than before.
    pub(super) fn mark(&self, (device, inode): Identity, length: u64) {
        // The mapping has the place, so it cannot fail.
        let _ = self.journal.set_mark(Mark { handed: self.position, device, inode, length });
    }
}

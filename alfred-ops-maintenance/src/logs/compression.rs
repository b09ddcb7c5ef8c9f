//! How a closed file becomes smaller.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use super::closed_file::{ClosedFile, sync_folder};
use super::regular_file::{create_anew, open_regular, remove};

/// Between pieces of this size, in bytes, it is seen whether compression should stop.
const PIECE_BYTES: usize = 256 << 10;

/// RFC 8878, 3.1.1.1: magic number and frame header take 18 bytes at most.
const FRAME_HEADER_BYTES_MAX: u64 = 18;

/// What became of a file that was to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compressed {
    /// It is compressed, and so many bytes smaller.
    Done {
        /// What the disk has more now, in bytes.
        freed: u64,
    },
    /// It is as it was: somebody wrote to it meanwhile.
    Grew,
    /// It is as it was: it was told to stop.
    Stopped,
}

/// Compresses `file`, and removes it once the compressed one is whole and on the disk. Killed anywhere it loses nothing,
/// and a repeat ends it. Links are not followed.
pub(super) fn compress(file: &ClosedFile, level: i32, stop: &dyn Fn() -> bool) -> io::Result<Compressed> {
    let (finished, unfinished) = file.compressed_paths();
    let source = open_regular(&file.path)?;
    let bytes = source.metadata()?.len();
    if content_bytes(&finished)? != Some(bytes) {
        let target = create_anew(&unfinished)?;
        target.set_permissions(source.metadata()?.permissions())?;
        let mut encoder = zstd::Encoder::new(target, level)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(bytes))?;
        let mut whole = (&source).take(bytes);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            if stop() {
                return Ok(Compressed::Stopped);
            }
            let read = whole.read(&mut piece)?;
            if read == 0 {
                break;
            }
            encoder.write_all(&piece[..read])?;
        }
        encoder.finish()?.sync_all()?;
        fs::rename(&unfinished, &finished)?;
        sync_folder(&file.path)?;
    }
    if source.metadata()?.len() != bytes {
        remove(&finished)?;
        return Ok(Compressed::Grew);
    }
    let freed = bytes.saturating_sub(fs::symlink_metadata(&finished)?.len());
    remove(&file.path)?;
    Ok(Compressed::Done { freed })
}

/// How many bytes the compressed file at `path` has when it is decompressed; None if there is none that says so.
fn content_bytes(path: &Path) -> io::Result<Option<u64>> {
    let mut head = Vec::new();
    match open_regular(path) {
        Ok(file) => file.take(FRAME_HEADER_BYTES_MAX).read_to_end(&mut head)?,
        // What is no file is none: the finished one takes its place.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    Ok(zstd::zstd_safe::get_frame_content_size(&head).ok().flatten())
}

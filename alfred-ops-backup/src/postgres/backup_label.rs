//! The file that tells a restored cluster where replay begins.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};

/// The file's name in the data directory.
pub(super) const BACKUP_LABEL: &str = "backup_label";
/// A label has a dozen lines.
pub(super) const LABEL_BYTES_MAX: usize = 64 << 10;

/// What an incremental backup's label says of the backup that it builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IncrementalFrom {
    pub(super) start: Lsn,
    pub(super) timeline: u32,
}

/// Takes the lines that make a label one of an incremental backup out of it. With them the server would
/// refuse to start: it cannot know that the backup was put together.
pub(super) fn as_full(label: &[u8]) -> Result<(Vec<u8>, Option<IncrementalFrom>)> {
    let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, "read backup_label", what);
    let text = std::str::from_utf8(label).map_err(|_| corrupt("it is not UTF-8"))?;
    let value =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim);
    let from = match (value("INCREMENTAL FROM LSN"), value("INCREMENTAL FROM TLI")) {
        (None, None) => None,
        (Some(start), Some(timeline)) => Some(IncrementalFrom {
            start: start.parse()?,
            timeline: timeline.parse().map_err(|_| corrupt("a timeline is no number"))?,
        }),
        _ => return Err(corrupt("it tells only half of what it builds on")),
    };
    let kept = text.split_inclusive('\n').filter(|line| !line.starts_with("INCREMENTAL FROM "));
    Ok((kept.collect::<String>().into_bytes(), from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_becomes_one_of_a_full_backup() {
        let label = "START WAL LOCATION: 0/4000028 (file 000000010000000000000004)\nSTART TIMELINE: 1\n\
                     INCREMENTAL FROM LSN: 0/2000028\nINCREMENTAL FROM TLI: 1\n";
        let (full, from) = as_full(label.as_bytes()).unwrap();
        assert_eq!(from, Some(IncrementalFrom { start: Lsn(0x200_0028), timeline: 1 }));
        assert!(full.ends_with(b"START TIMELINE: 1\n"));
        assert_eq!(as_full(&full).unwrap(), (full, None));
        assert!(as_full(b"INCREMENTAL FROM LSN: 0/2000028\n").is_err());
    }
}

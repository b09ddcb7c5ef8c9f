//! What the server sends, for fuzz targets: nothing may panic, and how bytes are cut must not matter.

use std::collections::HashMap;
use std::io::Cursor;

use alfred_ops_core::{Lsn, PostgresOptions};
use futures::FutureExt as _;

use super::incremental_file::IncrementalReader;
use super::tar::{TarEvent, TarReader};
use super::wal::fuzzing as wal;
use super::wire::Connection;
use super::{backup_label, manifest};

/// Archives of a base backup. The first byte says how they are cut.
pub fn tar(data: &[u8]) {
    let read = |pieces: usize| {
        let (mut reader, mut seen, mut content) = (TarReader::default(), Vec::new(), Vec::new());
        for mut piece in rest(data).chunks(pieces.max(1)) {
            loop {
                match reader.next(&mut piece) {
                    Ok(Some(TarEvent::Member(member))) => seen.push(Some(member)),
                    Ok(Some(TarEvent::Data(part))) => content.extend_from_slice(part),
                    Ok(None) => break,
                    Err(_) => {
                        seen.push(None);
                        return (seen, content, false);
                    }
                }
            }
        }
        (seen, content, reader.is_complete())
    };
    assert_eq!(read(cut(data)), read(usize::MAX), "how it is cut matters");
}

/// The server's manifests and labels.
pub fn manifest(data: &[u8]) {
    let _ = manifest::check(data, &HashMap::new());
    let _ = backup_label::as_full(data);
}

/// Incremental files. The first byte says how they are cut.
pub fn increment(data: &[u8]) {
    let read = |pieces: usize| {
        let (mut reader, mut seen) = (IncrementalReader::default(), Vec::new());
        for mut piece in rest(data).chunks(pieces.max(1)) {
            loop {
                match reader.next(&mut piece) {
                    Ok(Some(event)) => seen.push(event),
                    Ok(None) => break,
                    Err(_) => return (seen, None),
                }
            }
        }
        (seen, Some(reader.is_complete()))
    };
    assert_eq!(read(cut(data)), read(usize::MAX), "how it is cut matters");
}

/// WAL, messages of a walsender and histories. The first byte says how WAL is cut.
pub fn log(data: &[u8]) {
    let whole = wal::records(rest(data), usize::MAX, Lsn(1 << 20), 1 << 20);
    assert_eq!(wal::records(rest(data), cut(data), Lsn(1 << 20), 1 << 20), whole, "how it is cut matters");
    wal::message_and_history(data);
}

/// Everything that a server says on a connection.
pub fn protocol(data: &[u8]) {
    let stream = tokio::io::join(Cursor::new(data.to_vec()), tokio::io::sink());
    let mut connection = Connection::over(Box::new(stream), &PostgresOptions::new("localhost", "fuzz"));
    let listening = async { while connection.next().await.is_ok() {} };
    assert!(listening.now_or_never().is_some(), "it waits for more behind the end");
}

fn cut(data: &[u8]) -> usize {
    data.first().map_or(1, |&first| usize::from(first) + 1)
}

fn rest(data: &[u8]) -> &[u8] {
    data.get(1..).unwrap_or_default()
}

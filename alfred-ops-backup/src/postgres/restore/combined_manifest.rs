//! The manifest of a cluster that was put together from several backups.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use alfred_ops_core::{Error, ErrorKind, Result};
use aws_lc_rs::digest;
use serde_json::{Map, Value};

use super::file_writer::failed;
use crate::hex;
use crate::postgres::backup_label::BACKUP_LABEL;
use crate::postgres::incremental_file::subject;
use crate::postgres::manifest::Received;

const READ_BYTES: usize = 256 << 10;

/// What the manifest of a restored cluster must say, given that of its last backup: where that names
/// changes to a file, the file itself, with the length and checksum that are `known`, or that it has in
/// `destination` now. `None` if nothing is to be changed.
pub(super) fn combined(
    manifest: &[u8],
    known: &HashMap<String, Received>,
    destination: &Path,
) -> Result<Option<Vec<u8>>> {
    let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, "read backup manifest", what);
    let mut manifest: Map<String, Value> = serde_json::from_slice(manifest)
        .map_err(|source| corrupt("it is not JSON of the expected form").with_source(source))?;
    let mut changed = false;
    let files = manifest.get_mut("Files").and_then(Value::as_array_mut);
    for file in files.ok_or_else(|| corrupt("it lists no files"))? {
        let Some(path) = file.get("Path").and_then(Value::as_str) else { continue };
        let subject = subject(path);
        changed |= subject.is_some();
        // The label has lost its lines on the backup before.
        let Some(path) = subject.or_else(|| (path == BACKUP_LABEL).then(|| path.to_owned())) else {
            continue;
        };
        let target = destination.join(&path);
        // A file whose last pages lay there already did not pass whole.
        let length = std::fs::metadata(&target).map_err(failed("read restored file", &target))?.len();
        let received = match known.get(&path) {
            Some(received) if received.bytes == length => *received,
            _ => read(&target)?,
        };
        file["Path"] = path.into();
        file["Size"] = received.bytes.into();
        file["Checksum-Algorithm"] = "CRC32C".into();
        file["Checksum"] = hex(&received.crc32c.to_le_bytes()).into();
    }
    if !changed {
        return Ok(None);
    }
    manifest.remove("Manifest-Checksum");
    Ok(Some(print(manifest)))
}

/// In the order that Postgres demands: the version first, the checksum of all before it last.
fn print(mut manifest: Map<String, Value>) -> Vec<u8> {
    const VERSION: &str = "PostgreSQL-Backup-Manifest-Version";
    let version = manifest.remove(VERSION).unwrap_or_else(|| 1.into());
    let mut text = format!("{{ \"{VERSION}\": {version},\n");
    for (name, value) in &manifest {
        match value.as_array() {
            Some(items) => {
                let lines: Vec<String> = items.iter().map(Value::to_string).collect();
                text.push_str(&format!("\"{name}\": [\n{}\n],\n", lines.join(",\n")));
            }
            None => text.push_str(&format!("\"{name}\": {value},\n")),
        }
    }
    let sum = digest::digest(&digest::SHA256, text.as_bytes());
    text.push_str(&format!("\"Manifest-Checksum\": \"{}\"}}\n", hex(sum.as_ref())));
    text.into_bytes()
}

fn read(path: &Path) -> Result<Received> {
    let fail = failed("read restored file", path);
    let mut file = File::open(path).map_err(&fail)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut received = Received::default();
    loop {
        match file.read(&mut buffer).map_err(&fail)? {
            0 => return Ok(received),
            read => received.add(&buffer[..read]),
        }
    }
}

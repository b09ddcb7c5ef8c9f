//! The server's own list of what it sent.

use std::collections::HashMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use aws_lc_rs::digest;
use serde::Deserialize;

use crate::unhex;

/// What was received of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) crc32c: u32,
}

impl Received {
    pub(super) fn add(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, data);
    }
}

/// The fields of a `backup_manifest` (Postgres' documentation, chapter "Backup Manifest Format") that are
/// checked here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    path: Option<String>,
    #[serde(rename = "Encoded-Path")]
    encoded_path: Option<String>,
    size: u64,
    #[serde(rename = "Checksum-Algorithm")]
    algorithm: Option<String>,
    checksum: Option<String>,
}

/// Compares a manifest with what was received: every file that it names must have come, whole and
/// unchanged, and the manifest itself must match its own checksum.
pub(super) fn check(manifest: &[u8], received: &HashMap<String, Received>) -> Result<()> {
    check_itself(manifest)?;
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|source| corrupt("it is not JSON of the expected form".to_owned()).with_source(source))?;
    for file in &manifest.files {
        let path = match (&file.path, &file.encoded_path) {
            (Some(path), _) => path.clone(),
            (None, Some(hex)) => unhex(hex)
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| corrupt(format!("the encoded path {hex:?} is not UTF-8")))?,
            (None, None) => return Err(corrupt("a file has no path".to_owned())),
        };
        let got = received.get(&path).ok_or_else(|| corrupt(format!("{path:?} never came")))?;
        if got.bytes != file.size {
            return Err(corrupt(format!("{path:?} has {} bytes, {} came", file.size, got.bytes)));
        }
        let checksum = file.checksum.as_deref().filter(|_| file.algorithm.as_deref() == Some("CRC32C"));
        // The server prints the checksum's bytes as they lie in the memory of a little-endian machine.
        if checksum.is_some_and(|hex| unhex(hex).as_deref() != Some(&got.crc32c.to_le_bytes())) {
            return Err(corrupt(format!("{path:?} does not match its checksum")));
        }
    }
    Ok(())
}

/// The last line holds the SHA-256 of all bytes before it.
fn check_itself(manifest: &[u8]) -> Result<()> {
    const LAST_LINE: &[u8] = b"\"Manifest-Checksum\": \"";
    let start = manifest
        .windows(LAST_LINE.len())
        .rposition(|window| window == LAST_LINE)
        .ok_or_else(|| corrupt("it has no checksum".to_owned()))?;
    let hex: Vec<u8> =
        manifest[start + LAST_LINE.len()..].iter().copied().take_while(u8::is_ascii_hexdigit).collect();
    let wanted = std::str::from_utf8(&hex).ok().and_then(unhex);
    let actual = digest::digest(&digest::SHA256, &manifest[..start]);
    if wanted.as_deref() == Some(actual.as_ref()) {
        return Ok(());
    }
    Err(corrupt("it does not match its own checksum".to_owned()))
}

fn corrupt(what: String) -> Error {
    Error::new(ErrorKind::Corrupt, "check backup manifest", what).with_remedy(
        "take the backup again; if it fails again, check the network and the server's memory and disk",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(files: &str) -> Vec<u8> {
        let body = format!("{{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{files}\n],\n");
        let sum = crate::hex(digest::digest(&digest::SHA256, body.as_bytes()).as_ref());
        format!("{body}\"Manifest-Checksum\": \"{sum}\"}}\n").into_bytes()
    }

    #[test]
    fn every_difference_is_named() {
        let mut control = Received::default();
        control.add(b"123456789");
        // The check value of CRC-32C is e3069283.
        let file = |size: u64, sum: &str| {
            format!(
                "{{ \"Path\": \"global/pg_control\", \"Size\": {size}, \"Last-Modified\": \"x\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"{sum}\" }}"
            )
        };
        let received = HashMap::from([("global/pg_control".to_owned(), control)]);
        check(&manifest(&file(9, "839206e3")), &received).unwrap();
        for (text, wanted) in [
            (manifest(&file(9, "839206e4")), "does not match its checksum"),
            (manifest(&file(8, "839206e3")), "has 8 bytes, 9 came"),
            (manifest(&file(9, "839206e3").replace("pg_control", "pg_lost")), "never came"),
            (b"{}".to_vec(), "no checksum"),
        ] {
            let error = check(&text, &received).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let mut damaged = manifest(&file(9, "839206e3"));
        damaged[20] ^= 1;
        assert!(check(&damaged, &received).unwrap_err().to_string().contains("its own checksum"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked_or_refused(bytes: Vec<u8>) {
            prop_assert!(check(&bytes, &HashMap::new()).is_err());
        }
    }
}

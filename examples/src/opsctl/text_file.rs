//! Text files.

use std::path::Path;

use alfred_ops_core::{Error, ErrorKind, Result};

/// How large a rule or test file may be.
pub(in crate::opsctl) const RULES_BYTES_MAX: u64 = 16 << 20;

/// The text of a file of at most `bytes_max` bytes.
///
/// # Errors
/// The file system's, of a kind that says what to do; `ResourceExhausted` for a larger file.
pub(in crate::opsctl) fn read(path: &Path, operation: &'static str, bytes_max: u64) -> Result<String> {
    let target = path.display().to_string();
    let failed = |source: std::io::Error| {
        let (kind, remedy) = match source.kind() {
            std::io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the path"),
            std::io::ErrorKind::PermissionDenied => (ErrorKind::PermissionDenied, "make the file readable"),
            std::io::ErrorKind::InvalidData => (ErrorKind::InvalidInput, "save the file as UTF-8 text"),
            _ => (ErrorKind::Unavailable, "check the path: it must name a file"),
        };
        Error::new(kind, operation, "the file cannot be read")
            .with_target(target.clone())
            .with_remedy(remedy)
            .with_source(source)
    };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > bytes_max {
        let message = format!("the file has {bytes} bytes, more than {bytes_max}");
        return Err(Error::new(ErrorKind::ResourceExhausted, operation, message)
            .with_target(target)
            .with_remedy("split it"));
    }
    std::fs::read_to_string(path).map_err(failed)
}

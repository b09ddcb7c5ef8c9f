//! Stands in where the feature `encryption` is off.

use alfred_ops_core::{Error, ErrorKind, Result};

/// A cipher that no build without the feature can make.
#[derive(Debug, Clone)]
pub(in crate::repository) enum Cipher {}

impl Cipher {
    pub(in crate::repository) fn new(_data_key: &[u8; 32]) -> Result<Self> {
        Err(Error::new(
            ErrorKind::Unsupported,
            "open repository",
            "it is encrypted, and this program was built without encryption",
        )
        .with_remedy("build alfred-ops-backup with its feature `encryption`"))
    }

    pub(in crate::repository) fn seal(
        &self,
        _object: &str,
        _authenticated: &[u8],
        _buffer: &mut Vec<u8>,
        _start: usize,
    ) -> Result<()> {
        match *self {}
    }

    pub(in crate::repository) fn open(
        &self,
        _object: &str,
        _authenticated: &[u8],
        _payload: &[u8],
        _into: &mut Vec<u8>,
    ) -> Result<()> {
        match *self {}
    }
}

//! WAL records, read from the bytes that a server streams (`access/xlogrecord.h`, `access/xlog_internal.h`).

mod format;
mod headers;
mod kind;
mod reader;
mod restores;

pub(in crate::postgres) use kind::RecordKind;
pub(in crate::postgres) use reader::{WalReader, WalRecord};
pub(in crate::postgres) use restores::Restores;

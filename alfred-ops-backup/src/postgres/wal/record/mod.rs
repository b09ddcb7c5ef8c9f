//! WAL records, read from the bytes that a server streams (`access/xlogrecord.h`, `access/xlog_internal.h`).

mod format;
mod kind;
mod reader;

pub(in crate::postgres) use kind::RecordKind;
pub(in crate::postgres) use reader::{WalReader, WalRecord};

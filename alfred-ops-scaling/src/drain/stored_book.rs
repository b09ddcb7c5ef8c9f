//! The book as it is stored.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::book::{Book, Notice, Pause, WorkId};

/// The book as it is stored. A worker of before notices had scopes finds one notice, which is for all whom any is for: it obeys
/// that, and leaves it there when it writes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredBook {
    works: BTreeMap<String, BTreeMap<WorkId, DateTime<Utc>>>,
    notice: Option<Notice>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    notices: BTreeMap<String, Notice>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pauses: BTreeMap<String, Pause>,
}

impl From<StoredBook> for Book {
    fn from(stored: StoredBook) -> Self {
        let mut notices = stored.notices;
        if notices.is_empty() {
            // Whoever wrote it knew no scopes. It is nobody's to take back, and lapses.
            notices.extend(stored.notice.map(|notice| (String::new(), notice)));
        }
        Self { works: stored.works, notices, pauses: stored.pauses }
    }
}

impl From<Book> for StoredBook {
    fn from(book: Book) -> Self {
        let together = book.notices.values().cloned().reduce(|one, other| Notice {
            closing: one.closing.or(other.closing),
            until: one.until.max(other.until),
        });
        Self { works: book.works, notice: together, notices: book.notices, pauses: book.pauses }
    }
}

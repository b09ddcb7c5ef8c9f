//! What says of a partition that a run is about to drop it.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::TableName;

/// A comment on a partition that a run detaches in order to drop it. It survives a kill between the two, and says up to
/// when the rows are, because of a detached table the server has forgotten that. Who wants to keep such a table removes the
/// comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The time after the partition's last.
    pub(super) to: DateTime<Utc>,
}

impl Mark {
    /// What the marks of all partitions of `table` begin with.
    pub(super) fn beginning(table: &TableName) -> String {
        format!("alfred-ops: expired partition of {table}, to be dropped, rows before ")
    }

    /// As a comment.
    pub(super) fn text(self, table: &TableName) -> String {
        Self::beginning(table) + &self.to.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// None for a comment that is no mark of a partition of `table`.
    pub(super) fn read(table: &TableName, comment: &str) -> Option<Self> {
        let to = comment.strip_prefix(&Self::beginning(table))?;
        DateTime::parse_from_rfc3339(to).ok().map(|to| Self { to: to.to_utc() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_no_other_comment_is_one() {
        let table: TableName = "a.b".parse().unwrap();
        let mark = Mark { to: DateTime::UNIX_EPOCH };
        let text = mark.text(&table);
        assert_eq!(text.matches("rows before 1970-01-01T00:00:00.000000Z").count(), 1, "{text}");
        assert_eq!(Mark::read(&table, &text), Some(mark));
        for other in ["", "legal hold", &text[..text.len() - 3], &mark.text(&"a.c".parse().unwrap())] {
            assert_eq!(Mark::read(&table, other), None, "{other}");
        }
    }
}

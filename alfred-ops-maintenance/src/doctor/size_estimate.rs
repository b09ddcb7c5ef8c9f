//! How large a table or a B-tree would be if it were written anew. Pure.
//!
//! From the planner's statistics: widths, nulls, numbers of distinct values. Where they differ from a rewrite by more than a
//! few percentage points both estimates should err to the large side, so that little is called bloated that is not; how far
//! they were off is said at [`TableView::estimated_bytes`] and [`IndexSize::estimated_bytes`].

use super::{ColumnView, IndexSize, TableView};

const PAGE: f64 = 8192.0;
/// What a page of a table, and of a B-tree, has left for rows.
const HEAP_ROOM: f64 = PAGE - 24.0;
const BTREE_ROOM: f64 = PAGE - 24.0 - 16.0;
const ITEM_POINTER: f64 = 4.0;
/// The header of a row, and of a key.
const ROW_HEADER: f64 = 23.0;
const KEY_HEADER: f64 = 8.0;
/// Nulls cost a bitmap, which leaves the key's header twice as long.
const KEY_HEADER_NULLS: f64 = 16.0;
/// A row's address in the list of an equal key, and how long such a list gets.
const ROW_ADDRESS: f64 = 6.0;
const POSTING_BYTES_MAX: f64 = 1352.0;
/// Inner pages are filled so far.
const INNER_FILL: f64 = 0.7;
/// Values with a header of one byte are not aligned; longer ones are.
const SHORT_WIDTH_MAX: f64 = 127.0;

/// So many bytes the table would take; none without statistics about each of its columns.
pub(super) fn table_bytes(table: &TableView) -> Option<u64> {
    let rows = known_rows(table.rows?);
    if table.columns.is_empty() {
        return None;
    }
    let has_nulls = table.columns.iter().any(|column| column.null_share > 0.0);
    let bitmap = if has_nulls { (count(table.columns.len()) / 8.0).ceil() } else { 0.0 };
    let row = aligned(aligned(ROW_HEADER + bitmap, 8.0) + data_width(&table.columns)?, 8.0);
    let room = HEAP_ROOM - PAGE * (1.0 - fill(table.fill_factor));
    let per_page = (room / (row + ITEM_POINTER)).floor().max(1.0);
    Some(whole((rows / per_page).ceil() * PAGE))
}

/// So many bytes the index would take; none without statistics about each of its keys.
pub(super) fn index_bytes(index: &IndexSize) -> Option<u64> {
    btree_bytes(index.rows?, &index.keys, index.fill_factor, index.is_deduplicated)
}

/// So many bytes a B-tree of such keys would take.
pub(super) fn btree_bytes(
    rows: u64,
    keys: &[ColumnView],
    fill_factor: u8,
    is_deduplicated: bool,
) -> Option<u64> {
    if keys.is_empty() {
        return None;
    }
    let rows = known_rows(rows);
    let (key, leaf_bytes) = leaves(rows, keys, is_deduplicated)?;
    let room = BTREE_ROOM - PAGE * (1.0 - fill(fill_factor)) - key - ITEM_POINTER;
    let mut pages = (leaf_bytes / room.max(key)).ceil().max(1.0);
    let mut total = 1.0 + pages;
    let per_inner = (BTREE_ROOM * INNER_FILL / (key + ITEM_POINTER)).floor().max(2.0);
    while pages > 1.0 {
        pages = (pages / per_inner).ceil();
        total += pages;
    }
    Some(whole(total * PAGE))
}

/// How wide a key is, and what all of them take.
fn leaves(rows: f64, keys: &[ColumnView], is_deduplicated: bool) -> Option<(f64, f64)> {
    // The nulls of a single key are alike, and no mean of theirs and the others' would be like either.
    if let [key] = keys
        && key.null_share > 0.0
    {
        let nulls = rows * key.null_share.clamp(0.0, 1.0);
        let present = ColumnView {
            null_share: 0.0,
            distinct: if key.distinct < 0.0 { -key.distinct * rows } else { key.distinct },
            ..key.clone()
        };
        let (width, bytes) = leaves(rows - nulls, &[present], is_deduplicated)?;
        return Some((width, bytes + keys_bytes(nulls, 1.0, KEY_HEADER_NULLS, is_deduplicated)));
    }
    let has_nulls = keys.iter().any(|key| key.null_share > 0.0);
    let header = if has_nulls { KEY_HEADER_NULLS } else { KEY_HEADER };
    let width = header + data_width(keys)?;
    let mut key = aligned(width, 8.0);
    if keys.iter().any(|key| key.is_varying) {
        // Each is aligned by itself, which costs half a step in the mean.
        key = key.max(width + 4.0);
    }
    let groups = distinct(rows, keys).clamp(1.0, rows.max(1.0));
    Some((key, keys_bytes(rows, groups, key, is_deduplicated)))
}

/// What so many keys take of which so many are different.
fn keys_bytes(rows: f64, groups: f64, key: f64, is_deduplicated: bool) -> f64 {
    let single = rows * (key + ITEM_POINTER);
    let per_group = rows / groups;
    // A list of one is a plain key.
    if !is_deduplicated || per_group < 1.5 {
        return single;
    }
    // Most groups are smaller or larger than the mean; the mean errs to the large side only where lists are short.
    let per_list = ((POSTING_BYTES_MAX - key) / ROW_ADDRESS).floor().max(1.0);
    let lists = (per_group / per_list).ceil().max(1.0);
    let shared = groups * (lists * (key + ITEM_POINTER) + aligned(per_group * ROW_ADDRESS, 8.0));
    shared.min(single)
}

/// How many different keys there are, as if columns did not depend on one another.
fn distinct(rows: f64, keys: &[ColumnView]) -> f64 {
    let product: f64 = keys
        .iter()
        .map(|key| if key.distinct < 0.0 { -key.distinct * rows } else { key.distinct }.max(1.0))
        .product();
    product.min(rows)
}

/// The widths of all values of a row, with what alignment adds; none if one is not known.
fn data_width(columns: &[ColumnView]) -> Option<f64> {
    let mut end = 0.0;
    for column in columns {
        let width = column.width?;
        let present = 1.0 - column.null_share.clamp(0.0, 1.0);
        let is_short = column.is_varying && width <= SHORT_WIDTH_MAX;
        let start = if is_short { end } else { aligned(end, f64::from(column.align.max(1))) };
        end += (start - end + width) * present;
    }
    Some(end)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more digits")]
fn known_rows(rows: u64) -> f64 {
    rows as f64
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn fill(percent: u8) -> f64 {
    f64::from(percent.clamp(10, 100)) / 100.0
}

fn aligned(bytes: f64, to: f64) -> f64 {
    (bytes / to).ceil() * to
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(bytes: f64) -> u64 {
    bytes.clamp(0.0, 1e18) as u64
}

/// The share of `bytes` that would not be needed.
pub(super) fn waste_share(bytes: u64, needed: u64) -> f64 {
    share(bytes.saturating_sub(needed), bytes)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(width: f64, distinct: f64, is_varying: bool) -> ColumnView {
        let (width, align) = (Some(width), 4);
        ColumnView { width, distinct, align, is_varying, ..ColumnView::default() }
    }

    #[test]
    fn sizes_are_those_of_the_server() {
        // Measured on Postgres 15 by CREATE INDEX on a million rows: pages, within one in fifty.
        let check = |keys: &[ColumnView], is_deduplicated, pages: u64| {
            let bytes = btree_bytes(1_000_000, keys, 90, is_deduplicated).unwrap();
            let error = (share(bytes, pages * 8192) - 1.0).abs();
            assert!(error < 0.02, "{keys:?}: {} pages for {pages}", bytes / 8192);
        };
        check(&[key(4.0, -1.0, false)], true, 2745);
        check(&[key(4.0, 100.0, false)], true, 852);
        check(&[key(33.0, -1.0, true)], false, 7210);
    }

    #[test]
    fn without_statistics_nothing_is_claimed() {
        assert_eq!(btree_bytes(10, &[], 90, true), None);
        assert_eq!(btree_bytes(10, &[ColumnView::default()], 90, true), None);
        assert_eq!(table_bytes(&TableView { rows: Some(1), ..TableView::default() }), None);
        assert_eq!(btree_bytes(0, &[key(8.0, 0.0, false)], 90, true), Some(2 * 8192));
    }
}

//! Where something within a text of a file stands.

use crate::promql::Position;
use crate::yaml::Place;

/// The place in the file of `position` within the text that begins at `place`.
///
/// A text may stand plainly, in quotes, or as a block below its sign; within folded blocks lines are those of the
/// text, which may be fewer than those of the file.
pub(super) fn place_within(file: &str, place: Place, position: Position) -> Place {
    let line_of = |line: usize| file.lines().nth(line.wrapping_sub(1)).unwrap_or_default();
    let first = line_of(place.line).chars().nth(place.column.saturating_sub(1)).unwrap_or_default();
    if matches!(first, '|' | '>') {
        let line = place.line + position.line;
        let indent = line_of(place.line + 1).chars().take_while(|c| *c == ' ').count();
        return Place { line, column: indent + position.column };
    }
    let quote = usize::from(matches!(first, '"' | '\''));
    if position.line == 1 {
        return Place { line: place.line, column: place.column + quote + position.column - 1 };
    }
    Place { line: place.line + position.line - 1, column: position.column }
}

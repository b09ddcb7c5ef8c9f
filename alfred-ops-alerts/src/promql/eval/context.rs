//! What an evaluation knows of its query.

use crate::promql::ast::DurationContext;
use crate::promql::{Annotations, Position, QueryError, QueryOptions, SeriesSource, Span};

/// What an evaluation knows of its query.
pub(super) struct Context<'q> {
    pub(super) source: &'q dyn SeriesSource,
    pub(super) text: &'q str,
    pub(super) options: &'q QueryOptions,
    /// The query's range in milliseconds since 1970; an instant query's ends are equal.
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) step: i64,
    pub(super) annotations: Annotations,
    /// How many samples the query has looked at.
    pub(super) samples: usize,
}

impl Context<'_> {
    pub(super) const fn is_range(&self) -> bool {
        self.start != self.end
    }

    pub(super) const fn durations(&self) -> DurationContext {
        DurationContext { step_millis: self.step, range_millis: self.end - self.start }
    }

    pub(super) const fn lookback(&self) -> i64 {
        self.options.lookback_millis
    }

    pub(super) const fn delayed(&self) -> bool {
        self.options.delayed_name_removal
    }

    /// Accounts for samples looked at.
    pub(super) fn count(&mut self, samples: usize) -> Result<(), QueryError> {
        self.samples = self.samples.saturating_add(samples);
        if self.samples > self.options.samples_max {
            return Err(QueryError::limit(
                "query processing would load too many samples into memory in query execution",
            )
            .with_hint("select fewer series or a shorter range, or raise QueryOptions::samples_max"));
        }
        Ok(())
    }

    fn place(&self, span: Span) -> Position {
        Position::in_text(self.text, span.start)
    }

    pub(super) fn warn(&mut self, span: Span, text: impl AsRef<str>) {
        let place = self.place(span);
        self.annotations.warn(format!("{} ({place})", text.as_ref()));
    }

    pub(super) fn info(&mut self, span: Span, text: impl AsRef<str>) {
        let place = self.place(span);
        self.annotations.info(format!("{} ({place})", text.as_ref()));
    }
}

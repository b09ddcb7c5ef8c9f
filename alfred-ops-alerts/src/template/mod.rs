//! Templates in Go's `text/template` language, as far as Prometheus' rules and Alertmanager's notifications use it.
//!
//! ```
//! use alfred_ops_alerts::template::{Environment, Template};
//! use alfred_ops_core::Labels;
//! # let now = "2026-01-01T00:00:00Z".parse().unwrap();
//!
//! let summary = Template::parse("{{ $labels.job }} fails {{ $value | humanizePercentage }} of requests")?;
//! let labels = Labels::from_pairs([("job", "agents")]);
//! let text = summary.expand(&labels, 0.1234, &Environment::new(now))?;
//! assert_eq!(text, "agents fails 12.34% of requests");
//!
//! let error = Template::parse("{{ $value | humanise }}").unwrap_err();
//! assert_eq!(error.to_string(), "1:13: function \"humanise\" is not defined");
//! assert_eq!(error.hint(), Some("did you mean humanize?"));
//! # Ok::<(), alfred_ops_alerts::template::TemplateError>(())
//! ```
//!
//! Rendering is pure: the time, queries and all else come from the [`Environment`]. It never panics, and it ends
//! within its [`RenderLimits`].
//!
//! # Map
//!
//! | what | by |
//! |---|---|
//! | a text that was read | [`Template`] |
//! | templates that texts share, and options | [`TemplateSet`], [`Dialect`], [`MissingKey`], [`RenderLimits`] |
//! | what a rendering may ask for | [`Environment`] |
//! | data | [`Value`], [`List`], [`Map`], [`ZonedTime`], [`Span`]; a host's own: [`Record`], [`Structure`], [`KeyValues`] |
//! | what goes wrong | [`TemplateError`] |
//!
//! # What differs from Go
//!
//! Texts are UTF-8: a byte that is not becomes U+FFFD. Whole numbers have 64 bits with a sign, and there are no
//! complex numbers. `sortByLabel` sorts a copy, and a sample prints without the `&` of a pointer. What
//! `safeHtml` returns is an ordinary text. `Local` times are UTC.
//! Months and weekdays are texts. `call` and `printf`'s `%p` are missing.

mod environment;
mod error;
mod functions;
mod limits;
mod literals;
mod parse;
mod printf;
mod render;
#[expect(clippy::module_inception, reason = "the main type of the module is named after it")]
mod template;
mod template_set;
#[cfg(test)]
mod tests;
mod value;

pub use environment::Environment;
pub use error::TemplateError;
pub use functions::Dialect;
pub use limits::{MissingKey, RenderLimits};
pub use template::Template;
pub use template_set::TemplateSet;
pub use value::{Answer, KeyValues, List, Map, Record, Span, Structure, Value, ZonedTime};

pub(crate) use functions::query_escape;

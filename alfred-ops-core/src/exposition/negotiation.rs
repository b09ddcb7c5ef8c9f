//! Agreeing on a format with an exporter.

use super::Format;
use super::cause::excerpt;
use crate::{Error, ErrorKind, Result};

/// The weight of what is liked best, in tenths; each that follows has one less. It is what Prometheus sends.
const WEIGHT_MAX: usize = 6;

/// The Accept header to send when asking for a page, `formats` in the order of preference, anything else after them.
///
/// ```
/// use alfred_ops_core::exposition::{Format, accept};
///
/// // What Prometheus 3 sends by default.
/// assert_eq!(
///     accept(&[Format::OpenMetrics, Format::Text]),
///     "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
///      application/openmetrics-text;version=0.0.1;q=0.5,\
///      text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
/// );
/// ```
#[must_use]
pub fn accept(formats: &[Format]) -> String {
    let mut types: Vec<&str> = Vec::new();
    for media_type in formats.iter().flat_map(|format| format.media_types()) {
        if !types.contains(media_type) {
            types.push(media_type);
        }
    }
    types.push("*/*");
    let weighted = types
        .iter()
        .enumerate()
        .map(|(place, media_type)| format!("{media_type};q=0.{}", WEIGHT_MAX.saturating_sub(place)));
    weighted.collect::<Vec<_>>().join(",")
}

impl Format {
    /// What the format is asked for as, the newest version first.
    const fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Text => &["text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain;version=0.0.4"],
            Self::OpenMetrics => &[
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
                "application/openmetrics-text;version=0.0.1",
            ],
        }
    }

    /// The format of an answer with this Content-Type.
    ///
    /// Only the type itself decides; its parameters (`version`, `charset`, `escaping`) must be well-formed. For an
    /// answer that names no format that is read here, and for one without the header, it is `fallback`.
    ///
    /// ```
    /// use alfred_ops_core::exposition::Format;
    ///
    /// let header = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    /// assert_eq!(Format::from_content_type(Some(header), None)?, Format::OpenMetrics);
    /// assert_eq!(Format::from_content_type(None, Some(Format::Text))?, Format::Text);
    /// # Ok::<(), alfred_ops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) if there is no fallback: a page must not be guessed at.
    pub fn from_content_type(header: Option<&str>, fallback: Option<Self>) -> Result<Self> {
        let header = header.map(str::trim).filter(|header| !header.is_empty());
        let named = header.and_then(media_type).and_then(|media_type| match media_type.as_str() {
            "text/plain" => Some(Self::Text),
            "application/openmetrics-text" => Some(Self::OpenMetrics),
            _ => None,
        });
        named.or(fallback).ok_or_else(|| {
            let fault = match header {
                None => "the answer has no Content-Type".to_owned(),
                Some(header) => format!("Content-Type {:?} is no format that is read here", excerpt(header)),
            };
            Error::new(ErrorKind::Unsupported, "choose metrics format", fault).with_remedy(
                "let the exporter answer as text/plain or application/openmetrics-text, or name a fallback format",
            )
        })
    }
}

/// The type of a header in small letters; nothing if the header is malformed, parameters included.
fn media_type(header: &str) -> Option<String> {
    let (media_type, mut rest) = header.split_at(header.find(';').unwrap_or(header.len()));
    let (kind, subkind) = media_type.trim().split_once('/')?;
    if !is_token(kind) || !is_token(subkind) {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        // A semicolon at the end is forgiven.
        if parameter.trim().is_empty() {
            rest = "";
            break;
        }
        let (name, value) = parameter.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if !is_token(&name) || names.contains(&name) {
            return None;
        }
        names.push(name);
        rest = after_value(value.trim_start())?;
    }
    rest.trim().is_empty().then(|| media_type.trim().to_ascii_lowercase())
}

/// What follows a parameter's value, which is a token or quoted.
fn after_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([';', ' ', '\t']).unwrap_or(text.len()));
        return is_token(value).then_some(rest);
    };
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    quoted.get(end + 1..)
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, format: Option<Format>) {
        let found = Format::from_content_type(Some(header), None);
        assert_eq!(found.as_ref().ok(), format.as_ref(), "{header}");
        if let Err(error) = found {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
    }

    #[test]
    fn the_type_decides_and_malformed_headers_name_none() {
        for (header, format) in [
            ("text/plain", Some(Format::Text)),
            ("text/plain; version=0.0.4; charset=utf-8", Some(Format::Text)),
            ("Text/Plain;Version=1.0.0;escaping=allow-utf-8", Some(Format::Text)),
            ("text/plain; charset=\"utf-8; \\\" x\" ;", Some(Format::Text)),
            ("application/openmetrics-text; version=1.0.0; escaping=underscores", Some(Format::OpenMetrics)),
            ("application/openmetrics-text;version=0.0.1", Some(Format::OpenMetrics)),
            ("text/html; charset=utf-8", None),
            (
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
                None,
            ),
            ("text/plain; version", None),
            ("text/plain; version=", None),
            ("text/plain; version=1; version=1", None),
            ("text/plain; version=1 2", None),
            ("text/plain; charset=\"utf-8", None),
            ("text/plain x", None),
            ("text", None),
            ("text/", None),
            (";", None),
            ("", None),
        ] {
            check(header, format);
        }
    }

    #[test]
    fn a_fallback_stands_in_for_what_is_missing_or_strange() {
        for header in [None, Some(""), Some("text/html"), Some("text/plain; version")] {
            let found = Format::from_content_type(header, Some(Format::OpenMetrics)).unwrap();
            assert_eq!(found, Format::OpenMetrics, "{header:?}");
        }
        let error = Format::from_content_type(None, None).unwrap_err();
        assert!(error.to_string().contains("has no Content-Type; let the exporter answer"), "{error}");
        let both = Format::from_content_type(Some("text/plain"), Some(Format::OpenMetrics)).unwrap();
        assert_eq!(both, Format::Text);
    }

    #[test]
    fn what_is_served_is_what_is_read() {
        for format in [Format::Text, Format::OpenMetrics] {
            check(format.content_type(), Some(format));
        }
        assert_eq!(
            accept(&[Format::Text, Format::Text]),
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4"
        );
    }
}

//! Filters of time series.

use super::MonitoredSeries;
use super::api_error::ApiError;

/// A filter of time series, as far as documented and needed here: comparisons by `=` and `!=` with texts and with
/// `starts_with`, put together by `AND`, `OR` and parentheses.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Compares { field: String, is: bool, prefix: bool, text: String },
}

impl Filter {
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let mut words = words(text)?;
        words.reverse();
        let filter = any(&mut words)?;
        if words.is_empty() { Ok(filter) } else { Err(refused(&words)) }
    }

    /// The one metric that it is about.
    pub(super) fn metric_type(&self) -> Result<&str, ApiError> {
        let found = match self {
            Self::Compares { field, is: true, prefix: false, text } if field == "metric.type" => {
                Some(&**text)
            }
            Self::All(parts) => parts.iter().find_map(|part| part.metric_type().ok()),
            _ => None,
        };
        found.ok_or_else(|| ApiError::invalid("The filter must select one metric type by metric.type."))
    }

    pub(super) fn meets(&self, series: &MonitoredSeries) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.meets(series)),
            Self::Any(parts) => parts.iter().any(|part| part.meets(series)),
            Self::Compares { field, is, prefix, text } => {
                let value = series.field(field).unwrap_or_default();
                (if *prefix { value.starts_with(text) } else { value == text }) == *is
            }
        }
    }
}

/// Texts keep the quote in front, so that they are no keywords.
fn words(text: &str) -> Result<Vec<String>, ApiError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | '=' => 1,
            '!' => 2,
            '"' => rest.get(1..).and_then(|rest| rest.find('"')).map_or(usize::MAX, |length| length + 2),
            _ => rest.find(|letter: char| " ()=!\"\n\t".contains(letter)).unwrap_or(rest.len()),
        };
        let (word, behind) = rest
            .split_at_checked(length)
            .ok_or_else(|| ApiError::invalid("The filter ends within a text."))?;
        words.push(word.strip_suffix('"').unwrap_or(word).to_owned());
        rest = behind.trim_start();
    }
    Ok(words)
}

fn any(words: &mut Vec<String>) -> Result<Filter, ApiError> {
    let mut parts = vec![all(words)?];
    while words.pop_if(|word| word == "OR").is_some() {
        parts.push(all(words)?);
    }
    Ok(flat(Filter::Any(parts)))
}

fn all(words: &mut Vec<String>) -> Result<Filter, ApiError> {
    let mut parts = vec![one(words)?];
    while words.pop_if(|word| word == "AND").is_some() {
        parts.push(one(words)?);
    }
    Ok(flat(Filter::All(parts)))
}

/// One part alone is that part.
fn flat(filter: Filter) -> Filter {
    match filter {
        Filter::All(mut parts) | Filter::Any(mut parts) if parts.len() == 1 => parts.remove(0),
        other => other,
    }
}

fn one(words: &mut Vec<String>) -> Result<Filter, ApiError> {
    if words.pop_if(|word| word == "(").is_some() {
        let inner = any(words)?;
        return match words.pop_if(|word| word == ")") {
            Some(_) => Ok(inner),
            None => Err(refused(words)),
        };
    }
    let field = words.pop_if(|word| MonitoredSeries::is_field(word)).ok_or_else(|| refused(words))?;
    let is = match words.pop_if(|word| word == "=" || word == "!=") {
        Some(operator) => operator == "=",
        None => return Err(refused(words)),
    };
    let prefix = words.pop_if(|word| word == "starts_with").is_some();
    if prefix && words.pop_if(|word| word == "(").is_none() {
        return Err(refused(words));
    }
    let text = words.pop_if(|word| word.starts_with('"')).ok_or_else(|| refused(words))?;
    if prefix && words.pop_if(|word| word == ")").is_none() {
        return Err(refused(words));
    }
    Ok(Filter::Compares { field, is, prefix, text: text.get(1..).unwrap_or_default().to_owned() })
}

fn refused(words: &[String]) -> ApiError {
    let word = words.last().map_or("its end", String::as_str);
    ApiError::invalid(format!("The filter is not understood at {word}."))
}

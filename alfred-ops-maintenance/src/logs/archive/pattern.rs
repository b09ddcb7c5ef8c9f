//! What a line must have.

use serde_json::Value;

/// What a line must have: every part of it. The default is met by every line.
///
/// ```
/// use alfred_ops_maintenance::LogPattern;
///
/// let pattern = LogPattern::default().containing("timeout").with_field("fields.task", "42");
/// assert!(pattern.matches(br#"{"level":"WARN","fields":{"message":"timeout","task":42}}"#));
/// assert!(!pattern.matches(br#"{"level":"WARN","fields":{"message":"timeout","task":43}}"#));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPattern {
    texts: Vec<String>,
    fields: Vec<(String, String)>,
}

impl LogPattern {
    /// The line contains `text`, byte by byte.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    /// The line is a JSON object whose member at `path`, with dots between names, is `value`: a text, or a number or a
    /// truth value as JSON writes it.
    #[must_use]
    pub fn with_field(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((path.into(), value.into()));
        self
    }

    /// Whether `line` has it all.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        self.texts.iter().all(|text| contains(line, text.as_bytes())) && self.has_fields(line)
    }

    fn has_fields(&self, line: &[u8]) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        let Ok(object) = serde_json::from_slice::<Value>(line) else { return false };
        self.fields.iter().all(|(path, wanted)| {
            // A member may have dots in its own name.
            let member =
                object.get(path).or_else(|| path.split('.').try_fold(&object, |value, name| value.get(name)));
            match member {
                Some(Value::String(text)) => text == wanted,
                Some(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                    wanted == &value.to_string()
                }
                _ => false,
            }
        })
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(line, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &LogPattern, line: &str, expected: bool) {
        assert_eq!(pattern.matches(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn texts_and_fields_must_all_be_there() {
        check(&LogPattern::default(), "anything", true);
        let field = LogPattern::default().with_field("a.b", "true");
        check(&field, r#"{"a":{"b":true}}"#, true);
        check(&field, r#"{"a.b":"true"}"#, true);
        check(&field, r#"{"a":{"b":"false"}}"#, false);
        check(&field, r#"{"a":{"b":{}}}"#, false);
        check(&field, "a.b true", false);
        check(&field.containing("x"), r#"{"a":{"b":true}}"#, false);
    }
}

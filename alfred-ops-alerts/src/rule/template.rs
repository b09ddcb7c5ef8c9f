//! The text of an annotation.

use alfred_ops_core::Labels;

use crate::promql::format_general;

/// The text of an annotation with places for an alert's labels and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Label(String),
    Value,
    Percentage,
}

impl Template {
    /// Reads a template, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, action_and_rest)) = rest.split_once("{{") {
            let (action, after) =
                action_and_rest.split_once("}}").ok_or_else(|| "`{{` has no `}}`".to_owned())?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::parse(action.trim())?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Fills in an alert's labels and value; a missing label is empty.
    pub(crate) fn render(&self, labels: &Labels, value: f64) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Label(name) => labels.get(name).unwrap_or_default().to_owned(),
            Part::Value => format_general(value),
            Part::Percentage => percentage(value),
        };
        self.0.iter().map(part).collect()
    }
}

impl Part {
    fn parse(action: &str) -> Result<Self, String> {
        let pieces: Vec<&str> = action.split('|').map(str::trim).collect();
        match pieces.as_slice() {
            ["$value"] => Ok(Self::Value),
            ["$value", "humanizePercentage"] => Ok(Self::Percentage),
            [label] if label.strip_prefix("$labels.").is_some_and(|name| !name.is_empty()) => {
                Ok(Self::Label(label.trim_start_matches("$labels.").to_owned()))
            }
            _ => Err(format!("`{action}` is not $labels.NAME, $value or $value | humanizePercentage")),
        }
    }
}

/// Four significant digits of a hundredfold, as Prometheus' `humanizePercentage`.
fn percentage(value: f64) -> String {
    let hundredfold = value * 100.0;
    if !hundredfold.is_finite() {
        return format!("{}%", format_general(hundredfold));
    }
    let rounded = format!("{hundredfold:.3e}");
    let (digits, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(3 - exponent) {
        Ok(decimals) if decimals <= 7 => format!("{}%", without_zeros(&format!("{hundredfold:.decimals$}"))),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}%", without_zeros(digits), exponent.abs())
        }
    }
}

/// A number without the zeros at its end.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, value: f64, expected: &str) {
        let labels = Labels::from_pairs([("job", "agents"), ("instance", "alfred-bot:8011")]);
        assert_eq!(Template::parse(template).unwrap().render(&labels, value), expected);
    }

    #[test]
    fn labels_and_values_are_filled_in() {
        check(
            "{{ $labels.job }} on {{$labels.instance}}: {{ $value }}",
            0.25,
            "agents on alfred-bot:8011: 0.25",
        );
        check("{{ $labels.missing }}.", 1.0, ".");
        check("{{ $value | humanizePercentage }}", 0.123_456, "12.35%");
        check("{{ $value | humanizePercentage }}", 0.9, "90%");
        check("{{ $value | humanizePercentage }}", f64::INFINITY, "+Inf%");
        check("{{ $value | humanizePercentage }}", 0.0, "0%");
        check("{{ $value | humanizePercentage }}", 99.0, "9900%");
        check("{{ $value | humanizePercentage }}", 120.0, "1.2e+04%");
        check("{{ $value | humanizePercentage }}", 0.000_001_234, "0.0001234%");
        check("{{ $value | humanizePercentage }}", 0.000_000_5, "5e-05%");
        check("{{ $value }}", 2_500_000.0, "2.5e+06");
        check("no action } {", 1.0, "no action } {");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(Template::parse("{{ $labels. }}").is_err());
        assert!(Template::parse("{{ $value | humanize1024 }}").unwrap_err().contains("humanize1024"));
        assert!(Template::parse("{{ $value").is_err());
    }
}

//! A load trace.

use alfred_ops_core::{Error, ErrorKind, Result};

/// More seconds than this are refused: four months.
const SECONDS_MAX: usize = 10_000_000;

/// How many requests came in each second.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    arrivals: Vec<f64>,
}

impl Trace {
    /// A trace of these arrivals, a second each.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there are none or too many, or one is negative or no number.
    pub fn new(arrivals: Vec<f64>) -> Result<Self> {
        if arrivals.is_empty() || arrivals.len() > SECONDS_MAX {
            return Err(refused(format!("it has {} seconds; use 1 to {SECONDS_MAX}", arrivals.len())));
        }
        let wrong = |count: &f64| !(0.0..=1e9).contains(count);
        if let Some(second) = arrivals.iter().position(wrong) {
            let count = arrivals.get(second).copied().unwrap_or(f64::NAN);
            return Err(refused(format!("second {second} has {count} requests; use 0 to a billion")));
        }
        Ok(Self { arrivals })
    }

    /// Reads a trace: a number a line, which counts the requests of a second; or CSV with a head, a time and the requests
    /// since then until the next, which are spread evenly.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the line, for what is neither; those of [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let first = lines.find(|(_, line)| !line.is_empty()).map(|(_, line)| line);
        if first.is_some_and(|line| line.contains(',')) {
            Self::parse_csv(text)
        } else {
            Self::parse_seconds(text)
        }
    }

    fn parse_seconds(text: &str) -> Result<Self> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let count = |(number, line): (usize, &str)| {
            let wrong =
                || refused(format!("line {}: {:?} is no number of requests", number + 1, line.trim()));
            line.trim().parse::<f64>().map_err(|_| wrong())
        };
        Self::new(lines.map(count).collect::<Result<_>>()?)
    }

    fn parse_csv(text: &str) -> Result<Self> {
        let mut rows: Vec<(i64, f64)> = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |what: &str| refused(format!("line {}: {:?} has {what}", number + 1, line.trim()));
            let (time, count) = line.split_once(',').ok_or_else(|| wrong("no second column"))?;
            let time = chrono::NaiveDateTime::parse_from_str(time.trim(), "%Y-%m-%d %H:%M:%S")
                .map_err(|_| wrong("no time such as 2014-04-10 00:04:00"))?;
            let count = count.trim().parse().map_err(|_| wrong("no number of requests"))?;
            rows.push((time.and_utc().timestamp(), count));
        }
        let mut arrivals = Vec::new();
        let mut ordinary = 1;
        for (place, (time, count)) in rows.iter().enumerate() {
            let next = rows.get(place + 1).map_or(*time + ordinary, |(next, _)| *next);
            let length = next - time;
            let seconds = usize::try_from(length).ok().filter(|length| *length > 0);
            let Some(seconds) = seconds.filter(|seconds| arrivals.len() + seconds <= SECONDS_MAX) else {
                return Err(refused(format!("row {}: {length} s until the next row", place + 1)));
            };
            ordinary = length;
            let each = count / f64::from(u32::try_from(seconds).unwrap_or(u32::MAX));
            arrivals.extend(std::iter::repeat_n(each, seconds));
        }
        Self::new(arrivals)
    }

    /// The requests of each second.
    #[must_use]
    pub fn arrivals(&self) -> &[f64] {
        &self.arrivals
    }
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "read load trace", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_mistakes_have_a_line() {
        assert_eq!(Trace::parse("1\n2\n\n3.5\n").unwrap().arrivals(), [1.0, 2.0, 3.5]);
        let csv = "timestamp,value\n2014-04-10 00:04:00,4.0\n2014-04-10 00:04:02,10.0\n";
        assert_eq!(Trace::parse(csv).unwrap().arrivals(), [2.0, 2.0, 5.0, 5.0]);
        for (text, part) in [
            ("", "it has 0 seconds"),
            ("1\nx\n", "line 2: \"x\" is no number of requests"),
            ("1\n-2\n", "second 1 has -2 requests"),
            ("a,b\n2014-04-10,1\n", "line 2: \"2014-04-10,1\" has no time"),
            ("a,b\n2014-04-10 00:00:02,1\n2014-04-10 00:00:01,1\n", "row 1: -1 s until the next row"),
        ] {
            let error = Trace::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}

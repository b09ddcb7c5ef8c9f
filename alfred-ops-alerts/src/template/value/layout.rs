//! Layouts of time by example.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Offset as _, Timelike as _};
use chrono_tz::Tz;

/// What a part of a layout stands for, with the text that asks for it. Of two that fit, the earlier counts.
const PARTS: [(&str, Part); 34] = [
    ("January", Part::Chrono("%B")),
    ("Jan", Part::Chrono("%b")),
    ("Monday", Part::Chrono("%A")),
    ("Mon", Part::Chrono("%a")),
    ("MST", Part::Chrono("%Z")),
    ("002", Part::Chrono("%j")),
    ("01", Part::Chrono("%m")),
    ("02", Part::Chrono("%d")),
    ("03", Part::Chrono("%I")),
    ("04", Part::Chrono("%M")),
    ("05", Part::Chrono("%S")),
    ("06", Part::Chrono("%y")),
    ("2006", Part::Year),
    ("15", Part::Chrono("%H")),
    ("__2", Part::DayOfYear),
    ("_2006", Part::SpacedYear),
    ("_2", Part::Chrono("%e")),
    ("1", Part::Month),
    ("2", Part::Day),
    ("3", Part::HourOfHalfDay),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Chrono("%p")),
    ("pm", Part::Chrono("%P")),
    ("-07:00:00", Part::Offset { z: false, colons: true, seconds: true, minutes: true }),
    ("-07:00", Part::Offset { z: false, colons: true, seconds: false, minutes: true }),
    ("-070000", Part::Offset { z: false, colons: false, seconds: true, minutes: true }),
    ("-0700", Part::Offset { z: false, colons: false, seconds: false, minutes: true }),
    ("-07", Part::Offset { z: false, colons: false, seconds: false, minutes: false }),
    ("Z07:00:00", Part::Offset { z: true, colons: true, seconds: true, minutes: true }),
    ("Z07:00", Part::Offset { z: true, colons: true, seconds: false, minutes: true }),
    ("Z070000", Part::Offset { z: true, colons: false, seconds: true, minutes: true }),
    ("Z0700", Part::Offset { z: true, colons: false, seconds: false, minutes: true }),
    ("Z07", Part::Offset { z: true, colons: false, seconds: false, minutes: false }),
];

#[derive(Debug, Clone, Copy)]
enum Part {
    Chrono(&'static str),
    Year,
    SpacedYear,
    Month,
    Day,
    DayOfYear,
    HourOfHalfDay,
    Minute,
    Second,
    Offset { z: bool, colons: bool, seconds: bool, minutes: bool },
}

/// The time as the layout shows it.
pub(super) fn format(time: &DateTime<Tz>, layout: &str) -> String {
    let mut text = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    // A String takes all that is written.
    while let Some(first) = rest.chars().next() {
        if let Some((digits, fraction)) = fraction(rest, time) {
            text.push_str(&fraction);
            rest = &rest[digits..];
        } else if let Some((asked, part)) = PARTS.iter().find(|(asked, part)| fits(rest, asked, *part)) {
            let _ = write_part(&mut text, *part, time);
            rest = &rest[asked.len()..];
        } else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    text
}

fn fits(rest: &str, asked: &str, part: Part) -> bool {
    let Some(after) = rest.strip_prefix(asked) else { return false };
    match (asked, part) {
        // `Janet` and `Months` are words, not examples.
        ("Jan" | "Mon", _) => !after.starts_with(|c: char| c.is_ascii_lowercase()),
        _ => true,
    }
}

/// The length of a fraction of seconds (`.000`, `,999`) at the layout's start, and what it shows.
fn fraction(rest: &str, time: &DateTime<Tz>) -> Option<(usize, String)> {
    let separator = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let kind = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = rest[1..].len() - rest[1..].trim_start_matches(kind).len();
    if rest[1 + count..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{:09}", time.nanosecond() % 1_000_000_000);
    let digits = &nanos[..count.min(9)];
    let shown = if kind == '9' { digits.trim_end_matches('0') } else { digits };
    let text = if shown.is_empty() { String::new() } else { format!("{separator}{shown}") };
    Some((1 + count, text))
}

fn write_part(text: &mut String, part: Part, time: &DateTime<Tz>) -> std::fmt::Result {
    match part {
        Part::Chrono(format) => write!(text, "{}", time.format(format)),
        Part::Year => write!(text, "{:04}", time.year()),
        Part::SpacedYear => write!(text, "_{:04}", time.year()),
        Part::Month => write!(text, "{}", time.month()),
        Part::Day => write!(text, "{}", time.day()),
        Part::DayOfYear => write!(text, "{:>3}", time.ordinal()),
        Part::HourOfHalfDay => write!(text, "{}", time.hour12().1),
        Part::Minute => write!(text, "{}", time.minute()),
        Part::Second => write!(text, "{}", time.second()),
        Part::Offset { z, colons, seconds, minutes } => {
            let offset = time.offset().fix().local_minus_utc();
            if z && offset == 0 {
                return text.write_str("Z");
            }
            let sign = if offset < 0 { '-' } else { '+' };
            let (offset, colon) = (offset.unsigned_abs(), if colons { ":" } else { "" });
            write!(text, "{sign}{:02}", offset / 3600)?;
            if minutes {
                write!(text, "{colon}{:02}", offset / 60 % 60)?;
            }
            if seconds {
                write!(text, "{colon}{:02}", offset % 60)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(layout: &str, expected: &str) {
        let zone: Tz = "Europe/Vienna".parse().unwrap();
        let time = DateTime::parse_from_rfc3339("2024-03-07T05:06:09.120Z").unwrap().with_timezone(&zone);
        assert_eq!(format(&time, layout), expected, "{layout}");
    }

    #[test]
    fn layouts_show_the_example_time() {
        check("2006-01-02T15:04:05Z07:00", "2024-03-07T06:06:09+01:00");
        check("Mon, 02 Jan 2006 15:04:05 MST", "Thu, 07 Mar 2024 06:06:09 CET");
        check("Monday, January _2 2006 3:4:5.000 pm", "Thursday, March  7 2024 6:6:9.120 am");
        check("15:04:05.999999999 -0700", "06:06:09.12 +0100");
        check("03PM 1/2/06 002 __2", "06AM 3/7/24 067  67");
        check("Month Janet day", "Month Janet day");
        check("é Z0700 -07", "é +0100 +01");
    }
}

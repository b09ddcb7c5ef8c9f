//! Paths that stand for many files.

use std::io;
use std::path::{Path, PathBuf};

/// How many files one pattern may stand for.
const FILES_MAX: usize = 10_000;

/// The files that a path stands for, sorted: itself, or those in its folder whose names its last part matches.
/// A folder that is not there has none.
pub(crate) fn files(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(name) = pattern.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    if !name.contains(['*', '?', '[']) {
        return Ok(if pattern.try_exists()? { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let folder = pattern.parent().unwrap_or_else(|| Path::new(""));
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(listed) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let pattern: Vec<char> = name.chars().collect();
    let mut found = Vec::new();
    for entry in entries {
        let file = entry?.file_name();
        let Some(file) = file.to_str() else { continue };
        if matches(&pattern, &file.chars().collect::<Vec<_>>()) {
            if found.len() == FILES_MAX {
                return Err(io::Error::other(format!("it stands for more than {FILES_MAX} files")));
            }
            found.push(folder.join(file));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name matches: `*` stands for any characters, `?` for one, `[a-z]` and `[^a-z]` for one of these or
/// none of these.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], name) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        (['?', rest @ ..], [_, name @ ..]) => matches(rest, name),
        (['[', class @ ..], [c, name @ ..]) => {
            let Some(end) = class.iter().skip(1).position(|c| *c == ']').map(|end| end + 1) else {
                return false;
            };
            in_class(&class[..end], *c) && matches(&class[end + 1..], name)
        }
        (['\\', one, rest @ ..], [c, name @ ..]) | ([one, rest @ ..], [c, name @ ..]) => {
            one == c && matches(rest, name)
        }
        _ => false,
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class {
        ['^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    while let [low, after @ ..] = rest {
        let (high, after) = match after {
            ['-', high, after @ ..] => (high, after),
            after => (low, after),
        };
        found |= (*low..=*high).contains(&c);
        rest = after;
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn names_match_as_in_a_shell() {
        let check = |pattern: &str, name: &str| {
            matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        for (pattern, name) in [
            ("*.json", "a.json"),
            ("a*", "a"),
            ("?.y", "é.y"),
            ("[a-c]x", "bx"),
            ("[^a]x", "bx"),
            (r"\*", "*"),
        ] {
            assert!(check(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("*.json", "a.jso"), ("?.y", ".y"), ("[a-c]x", "dx"), ("[a", "a"), ("a", "ab")]
        {
            assert!(!check(pattern, name), "{pattern} {name}");
        }
    }
}

//! What a registry may call things. Names become parts of paths: a registry that lies must not choose another path.

use alfred_ops_core::{Error, ErrorKind, Result};

const REPOSITORY_BYTES_MAX: usize = 255;
const TAG_BYTES_MAX: usize = 128;

pub(super) fn check_repository(name: &str) -> Result<()> {
    let part = |part: &str| {
        let middle = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        part.bytes().next().is_some_and(middle)
            && part.bytes().all(|byte| middle(byte) || b"._-".contains(&byte))
    };
    if name.len() <= REPOSITORY_BYTES_MAX && name.split('/').all(part) {
        return Ok(());
    }
    Err(refused("repository", name, "write lowercase letters, digits and . _ - between slashes"))
}

pub(super) fn check_tag(tag: &str) -> Result<()> {
    let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = tag.bytes().next().is_some_and(first)
        && tag.len() <= TAG_BYTES_MAX
        && tag.bytes().all(|byte| first(byte) || b".-".contains(&byte));
    if good {
        Ok(())
    } else {
        Err(refused("tag", tag, "write letters, digits and _ . - in at most 128 characters"))
    }
}

fn refused(what: &str, name: &str, remedy: &'static str) -> Error {
    let shown: String = name.chars().take(200).collect();
    Error::new(ErrorKind::InvalidInput, "name image", format!("{shown:?} is no name of a {what}"))
        .with_remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        for name in ["app", "agents/alfred-bot", "a.b/c_d"] {
            check_repository(name).unwrap();
        }
        for name in ["", "..", "a/../b", "a//b", "A", "a?b", "a%2fb", "/a", &"a".repeat(256)] {
            check_repository(name).unwrap_err();
        }
        check_tag("v1.0.0").unwrap();
        for tag in ["", "a/b", "..", "a b", "a?b", &"a".repeat(129)] {
            check_tag(tag).unwrap_err();
        }
    }
}

//! Tags of releases.

/// A tag `vX.Y.Z` without anything behind it, as a number to be compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StableVersion([u64; 3]);

impl StableVersion {
    /// None for other tags: release candidates, leading zeros.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let mut parts = tag.strip_prefix('v')?.split('.');
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let part = parts.next()?;
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            if !plain || part.len() > 1 && part.starts_with('0') {
                return None;
            }
            *number = part.parse().ok()?;
        }
        parts.next().is_none().then_some(Self(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_versions_are_stable() {
        let version = |tag| StableVersion::of_tag(tag);
        assert!(version("v1.10.0") > version("v1.9.12"));
        for tag in ["1.2.3", "v1.2", "v1.2.3.4", "v1.2.3-rc1", "v01.2.3", "v1..3", "v+1.2.3", "v", "latest"] {
            assert_eq!(version(tag), None, "{tag}");
        }
    }
}

//! How a registry asks for a token. Pure.

/// What a registry says of the place where tokens are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) realm: String,
    pub(super) service: Option<String>,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` header; none if it asks for anything else than a bearer token.
    pub(super) fn read(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        while let Some((name, after)) = rest.split_once('=') {
            let (value, next) = match after.trim_start().strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            match name.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                _ => {}
            }
            rest = next;
        }
        Some(Self { realm: realm?, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<(&str, Option<&str>)>) {
        let expected = expected.map(|(realm, service)| Challenge {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        });
        assert_eq!(Challenge::read(header), expected, "{header}");
    }

    #[test]
    fn challenges_are_read() {
        check(
            "Bearer realm=\"https://auth.example/token\",service=\"registry\",scope=\"repository:a:pull,push\"",
            Some(("https://auth.example/token", Some("registry"))),
        );
        check("bearer realm=https://a/t, service=x", Some(("https://a/t", Some("x"))));
        check("Bearer scope=\"a=b\", realm=\"https://a/t\"", Some(("https://a/t", None)));
        check("Basic realm=\"x\"", None);
        check("Bearer", None);
        check("Bearer service=\"x\"", None);
        check("Bearer realm=\"x", None);
    }
}

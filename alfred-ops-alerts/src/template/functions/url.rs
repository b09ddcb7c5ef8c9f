//! Parts of addresses.

/// Text as it stands in the query of an address, as Go's `url.QueryEscape` writes it.
pub(crate) fn query_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// The path of an address, its escapes undone.
pub(super) fn path(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let address = &address[..end];
    let path = match address.split_once("//") {
        Some((_, after)) => after.find('/').map_or("", |slash| &after[slash..]),
        None => address,
    };
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(0));
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found() {
        for (address, expected) in [
            ("http://prom:9090", ""),
            ("http://prom:9090/", "/"),
            ("https://prom/a/b%20c?x=1#y", "/a/b c"),
            ("", ""),
            ("http://prom/%", "/%"),
        ] {
            assert_eq!(path(address), expected, "{address}");
        }
    }
}

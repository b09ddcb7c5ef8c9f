//! Names of hosts.

use alfred_ops_core::{Error, ErrorKind, Result};

/// Refuses a host whose name cannot be a part of keys and paths.
pub(super) fn check_host(operation: &'static str, host: &str) -> Result<()> {
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
        return Err(Error::new(ErrorKind::InvalidInput, operation, format!("host is {host:?}"))
            .with_remedy("name it in visible ASCII without '/'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_in_visible_ascii_without_a_slash() {
        for host in ["host-1", "agents_7d9f.x2x:1"] {
            check_host("care for logs", host).unwrap();
        }
        for host in ["", "host 1", "a/b", "höst", "host\n"] {
            let error = check_host("care for logs", host).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}");
            assert!(error.to_string().contains(&format!("host is {host:?}")) && error.remedy().is_some());
        }
    }
}

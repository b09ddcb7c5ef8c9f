//! Writes how requests are made.

use crate::job::{Authentication, Credential, HttpOptions, TlsOptions};
use crate::yaml::Node;

type Entry = (&'static str, Option<Node>);

/// The fields that differ from the default.
pub(super) fn http_entries(http: &HttpOptions) -> Vec<Entry> {
    let mut entries = vec![authentication(&http.authentication)];
    if http.tls != TlsOptions::default() {
        entries.push(("tls_config", Some(tls(&http.tls))));
    }
    if !http.follow_redirects {
        entries.push(("follow_redirects", Some(Node::plain(false))));
    }
    if !http.enable_http2 {
        entries.push(("enable_http2", Some(Node::plain(false))));
    }
    if let Some(Credential::Inline(url)) = &http.proxy_url {
        entries.push(("proxy_url", Some(Node::text(url.expose()))));
    }
    if !http.headers.is_empty() {
        let headers = http.headers.iter().map(|(name, values)| (name, Some(header(values))));
        entries.push(("http_headers", Some(Node::map(headers))));
    }
    entries
}

fn authentication(authentication: &Authentication) -> Entry {
    match authentication {
        Authentication::None => ("authorization", None),
        Authentication::Basic { username, password } => {
            let [name, name_file] = credential(Some(username), "username", "username_file");
            let [password, password_file] = credential(password.as_ref(), "password", "password_file");
            ("basic_auth", Some(Node::map([name, name_file, password, password_file])))
        }
        Authentication::Header { kind, credentials } => {
            let [inline, file] = credential(credentials.as_ref(), "credentials", "credentials_file");
            ("authorization", Some(Node::map([("type", Some(Node::text(kind))), inline, file])))
        }
    }
}

fn credential(value: Option<&Credential>, key: &'static str, file_key: &'static str) -> [Entry; 2] {
    match value {
        Some(Credential::Inline(secret)) => [(key, Some(Node::text(secret.expose()))), (file_key, None)],
        Some(Credential::File(path)) => {
            [(key, None), (file_key, Some(Node::text(path.display().to_string())))]
        }
        None => [(key, None), (file_key, None)],
    }
}

fn tls(tls: &TlsOptions) -> Node {
    let mut entries = Vec::new();
    entries.extend(credential(tls.authorities.as_ref(), "ca", "ca_file"));
    entries.extend(credential(tls.certificate.as_ref(), "cert", "cert_file"));
    entries.extend(credential(tls.key.as_ref(), "key", "key_file"));
    entries.push(("server_name", tls.server_name.as_deref().map(Node::text)));
    entries.push(("insecure_skip_verify", tls.insecure_skip_verify.then(|| Node::plain(true))));
    Node::map(entries)
}

fn header(values: &[Credential]) -> Node {
    let secrets = values.iter().filter_map(|value| match value {
        Credential::Inline(secret) => Some(Node::text(secret.expose())),
        Credential::File(_) => None,
    });
    let files = values.iter().filter_map(|value| match value {
        Credential::Inline(_) => None,
        Credential::File(path) => Some(Node::text(path.display().to_string())),
    });
    let list = |items: Vec<Node>| (!items.is_empty()).then(|| Node::list(items));
    Node::map([("secrets", list(secrets.collect())), ("files", list(files.collect()))])
}

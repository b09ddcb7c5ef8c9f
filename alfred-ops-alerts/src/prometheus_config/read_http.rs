//! Reads how requests are made.

use std::collections::BTreeMap;

use alfred_ops_core::Secret;

use super::form::Form;
use crate::job::{Authentication, Credential, HttpOptions, TlsOptions};

/// Headers that requests set themselves.
const RESERVED_HEADERS: [&str; 14] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-scrape-timeout-seconds",
];

/// Reads the fields that Prometheus keeps beside others in each section that makes requests.
pub(super) fn read_http(form: &Form<'_>) -> HttpOptions {
    let mut http = HttpOptions::default();
    form.unsupported(
        &["oauth2", "no_proxy", "proxy_connect_header"],
        "use `authorization` or a proxy that does it",
    );
    if form.flag("proxy_from_environment") == Some(true) {
        form.refuse("proxy_from_environment", "the field is not supported", "set `proxy_url`");
    }
    let proxy = form.text("proxy_url").map(|url| Credential::Inline(Secret::new(url)));
    http.authentication = read_authentication(form);
    http.tls = form.form("tls_config").map(read_tls).unwrap_or_default();
    http.follow_redirects = form.flag("follow_redirects").unwrap_or(http.follow_redirects);
    http.enable_http2 = form.flag("enable_http2").unwrap_or(http.enable_http2);
    http.proxy_url = proxy;
    http.headers = read_headers(form);
    http
}

fn read_authentication(form: &Form<'_>) -> Authentication {
    form.exclude(&["basic_auth", "authorization", "bearer_token", "bearer_token_file"]);
    let basic = form.form("basic_auth").map(|form| {
        form.unsupported(&["username_ref", "password_ref"], "use the field without `_ref`");
        let username = form.credential("username", "username_file");
        let username = username.unwrap_or_else(|| Credential::Inline(Secret::new("")));
        let password = form.credential("password", "password_file");
        form.close();
        Authentication::Basic { username, password }
    });
    let header = form.form("authorization").map(|form| {
        form.unsupported(&["credentials_ref"], "use `credentials` or `credentials_file`");
        let kind = form.text("type").map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_else(|| "Bearer".to_owned());
        if kind.eq_ignore_ascii_case("basic") {
            form.refuse("type", "names and passwords stand elsewhere", "use `basic_auth`");
        }
        let credentials = form.credential("credentials", "credentials_file");
        form.close();
        Authentication::Header { kind, credentials }
    });
    let bearer = form.credential("bearer_token", "bearer_token_file").map(|credentials| {
        Authentication::Header { kind: "Bearer".to_owned(), credentials: Some(credentials) }
    });
    basic.or(header).or(bearer).unwrap_or_default()
}

fn read_tls(form: Form<'_>) -> TlsOptions {
    form.unsupported(&["ca_ref", "cert_ref", "key_ref"], "use the field without `_ref`");
    form.unsupported(&["max_version"], "remove it: the newest version is taken");
    if let Some(version) = form.text("min_version")
        && !matches!(&*version, "TLS10" | "TLS11" | "TLS12")
    {
        form.refuse(
            "min_version",
            format!("{version:?} is not supported"),
            "remove it: nothing below TLS 1.2 is spoken",
        );
    }
    let mut tls = TlsOptions::default();
    tls.authorities = form.credential("ca", "ca_file");
    tls.certificate = form.credential("cert", "cert_file");
    tls.key = form.credential("key", "key_file");
    tls.server_name = form.text("server_name").filter(|name| !name.is_empty());
    tls.insecure_skip_verify = form.flag("insecure_skip_verify").unwrap_or(false);
    if tls.certificate.is_some() != tls.key.is_some() {
        let absent = if tls.key.is_none() { "key_file" } else { "cert_file" };
        form.refuse(absent, "a certificate and its key go together", &format!("set `{absent}`"));
    }
    form.close();
    tls
}

fn read_headers(form: &Form<'_>) -> BTreeMap<String, Vec<Credential>> {
    let mut headers = BTreeMap::new();
    for (name, path, node) in form.open_entries("http_headers") {
        let valid = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !valid {
            form.report.refuse(node.place, &path, format!("{name:?} is no header"), "correct the name");
        }
        if RESERVED_HEADERS.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            let what = format!("the header {name:?} is set by the request itself");
            form.report.refuse(node.place, &path, what, "remove it");
        }
        let Some(header) = Form::open(form.report, node, path) else { continue };
        let inline = |key| {
            let texts = header.texts(key).into_iter();
            texts.map(|(text, _)| Credential::Inline(Secret::new(text))).collect::<Vec<_>>()
        };
        let mut values = inline("values");
        values.extend(inline("secrets"));
        let files = header.texts("files").into_iter();
        values.extend(files.map(|(path, _)| Credential::File(form.report.resolved(&path))));
        header.close();
        headers.insert(name, values);
    }
    headers
}

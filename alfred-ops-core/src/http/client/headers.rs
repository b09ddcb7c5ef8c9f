//! Headers that say who we are.

use crate::{Error, ErrorKind, Result, Secret, blocking};
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use crate::http::{Authentication, Credential, HttpOptions};

/// How large a file with a secret may be: a token has a few kilobytes.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// Adds what the options say of us: authentication and further headers. Files are read anew each time.
pub(super) async fn add(mut request: RequestBuilder, options: &HttpOptions) -> Result<RequestBuilder> {
    match &options.authentication {
        Authentication::Basic { username, password } => {
            let username = secret(username).await?;
            let password = match password {
                Some(password) => Some(secret(password).await?),
                None => None,
            };
            request = request.basic_auth(username.expose(), password.as_ref().map(Secret::expose));
        }
        Authentication::Header { kind, credentials: Some(credentials) } => {
            let value = format!("{kind} {}", secret(credentials).await?.expose());
            request = request.header(AUTHORIZATION, header_value("authorization", &value)?);
        }
        Authentication::Header { credentials: None, .. } | Authentication::None => {}
    }
    for (name, values) in &options.headers {
        for value in values {
            request = request.header(name, header_value(name, secret(value).await?.expose())?);
        }
    }
    Ok(request)
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    let mut header = HeaderValue::from_str(value).map_err(|_| {
        Error::new(ErrorKind::InvalidInput, "make request", "the value holds characters that no header may")
            .with_target(name)
            .with_remedy("check the file or text that it comes from")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// The secret itself.
pub(super) async fn secret(credential: &Credential) -> Result<Secret> {
    let path = match credential {
        Credential::Inline(secret) => return Ok(secret.clone()),
        Credential::File(path) => path.clone(),
    };
    blocking(move || {
        let failed = |source: std::io::Error| {
            Error::new(ErrorKind::PermissionDenied, "read credentials", "the file cannot be read")
                .with_target(path.display().to_string())
                .with_source(source)
        };
        if std::fs::metadata(&path).map_err(failed)?.len() > SECRET_BYTES_MAX {
            return Err(failed(std::io::Error::other("it is too large for a secret")));
        }
        Ok(Secret::new(std::fs::read_to_string(&path).map_err(failed)?.trim()))
    })
    .await?
}

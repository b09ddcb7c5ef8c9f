//! Which secrets there are, as their file says.

use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_core::{FromConfig, PostgresOptions, Secret, Section};
use alfred_ops_maintenance::{KeyAlgorithm, RotationPolicy};

/// More secrets than this are nobody's honest configuration.
const SECRETS_MAX: usize = 1_000;

/// Which secrets there are, where they are, and how they are cared for.
///
#[doc = concat!("```yaml\n", include_str!("../../../opsctl/secrets.yml"), "```")]
#[derive(Debug)]
pub(super) struct SecretsConfig {
    pub(super) store: StoreConfig,
    pub(super) secrets: Vec<SecretConfig>,
}

#[derive(Debug)]
pub(super) enum StoreConfig {
    Files(PathBuf),
    /// With another endpoint in tests.
    Google {
        project: String,
        endpoint: Option<String>,
    },
}

#[derive(Debug)]
pub(super) struct SecretConfig {
    pub(super) name: String,
    pub(super) kind: KindConfig,
    pub(super) policy: RotationPolicy,
}

#[derive(Debug)]
pub(super) enum KindConfig {
    /// Its issuer is a program.
    ApiKey {
        command: Vec<String>,
    },
    Jwt {
        algorithm: KeyAlgorithm,
    },
    DatabaseLogin {
        server: PostgresOptions,
        role: String,
        users: [String; 2],
    },
}

impl KindConfig {
    /// As it stands in the file.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "api-key",
            Self::Jwt { .. } => "jwt",
            Self::DatabaseLogin { .. } => "database-login",
        }
    }

    const fn policy(&self) -> RotationPolicy {
        match self {
            Self::ApiKey { .. } => RotationPolicy::api_keys(),
            Self::Jwt { .. } => RotationPolicy::jwt_keys(),
            Self::DatabaseLogin { .. } => RotationPolicy::database_logins(),
        }
    }
}

impl FromConfig for SecretsConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let store = section.section("store");
        let secrets: Option<Vec<SecretConfig>> = section.sections("secrets");
        let secrets = secrets.and_then(|secrets| {
            if secrets.is_empty() || secrets.len() > SECRETS_MAX {
                let what = format!("there are {}", secrets.len());
                return section.refuse("secrets", what, "list 1 to 1000 secrets");
            }
            let mut names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                let what = format!("{:?} is there twice", twice[0]);
                return section.refuse("secrets", what, "give each a name of its own");
            }
            Some(secrets)
        });
        Some(Self { store: store?, secrets: secrets? })
    }
}

impl FromConfig for StoreConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let files: Option<PathBuf> = section.optional("files")?;
        let google: Option<String> = section.optional("google")?;
        let endpoint = section.optional("endpoint")?;
        match (files, google) {
            (Some(folder), None) if endpoint.is_none() => Some(Self::Files(folder)),
            (Some(_), None) => section.refuse("endpoint", "files have none", "take it away"),
            (None, Some(project)) => Some(Self::Google { project, endpoint }),
            (None, None) => section.refuse("files", "it is missing", "give a folder, or google: PROJECT"),
            (Some(_), Some(_)) => section.refuse("google", "files are given too", "keep one of the two"),
        }
    }
}

impl FromConfig for SecretConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let name = section.required("name");
        let kind = match section.required::<String>("kind").as_deref() {
            Some("api-key") => api_key(section),
            Some("jwt") => jwt(section),
            Some("database-login") => database_login(section),
            Some(other) => {
                let what = format!("{other:?} is no kind of secret");
                section.refuse("kind", what, "give api-key, jwt or database-login")
            }
            None => None,
        };
        let defaults = kind.as_ref().map_or_else(RotationPolicy::api_keys, KindConfig::policy);
        let policy = policy(section, defaults);
        Some(Self { name: name?, kind: kind?, policy: policy? })
    }
}

fn api_key(section: &mut Section<'_>) -> Option<KindConfig> {
    Some(KindConfig::ApiKey { command: section.required("command")? })
}

fn jwt(section: &mut Section<'_>) -> Option<KindConfig> {
    let algorithm = match section.or("algorithm", "ed25519".to_owned())?.as_str() {
        "ed25519" => KeyAlgorithm::Ed25519,
        "es256" => KeyAlgorithm::Es256,
        "rs256" => KeyAlgorithm::Rs256,
        other => {
            let what = format!("tokens are not signed by {other:?}");
            return section.refuse("algorithm", what, "give ed25519, es256 or rs256");
        }
    };
    Some(KindConfig::Jwt { algorithm })
}

fn database_login(section: &mut Section<'_>) -> Option<KindConfig> {
    let server: Option<PostgresOptions> = section.parsed("server");
    let password: Option<Option<Secret>> = section.optional("password");
    let role = section.required("role");
    let users = section.required::<Vec<String>>("users").and_then(|users| {
        let count = users.len();
        <[String; 2]>::try_from(users).map_or_else(
            |_| section.refuse("users", format!("there are {count}"), "give two logins, which take turns"),
            Some,
        )
    });
    let mut server = server?;
    if let Some(password) = password? {
        server.password = Some(password);
    }
    Some(KindConfig::DatabaseLogin { server, role: role?, users: users? })
}

/// The times of a rotation; those of the kind where the file says nothing.
fn policy(section: &mut Section<'_>, mut policy: RotationPolicy) -> Option<RotationPolicy> {
    let times: [(&'static str, &mut Duration); 7] = [
        ("every", &mut policy.every),
        ("cache_ttl", &mut policy.cache_ttl),
        ("token_ttl", &mut policy.token_ttl),
        ("skew", &mut policy.skew),
        ("disabled_for", &mut policy.disabled_for),
        ("users_patience", &mut policy.users_patience),
        ("overdue_after", &mut policy.overdue_after),
    ];
    let mut is_good = true;
    for (name, time) in times {
        match section.or(name, *time) {
            Some(given) => *time = given,
            None => is_good = false,
        }
    }
    is_good.then_some(policy)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::ConfigTree;

    use super::*;

    fn read(text: &str) -> Result<SecretsConfig, String> {
        ConfigTree::from_yaml(text).unwrap().read().map_err(|error| error.full())
    }

    #[test]
    fn all_kinds_and_times_are_read() {
        let config = read(
            "store: {google: alfred}\nsecrets:\n  - {name: a, kind: jwt, every: 30d, token_ttl: 10m}\n  \
             - {name: b, kind: api-key, command: [/bin/issue]}\n  - name: c\n    kind: database-login\n    \
             server: postgres://admin@db/alfred\n    password: hunter2\n    role: app\n    users: [app_a, app_b]\n",
        )
        .unwrap();
        assert_eq!(config.secrets[0].policy.every, Duration::from_secs(30 * 86_400));
        assert_eq!(config.secrets[0].policy.cache_ttl, RotationPolicy::jwt_keys().cache_ttl);
        assert_eq!(config.secrets[1].policy, RotationPolicy::api_keys());
        let KindConfig::DatabaseLogin { server, .. } = &config.secrets[2].kind else { panic!("{config:?}") };
        assert_eq!(server.password.as_ref().unwrap().expose(), "hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_file_that_the_help_shows_has_the_defaults() {
        let config = read(
            include_str!("../../../opsctl/secrets.yml")
                .replace("${file:/run/credentials/admin}", "secret")
                .as_str(),
        );
        for secret in config.unwrap().secrets {
            assert_eq!(secret.policy, secret.kind.policy(), "{}", secret.name);
        }
    }

    #[test]
    fn mistakes_are_named_with_their_remedies_and_passwords_are_not() {
        let secret = |fields: &str| format!("store: {{files: /s}}\nsecrets: [{{name: a, {fields}}}]");
        for (text, words) in [
            ("secrets: [{name: a, kind: jwt}]".to_owned(), "store: the section is missing"),
            ("store: {}\nsecrets: [{name: a, kind: jwt}]".to_owned(), "give a folder"),
            ("store: {files: /s}".to_owned(), "list 1 to 1000 secrets"),
            (
                "store: {files: /s, google: p}\nsecrets: [{name: a, kind: jwt}]".to_owned(),
                "keep one of the two",
            ),
            (
                "store: {files: /s}\nsecrets: [{name: a, kind: jwt}, {name: a, kind: jwt}]".to_owned(),
                "\"a\" is there twice",
            ),
            (secret("kind: token"), "\"token\" is no kind of secret"),
            (secret("kind: jwt, algorithm: hs256"), "give ed25519, es256 or rs256"),
            (secret("kind: jwt, every: 7"), "secrets[0].every: 7 is not a duration"),
            (secret("kind: jwt, evry: 7d"), "did you mean \"every\"?"),
            (secret("kind: api-key"), "command: it is missing"),
            (
                secret("kind: database-login, server: 'postgres://a:hunter2@h/d?x=1', role: r, users: [a]"),
                "give two logins",
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{words}: {error}");
        }
    }
}

//! Targets that the domain name system names.

use std::time::Duration;

/// Which records name the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DnsRecord {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// Mail servers.
    Mx,
    /// Services: host and port.
    #[default]
    Srv,
}

impl DnsRecord {
    /// The word of a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Srv => "SRV",
        }
    }
}

/// Targets that the domain name system names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsDiscoveryConfig {
    /// The names that are asked for.
    pub names: Vec<String>,
    /// Which of their records.
    pub record: DnsRecord,
    /// The targets' port; services bring their own.
    pub port: u16,
    /// How often they are asked for.
    pub refresh_interval: Duration,
}

impl DnsDiscoveryConfig {
    /// These names' records, asked for every 30 s.
    #[must_use]
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>, record: DnsRecord, port: u16) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            record,
            port,
            refresh_interval: Duration::from_secs(30),
        }
    }
}

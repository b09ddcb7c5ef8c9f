//! Targets that the domain name system names.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use futures::StreamExt as _;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{Discovery, Found};
use crate::job::{DnsDiscoveryConfig, DnsRecord, TargetGroup};

const OPERATION: &str = "look up targets";
/// How many names are asked for at once.
const QUESTIONS_AT_ONCE: usize = 8;

/// Targets that the domain name system names.
///
/// A name that is not there has no targets; one that cannot be looked up keeps its last ones.
#[derive(Debug)]
pub struct DnsDiscovery {
    config: DnsDiscoveryConfig,
    resolver: TokioResolver,
    known: Mutex<HashMap<String, TargetGroup>>,
}

impl DnsDiscovery {
    /// Asks the name servers of this machine. Reads their addresses once.
    ///
    /// # Errors
    /// `Unavailable` if the machine's set-up cannot be read.
    pub fn new(config: DnsDiscoveryConfig) -> Result<Self> {
        Self::built(config, TokioResolver::builder_tokio())
    }

    /// Asks one name server, whatever the machine's set-up says.
    ///
    /// # Errors
    /// `Unavailable` if no resolver can be made.
    pub fn with_name_server(config: DnsDiscoveryConfig, server: SocketAddr) -> Result<Self> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
        let resolver_config = ResolverConfig::from_name_servers(vec![server]);
        let builder = TokioResolver::builder_with_config(resolver_config, TokioRuntimeProvider::default());
        Self::built(config, Ok(builder))
    }

    fn built(
        config: DnsDiscoveryConfig,
        builder: Result<hickory_resolver::ResolverBuilder<TokioRuntimeProvider>, NetError>,
    ) -> Result<Self> {
        let built = builder.and_then(|mut builder| {
            // Each question asks anew: what it hears is kept here, and shown until the next.
            builder.options_mut().cache_size = 0;
            builder.build()
        });
        let resolver = built.map_err(|source| {
            Error::new(ErrorKind::Unavailable, OPERATION, "there is no usable name server")
                .with_remedy("check /etc/resolv.conf")
                .with_source(source)
        })?;
        Ok(Self { config, resolver, known: Mutex::default() })
    }

    async fn group(&self, name: &str) -> Result<TargetGroup> {
        let kind = match self.config.record {
            DnsRecord::A => RecordType::A,
            DnsRecord::Aaaa => RecordType::AAAA,
            DnsRecord::Mx => RecordType::MX,
            DnsRecord::Srv => RecordType::SRV,
        };
        let targets = match self.resolver.lookup(name, kind).await {
            Ok(lookup) => {
                let records = lookup.answers().iter();
                records.filter_map(|record| self.target(name, &record.data)).collect()
            }
            Err(error) if is_empty(&error) => Vec::new(),
            Err(source) => {
                return Err(Error::new(ErrorKind::Unavailable, OPERATION, "the name cannot be looked up")
                    .with_target(name)
                    .with_source(source));
            }
        };
        Ok(TargetGroup::new(name, targets))
    }

    fn target(&self, name: &str, data: &RData) -> Option<BTreeMap<String, String>> {
        let port = self.config.port;
        let mut labels = vec![("__meta_dns_name", name.to_owned())];
        let address = match data {
            RData::A(address) => format!("{}:{port}", address.0),
            RData::AAAA(address) => format!("[{}]:{port}", address.0),
            RData::MX(mail) => {
                let target = mail.exchange.to_utf8();
                let address = format!("{}:{port}", target.trim_end_matches('.'));
                labels.push(("__meta_dns_mx_record_target", target));
                address
            }
            RData::SRV(service) => {
                let target = service.target.to_utf8();
                let address = format!("{}:{}", target.trim_end_matches('.'), service.port);
                labels.push(("__meta_dns_srv_record_target", target));
                labels.push(("__meta_dns_srv_record_port", service.port.to_string()));
                address
            }
            _ => return None,
        };
        labels.push(("__address__", address));
        Some(labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// Whether a name, or the name's records of this type, do not exist: an answer, and no failure.
fn is_empty(error: &NetError) -> bool {
    matches!(error, NetError::Dns(DnsError::NoRecordsFound(none))
        if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError))
}

#[async_trait]
impl Discovery for DnsDiscovery {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn poll_interval(&self) -> Duration {
        self.config.refresh_interval
    }

    async fn find(&self) -> Result<Found> {
        let names = futures::stream::iter(self.config.names.clone());
        let answers = names.map(|name| async move { (self.group(&name).await, name) });
        let answers: Vec<_> = answers.buffered(QUESTIONS_AT_ONCE).collect().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut groups, mut problems) = (Vec::new(), Vec::new());
        for (answer, name) in answers {
            match answer {
                Ok(group) => {
                    known.insert(name, group.clone());
                    groups.push(group);
                }
                Err(problem) => {
                    groups.extend(known.get(&name).cloned());
                    problems.push(problem);
                }
            }
        }
        Ok(Found::new(groups).with_problems(problems))
    }
}

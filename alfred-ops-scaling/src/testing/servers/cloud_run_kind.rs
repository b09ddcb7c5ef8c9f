//! What the Admin API keeps.

use serde_json::Value;

/// Services and worker pools, which differ in names and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CloudRunKind {
    Service,
    WorkerPool,
}

impl CloudRunKind {
    /// The kind of what has this name, or of what lies in this collection.
    pub(super) fn of(path: &str) -> Self {
        if path.contains("/workerPools") { Self::WorkerPool } else { Self::Service }
    }

    /// The collection in a location's path, and the list in an answer.
    pub(super) const fn collection(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::WorkerPool => "workerPools",
        }
    }

    /// The parameter that names a new one.
    pub(super) const fn id_parameter(self) -> &'static str {
        match self {
            Self::Service => "serviceId",
            Self::WorkerPool => "workerPoolId",
        }
    }

    /// Its field in requests, as errors name it.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::WorkerPool => "worker_pool",
        }
    }

    pub(super) const fn type_url(self) -> &'static str {
        match self {
            Self::Service => "type.googleapis.com/google.cloud.run.v2.Service",
            Self::WorkerPool => "type.googleapis.com/google.cloud.run.v2.WorkerPool",
        }
    }

    /// The field that says who gets requests or instances.
    pub(super) const fn split(self) -> &'static str {
        match self {
            Self::Service => "traffic",
            Self::WorkerPool => "instanceSplits",
        }
    }

    /// The field that says who really gets them.
    pub(super) const fn split_statuses(self) -> &'static str {
        match self {
            Self::Service => "trafficStatuses",
            Self::WorkerPool => "instanceSplitStatuses",
        }
    }

    /// The type of an entry of the split.
    pub(super) fn allocation(self, to: &str) -> String {
        match self {
            Self::Service => format!("TRAFFIC_TARGET_ALLOCATION_TYPE_{to}"),
            Self::WorkerPool => format!("INSTANCE_SPLIT_ALLOCATION_TYPE_{to}"),
        }
    }

    /// Whether an entry of the split is for the newest revision that is ready, or for a named one; none if for neither.
    pub(super) fn is_latest(self, entry: &Value) -> Option<bool> {
        match entry["type"].as_str() {
            Some(to) if to == self.allocation("LATEST") => Some(true),
            Some(to) if to == self.allocation("REVISION") => Some(false),
            _ => None,
        }
    }

    /// The fields that a client may change, `scaling` aside.
    pub(super) const fn mutable(self) -> &'static [&'static str] {
        match self {
            Self::Service => &[
                "annotations",
                "binaryAuthorization",
                "client",
                "clientVersion",
                "customAudiences",
                "description",
                "ingress",
                "invokerIamDisabled",
                "labels",
                "launchStage",
                "template",
                "traffic",
            ],
            Self::WorkerPool => &[
                "annotations",
                "binaryAuthorization",
                "client",
                "clientVersion",
                "description",
                "instanceSplits",
                "labels",
                "launchStage",
                "template",
            ],
        }
    }

    /// The parts of `scaling`, each of which a mask may name.
    pub(super) const fn scaling(self) -> &'static [&'static str] {
        match self {
            Self::Service => &["minInstanceCount", "maxInstanceCount", "scalingMode", "manualInstanceCount"],
            Self::WorkerPool => &["manualInstanceCount"],
        }
    }
}

//! What the targets of a job may say.

/// What the targets of a job may say. Nothing is limited where nothing is set, as in Prometheus; what a page
/// may hold at all is bounded by the reader of pages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JobLimits {
    /// Bytes of a page, uncompressed.
    pub body_bytes_max: Option<u64>,
    /// Samples of a page, after relabelling.
    pub samples_max: Option<u64>,
    /// Labels of a sample, the metric's name and the target's labels counted.
    pub labels_max: Option<u64>,
    /// Bytes of a label's name.
    pub label_name_bytes_max: Option<u64>,
    /// Bytes of a label's value.
    pub label_value_bytes_max: Option<u64>,
    /// Targets of the job: with more, all its scrapes fail.
    pub targets_max: Option<u64>,
}

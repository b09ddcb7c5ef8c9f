//! How large a page may be.

/// How large a page may be before it is refused: a page comes from somebody else's process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the page. The usual exporters stay below 2 MB; kube-state-metrics of a large cluster
    /// reaches 20 MB.
    pub bytes_max: usize,
    /// Samples on the page.
    pub samples_max: usize,
    /// Labels of one sample, the name not counted.
    pub labels_max: usize,
    /// Bytes of one label's name or value, unescaped.
    pub label_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 32 << 20, samples_max: 250_000, labels_max: 64, label_bytes_max: 4096 }
    }
}

impl Limits {
    /// Sets how many bytes a page may have.
    #[must_use]
    pub const fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Sets how many samples a page may have.
    #[must_use]
    pub const fn with_samples_max(mut self, samples_max: usize) -> Self {
        self.samples_max = samples_max;
        self
    }

    /// Sets how many labels a sample may have.
    #[must_use]
    pub const fn with_labels_max(mut self, labels_max: usize) -> Self {
        self.labels_max = labels_max;
        self
    }

    /// Sets how many bytes a label's name or value may have.
    #[must_use]
    pub const fn with_label_bytes_max(mut self, label_bytes_max: usize) -> Self {
        self.label_bytes_max = label_bytes_max;
        self
    }
}

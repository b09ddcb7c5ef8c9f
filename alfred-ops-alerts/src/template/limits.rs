//! How much a rendering may take.

/// How much a rendering may take and make. What goes beyond fails with `ResourceExhausted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenderLimits {
    /// The bytes of the result, and of each text made on the way to it.
    pub output_bytes_max: usize,
    /// The values looked at, functions called and rounds of loops; long texts count more than once.
    pub steps_max: u64,
    /// Blocks, parentheses and templates within one another. Each takes some of the thread's stack.
    pub depth_max: usize,
}

impl Default for RenderLimits {
    /// One MiB, a million steps, 150 levels: notifications of thousands of alerts stay below a tenth of it.
    fn default() -> Self {
        Self { output_bytes_max: 1 << 20, steps_max: 1_000_000, depth_max: 150 }
    }
}

impl RenderLimits {
    /// The same with another bound for the bytes of the result.
    #[must_use]
    pub const fn with_output_bytes_max(mut self, bytes: usize) -> Self {
        self.output_bytes_max = bytes;
        self
    }

    /// The same with another bound for the steps.
    #[must_use]
    pub const fn with_steps_max(mut self, steps: u64) -> Self {
        self.steps_max = steps;
        self
    }

    /// The same with another bound for the depth. More than the default needs a larger stack than threads have.
    #[must_use]
    pub const fn with_depth_max(mut self, depth: usize) -> Self {
        self.depth_max = depth;
        self
    }
}

/// What a name that a map does not have stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingKey {
    /// The empty text in maps of texts, such as labels, and nil in others: Prometheus and Alertmanager have it so.
    #[default]
    Zero,
    /// Nil, which prints as `<no value>`: what Go does when nothing is said.
    NoValue,
    /// The rendering fails.
    Error,
}

//! What a far side says to a notification.

/// What a far side says to a notification that it has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// By what the far side knows the notification, if it says so.
    pub reference: Option<String>,
}

impl Receipt {
    /// Accepted, without further words.
    #[must_use]
    pub const fn accepted() -> Self {
        Self { reference: None }
    }

    /// Accepted, and known to the far side by `reference`.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }
}

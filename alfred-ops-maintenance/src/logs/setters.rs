//! Setters of policies and options.

/// For each field a `with_…` that gives the same with another value.
macro_rules! setters {
    ($of:ident { $($with:ident $field:ident $kind:ty),* $(,)? }) => {
        impl $of {
            $(
                #[doc = concat!("The same with another [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub const fn $with(mut self, value: $kind) -> Self {
                    self.$field = value;
                    self
                }
            )*
        }
    };
}

pub(super) use setters;

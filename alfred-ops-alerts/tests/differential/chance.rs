//! Choices drawn from a seed.

use alfred_ops_core::{EntropyExt as _, SeededEntropy};

/// Choices drawn from a seed: the same seed, the same choices.
#[derive(Debug)]
pub(crate) struct Chance(SeededEntropy);

impl Chance {
    /// The choices of one trial of a run.
    pub(crate) fn new(seed: u64, trial: u64) -> Self {
        let mixed = SeededEntropy::new(seed ^ trial.wrapping_mul(0xd134_2543_de82_ef95)).next_u64();
        Self(SeededEntropy::new(mixed))
    }

    pub(crate) fn below(&self, bound: u32) -> u32 {
        u32::try_from(self.0.below(u64::from(bound))).unwrap()
    }

    pub(crate) fn percent(&self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn any<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.0.below(of.len() as u64)).unwrap()]
    }

    /// Some of them, in their order; possibly none.
    pub(crate) fn some<T: Copy>(&self, of: &[T], percent: u32) -> Vec<T> {
        of.iter().copied().filter(|_| self.percent(percent)).collect()
    }
}

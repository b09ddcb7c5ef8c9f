//! Sums and means without loss of precision.

/// A sum that carries what rounding loses (Kahan's method as improved by Neumaier).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    value: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, increment: f64) {
        let sum = self.value + increment;
        if sum.is_infinite() {
            self.lost = 0.0;
        } else if self.value.abs() >= increment.abs() {
            self.lost += (self.value - sum) + increment;
        } else {
            self.lost += (increment - sum) + self.value;
        }
        self.value = sum;
    }

    pub(super) fn total(self) -> f64 {
        if self.value.is_infinite() { self.value } else { self.value + self.lost }
    }
}

/// A mean: of the sum as long as that is finite, then kept up sample by sample.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    sum: Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(value);
            if self.count <= 1.0 || !sum.value.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.sum = Sum { value: self.sum.value / before, lost: self.sum.lost / before };
        }
        let weight = (self.count - 1.0) / self.count;
        self.sum = Sum { value: weight * self.sum.value, lost: weight * self.sum.lost };
        self.sum.add(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        if self.incremental {
            return self.sum.total();
        }
        self.sum.value / self.count + self.sum.lost / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let mut sum = Sum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 2.0);
        let mut mean = Mean::default();
        for value in [f64::MAX, f64::MAX, f64::MAX] {
            mean.add(value);
        }
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-12);
    }
}

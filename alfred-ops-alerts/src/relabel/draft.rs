//! Labels that are being rewritten.

use alfred_ops_core::Labels;

/// Labels that are being rewritten. As long as nothing changes, nothing is copied.
#[derive(Debug)]
pub(super) struct Draft {
    base: Labels,
    /// What was set since, in order. Later rules see labels in this order, so that of two that are mapped to
    /// one name the same one wins as in Prometheus.
    set: Vec<(String, String)>,
    removed: Vec<String>,
}

impl Draft {
    pub(super) const fn new(base: Labels) -> Self {
        Self { base, set: Vec::new(), removed: Vec::new() }
    }

    pub(super) fn get(&self, name: &str) -> &str {
        if let Some((_, value)) = self.set.iter().find(|(known, _)| known == name) {
            return value;
        }
        if self.removed.iter().any(|known| known == name) {
            return "";
        }
        self.base.get(name).unwrap_or_default()
    }

    /// Sets a label; an empty value removes it.
    pub(super) fn set(&mut self, name: &str, value: String) {
        if value.is_empty() {
            self.remove(name);
        } else if let Some((_, known)) = self.set.iter_mut().find(|(known, _)| known == name) {
            *known = value;
        } else {
            self.set.push((name.to_owned(), value));
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.set.retain(|(known, _)| known != name);
        if !self.removed.iter().any(|known| known == name) {
            self.removed.push(name.to_owned());
        }
    }

    /// The present labels that `pick` makes something of: those of the base first, then those that were set.
    pub(super) fn collect<T>(&self, mut pick: impl FnMut(&str, &str) -> Option<T>) -> Vec<T> {
        let kept = self.base.iter().filter(|(name, _)| {
            !self.removed.iter().any(|known| known == name)
                && !self.set.iter().any(|(known, _)| known == name)
        });
        let set = self.set.iter().map(|(name, value)| (&**name, &**value));
        kept.chain(set).filter_map(|(name, value)| pick(name, value)).collect()
    }

    pub(super) fn finish(self) -> Labels {
        if self.set.is_empty() && self.removed.is_empty() {
            return self.base;
        }
        let kept = self.base.iter().filter(|(name, _)| !self.removed.iter().any(|known| known == name));
        let set = self.set.iter().map(|(name, value)| (&**name, &**value));
        Labels::from_pairs(kept.chain(set))
    }
}

//! What was shown, and whether it holds.

use std::fmt::Write as _;

/// The table at the end: what was done, the figure, and whether the proof holds.
#[derive(Debug, Default)]
pub struct Proofs {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    figure: String,
    proof: String,
    holds: bool,
}

impl Proofs {
    /// Adds a line that must hold.
    pub fn add(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        proof: impl Into<String>,
        holds: bool,
    ) {
        self.rows.push(Row { what: what.into(), figure: figure.into(), proof: proof.into(), holds });
    }

    /// Whether everything holds.
    #[must_use]
    pub fn hold(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.holds)
    }

    /// The table as text.
    #[must_use]
    pub fn table(&self) -> String {
        let width = |column: fn(&Row) -> &str| {
            self.rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
        };
        let (what, figure) = (width(|row| &row.what), width(|row| &row.figure));
        let mut text = format!("     {:<what$}  {:<figure$}  proof\n", "what", "figure");
        for row in &self.rows {
            let mark = if row.holds { "ok" } else { "NO" };
            let _ = writeln!(text, " {mark}  {:<what$}  {:<figure$}  {}", row.what, row.figure, row.proof);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_proof_breaks_all_and_shows() {
        let mut proofs = Proofs::default();
        assert!(!proofs.hold(), "nothing shown is nothing proven");
        proofs.add("backup", "200 MB", "verified", true);
        assert!(proofs.hold());
        proofs.add("restore", "1 s", "differs", false);
        assert!(!proofs.hold());
        assert!(proofs.table().contains(" NO  restore  1 s"), "{}", proofs.table());
    }
}

//! From what a page says to what is stored: labels, limits, and the series about the scrape itself. Pure.

mod figures;
mod labeller;
mod limit;
mod merge;
mod process;

pub use figures::ScrapeFigures;
pub use process::{ScrapedSamples, process_samples};

pub(crate) use labeller::Labeller;

#[cfg(test)]
mod tests;

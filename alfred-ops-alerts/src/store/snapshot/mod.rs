//! The content of a store as bytes, so that a restart does not empty the windows that rules look at.
//!
//! # Form 1
//!
//! | what | how |
//! |---|---|
//! | magic | `alfredss`, 8 bytes |
//! | version | `u32` |
//! | created at | `i64`, milliseconds since 1970 |
//! | texts | their number; each its length and its UTF-8 bytes |
//! | series | their number; each as below |
//! | checksum | `u64`, XXH3 (64 bits) of all bytes before |
//!
//! A series is its labels, its times, its values, its ends and its histograms, in this order:
//!
//! | what | how |
//! |---|---|
//! | labels | their number; each the numbers of two texts, name and value, sorted by name |
//! | times | their number; then 0, the first and the distance if they are regular, or 1, the first and the distances |
//! | values | 0 and the value they all have; 1, 2 or 4, the base, the decimals and as many differences of so many bytes; 8 and the values |
//! | ends | their number; each the distance from the one before |
//! | histograms | their number; each the distance in time from the one before, schema, hint, count, sum, threshold and count of the zero bucket, positive and negative buckets, own bounds |
//!
//! Numbers without a width are LEB128; those that may be negative are mapped to even and odd ones first (zigzag). Numbers
//! with a width are little-endian, floats are their bits. Magic, version and checksum stay what they are in every version.
//!
//! Texts are written once, and values as narrow as they are held, so that little would be left for a compression to find;
//! the one at hand belongs to a feature that a host may do without.

mod histogram_form;
mod reader;
mod restore;
mod series_form;
mod take;
mod writer;

#[cfg(test)]
mod tests;

const MAGIC: [u8; 8] = *b"alfredss";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = size_of::<u64>();

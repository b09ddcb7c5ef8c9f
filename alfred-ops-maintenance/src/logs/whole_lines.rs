//! Where lines end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// How much of `lines` is whole lines.
pub(super) fn whole(lines: &[u8]) -> usize {
    lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1)
}

/// How long the first of `lines` is, with its end.
pub(super) fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|&byte| byte == b'\n').map_or(lines.len(), |end| end + 1)
}

/// Cuts what follows the last end of a line. Where no line of ours could be so long, it is ended instead.
pub(super) fn cut_half_line(file: &mut File, line_bytes_max: usize) -> io::Result<()> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(line_bytes_max as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
    (&*file).take(1).read_to_end(&mut tail)?;
    if tail.last().is_none_or(|&byte| byte == b'\n') {
        return Ok(());
    }
    tail.clear();
    file.seek(SeekFrom::Start(from))?;
    (&*file).take(line_bytes_max as u64).read_to_end(&mut tail)?;
    match tail.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => file.set_len(from + end as u64 + 1),
        None if from == 0 => file.set_len(0),
        None => file.write_all(b"\n"),
    }
}

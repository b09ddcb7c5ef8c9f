//! A streaming reader of the plain ustar archives that a walsender sends (POSIX.1-1988, with GNU's base-256
//! numbers for large files).

use alfred_ops_core::{Error, ErrorKind, Result};

const BLOCK: usize = 512;

/// Cuts a tar stream that arrives in arbitrary pieces into members.
#[derive(Debug, Default)]
pub(super) struct TarReader {
    header: Vec<u8>,
    content: u64,
    padding: u64,
}

/// What comes next in an archive.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TarEvent<'a> {
    Member(TarMember),
    Data(&'a [u8]),
}

/// One member's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TarMember {
    pub(super) path: String,
    pub(super) kind: TarKind,
    pub(super) mode: u32,
    pub(super) modified: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TarKind {
    File { bytes: u64 },
    Directory,
    Symlink { target: String },
}

impl TarReader {
    /// Takes what it can from the front of `input` and returns what it was; `None` when more is needed.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<TarEvent<'a>>> {
        while !input.is_empty() {
            if self.content > 0 {
                let taken = take(input, self.content);
                self.content -= taken.len() as u64;
                return Ok(Some(TarEvent::Data(taken)));
            }
            if self.padding > 0 {
                self.padding -= take(input, self.padding).len() as u64;
                continue;
            }
            let missing = (BLOCK - self.header.len()) as u64;
            self.header.extend_from_slice(take(input, missing));
            if self.header.len() == BLOCK {
                let header = std::mem::take(&mut self.header);
                if header.iter().all(|&byte| byte == 0) {
                    // The end is marked by two blocks of zeros.
                    continue;
                }
                let member = parse(&header)?;
                if let TarKind::File { bytes } = member.kind {
                    self.content = bytes;
                    self.padding = bytes.next_multiple_of(BLOCK as u64) - bytes;
                }
                return Ok(Some(TarEvent::Member(member)));
            }
        }
        Ok(None)
    }

    /// Whether the stream may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.header.is_empty() && self.content == 0 && self.padding == 0
    }
}

fn take<'a>(input: &mut &'a [u8], at_most: u64) -> &'a [u8] {
    let length = usize::try_from(at_most).unwrap_or(usize::MAX).min(input.len());
    let (taken, rest) = input.split_at(length);
    *input = rest;
    taken
}

fn parse(header: &[u8]) -> Result<TarMember> {
    let corrupt = |what: &str| Error::new(ErrorKind::Corrupt, "read tar header", what);
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| u64::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    if number(&header[148..156]) != Some(sum) {
        return Err(corrupt("its checksum is wrong"));
    }
    let name = text(&header[..100]).ok_or_else(|| corrupt("a name is not UTF-8"))?;
    let prefix = text(&header[345..500]).ok_or_else(|| corrupt("a name is not UTF-8"))?;
    let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
    let size = number(&header[124..136]).ok_or_else(|| corrupt("a size is no number"))?;
    let mode = number(&header[100..108]).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o600) & 0o7777;
    let modified = number(&header[136..148]).and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
    let kind = match header[156] {
        b'0' | 0 => TarKind::File { bytes: size },
        b'5' => TarKind::Directory,
        b'2' => TarKind::Symlink {
            target: text(&header[157..257]).ok_or_else(|| corrupt("a link is not UTF-8"))?,
        },
        other => return Err(corrupt(&format!("member {path:?} is of the unknown kind {other}"))),
    };
    Ok(TarMember { path, kind, mode, modified })
}

fn text(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).ok().map(str::to_owned)
}

/// An octal number, or a base-256 one where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        return field[1..].iter().try_fold(u64::from(field[0] & 0x7f), |value, &byte| {
            value.checked_mul(256).map(|value| value | u64::from(byte))
        });
    }
    let digits = std::str::from_utf8(field).ok()?.trim_matches(|character| matches!(character, ' ' | '\0'));
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(path: &str, kind: u8, size: &[u8; 12]) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[100..107].copy_from_slice(b"0000600");
        block[124..136].copy_from_slice(size);
        block[156] = kind;
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn collect(reader: &mut TarReader, mut input: &[u8]) -> (Vec<String>, Vec<u8>) {
        let (mut names, mut data) = (Vec::new(), Vec::new());
        while let Some(event) = reader.next(&mut input).unwrap() {
            match event {
                TarEvent::Member(member) => names.push(member.path),
                TarEvent::Data(bytes) => data.extend_from_slice(bytes),
            }
        }
        (names, data)
    }

    proptest! {
        #[test]
        fn members_do_not_depend_on_how_the_stream_is_cut(cut in 1usize..700) {
            let mut stream = header("base/1", b'0', b"00000000005\0");
            stream.extend_from_slice(b"hello");
            stream.resize(2 * BLOCK, 0);
            stream.extend(header("pg_wal/", b'5', b"00000000000\0"));
            stream.extend(header("global/2", b'0', b"00000000002\0"));
            stream.extend_from_slice(b"ok");
            stream.resize(7 * BLOCK, 0);
            let mut reader = TarReader::default();
            let (mut names, mut data) = (Vec::new(), Vec::new());
            for piece in stream.chunks(cut) {
                let (more_names, more_data) = collect(&mut reader, piece);
                names.extend(more_names);
                data.extend(more_data);
            }
            prop_assert!(reader.is_complete());
            prop_assert_eq!(names, ["base/1", "pg_wal", "global/2"]);
            prop_assert_eq!(data, b"hellook");
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let (mut reader, mut input) = (TarReader::default(), &bytes[..]);
            while let Ok(Some(_)) = reader.next(&mut input) {}
        }
    }

    #[test]
    fn large_sizes_are_read() {
        let mut size = [0; 12];
        size[0] = 0x80;
        size[7] = 3;
        let block = header("base/big", b'0', &size);
        let mut reader = TarReader::default();
        let event = reader.next(&mut &block[..]).unwrap();
        let Some(TarEvent::Member(member)) = event else { panic!("{event:?}") };
        assert_eq!(member.kind, TarKind::File { bytes: 3 << 32 });
        let mut damaged = block;
        damaged[3] ^= 1;
        assert!(TarReader::default().next(&mut &damaged[..]).unwrap_err().to_string().contains("checksum"));
    }
}

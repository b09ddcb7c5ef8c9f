//! How a base backup comes over the connection.

use std::collections::VecDeque;

use bytes::Bytes;

use super::dialect::Dialect;
use super::wire::Reply;

/// What a reply of the server brings of a base backup.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// An archive begins; its members lie below this prefix.
    Archive(String),
    /// The manifest begins, and the last archive ends.
    Manifest,
    /// Bytes of what began last.
    Data(Bytes),
    /// Nothing that is kept.
    Nothing,
    /// Everything has come.
    End,
}

/// Reads the replies that carry a base backup. Archives that were not announced, and anything out of order, are
/// refused with a reason.
#[derive(Debug)]
pub(super) struct Transfer {
    dialect: Dialect,
    /// The prefixes of the archives that are still to come, in the order in which they were announced.
    announced: VecDeque<String>,
    /// Whether a COPY is under way.
    copying: bool,
    manifest_begun: bool,
}

impl Transfer {
    /// A transfer of the archives of these tablespaces, in the server's order; `None` is the main one.
    pub(super) fn new(dialect: Dialect, tablespaces: impl IntoIterator<Item = Option<String>>) -> Self {
        let announced = tablespaces.into_iter().map(|oid| prefix(oid.as_deref())).collect();
        Self { dialect, announced, copying: false, manifest_begun: false }
    }

    /// Takes the next reply, the start of the first COPY included.
    pub(super) fn take(&mut self, reply: Reply) -> Result<Arrival, &'static str> {
        match (reply, self.copying) {
            (Reply::CopyOut, false) => {
                self.copying = true;
                match self.dialect {
                    Dialect::Keywords => self.next_in_order(),
                    Dialect::Options => Ok(Arrival::Nothing),
                }
            }
            (Reply::CopyData(payload), true) => match self.dialect {
                Dialect::Keywords => Ok(Arrival::Data(payload)),
                Dialect::Options => self.tagged(&payload),
            },
            (Reply::CopyDone, true) => {
                self.copying = false;
                match self.dialect {
                    Dialect::Keywords if !self.manifest_begun => Ok(Arrival::Nothing),
                    _ => Ok(Arrival::End),
                }
            }
            _ => Err("something else than archives within a base backup"),
        }
    }

    /// Servers before 15 send a COPY for each archive, in the order of the tablespaces' rows, and one for the
    /// manifest.
    fn next_in_order(&mut self) -> Result<Arrival, &'static str> {
        match self.announced.pop_front() {
            Some(prefix) => Ok(Arrival::Archive(prefix)),
            None if self.manifest_begun => Err("a COPY behind the manifest"),
            None => {
                self.manifest_begun = true;
                Ok(Arrival::Manifest)
            }
        }
    }

    /// From 15 on the first byte of a message says what it is.
    fn tagged(&mut self, payload: &Bytes) -> Result<Arrival, &'static str> {
        match (payload.first(), self.manifest_begun) {
            (Some(b'n'), false) => {
                let name = payload[1..].split(|&byte| byte == 0).next().unwrap_or_default();
                let name = std::str::from_utf8(name).ok().and_then(|name| name.strip_suffix(".tar"));
                let wanted = name.map(|oid| prefix(Some(oid).filter(|&oid| oid != "base")));
                let at = self.announced.iter().position(|known| Some(known) == wanted.as_ref());
                at.and_then(|at| self.announced.remove(at))
                    .map(Arrival::Archive)
                    .ok_or("an archive of no known tablespace")
            }
            (Some(b'm'), false) => {
                self.manifest_begun = true;
                Ok(Arrival::Manifest)
            }
            (Some(b'd'), _) => Ok(Arrival::Data(payload.slice(1..))),
            (Some(b'p'), _) => Ok(Arrival::Nothing),
            _ => Err("an unknown message within a base backup"),
        }
    }
}

/// Where an archive's members belong: the main one's at the root, a tablespace's below its link.
fn prefix(oid: Option<&str>) -> String {
    oid.map_or_else(String::new, |oid| format!("pg_tblspc/{oid}/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn transfer(dialect: Dialect) -> Transfer {
        Transfer::new(dialect, [Some("16385".to_owned()), None])
    }

    fn data(payload: &'static [u8]) -> Reply {
        Reply::CopyData(Bytes::from_static(payload))
    }

    fn arrivals(dialect: Dialect, replies: Vec<Reply>) -> Result<Vec<Arrival>, &'static str> {
        let mut transfer = transfer(dialect);
        let mut found = Vec::new();
        for reply in replies {
            match transfer.take(reply)? {
                Arrival::Nothing => {}
                arrival => found.push(arrival),
            }
        }
        Ok(found)
    }

    fn wanted() -> Vec<Arrival> {
        vec![
            Arrival::Archive("pg_tblspc/16385/".to_owned()),
            Arrival::Data(Bytes::from_static(b"one")),
            Arrival::Archive(String::new()),
            Arrival::Data(Bytes::from_static(b"n two")),
            Arrival::Manifest,
            Arrival::Data(Bytes::from_static(b"{}")),
            Arrival::End,
        ]
    }

    #[test]
    fn before_15_each_archive_has_its_copy() {
        let replies = vec![
            Reply::CopyOut,
            data(b"one"),
            Reply::CopyDone,
            Reply::CopyOut,
            data(b"n two"),
            Reply::CopyDone,
            Reply::CopyOut,
            data(b"{}"),
            Reply::CopyDone,
        ];
        assert_eq!(arrivals(Dialect::Keywords, replies).unwrap(), wanted());
    }

    #[test]
    fn from_15_on_each_message_says_what_it_is() {
        let replies = vec![
            Reply::CopyOut,
            data(b"n16385.tar\0/place\0"),
            data(b"done"),
            data(b"p\0\0\0\0\0\0\0\x01"),
            data(b"nbase.tar\0\0"),
            data(b"dn two"),
            data(b"m"),
            data(b"d{}"),
            Reply::CopyDone,
        ];
        assert_eq!(arrivals(Dialect::Options, replies).unwrap(), wanted());
    }

    #[test]
    fn what_was_not_announced_is_refused() {
        let whole = || {
            (0..3).flat_map(|_| [Reply::CopyOut, Reply::CopyDone]).chain([Reply::CopyOut]).collect::<Vec<_>>()
        };
        for (dialect, replies, wanted) in [
            (Dialect::Keywords, whole(), "a COPY behind the manifest"),
            (Dialect::Keywords, vec![data(b"x")], "something else"),
            (Dialect::Keywords, vec![Reply::CopyOut, Reply::CopyOut], "something else"),
            (Dialect::Options, vec![Reply::CopyOut, data(b"n16386.tar\0\0")], "no known tablespace"),
            (Dialect::Options, vec![Reply::CopyOut, data(b"nbase.tar\0"), data(b"nbase.tar\0")], "no known"),
            (Dialect::Options, vec![Reply::CopyOut, data(b"m"), data(b"m")], "unknown message"),
            (Dialect::Options, vec![Reply::CopyOut, data(b"")], "unknown message"),
        ] {
            assert!(arrivals(dialect, replies).unwrap_err().contains(wanted), "{wanted}");
        }
    }

    proptest! {
        #[test]
        fn any_replies_are_taken_or_refused(
            old: bool, replies in proptest::collection::vec((0..3, any::<Vec<u8>>()), 0..40),
        ) {
            let mut transfer = transfer(if old { Dialect::Keywords } else { Dialect::Options });
            let mut archives = 0;
            for (kind, payload) in replies {
                let reply = match kind {
                    0 => Reply::CopyOut,
                    1 => Reply::CopyDone,
                    _ => Reply::CopyData(payload.into()),
                };
                archives += usize::from(matches!(transfer.take(reply), Ok(Arrival::Archive(_))));
            }
            prop_assert!(archives <= 2);
        }
    }
}

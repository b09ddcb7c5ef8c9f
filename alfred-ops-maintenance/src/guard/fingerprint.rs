//! What a database is like, apart from its rows.

use std::collections::BTreeMap;

use alfred_ops_core::Result;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use super::catalogue::OBJECTS;
use crate::postgres::Session;

/// So many objects are told apart in a state document; beyond that only whether anything differs.
const OBJECTS_MAX: usize = 8_000;
/// Digits of a hash that are kept for each object.
const HASH_DIGITS: usize = 12;
const WHOLE: &str = "the schema";

/// What a database is like, apart from its rows: every object with a hash of its definition, owner and rights, and how far
/// each sequence has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    objects: BTreeMap<String, String>,
    sequences: BTreeMap<String, SequenceValue>,
}

/// How far a sequence has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct SequenceValue {
    last: i64,
    ascends: bool,
}

/// How two looks at a database differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Difference {
    /// Objects that are gone, new or otherwise.
    pub(super) objects: Vec<String>,
    /// Tables whose columns are the same in another order.
    pub(super) orders: Vec<String>,
    /// Sequences that would give a number twice, with the last one they gave, in SQL's words.
    pub(super) behind: Vec<(String, i64)>,
}

impl Fingerprint {
    /// Looks at the database. The session's search path must be `pg_catalog`, so that names are written alike.
    pub(super) async fn take(session: &mut Session) -> Result<Self> {
        let read: std::result::Result<Vec<(String, String)>, _> =
            sqlx::query_as(AssertSqlSafe(OBJECTS)).fetch_all(&mut session.connection).await;
        let rows = read.map_err(|source| session.failed("look at the schema", source))?;
        let read: std::result::Result<Vec<(String, i64, bool)>, _> = sqlx::query_as(
            "SELECT format('%I.%I', schemaname, sequencename), last_value, increment_by > 0 FROM pg_sequences \
             WHERE last_value IS NOT NULL ORDER BY 1",
        )
        .fetch_all(&mut session.connection)
        .await;
        let sequences = read.map_err(|source| session.failed("look at sequences", source))?;
        let mut objects: BTreeMap<String, String> = rows
            .into_iter()
            .map(|(object, hash)| (object, hash.chars().take(HASH_DIGITS).collect()))
            .collect();
        if objects.len() > OBJECTS_MAX {
            objects = BTreeMap::from([(WHOLE.to_owned(), whole(session, &objects).await?)]);
        }
        let sequences = sequences
            .into_iter()
            .take(OBJECTS_MAX)
            .map(|(name, last, ascends)| (name, SequenceValue { last, ascends }))
            .collect();
        Ok(Self { objects, sequences })
    }

    /// Whether it is known that this object was not there.
    pub(super) fn lacks(&self, object: &str) -> bool {
        !self.objects.contains_key(object) && !self.objects.contains_key(WHOLE)
    }

    /// How `now` differs from this.
    pub(super) fn differs(&self, now: &Self) -> Difference {
        let mut difference = Difference::default();
        let mut note = |object: &str, what: &str| match object.strip_prefix("columns of ") {
            Some(table) if what == "differs" => difference.orders.push(table.to_owned()),
            Some(_) => {}
            None => difference.objects.push(format!("{object} {what}")),
        };
        for (object, hash) in &self.objects {
            match now.objects.get(object) {
                None => note(object, "is gone"),
                Some(other) if other != hash => note(object, "differs"),
                Some(_) => {}
            }
        }
        for object in now.objects.keys().filter(|object| !self.objects.contains_key(*object)) {
            note(object, "is new");
        }
        // With a column gone or new the order says nothing more.
        let objects = &difference.objects;
        difference.orders.retain(|table| {
            let column = format!("column {table}.");
            !objects.iter().any(|object| object.starts_with(&column))
        });
        for (name, before) in &self.sequences {
            let is_behind = match now.sequences.get(name) {
                Some(value) if before.ascends => value.last < before.last,
                Some(value) => value.last > before.last,
                // Without a value it begins anew; one that is gone is an object that differs.
                None => now.objects.is_empty() || now.objects.contains_key(&format!("sequence {name}")),
            };
            if is_behind {
                difference.behind.push((name.clone(), before.last));
            }
        }
        difference
    }
}

/// One hash of all.
async fn whole(session: &mut Session, objects: &BTreeMap<String, String>) -> Result<String> {
    let text: String = objects.iter().flat_map(|(object, hash)| [object.as_str(), hash, "\n"]).collect();
    let hash = sqlx::query_scalar("SELECT md5($1)").bind(text).fetch_one(&mut session.connection).await;
    hash.map_err(|source| session.failed("look at the schema", source))
}

/// Brings sequences back to where they were. Nothing that they gave since is given again.
pub(super) async fn raise_sequences(session: &mut Session, behind: &[(String, i64)]) -> Result<()> {
    for (name, last) in behind {
        let set = sqlx::query("SELECT setval($1::regclass, $2)").bind(name).bind(last);
        let set = set.execute(&mut session.connection).await;
        set.map_err(|source| session.failed("set a sequence", source))?;
        tracing::warn!(sequence = name, last, "a sequence was behind, and is not any more");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(objects: &[(&str, &str)], sequences: &[(&str, i64, bool)]) -> Fingerprint {
        Fingerprint {
            objects: objects.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect(),
            sequences: sequences
                .iter()
                .map(|(name, last, ascends)| {
                    ((*name).to_owned(), SequenceValue { last: *last, ascends: *ascends })
                })
                .collect(),
        }
    }

    #[test]
    fn what_differs_is_named() {
        let before = fingerprint(
            &[("column public.t.a", "1"), ("columns of public.t", "1"), ("index public.i", "1")],
            &[("public.up", 10, true), ("public.down", -10, false), ("public.ahead", 10, true)],
        );
        let after = fingerprint(
            &[("column public.t.a", "2"), ("columns of public.t", "2"), ("view public.v", "1")],
            &[("public.up", 3, true), ("public.down", -3, false), ("public.ahead", 12, true)],
        );
        let difference = before.differs(&after);
        assert_eq!(
            difference.objects,
            ["column public.t.a differs", "index public.i is gone", "view public.v is new"]
        );
        assert_eq!(difference.orders, Vec::<String>::new(), "the column itself says it");
        assert_eq!(difference.behind, [("public.down".to_owned(), -10), ("public.up".to_owned(), 10)]);
        assert_eq!(before.differs(&before), Difference::default());
    }

    #[test]
    fn an_order_of_columns_is_told_apart() {
        let before = fingerprint(&[("column public.t.a", "1"), ("columns of public.t", "1")], &[]);
        let after = fingerprint(&[("column public.t.a", "1"), ("columns of public.t", "2")], &[]);
        let difference = before.differs(&after);
        assert_eq!((difference.objects.len(), difference.orders), (0, vec!["public.t".to_owned()]));
    }
}

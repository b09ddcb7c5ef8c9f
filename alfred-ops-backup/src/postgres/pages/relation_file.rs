//! Which files hold pages of relations.

/// Pages of one file of a relation: files are cut at 1 GiB.
const SEGMENT_BLOCKS: u32 = 131_072;
const TABLESPACE_DEFAULT: u32 = 1663;
const TABLESPACE_GLOBAL: u32 = 1664;

/// One fork of one relation, as the log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::postgres) struct Relation {
    pub(in crate::postgres) tablespace: u32,
    pub(in crate::postgres) database: u32,
    pub(in crate::postgres) relation: u32,
    /// 0 its content, 1 the free space map, 2 the visibility map, 3 what an unlogged one begins with.
    pub(in crate::postgres) fork: u8,
}

/// A file that holds pages of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) struct RelationFile {
    pub(in crate::postgres) relation: Relation,
    /// The number within the relation of the file's first page.
    pub(in crate::postgres) first_block: u32,
}

impl RelationFile {
    /// Reads a path below the data directory: `base/DB/REL`, `global/REL` or `pg_tblspc/OID/PG_xx/DB/REL`, with
    /// `_fsm`, `_vm` or `_init` and a number of the file behind. `None` for every other file.
    pub(in crate::postgres) fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let (tablespace, database, name) = match parts[..] {
            ["base", database, name] => (TABLESPACE_DEFAULT, number(database)?, name),
            ["global", name] => (TABLESPACE_GLOBAL, 0, name),
            ["pg_tblspc", tablespace, version, database, name] if version.starts_with("PG_") => {
                (number(tablespace)?, number(database)?, name)
            }
            _ => return None,
        };
        let (name, segment) = match name.split_once('.') {
            Some((name, segment)) => (name, number(segment)?),
            None => (name, 0),
        };
        let (relation, fork) = match name.split_once('_') {
            None => (name, 0),
            Some((relation, "fsm")) => (relation, 1),
            Some((relation, "vm")) => (relation, 2),
            Some((relation, "init")) => (relation, 3),
            Some(_) => return None,
        };
        Some(Self {
            relation: Relation { tablespace, database, relation: number(relation)?, fork },
            first_block: segment.checked_mul(SEGMENT_BLOCKS)?,
        })
    }
}

/// A number as Postgres writes it: digits only.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_relations() {
        let file = |tablespace, database, relation, fork, first_block| {
            Some(RelationFile { relation: Relation { tablespace, database, relation, fork }, first_block })
        };
        for (path, wanted) in [
            ("base/5/1259", file(1663, 5, 1259, 0, 0)),
            ("base/5/1259.2", file(1663, 5, 1259, 0, 262_144)),
            ("base/5/1259_fsm", file(1663, 5, 1259, 1, 0)),
            ("base/5/1259_vm.1", file(1663, 5, 1259, 2, 131_072)),
            ("base/5/1259_init", file(1663, 5, 1259, 3, 0)),
            ("global/1262", file(1664, 0, 1262, 0, 0)),
            ("pg_tblspc/16400/PG_15_202209061/5/16401", file(16400, 5, 16401, 0, 0)),
            ("base/5/pg_filenode.map", None),
            ("base/5/PG_VERSION", None),
            ("base/5/t3_16390", None),
            ("base/5/1259_odd", None),
            ("base/5/1259.x", None),
            ("base/5/+7", None),
            ("global/pg_control", None),
            ("pg_xact/0000", None),
            ("pg_tblspc/16400", None),
            ("16400", None),
        ] {
            assert_eq!(RelationFile::of(path), wanted, "{path}");
        }
    }
}

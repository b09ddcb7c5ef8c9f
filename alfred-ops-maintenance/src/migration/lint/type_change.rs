//! Which changes of a column's type leave the table as it is.

/// Whether Postgres changes `from` into `to` without reading or writing rows: what is stored means the same, and everything
/// that was allowed still is. Types as `format_type` writes them; what stands behind a type, such as `COLLATE` or `USING`, makes
/// it another one.
pub(super) fn is_free(from: &str, to: &str) -> bool {
    let says_more =
        |text: &str| text.to_lowercase().split_whitespace().any(|word| matches!(word, "collate" | "using"));
    if says_more(from) || says_more(to) {
        return false;
    }
    let (from, to) = (Type::of(from), Type::of(to));
    if from == to {
        return true;
    }
    match (from.name.as_str(), to.name.as_str()) {
        ("varchar", "text") | ("cidr", "inet") => true,
        ("varchar", "varchar") | ("varbit", "varbit") | ("timestamp" | "timestamptz" | "time", _)
            if from.name == to.name =>
        {
            is_wider(&from.sizes, &to.sizes)
        }
        ("numeric", "numeric") => match (from.sizes.as_slice(), to.sizes.as_slice()) {
            (_, []) => true,
            ([digits, scale], [more, same]) => more >= digits && scale == same,
            ([digits], [more]) => more >= digits,
            _ => false,
        },
        _ => false,
    }
}

/// No limit is the widest.
fn is_wider(from: &[u32], to: &[u32]) -> bool {
    match (from.first(), to.first()) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(from), Some(to)) => to >= from,
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Type {
    name: String,
    sizes: Vec<u32>,
}

impl Type {
    fn of(text: &str) -> Self {
        let text = text.to_lowercase();
        let (before, rest) = text.split_once('(').unwrap_or((&text, ""));
        let (sizes, behind) = rest.split_once(')').unwrap_or(("", ""));
        let name = format!("{} {}", before.trim(), behind.trim());
        let name = match name.trim() {
            "character varying" => "varchar",
            "bit varying" => "varbit",
            "decimal" => "numeric",
            "timestamp without time zone" => "timestamp",
            "timestamp with time zone" => "timestamptz",
            "int" | "int4" => "integer",
            "int8" => "bigint",
            "bool" => "boolean",
            other => other,
        };
        let sizes = sizes.split(',').filter_map(|size| size.trim().parse().ok()).collect();
        Self { name: name.to_owned(), sizes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_must_mean_the_same() {
        for (from, to) in [
            ("character varying(20)", "varchar(40)"),
            ("varchar(20)", "text"),
            ("varchar(20)", "varchar"),
            ("numeric(10,2)", "numeric ( 12 , 2 )"),
            ("numeric(10,2)", "numeric"),
            ("cidr", "inet"),
            ("timestamp(3) without time zone", "timestamp"),
            ("bit varying(8)", "varbit(9)"),
            ("int", "integer"),
        ] {
            assert!(is_free(from, to), "{from} to {to}");
        }
        for (from, to) in [
            ("varchar(40)", "varchar(20)"),
            ("text", "varchar(20)"),
            ("integer", "bigint"),
            ("numeric(10,2)", "numeric(12,3)"),
            ("timestamp", "timestamptz"),
            ("text", "jsonb"),
            ("char(4)", "char(8)"),
            ("varchar", "varchar(9)"),
            ("numeric(10,2)", "numeric ( 12 , 3 )"),
            ("varchar(20)", "varchar ( 40 ) collate C"),
            ("varchar(20) collate \"C\"", "varchar(40)"),
            ("text collate \"C\"", "text"),
            ("varchar(20)", "text using lower ( name )"),
        ] {
            assert!(!is_free(from, to), "{from} to {to}");
        }
    }
}

//! Names of tables and columns.

use std::fmt;
use std::str::FromStr;

use alfred_ops_core::{Error, ErrorKind};

/// Postgres cuts longer identifiers, silently.
const IDENTIFIER_BYTES_MAX: usize = 63;

/// A table with its schema. `Display` is quoted and safe to stand in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    schema: String,
    table: String,
}

impl FromStr for TableName {
    type Err = Error;

    /// Reads `schema.table`, or `table` for the schema `public`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (schema, table) = text.split_once('.').unwrap_or(("public", text));
        check_identifier("table", schema)?;
        check_identifier("table", table)?;
        Ok(Self { schema: schema.to_owned(), table: table.to_owned() })
    }
}

impl TableName {
    /// The schema, as the catalog has it.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table, as the catalog has it.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// A name that the catalog gave.
    pub(crate) fn of_catalog(schema: String, table: String) -> Self {
        Self { schema, table }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.table))
    }
}

/// An identifier as it stands in SQL.
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

pub(crate) fn check_identifier(field: &'static str, identifier: &str) -> Result<(), Error> {
    if identifier.is_empty() || identifier.len() > IDENTIFIER_BYTES_MAX || identifier.contains(['\0', '.']) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "read policy",
            format!("{field}: {identifier:?} is no identifier"),
        )
        .with_remedy("write schema.table, each of 1 to 63 bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_checked() {
        assert_eq!(
            "processed_msgs".parse::<TableName>().unwrap().to_string(),
            "\"public\".\"processed_msgs\""
        );
        assert_eq!("a\"; DROP.b".parse::<TableName>().unwrap().to_string(), "\"a\"\"; DROP\".\"b\"");
        for bad in ["", "a.b.c", ".b", "x\0"] {
            assert!(bad.parse::<TableName>().unwrap_err().to_string().contains("no identifier"), "{bad:?}");
        }
    }
}

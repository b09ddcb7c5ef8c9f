//! What a query inserts into, read from its text.

/// An INSERT of a query: a table as it is written, and its columns if they are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Insert {
    /// Without its schema, in lower case unless it is quoted.
    pub(super) table: String,
    /// None if they are not named.
    pub(super) columns: Option<Vec<String>>,
}

/// Every INSERT of `sql`, within a WITH too. Texts and comments are not told from code: what they say of INSERT INTO counts.
pub(super) fn inserts(sql: &str) -> Vec<Insert> {
    let words = words(sql);
    let mut found = Vec::new();
    for (place, pair) in words.windows(2).enumerate() {
        if pair[0] != "insert" || pair[1] != "into" {
            continue;
        }
        let mut rest = words.iter().skip(place + 2).map(String::as_str).peekable();
        let Some(mut table) = rest.next() else { continue };
        while rest.next_if_eq(&".").is_some() {
            table = rest.next().unwrap_or(table);
        }
        if rest.next_if_eq(&"as").is_some() {
            rest.next();
        }
        let columns = rest.next_if_eq(&"(").map(|_| {
            let list = rest.take_while(|word| *word != ")").filter(|word| *word != ",");
            list.map(str::to_owned).collect::<Vec<_>>()
        });
        let is_query = |columns: &Vec<String>| columns.first().is_some_and(|first| first == "select");
        found.push(Insert { table: table.to_owned(), columns: columns.filter(|columns| !is_query(columns)) });
    }
    found
}

/// Names in lower case, or as they stand between quotes; every other sign for itself.
fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut signs = sql.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '"' {
            words.push(signs.by_ref().take_while(|sign| *sign != '"').collect());
        } else if sign.is_alphanumeric() || sign == '_' {
            let mut word: String = sign.to_lowercase().collect();
            while let Some(sign) = signs.next_if(|sign| sign.is_alphanumeric() || *sign == '_') {
                word.extend(sign.to_lowercase());
            }
            words.push(word);
        } else if !sign.is_whitespace() {
            words.push(sign.to_string());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, expected: &[(&str, Option<&[&str]>)]) {
        let expected: Vec<Insert> = expected
            .iter()
            .map(|(table, columns)| Insert {
                table: (*table).to_owned(),
                columns: columns.map(|columns| columns.iter().map(|&column| column.to_owned()).collect()),
            })
            .collect();
        assert_eq!(inserts(sql), expected, "{sql}");
    }

    #[test]
    fn tables_and_columns_are_read() {
        check("INSERT INTO tasks (id, Status) VALUES ($1, 'new')", &[("tasks", Some(&["id", "status"]))]);
        check("insert into public.\"Tasks\" AS t (\"Id\") select 1", &[("Tasks", Some(&["Id"]))]);
        check("INSERT INTO tasks VALUES (1)", &[("tasks", None)]);
        check("INSERT INTO tasks (SELECT 1)", &[("tasks", None)]);
        check(
            "WITH a AS (INSERT INTO x (y) VALUES (1) RETURNING y) INSERT INTO z DEFAULT VALUES",
            &[("x", Some(&["y"])), ("z", None)],
        );
        check("SELECT 1", &[]);
        check("INSERT INTO", &[]);
    }
}

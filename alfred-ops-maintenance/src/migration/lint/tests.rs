use super::*;

/// A line of a file of cases. Before it may stand, in this order: `~`, where facts are known; a server's version; `!`, which
/// runs it outside of a transaction.
fn lint(case: &str) -> Vec<MigrationFinding> {
    let (mut lint, mut sql) = (MigrationLint::new(), case);
    if let Some(rest) = sql.strip_prefix("~ ") {
        (lint, sql) = (with_facts(), rest);
    }
    if let Some((version, rest)) = sql.split_once(' ')
        && let Ok(version) = version.parse()
    {
        (lint, sql) = (lint.for_server(version), rest);
    }
    match sql.strip_prefix("! ") {
        Some(sql) => lint.check("case", &format!("-- no-transaction\n{sql}")),
        None => lint.check("case", sql),
    }
}

/// A partitioned table and a plain one, and domains: with constraints and without, with a default, in small tables.
fn with_facts() -> MigrationLint {
    let (tasks, events) = (MigratedTable::new(20 << 30), MigratedTable::new(20 << 30));
    MigrationLint::new()
        .with_table("tasks", tasks.with_index("tasks_status").with_index("twin"))
        .with_table("events", events.partitioned().with_index("events_at").with_index("twin"))
        .with_domain("email", MigratedDomain::new(20 << 30).constrained())
        .with_domain("label", MigratedDomain::new(20 << 30))
        .with_domain("token", MigratedDomain::new(20 << 30).with_volatile_default())
        .with_domain("rare", MigratedDomain::new(64 << 10).constrained())
}

fn cases(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

#[test]
fn what_is_dangerous_is_found() {
    let mut missed = Vec::new();
    let mut count = 0;
    for case in cases(include_str!("cases/unsafe.txt")) {
        let (rule, sql) = case.split_once(" | ").unwrap();
        count += 1;
        let found: Vec<_> =
            lint(sql).into_iter().filter(|finding| finding.risk < MigrationRisk::Notice).collect();
        if !found.iter().any(|finding| finding.rule == rule) {
            missed
                .push(format!("{case}: {:?}", found.iter().map(|finding| finding.rule).collect::<Vec<_>>()));
        }
    }
    assert!(count >= 120 && missed.is_empty(), "{} of {count} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn what_is_not_dangerous_is_left_alone() {
    let mut alarms = Vec::new();
    let mut count = 0;
    for case in cases(include_str!("cases/safe.txt")) {
        count += 1;
        let found = lint(case).into_iter().filter(|finding| finding.risk < MigrationRisk::Notice);
        alarms.extend(found.map(|finding| format!("{case}: {finding}")));
    }
    assert!(
        count >= 150 && alarms.is_empty(),
        "{} false alarms in {count}:\n{}",
        alarms.len(),
        alarms.join("\n")
    );
}

#[test]
fn what_is_known_of_tables_counts() {
    let facts = MigratedTable::new(20 << 30).with_column("name", "character varying(20)");
    let lint =
        MigrationLint::new().with_table("tasks", facts).with_table("settings", MigratedTable::new(64 << 10));
    let risks = |sql: &str| -> Vec<(&str, MigrationRisk)> {
        lint.check("case", sql).iter().map(|finding| (finding.rule, finding.risk)).collect()
    };
    assert_eq!(risks("ALTER TABLE tasks ALTER COLUMN name TYPE varchar(40);"), []);
    assert_eq!(risks("ALTER TABLE tasks ALTER COLUMN name TYPE text;"), []);
    assert_eq!(
        risks("ALTER TABLE tasks ALTER COLUMN name TYPE text USING lower(name);"),
        [("type-change-rewrites", MigrationRisk::Blocks)]
    );
    assert_eq!(
        risks("ALTER TABLE tasks ALTER COLUMN name TYPE varchar(10);"),
        [("type-change-rewrites", MigrationRisk::Blocks)]
    );
    // Each action is judged by itself.
    assert_eq!(risks("ALTER TABLE tasks ADD COLUMN a text, ALTER COLUMN name TYPE varchar(40);"), []);
    for rest in [
        "ALTER COLUMN id TYPE bigint",
        "ALTER name TYPE varchar(40) COLLATE \"C\"",
        "ALTER name SET DATA TYPE int",
    ] {
        assert_eq!(
            risks(&format!("ALTER TABLE tasks ALTER COLUMN name TYPE varchar(40), {rest};")),
            [("type-change-rewrites", MigrationRisk::Blocks)],
            "{rest}"
        );
    }
    assert_eq!(risks("LOCK TABLE settings, tasks;"), [("lock-table", MigrationRisk::Blocks)]);
    assert_eq!(
        risks("CREATE INDEX i ON public.settings (name);"),
        [("index-not-concurrent", MigrationRisk::Notice)]
    );
    assert_eq!(risks("DROP TABLE settings;"), [("table-dropped", MigrationRisk::Breaks)]);
}

/// A rule's finding has one rewrite, and it is one that Postgres takes.
#[test]
fn a_constraint_that_cannot_be_not_valid_is_not_said_to_become_so() {
    for (sql, rule) in [
        ("ALTER TABLE tasks ADD UNIQUE (key);", "unique-builds-index"),
        ("ALTER TABLE tasks ADD PRIMARY KEY (id);", "primary-key-builds-index"),
        ("ALTER TABLE tasks ADD EXCLUDE USING gist (during WITH &&);", "exclusion-builds-index"),
        ("ALTER TABLE tasks ADD FOREIGN KEY (a) REFERENCES agents (id);", "foreign-key-validates-at-once"),
    ] {
        let rules: Vec<&str> = lint(sql).iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, [rule], "{sql}");
    }
}

#[test]
fn a_partitioned_table_is_told_how_else() {
    let instead = |case: &str| {
        let findings = lint(case);
        assert_eq!(findings.len(), 1, "{case}: {findings:?}");
        findings.into_iter().map(|finding| (finding.risk, finding.instead)).next().unwrap()
    };
    for (case, words) in [
        ("~ CREATE INDEX i ON events (kind);", "ON ONLY the table"),
        ("~ ! CREATE INDEX CONCURRENTLY i ON events (kind);", "ATTACH PARTITION"),
        ("~ ALTER TABLE events ADD FOREIGN KEY (a) REFERENCES agents (id);", "NOT VALID on each partition"),
        ("~ ALTER TABLE events ADD UNIQUE (at, key);", "ALTER TABLE ONLY"),
        ("~ ALTER TABLE events ADD PRIMARY KEY (at, id);", "SET NOT NULL first"),
    ] {
        assert!(instead(case).1.contains(words), "{case}: {}", instead(case).1);
    }
    for (case, words) in [
        ("~ 18 ALTER TABLE events ADD FOREIGN KEY (a) REFERENCES agents (id);", "on each partition"),
        ("~ CREATE INDEX i ON tasks (kind);", "ON ONLY"),
        ("~ ALTER TABLE tasks ADD UNIQUE (key);", "ALTER TABLE ONLY"),
    ] {
        assert!(!instead(case).1.contains(words), "{case}: {}", instead(case).1);
    }
    // No other way exists, and it takes no longer on a large table.
    assert_eq!(instead("~ DROP INDEX events_at;").0, MigrationRisk::Notice);
}

#[test]
fn findings_say_where_they_are_and_come_in_order() {
    let sql = "ALTER TABLE tasks ADD COLUMN note text;\n\n  DROP TABLE agents;\n/* ä */ VACUUM FULL tasks;\n";
    let shown: Vec<String> = MigrationLint::new()
        .check("7.sql", sql)
        .iter()
        .map(|finding| format!("{}:{} {} {:?}", finding.line, finding.column, finding.rule, finding.table))
        .collect();
    assert_eq!(
        shown,
        [
            "3:3 table-dropped Some(\"agents\")",
            "4:9 vacuum-full Some(\"tasks\")",
            "4:9 not-in-a-transaction Some(\"tasks\")",
        ]
    );
}

use super::*;

/// A line of a file of cases: outside of a transaction behind `!`.
fn lint(case: &str) -> Vec<MigrationFinding> {
    match case.strip_prefix("! ") {
        Some(sql) => MigrationLint::new().check("case", &format!("-- no-transaction\n{sql}")),
        None => MigrationLint::new().check("case", case),
    }
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
    assert!(count >= 40 && missed.is_empty(), "{} of {count} missed:\n{}", missed.len(), missed.join("\n"));
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
        count >= 100 && alarms.is_empty(),
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

//! Changes that destroy something.

/// What they destroy.
pub(crate) const PLATFORM: &str = "
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE TABLE tasks (
    id bigserial PRIMARY KEY, title text NOT NULL, priority int NOT NULL DEFAULT 3,
    status text NOT NULL DEFAULT 'pending' CONSTRAINT known_status CHECK (status IN ('pending', 'completed', 'failed')),
    note varchar(40));
CREATE TABLE task_results (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb,
    task_id bigint CONSTRAINT of_task REFERENCES tasks ON DELETE CASCADE, score numeric(10, 4));
CREATE TABLE agents (id int PRIMARY KEY, name text CONSTRAINT one_name UNIQUE, feeling mood);
CREATE TABLE events (at date, id int, what text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE INDEX tasks_status ON tasks (status) WHERE status <> 'completed';
CREATE VIEW open_tasks AS SELECT id, title FROM tasks WHERE status = 'pending';
CREATE FUNCTION cleaned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := trim(NEW.title); RETURN NEW; END $$;
CREATE TRIGGER clean BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION cleaned();
CREATE FUNCTION nearly(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 2';
CREATE OPERATOR ~= (LEFTARG = int, RIGHTARG = int, FUNCTION = nearly);
CREATE FUNCTION mood_of(int) RETURNS mood LANGUAGE sql IMMUTABLE AS 'SELECT ''calm''::mood';
CREATE CAST (int AS mood) WITH FUNCTION mood_of(int);
CREATE AGGREGATE total(int) (SFUNC = int4_sum, STYPE = bigint);
CREATE COLLATION plain (provider = libc, locale = 'C');
CREATE PUBLICATION board FOR TABLE tasks;
GRANT SELECT, UPDATE ON tasks TO app;
ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON agents TO app USING (name = current_user);
INSERT INTO tasks (title, priority, note) SELECT 'task ' || g, g % 5 + 1, repeat('n', g % 30) FROM generate_series(1, 200) g;
INSERT INTO task_results (task_id, body, score) SELECT g, jsonb_build_object('g', g), g / 7.0 FROM generate_series(1, 200) g;
INSERT INTO agents SELECT g, 'agent ' || g, CASE g % 2 WHEN 0 THEN 'calm' ELSE 'busy' END::mood FROM generate_series(1, 9) g;
INSERT INTO events SELECT date '2026-01-01' + g, g, 'event ' || g FROM generate_series(1, 50) g;
";

/// Parents first.
pub(crate) const TABLES: [&str; 4] = ["tasks", "task_results", "agents", "events"];

/// How a change that has committed is brought back, given its way down, a side server, and leave to copy rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Back {
    /// The way down brings everything back.
    Down,
    /// Sequences alone have to be set.
    Sequences,
    /// The way down brings the schema back, and rows are copied.
    Rows,
    /// The side server alone has it all.
    Aside,
}

pub(crate) struct Destruction {
    pub(crate) name: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: Option<&'static str>,
    pub(crate) back: Back,
}

const fn case(name: &'static str, up: &'static str, down: Option<&'static str>, back: Back) -> Destruction {
    Destruction { name, up, down, back }
}

pub(crate) const DESTRUCTIONS: [Destruction; 27] = [
    case(
        "drop a column",
        "ALTER TABLE tasks DROP COLUMN note",
        Some("ALTER TABLE tasks ADD COLUMN note varchar(40)"),
        Back::Rows,
    ),
    case("drop a table", "DROP TABLE task_results", None, Back::Aside),
    case("truncate", "TRUNCATE tasks RESTART IDENTITY CASCADE", None, Back::Rows),
    case("wrong update", "UPDATE tasks SET priority = 1, title = 'x' WHERE id > 50", None, Back::Rows),
    case("delete without where", "DELETE FROM task_results", None, Back::Rows),
    case(
        "a type that cuts",
        "ALTER TABLE tasks ALTER note TYPE varchar(3) USING left(note, 3)",
        Some("ALTER TABLE tasks ALTER note TYPE varchar(40)"),
        Back::Rows,
    ),
    case(
        "a type that rounds",
        "ALTER TABLE task_results ALTER score TYPE numeric(10, 1)",
        Some("ALTER TABLE task_results ALTER score TYPE numeric(10, 4)"),
        Back::Rows,
    ),
    case(
        "a bad default",
        "ALTER TABLE tasks ALTER status SET DEFAULT 'failed'",
        Some("ALTER TABLE tasks ALTER status SET DEFAULT 'pending'"),
        Back::Down,
    ),
    case(
        "a dropped constraint and bad rows",
        "ALTER TABLE tasks DROP CONSTRAINT known_status; UPDATE tasks SET status = 'odd' WHERE id % 9 = 0",
        Some(
            "UPDATE tasks SET status = 'failed' WHERE status = 'odd'; ALTER TABLE tasks ADD CONSTRAINT known_status \
             CHECK (status IN ('pending', 'completed', 'failed'))",
        ),
        Back::Rows,
    ),
    case(
        "a renamed column",
        "ALTER TABLE tasks RENAME title TO subject",
        Some("ALTER TABLE tasks RENAME subject TO title"),
        Back::Down,
    ),
    case(
        "a lost index",
        "DROP INDEX tasks_status",
        Some("CREATE INDEX tasks_status ON tasks (status) WHERE status <> 'completed'"),
        Back::Down,
    ),
    case(
        "a broken function",
        "CREATE OR REPLACE FUNCTION cleaned() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        Some(
            "CREATE OR REPLACE FUNCTION cleaned() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.title := trim(NEW.title); RETURN NEW; END $$",
        ),
        Back::Down,
    ),
    case(
        "a dropped trigger",
        "DROP TRIGGER clean ON tasks",
        Some("CREATE TRIGGER clean BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION cleaned()"),
        Back::Down,
    ),
    case("a sequence set back", "SELECT setval('tasks_id_seq', 1)", None, Back::Sequences),
    case(
        "a wrong backfill",
        "ALTER TABLE tasks ADD COLUMN weight int; UPDATE tasks SET weight = priority, priority = 0; \
         INSERT INTO tasks (title) SELECT 'stray' FROM generate_series(1, 20)",
        Some("ALTER TABLE tasks DROP COLUMN weight"),
        Back::Rows,
    ),
    case(
        "a renamed value of an enum",
        "ALTER TYPE mood RENAME VALUE 'calm' TO 'quiet'",
        Some("ALTER TYPE mood RENAME VALUE 'quiet' TO 'calm'"),
        Back::Down,
    ),
    case(
        "a broken view",
        "CREATE OR REPLACE VIEW open_tasks AS SELECT id, title FROM tasks WHERE status = 'completed'",
        Some("CREATE OR REPLACE VIEW open_tasks AS SELECT id, title FROM tasks WHERE status = 'pending'"),
        Back::Down,
    ),
    case(
        "lost grants and another owner",
        "REVOKE ALL ON tasks FROM app; ALTER TABLE agents OWNER TO app",
        Some("GRANT SELECT, UPDATE ON tasks TO app; ALTER TABLE agents OWNER TO postgres"),
        Back::Down,
    ),
    case("a dropped partition", "DROP TABLE events_1", None, Back::Aside),
    case(
        "a dropped reference and orphans",
        "ALTER TABLE task_results DROP CONSTRAINT of_task; DELETE FROM tasks WHERE id % 2 = 0",
        Some(
            "DELETE FROM task_results r WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = r.task_id); \
             ALTER TABLE task_results ADD CONSTRAINT of_task FOREIGN KEY (task_id) REFERENCES tasks ON DELETE CASCADE",
        ),
        Back::Rows,
    ),
    case(
        "nulls where none were",
        "ALTER TABLE tasks ALTER priority DROP NOT NULL; UPDATE tasks SET priority = NULL",
        Some("UPDATE tasks SET priority = 3; ALTER TABLE tasks ALTER priority SET NOT NULL"),
        Back::Rows,
    ),
    case(
        "a lost operator",
        "DROP OPERATOR ~= (int, int)",
        Some("CREATE OPERATOR ~= (LEFTARG = int, RIGHTARG = int, FUNCTION = nearly)"),
        Back::Down,
    ),
    case(
        "a lost cast",
        "DROP CAST (int AS mood)",
        Some("CREATE CAST (int AS mood) WITH FUNCTION mood_of(int)"),
        Back::Down,
    ),
    case(
        "an aggregate that begins elsewhere",
        "CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4_sum, STYPE = bigint, INITCOND = '7')",
        Some("CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4_sum, STYPE = bigint)"),
        Back::Down,
    ),
    case(
        "a lost collation",
        "DROP COLLATION plain",
        Some("CREATE COLLATION plain (provider = libc, locale = 'C')"),
        Back::Down,
    ),
    case(
        "a publication that publishes more",
        "ALTER PUBLICATION board ADD TABLE agents",
        Some("ALTER PUBLICATION board DROP TABLE agents"),
        Back::Down,
    ),
    case(
        "rows that everybody sees",
        "ALTER TABLE agents DISABLE ROW LEVEL SECURITY; DROP POLICY own ON agents",
        Some(
            "CREATE POLICY own ON agents TO app USING (name = current_user); \
             ALTER TABLE agents ENABLE ROW LEVEL SECURITY",
        ),
        Back::Down,
    ),
];

-- What looks like a defect and is none: the doctor says nothing. Written as defects.sql is.

--! case settings
--! setting archive_mode = on
--! setting archive_command = true
--! setting synchronous_commit = off
-- A role that dumps, and one that tunes.
CREATE ROLE dumper;
ALTER ROLE dumper SET row_security = off;
CREATE ROLE analyst;
ALTER ROLE analyst SET enable_nestloop = off;
SELECT pg_switch_wal();
--! until SELECT archived_count > 0 FROM pg_stat_archiver

--! case valid_leftover_name
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX a_ccnew ON t (a);

--! case unfinished_parent
-- An index of the parent alone is not valid until all partitions have theirs.
CREATE TABLE t (id int PRIMARY KEY, a int) PARTITION BY LIST (id);
CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
CREATE INDEX a ON ONLY t (a);

--! case other_class
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE INDEX plain ON t (a);
CREATE INDEX pattern ON t (a text_pattern_ops);

--! case other_collation
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE INDEX plain ON t (a);
CREATE INDEX c ON t (a COLLATE "C");

--! case other_part
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX plain ON t (a);
CREATE INDEX part ON t (a) WHERE id > 5;
CREATE INDEX other ON t (a) WHERE id > 6;

--! case other_expression
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE INDEX plain ON t (a);
CREATE INDEX lower ON t (lower(a));
CREATE INDEX upper ON t (upper(a));

--! case other_order
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX down ON t (a DESC NULLS LAST);
CREATE INDEX pair ON t (a, b);
CREATE INDEX riap ON t (b, a);

--! case other_method
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX plain ON t (a);
CREATE INDEX hash ON t USING hash (a);
CREATE INDEX brin ON t USING brin (a);

--! case unique_prefix
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE UNIQUE INDEX rule ON t (a);
CREATE INDEX longer ON t (a, b);

--! case carrying
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX short ON t (a) INCLUDE (b);
CREATE INDEX longer ON t (a, id);

--! case unused_rule
-- Nobody scanned it, and it keeps a rule.
CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE);
INSERT INTO t SELECT g, g FROM generate_series(1, 40000) g;
ANALYZE t;

--! case unused_identity
CREATE TABLE t (id int NOT NULL, a text);
INSERT INTO t SELECT g, 'x' FROM generate_series(1, 40000) g;
CREATE UNIQUE INDEX who ON t (id);
ALTER TABLE t REPLICA IDENTITY USING INDEX who;
ANALYZE t;

--! case unused_small
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 5000) g;
CREATE INDEX i ON t (a);
ANALYZE t;

--! case unused_for_key
-- Deletions of parents need it, whenever they come.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 100 FROM generate_series(1, 100000) g;
CREATE INDEX i ON t (parent);
ANALYZE parent;
ANALYZE t;

--! case room_on_purpose
CREATE TABLE t (id int PRIMARY KEY, a text) WITH (fillfactor = 25);
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 20000) g;
ANALYZE t;

--! case room_in_index
CREATE TABLE t (id int, a int, CONSTRAINT key PRIMARY KEY (id) WITH (fillfactor = 20));
INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g;
ANALYZE t;

--! case wide_rows
-- Three rows a page, and a page has room for no fourth.
CREATE TABLE t (id int PRIMARY KEY, a text);
ALTER TABLE t ALTER a SET STORAGE PLAIN;
INSERT INTO t SELECT g, repeat('x', 2500) FROM generate_series(1, 2000) g;
ANALYZE t;

--! case toasted
CREATE TABLE t (id int PRIMARY KEY, a text);
ALTER TABLE t ALTER a SET STORAGE EXTERNAL;
INSERT INTO t SELECT g, repeat(md5(g::text), 300) FROM generate_series(1, 12000) g;
ANALYZE t;

--! case dropped_column
-- The planner does not know how wide what was dropped is.
CREATE TABLE t (id int PRIMARY KEY, a text, b text);
INSERT INTO t SELECT g, 'x', repeat('x', 200) FROM generate_series(1, 12000) g;
ALTER TABLE t DROP b;
ANALYZE t;

--! case many_nulls
CREATE TABLE t (id int PRIMARY KEY, a text, b bigint, c bigint, d bigint);
INSERT INTO t SELECT g, CASE WHEN g % 10 = 0 THEN repeat('x', 100) END, NULL, g, NULL FROM generate_series(1, 30000) g;
ANALYZE t;

--! case random_keys
-- Pages of an index that is filled at random are two thirds full.
CREATE TABLE t (id uuid PRIMARY KEY);
INSERT INTO t SELECT md5(g::text)::uuid FROM generate_series(1, 60000) g;
ANALYZE t;

--! case few_values
-- Equal keys are kept once: small, not bloated. Those of numerics never are: large, not bloated.
CREATE TABLE t (id int PRIMARY KEY, a int, n numeric);
CREATE INDEX a ON t (a);
CREATE INDEX n ON t (n);
INSERT INTO t SELECT g, g % 100, g % 100 FROM generate_series(1, 60000) g;
ANALYZE t;
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE a = 3;
SELECT count(*) FROM t WHERE n = 3;
RESET enable_seqscan;

--! case covered_pair
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, body text, FOREIGN KEY (a, b) REFERENCES parent);
INSERT INTO parent SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, 1 + g % 50, g, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t (b, a, c);
ANALYZE parent;
ANALYZE t;

--! case covered_where_not_null
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t (parent) WHERE parent IS NOT NULL;
ANALYZE parent;
ANALYZE t;

--! case covered_by_hash
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t USING hash (parent);
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE parent = 7;
RESET enable_seqscan;
ANALYZE parent;
ANALYZE t;

--! case covered_by_keyword
-- The server writes the index's name with quotes. Nobody reads it but the key.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent SELECT g FROM generate_series(1, 40000) g;
INSERT INTO t SELECT g, g FROM generate_series(1, 40000) g;
CREATE INDEX "order" ON t (parent);
ANALYZE parent;
ANALYZE t;

--! case key_that_is_not_enforced
--! since 18
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent NOT ENFORCED, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
DELETE FROM parent WHERE id > 90;
ANALYZE parent;
ANALYZE t;

--! case keys_that_empty_other_columns
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES parent ON DELETE SET NULL (a));
ALTER TABLE t ADD FOREIGN KEY (a, b) REFERENCES parent ON DELETE SET NULL (b);

--! case update_from
-- The condition is about the other table's column of that name.
CREATE TABLE t (id int PRIMARY KEY, tenant_id int, body text);
CREATE TABLE u (id int PRIMARY KEY, tenant_id int);
INSERT INTO t SELECT g, g % 5000, repeat('x', 30) FROM generate_series(1, 20000) g;
INSERT INTO u SELECT g, g % 10 FROM generate_series(1, 20) g;
ANALYZE t;
ANALYZE u;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
--! times 60
UPDATE update_from.t SET body = body FROM update_from.u WHERE t.id = u.id AND u.tenant_id = 3;
RESET enable_indexscan;
RESET enable_bitmapscan;
VACUUM t;

--! case nobody_waits
--! setting synchronous_standby_names = ghost
--! setting synchronous_commit = local

--! case small_child
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent VALUES (1), (2);
INSERT INTO t VALUES (1, 1);
DELETE FROM parent WHERE id = 2;

--! case two_keys
-- The same columns refer to two tables, and two columns to the same.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES parent REFERENCES other, b int REFERENCES parent);

--! case wider_key
CREATE TABLE parent (id int PRIMARY KEY, name varchar(20) UNIQUE);
CREATE TABLE t (id int PRIMARY KEY, parent bigint REFERENCES parent, name text REFERENCES parent (name));

--! case small_scans
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 1000) g;
ANALYZE t;
--! times 60
SELECT id FROM small_scans.t WHERE a = 7;

--! case rare_scans
CREATE TABLE t (id int PRIMARY KEY, a int, body text);
INSERT INTO t SELECT g, g, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 20
SELECT id FROM rare_scans.t WHERE a = 7;

--! case whole_table
CREATE TABLE t (id int PRIMARY KEY, a int, body text);
INSERT INTO t SELECT g, g, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 60
SELECT sum(a) FROM whole_table.t;
--! times 60
SELECT count(*) FROM whole_table.t WHERE a > 100;

--! case two_values
-- An index on half of the rows is of no use.
CREATE TABLE t (id int PRIMARY KEY, done bool, body text);
INSERT INTO t SELECT g, g % 2 = 0, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 60
SELECT count(*) FROM two_values.t WHERE done = true AND body = 'y';

--! case function_of_column
CREATE TABLE t (id int PRIMARY KEY, a text, body text);
INSERT INTO t SELECT g, 'k' || g, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 60
SELECT id FROM function_of_column.t WHERE length(a) = 99;

--! case served
CREATE TABLE t (id int PRIMARY KEY, a int, body text);
INSERT INTO t SELECT g, g, repeat('x', 30) FROM generate_series(1, 20000) g;
CREATE INDEX a ON t (a);
ANALYZE t;
--! times 60
SELECT id FROM served.t WHERE a = 7;

--! case cycling_on_purpose
CREATE SEQUENCE s MAXVALUE 10 CYCLE;
CREATE TABLE t (id int PRIMARY KEY, slot int DEFAULT nextval('s'));
SELECT setval('s', 10);

--! case wide_sequence
CREATE TABLE t (id bigserial PRIMARY KEY);
SELECT setval('t_id_seq', 2147483647);

--! case falling_from_the_top
CREATE SEQUENCE s INCREMENT -1 MINVALUE 1 MAXVALUE 1000;
SELECT setval('s', 990);

--! case fresh_sequence
CREATE TABLE t (id smallserial PRIMARY KEY);

--! case some_dead
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g;
DELETE FROM t WHERE id <= 4000;
ANALYZE t;

--! case patient_table
-- Its threshold is its own.
CREATE TABLE t (id int PRIMARY KEY, a int) WITH (autovacuum_vacuum_threshold = 100000);
INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g;
DELETE FROM t WHERE id <= 16000;
ANALYZE t;

--! case still_table
CREATE TABLE t (id int PRIMARY KEY) WITH (autovacuum_enabled = off);
INSERT INTO t VALUES (1);

--! case empty_table
CREATE TABLE t (id int PRIMARY KEY);

--! case remote_estimates
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (use_remote_estimate 'true');
CREATE FOREIGN TABLE f (id int) SERVER far;

--! case temporary
--! hold CREATE TEMPORARY TABLE t (id int); INSERT INTO t VALUES (1)

--! case key_by_another_name
CREATE TABLE t (a int NOT NULL, b int NOT NULL, UNIQUE (a, b));
INSERT INTO t VALUES (1, 1);

--! case empty_keyless
CREATE TABLE t (id int);

--! case policies
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE TABLE u (id int PRIMARY KEY);
CREATE POLICY all_of_it ON u USING (true);
ALTER TABLE u ENABLE ROW LEVEL SECURITY;

--! case populated
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;

--! case empty_default
CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE rest PARTITION OF t DEFAULT;

--! case validated
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT positive;

--! case not_enforced
--! since 18
CREATE TABLE t (id int PRIMARY KEY, CONSTRAINT positive CHECK (id > 0) NOT ENFORCED);

--! case replica_trigger
CREATE TABLE t (id int PRIMARY KEY);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE t ENABLE REPLICA TRIGGER stamp;
CREATE TRIGGER always BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE t ENABLE ALWAYS TRIGGER always;

--! case published
CREATE TABLE inserts (id int);
CREATE TABLE whole (id int);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE own (id int NOT NULL UNIQUE);
ALTER TABLE own REPLICA IDENTITY USING INDEX own_id_key;
CREATE PUBLICATION only_inserts FOR TABLE inserts WITH (publish = 'insert');
CREATE PUBLICATION with_identity FOR TABLE whole, own;

--! case rights
CREATE ROLE builder;
GRANT CREATE ON SCHEMA rights TO builder;
GRANT USAGE ON SCHEMA rights TO PUBLIC;
CREATE TABLE t (id int PRIMARY KEY);
GRANT SELECT ON t TO PUBLIC;
GRANT INSERT ON t TO builder;
ALTER DEFAULT PRIVILEGES IN SCHEMA rights GRANT SELECT ON TABLES TO PUBLIC;

--! case safe_definer
CREATE FUNCTION grow(int) RETURNS int SECURITY DEFINER SET search_path = pg_catalog LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION caller(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';

--! case new_extension
CREATE EXTENSION hstore;

--! case passwords
CREATE ROLE retired NOLOGIN VALID UNTIL '2001-01-01';
CREATE ROLE eternal LOGIN VALID UNTIL 'infinity';

--! case roomy_limits
CREATE ROLE crowd LOGIN CONNECTION LIMIT 9;
--! hold as crowd: SELECT 1

--! case idle_session
--! hold BEGIN; SELECT 1; COMMIT

--! case sharers
-- Locks that do not conflict.
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--! hold BEGIN; SELECT id FROM sharers.t FOR KEY SHARE; SELECT pg_advisory_xact_lock_shared(1)
--! hold BEGIN; SELECT id FROM sharers.t FOR KEY SHARE; SELECT pg_advisory_xact_lock_shared(1)

--! case fresh_prepared
BEGIN; CREATE TABLE t (id int PRIMARY KEY); PREPARE TRANSACTION 'fresh';

--! case empty_slot
-- It holds nothing until somebody has read from it.
SELECT pg_create_physical_replication_slot('empty');

--! case accepted
--! accepts unlogged accepted.cache
CREATE UNLOGGED TABLE cache (id int PRIMARY KEY);

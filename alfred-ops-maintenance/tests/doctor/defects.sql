-- What the doctor has to find, and nothing else. Each case has a schema of its own.
--   --! case NAME            begins a case
--   --! finds FAULT PLACE    what is found
--   --! advises TEXT         what stands in the remedy of one of them
--   --! setting NAME = VALUE of the server
--   --! fails                the next statement fails
--   --! times N              the next statement is run so often
--   --! hold [as ROLE:] SQL  a session that stays open after it
--   --! wait SQL             a session that is busy with it to the end
--   --! until SQL            is asked until it says true
--   --! then SQL             is done before the remedies are tried
-- A statement ends with a line that ends with a semicolon.

--! case settings
--! setting fsync = off
--! setting full_page_writes = off
--! setting autovacuum = off
--! setting password_encryption = md5
--! setting enable_hashjoin = off
--! finds dangerous-setting fsync
--! finds dangerous-setting full_page_writes
--! finds dangerous-setting autovacuum
--! finds dangerous-setting password_encryption
--! finds dangerous-setting enable_hashjoin
--! finds dangerous-setting zero_damaged_pages for role settings_role
--! finds dangerous-setting session_replication_role for role settings_role in database postgres
CREATE ROLE settings_role;
ALTER ROLE settings_role SET zero_damaged_pages = on;
ALTER ROLE settings_role IN DATABASE postgres SET session_replication_role = replica;

--! case failing_archiver
--! setting archive_mode = on
--! setting archive_command = false
--! finds failing-archiver archiver
CREATE TABLE t (id int PRIMARY KEY);
SELECT pg_switch_wal();
--! until SELECT failed_count > 0 FROM pg_stat_archiver

--! case missing_synchronous
--! setting synchronous_standby_names = ghost
--! setting synchronous_commit = local
--! finds missing-synchronous server
-- The server's own commits wait for nobody, those of one role do.
CREATE ROLE waiter;
ALTER ROLE waiter SET synchronous_commit = on;

--! case old_transactions
--! finds old-transactions database postgres
--! finds old-transactions database template0
--! finds old-transactions database template1
CREATE TABLE t (id int PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..60000 LOOP BEGIN INSERT INTO t VALUES (1); RAISE EXCEPTION 'x'; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
VACUUM ANALYZE t;

--! case lost_slot
--! finds lost-slot slot lost
SELECT pg_create_physical_replication_slot('lost', true);
ALTER SYSTEM SET max_slot_wal_keep_size = '1MB';
SELECT pg_reload_conf();
--! until SELECT current_setting('max_slot_wal_keep_size') = '1MB'
SELECT pg_logical_emit_message(false, 'x', repeat('x', 100)), pg_switch_wal();
SELECT pg_logical_emit_message(false, 'x', repeat('x', 100)), pg_switch_wal();
SELECT pg_logical_emit_message(false, 'x', repeat('x', 100)), pg_switch_wal();
CHECKPOINT;
--! until SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = 'lost'
ALTER SYSTEM RESET max_slot_wal_keep_size;
SELECT pg_reload_conf();
--! until SELECT current_setting('max_slot_wal_keep_size') = '-1'

--! case idle_slot
--! finds idle-slot slot idle
SELECT pg_create_physical_replication_slot('idle', true);

--! case invalid_index
--! finds invalid-index invalid_index.i
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--! fails
CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);
--! then UPDATE invalid_index.t SET a = id

--! case leftover_index
--! finds leftover-index leftover_index.i_ccnew
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t VALUES (1, 1), (2, 1);
--! fails
CREATE UNIQUE INDEX CONCURRENTLY i_ccnew ON t (a);

--! case duplicate_index
--! finds duplicate-index duplicate_index.two
CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX one ON t (a);
CREATE INDEX two ON t (a);

--! case duplicate_of_key
--! finds duplicate-index duplicate_of_key.again
CREATE TABLE t (id int PRIMARY KEY);
CREATE INDEX again ON t (id);

--! case duplicate_expression
--! finds duplicate-index duplicate_expression.two
CREATE TABLE t (id int PRIMARY KEY, a text);
CREATE INDEX one ON t (lower(a)) WHERE id > 5;
CREATE INDEX two ON t (lower(a)) WHERE id > 5;

--! case redundant_index
--! finds redundant-index redundant_index.short
CREATE TABLE t (id int PRIMARY KEY, a int, b int);
CREATE INDEX short ON t (a);
CREATE INDEX long ON t (a, b);

--! case unused_index
--! finds unused-index unused_index.i
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 40000) g;
CREATE INDEX i ON t (a);
ANALYZE t;

--! case bloated
--! finds bloated-table bloated.t
--! finds bloated-index bloated.t_pkey
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 60000) g;
DELETE FROM t WHERE id % 10 > 0;
VACUUM ANALYZE t;

--! case bloated_duplicates
--! finds bloated-table bloated_duplicates.t
--! finds bloated-index bloated_duplicates.kinds
CREATE TABLE t (id int, a int);
CREATE INDEX kinds ON t (a);
INSERT INTO t SELECT g, g % 50 FROM generate_series(1, 200000) g;
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE a = 3;
RESET enable_seqscan;
DELETE FROM t WHERE id % 10 > 0;
VACUUM ANALYZE t;
ALTER TABLE t ALTER id SET NOT NULL;
CREATE UNIQUE INDEX key ON t (id);

--! case bloated_queue
--! finds bloated-table bloated_queue.t
--! finds bloated-index bloated_queue.at
CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, body text);
CREATE INDEX at ON t (at, id);
INSERT INTO t SELECT g, 'epoch'::timestamptz + g * interval '1 s', 'x' FROM generate_series(1, 60000) g;
SET enable_seqscan = off;
SELECT count(*) FROM t WHERE at < 'epoch';
RESET enable_seqscan;
DELETE FROM t WHERE id % 20 > 0;
VACUUM ANALYZE t;
REINDEX INDEX t_pkey;

--! case unindexed_key
--! finds unindexed-foreign-key t_parent_fkey on unindexed_key.t
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
DELETE FROM parent WHERE id > 90;
ANALYZE parent;
ANALYZE t;

--! case unindexed_pair
--! finds unindexed-foreign-key t_a_b_fkey on unindexed_pair.t
CREATE TABLE parent (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int, body text, FOREIGN KEY (a, b) REFERENCES parent);
INSERT INTO parent SELECT g, g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, 1 + g % 50, g, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t (b, c, a);
ANALYZE parent;
ANALYZE t;

--! case unindexed_part
--! finds unindexed-foreign-key t_parent_fkey on unindexed_part.t
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t (parent) WHERE id > 5;
ANALYZE parent;
ANALYZE t;

--! case unindexed_brin
--! finds unindexed-foreign-key t_parent_fkey on unindexed_brin.t
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO t SELECT g, 1 + g % 50, repeat('x', 30) FROM generate_series(1, 12000) g;
CREATE INDEX i ON t USING brin (parent);
ANALYZE parent;
ANALYZE t;

--! case doubled_key
--! finds duplicate-foreign-key again on doubled_key.t
--! advises run SET lock_timeout = '2s'; ALTER TABLE doubled_key.t DROP CONSTRAINT again
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent);
ALTER TABLE t ADD CONSTRAINT again FOREIGN KEY (parent) REFERENCES parent;

--! case narrow_key
--! finds narrow-foreign-key t_parent_fkey on narrow_key.t
CREATE TABLE parent (id bigint PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES parent);

--! case missing_index
--! finds missing-index missing_index.t (a)
CREATE TABLE t (id int PRIMARY KEY, a int, body text);
INSERT INTO t SELECT g, g % 5000, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 60
SELECT body FROM missing_index.t WHERE a = 77;

--! case keywords
--! finds missing-index keywords."table" (order)
--! finds unindexed-foreign-key table_user_fkey on keywords."table"
--! advises CREATE INDEX CONCURRENTLY ON keywords."table" ("user")
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE "table" (id int PRIMARY KEY, "user" int REFERENCES parent, "order" int, body text);
INSERT INTO parent SELECT g FROM generate_series(1, 100) g;
INSERT INTO "table" SELECT g, 1 + g % 50, g % 5000, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE "table";
--! times 60
SELECT body FROM keywords."table" WHERE "order" = 77;

--! case missing_for_range
--! finds missing-index missing_for_range.t (at)
CREATE TABLE t (id int PRIMARY KEY, at timestamptz, body text);
INSERT INTO t SELECT g, 'epoch'::timestamptz + g * interval '1 s', repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE t;
--! times 60
SELECT id FROM missing_for_range.t WHERE at > '1970-01-01 05:33:00+00' ORDER BY id;

--! case missing_for_update
--! finds missing-index missing_for_update."T x" ("A b")
CREATE TABLE "T x" (id int PRIMARY KEY, "A b" text, body text);
INSERT INTO "T x" SELECT g, 'k' || g, repeat('x', 30) FROM generate_series(1, 20000) g;
ANALYZE "T x";
--! times 60
UPDATE missing_for_update."T x" SET body = 'y' WHERE "A b" IN ('nobody', 'none');

--! case narrow_column
--! finds exhausted-sequence narrow_column.s
--! advises widen narrow_column.t.id by a new column
CREATE SEQUENCE s;
CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'));
SELECT setval('s', 2000000000);

--! case small_serial
--! finds exhausted-sequence small_serial.t_id_seq
--! advises widen small_serial.t.id by a new column that is filled in batches, all that refer to it, and the sequence
CREATE TABLE t (id smallserial PRIMARY KEY);
SELECT setval('t_id_seq', 30000);

--! case identity
--! finds exhausted-sequence identity.t_id_seq
--! advises widen identity.t.id by a new column that is filled in batches, all that refer to it, and the sequence
CREATE TABLE t (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY);
SELECT setval('t_id_seq', 1900000000);

--! case shared_sequence
--! finds exhausted-sequence shared_sequence.s
CREATE SEQUENCE s;
CREATE TABLE wide (id bigint PRIMARY KEY DEFAULT nextval('s'));
CREATE TABLE narrow (id int PRIMARY KEY DEFAULT nextval('s'));
SELECT setval('s', 2100000000);

--! case bounded_sequence
--! finds exhausted-sequence bounded_sequence.s
--! advises ALTER SEQUENCE bounded_sequence.s AS bigint, or give it another end
CREATE SEQUENCE s MAXVALUE 1000;
SELECT setval('s', 900);

--! case bounded_serial
--! finds exhausted-sequence bounded_serial.t_id_seq
--! advises ALTER SEQUENCE bounded_serial.t_id_seq MAXVALUE 2147483647, which is as far as bounded_serial.t.id goes
CREATE TABLE t (id serial PRIMARY KEY);
ALTER SEQUENCE t_id_seq MAXVALUE 1000;
SELECT setval('t_id_seq', 900);

--! case wide_column
--! finds exhausted-sequence wide_column.s
--! advises ALTER SEQUENCE wide_column.s AS bigint, or give it another end
CREATE SEQUENCE s AS int;
CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval('s'));
SELECT setval('s', 2000000000);

--! case falling_sequence
--! finds exhausted-sequence falling_sequence.s
CREATE SEQUENCE s INCREMENT -1 MINVALUE -1000 MAXVALUE -1;
SELECT setval('s', -950);

--! case cycling_key
--! finds cycling-key cycling_key.s
CREATE SEQUENCE s MAXVALUE 100 CYCLE;
CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('s'));
SELECT setval('s', 95);

--! case vacuum_behind
--! finds vacuum-behind vacuum_behind.t
CREATE TABLE t (id int PRIMARY KEY, a int);
INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g;
DELETE FROM t WHERE id <= 16000;
ANALYZE t;

--! case autovacuum_off
--! finds autovacuum-off autovacuum_off.t
CREATE TABLE t (id int PRIMARY KEY, a text) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT g, repeat('x', 30) FROM generate_series(1, 12000) g;
ANALYZE t;

--! case not_analyzed
--! finds not-analyzed not_analyzed.t
CREATE TABLE t (id int PRIMARY KEY, a text);
INSERT INTO t SELECT g, repeat('x', 30) FROM generate_series(1, 12000) g;

--! case parts_analyzed
--! finds not-analyzed parts_analyzed.t
CREATE TABLE t (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100000);
INSERT INTO t SELECT g, repeat('x', 30) FROM generate_series(1, 12000) g;
ANALYZE t_1;

--! case foreign_table
--! finds not-analyzed foreign_table.f
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE f (name text) SERVER files OPTIONS (filename '/etc/hostname');

--! case unlogged
--! finds unlogged unlogged.t
CREATE UNLOGGED TABLE t (id int PRIMARY KEY);

--! case keyless
--! finds no-primary-key keyless.t
--! finds no-primary-key keyless.nullable
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
CREATE TABLE nullable (id int UNIQUE);
INSERT INTO nullable VALUES (1);

--! case keyless_parts
--! finds no-primary-key keyless_parts.t
CREATE TABLE t (id int, part int) PARTITION BY LIST (part);
CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
INSERT INTO t VALUES (1, 1);

--! case policies_off
--! finds policies-off policies_off.t
CREATE TABLE t (id int PRIMARY KEY, owner name);
CREATE POLICY own ON t USING (owner = current_user);

--! case unpopulated
--! finds unpopulated unpopulated.m
CREATE MATERIALIZED VIEW m AS SELECT 1 AS one WITH NO DATA;

--! case pending_detach
--! finds pending-detach pending_detach.t_1
CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 't_1'::regclass;

--! case filled_default
--! finds filled-default filled_default.rest
CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id);
CREATE TABLE rest PARTITION OF t DEFAULT;
INSERT INTO t VALUES (5);

--! case check_not_validated
--! finds not-validated positive on check_not_validated.t
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;

--! case key_not_validated
--! finds not-validated parent on key_not_validated.t
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int);
ALTER TABLE t ADD CONSTRAINT parent FOREIGN KEY (p) REFERENCES parent NOT VALID;

--! case domain_not_validated
--! finds not-validated short on domain_not_validated.name
CREATE DOMAIN name AS text;
ALTER DOMAIN domain_not_validated.name ADD CONSTRAINT short CHECK (length(VALUE) < 9) NOT VALID;

--! case trigger_off
--! finds disabled-trigger stamp on trigger_off.t
--! advises run SET lock_timeout = '2s'; ALTER TABLE trigger_off.t ENABLE TRIGGER stamp
CREATE TABLE t (id int PRIMARY KEY);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE t DISABLE TRIGGER stamp;

--! case keys_off
--! finds disabled-trigger constraint t_p_fkey on keys_off.t
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent);
ALTER TABLE t DISABLE TRIGGER ALL;

--! case rule_off
--! finds disabled-trigger rule keep on rule_off.t
CREATE TABLE t (id int PRIMARY KEY);
CREATE RULE keep AS ON DELETE TO t DO INSTEAD NOTHING;
ALTER TABLE t DISABLE RULE keep;

--! case event_trigger_off
--! finds disabled-trigger event trigger audit
CREATE FUNCTION audit() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION audit();
ALTER EVENT TRIGGER audit DISABLE;

--! case published
--! finds published-without-identity published.t
--! finds published-without-identity published.nothing
CREATE TABLE t (id int);
CREATE TABLE nothing (id int PRIMARY KEY);
ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE PUBLICATION all_of_it FOR TABLE t, nothing;

--! case subscription_off
--! finds disabled-subscription subscription lame
CREATE SUBSCRIPTION lame CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false);

--! case public_may_create
--! finds public-may-create schema public_may_create
GRANT CREATE ON SCHEMA public_may_create TO PUBLIC;

--! case public_may_write
--! finds public-may-write public_may_write.t
CREATE TABLE t (id int PRIMARY KEY);
GRANT SELECT, INSERT, DELETE ON t TO PUBLIC;

--! case public_defaults
--! finds public-defaults what postgres creates in public_defaults
ALTER DEFAULT PRIVILEGES IN SCHEMA public_defaults GRANT ALL ON TABLES TO PUBLIC;

--! case public_defaults_all
--! finds public-defaults what generous creates
CREATE ROLE generous;
ALTER DEFAULT PRIVILEGES FOR ROLE generous GRANT UPDATE ON TABLES TO PUBLIC;

--! case unsafe_definer
--! finds unsafe-definer unsafe_definer.grow(integer)
CREATE FUNCTION grow(int) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT $1 + 1';

--! case old_extension
--! finds outdated-extension extension hstore
CREATE EXTENSION hstore VERSION '1.4';

--! case expiring_password
--! finds expiring-password role leaving
CREATE ROLE leaving LOGIN VALID UNTIL '2001-01-01';

--! case held_horizon
--! finds held-horizon session (idle in transaction holds)
--! finds idle-transaction postgres (holds)
--! hold SET application_name = 'holds'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1
CREATE TABLE t (id int PRIMARY KEY);
DO $$ BEGIN FOR i IN 1..5000 LOOP BEGIN INSERT INTO t VALUES (1); RAISE EXCEPTION 'x'; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$;
VACUUM ANALYZE t;

--! case crowded_role
--! finds near-connection-limit role crowd
CREATE ROLE crowd LOGIN CONNECTION LIMIT 2;
--! hold as crowd: SELECT 1
--! hold as crowd: SELECT 1

--! case crowded_database
--! finds near-connection-limit database crowded
CREATE DATABASE crowded CONNECTION LIMIT 1;
--! hold in crowded: SELECT 1
--! finds old-transactions database crowded

--! case crowded_server
--! setting max_connections = 16
--! finds near-connection-limit server
--! finds pending-restart max_connections
--! hold SELECT 1
--! hold SELECT 1
--! hold SELECT 1

--! case idle_transaction
--! finds idle-transaction postgres (idler)
--! hold SET application_name = 'idler'; BEGIN; SELECT 1

--! case blocker
--! finds blocker postgres (blocks)
--! finds idle-transaction postgres (blocks)
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
--! hold SET application_name = 'blocks'; BEGIN; UPDATE blocker.t SET id = 2
--! wait UPDATE blocker.t SET id = 3
--! wait UPDATE blocker.t SET id = 4
--! until SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'

--! case prepared_blocker
--! finds blocker prepared transaction
--! finds forgotten-prepared prepared transaction 'lost'
CREATE TABLE t (id int PRIMARY KEY);
BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'lost';
--! wait INSERT INTO prepared_blocker.t VALUES (1)
--! until SELECT count(*) = 3 FROM pg_stat_activity WHERE wait_event_type = 'Lock'

--! case long_transaction
--! finds long-transaction postgres (sleeper)
--! wait SET application_name = 'sleeper'; SELECT pg_sleep(3600)
--! until SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'

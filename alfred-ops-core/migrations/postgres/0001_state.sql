-- Documents that change by compare-and-set. The schema alfred_ops is made before the first migration.
CREATE SEQUENCE alfred_ops.state_version;

CREATE TABLE alfred_ops.state (
    key text COLLATE "C" PRIMARY KEY,
    -- json and not jsonb: a text may hold any character, and nothing queries inside but the fence.
    value json NOT NULL,
    version bigint NOT NULL DEFAULT nextval('alfred_ops.state_version'),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

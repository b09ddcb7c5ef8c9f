-- Documents that change by compare-and-set.
CREATE TABLE IF NOT EXISTS alfred_ops_state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;

-- The last version given out: versions are never used again, not even after a delete.
CREATE TABLE IF NOT EXISTS alfred_ops_state_version (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
);

INSERT OR IGNORE INTO alfred_ops_state_version (one, last) VALUES (1, 0);

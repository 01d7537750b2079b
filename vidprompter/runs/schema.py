"""The ledger's tables and their version."""

SCHEMA_VERSION = 1

# items: one row per item and stage. seq: the place of its row in the output, given when it is finished.
# row: the finished output row itself, one line of JSON: outputs are views that can be made again from here.
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    stage TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT,
    settings TEXT NOT NULL,
    summary TEXT
);
CREATE TABLE items (
    key TEXT NOT NULL,
    stage TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error_type TEXT,
    error_message TEXT,
    fingerprint TEXT,
    revision TEXT,
    started_at REAL,
    finished_at REAL,
    seconds REAL,
    seq INTEGER,
    row TEXT,
    PRIMARY KEY (key, stage)
) WITHOUT ROWID;
CREATE UNIQUE INDEX items_in_output_order ON items (stage, seq) WHERE seq IS NOT NULL;
CREATE INDEX items_by_status ON items (stage, status);
"""

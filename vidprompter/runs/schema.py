"""The ledger's tables, their version, and the way from the version before."""

SCHEMA_VERSION = 2

# items: one per item and stage; small, since all of them are looked at when a run is resumed.
#   status "split": the file was cut into stretches, which are items of their own with this one as their parent;
#   entry holds the stretches then, and what a pending item needs to be worked on otherwise.
#   run, ordinal: the run that has it on its list, and its place there. seq: its row, once finished.
# rows: the finished output rows, one line of JSON each: outputs are views that can be made again from here.
#   AUTOINCREMENT: a place is never given twice, or a view could not tell a new row from one it has.
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
    status TEXT NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'split')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error_type TEXT,
    error_message TEXT,
    fingerprint TEXT,
    revision TEXT,
    finished_at REAL,
    seconds REAL,
    seq INTEGER,
    parent TEXT,
    run INTEGER,
    ordinal INTEGER,
    entry TEXT,
    PRIMARY KEY (key, stage)
) WITHOUT ROWID;
CREATE INDEX items_on_the_list ON items (run, ordinal) WHERE status = 'pending' AND ordinal IS NOT NULL;
CREATE INDEX items_by_parent ON items (parent) WHERE parent IS NOT NULL;
CREATE TABLE rows (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stage TEXT NOT NULL,
    row TEXT NOT NULL
);
"""

# Version 1 kept rows in the items, and knew neither stretches nor lists.
FROM_VERSION_1 = """
ALTER TABLE items RENAME TO items_1;
ALTER TABLE runs RENAME TO runs_1;
ALTER TABLE roots RENAME TO roots_1;
ALTER TABLE meta RENAME TO meta_1;
DROP INDEX items_in_output_order;
DROP INDEX items_by_status;
{schema}
INSERT INTO meta SELECT * FROM meta_1;
INSERT INTO roots SELECT * FROM roots_1;
INSERT INTO runs SELECT * FROM runs_1;
INSERT INTO rows (seq, stage, row) SELECT seq, stage, row FROM items_1 WHERE seq IS NOT NULL;
INSERT INTO items (key, stage, name, status, attempts, error_type, error_message, fingerprint, revision,
                   finished_at, seconds, seq)
    SELECT key, stage, name, CASE status WHEN 'running' THEN 'pending' ELSE status END, attempts, error_type,
           error_message, fingerprint, revision, finished_at, seconds, seq FROM items_1;
DROP TABLE items_1; DROP TABLE runs_1; DROP TABLE roots_1; DROP TABLE meta_1;
"""

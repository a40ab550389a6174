-- Times are milliseconds since 1970-01-01T00:00:00Z. Digests are 64 hexadecimal digits. JSON is written and read by
-- the types of the crate `upgrade`.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL UNIQUE,
    address         TEXT NOT NULL,
    port            INTEGER NOT NULL,
    version         TEXT NOT NULL,
    read_community  TEXT NOT NULL,
    write_community TEXT NOT NULL,
    profile         TEXT NOT NULL,
    protocol        TEXT,
    labels          TEXT NOT NULL,
    unique_id       TEXT
) STRICT;
CREATE INDEX device_by_unique_id ON device (unique_id);

CREATE TABLE image (
    name     TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    digest   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The texts of the profile that a run began with, however its file changes afterwards.
CREATE TABLE profile (
    digest TEXT PRIMARY KEY,
    name   TEXT NOT NULL,
    layers TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    device  INTEGER NOT NULL REFERENCES device (id),
    seq     INTEGER NOT NULL,
    begun   INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    over    INTEGER NOT NULL,
    asking  INTEGER NOT NULL,
    profile TEXT NOT NULL REFERENCES profile (digest),
    state   TEXT NOT NULL
) STRICT;
-- A device is in one run at a time.
CREATE UNIQUE INDEX open_run_of_device ON run (device) WHERE over = 0;
CREATE INDEX run_of_device ON run (device, id);

-- Why the run stands where it stands: each lasting event, in order.
CREATE TABLE run_event (
    run   INTEGER NOT NULL REFERENCES run (id),
    seq   INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, seq, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE story (
    run   INTEGER NOT NULL REFERENCES run (id),
    n     INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    story TEXT NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE backup (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    device   INTEGER NOT NULL REFERENCES device (id),
    run      INTEGER NOT NULL REFERENCES run (id),
    at       INTEGER NOT NULL,
    version  TEXT,
    format   INTEGER,
    revision INTEGER
) STRICT;
CREATE INDEX backup_of_device ON backup (device, id);

CREATE TABLE backup_file (
    backup INTEGER NOT NULL REFERENCES backup (id),
    kind   TEXT NOT NULL,
    digest TEXT NOT NULL,
    size   INTEGER NOT NULL,
    PRIMARY KEY (backup, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE northbound_target (
    name       TEXT PRIMARY KEY,
    address    TEXT NOT NULL,
    community  TEXT NOT NULL,
    inform     INTEGER NOT NULL,
    repeats    INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What targets are still to be told: each story until it was sent or, by INFORM, acknowledged or given up.
CREATE TABLE northbound_owed (
    run    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    target TEXT NOT NULL REFERENCES northbound_target (name) ON DELETE CASCADE,
    PRIMARY KEY (run, n, target),
    FOREIGN KEY (run, n) REFERENCES story (run, n)
) STRICT, WITHOUT ROWID;

-- The latest notifications that came; an INFORM is acknowledged once it is here.
CREATE TABLE notification (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    trap TEXT NOT NULL
) STRICT;

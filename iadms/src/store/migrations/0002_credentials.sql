-- As whom devices are asked by SNMPv3.

CREATE TABLE credential (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- `former` is 0 for the user in force, and 1 for the one before, while devices are brought over to the new secrets. They
-- are sealed under a key that is not in this database; `key` is the id of that.
CREATE TABLE credential_user (
    credential     TEXT NOT NULL REFERENCES credential (name) ON DELETE CASCADE,
    former         INTEGER NOT NULL,
    user           TEXT NOT NULL,
    authentication TEXT,
    privacy        TEXT,
    since          INTEGER NOT NULL,
    key            TEXT NOT NULL,
    secrets        BLOB NOT NULL,
    PRIMARY KEY (credential, former)
) STRICT, WITHOUT ROWID;

ALTER TABLE device ADD COLUMN credential TEXT REFERENCES credential (name);
CREATE INDEX device_by_credential ON device (credential);

-- The engine that has proven to speak for the device, in hexadecimal digits.
ALTER TABLE device ADD COLUMN engine_id TEXT;
CREATE INDEX device_by_engine_id ON device (engine_id);

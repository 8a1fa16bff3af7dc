CREATE TABLE events (id int NOT NULL, at date DEFAULT '2020-01-01' NOT NULL, note text, PRIMARY KEY (id, at), CHECK (id > 0)) PARTITION BY RANGE (at);
CREATE INDEX events_note ON events (note);
CREATE TABLE old PARTITION OF events (note DEFAULT 'none') FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE new PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER INDEX old_note_idx RENAME TO notes;
INSERT INTO events VALUES (1, '2020-05-05', 'kept');

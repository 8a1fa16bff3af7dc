-- found: d, e, f, g, h, i
CREATE TABLE t (id int PRIMARY KEY, d jsonb, e json NOT NULL, f jsonb DEFAULT '[]',
  g jsonb NOT NULL DEFAULT '"{}"', h jsonb DEFAULT 'null', i json DEFAULT '[1, "''"]');
INSERT INTO t (id, e) VALUES (1, '{}');
-- passing
CREATE TABLE t (id int PRIMARY KEY, d jsonb CHECK (d IS NULL OR jsonb_typeof(d) = 'object'));

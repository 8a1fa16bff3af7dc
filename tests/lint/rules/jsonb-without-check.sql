-- found: d, e, f
CREATE TABLE t (id int PRIMARY KEY, d jsonb, e json NOT NULL, f jsonb DEFAULT '[]');
INSERT INTO t (id, e) VALUES (1, '{}');
-- passing
CREATE TABLE t (id int PRIMARY KEY, d jsonb CHECK (d IS NULL OR jsonb_typeof(d) = 'object'));

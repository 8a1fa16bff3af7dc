CREATE TABLE t (id int PRIMARY KEY, d jsonb, e json NOT NULL);
-- passing
CREATE TABLE t (id int PRIMARY KEY, d jsonb CHECK (d IS NULL OR jsonb_typeof(d) = 'object'));

CREATE TABLE t (id int PRIMARY KEY, a int, d jsonb);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (id > 0);
CREATE INDEX one ON t (a, (d ->> 'k'));
-- passing
CREATE TABLE t (id int PRIMARY KEY, a int, d jsonb);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (id > 0);
CREATE INDEX one ON t (a);
CREATE TABLE open (id int PRIMARY KEY, d jsonb);
CREATE INDEX two ON open ((d ->> 'k'));

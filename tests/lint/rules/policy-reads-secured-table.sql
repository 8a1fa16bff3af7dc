CREATE TABLE o (id int PRIMARY KEY, owner text);
ALTER TABLE o ENABLE ROW LEVEL SECURITY;
CREATE TABLE t (id int PRIMARY KEY, o_id int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t FOR SELECT TO authenticated USING (o_id IN (SELECT o.id FROM o WHERE o.owner = 'x'));
CREATE POLICY q ON t FOR UPDATE TO authenticated
  USING (id > 0 AND EXISTS (SELECT FROM o WHERE o.id = t.o_id));
-- passing
CREATE TABLE o (id int PRIMARY KEY, owner text);
CREATE TABLE t (id int PRIMARY KEY, o_id int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t FOR SELECT TO authenticated USING (o_id IN (SELECT o.id FROM o WHERE o.owner = 'x'));
CREATE POLICY q ON t FOR UPDATE TO authenticated USING (o_id = 3);

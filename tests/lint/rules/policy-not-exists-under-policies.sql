CREATE TABLE o (id int PRIMARY KEY, tenant int);
ALTER TABLE o ENABLE ROW LEVEL SECURITY;
CREATE TABLE t (id int PRIMARY KEY, o_id int, tenant int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t FOR INSERT TO authenticated
  WITH CHECK (id > 0 AND NOT EXISTS (SELECT FROM o WHERE o.id = t.o_id AND o.tenant <> t.tenant));
-- passing
CREATE TABLE o (id int PRIMARY KEY, tenant int);
ALTER TABLE o ENABLE ROW LEVEL SECURITY;
CREATE TABLE open (id int PRIMARY KEY, tenant int);
CREATE TABLE t (id int PRIMARY KEY, o_id int, tenant int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t FOR INSERT TO authenticated
  WITH CHECK (EXISTS (SELECT FROM o WHERE o.id = t.o_id AND o.tenant = t.tenant)
              AND NOT EXISTS (SELECT FROM open WHERE open.id = t.o_id AND open.tenant <> t.tenant));

-- found: v, granted
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE VIEW v AS SELECT id FROM t;
CREATE TABLE bare (id int PRIMARY KEY);
CREATE VIEW granted AS SELECT id FROM bare;
GRANT SELECT ON granted TO authenticated;
-- passing
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE VIEW v WITH (security_invoker = true) AS SELECT id FROM t;
CREATE TABLE bare (id int PRIMARY KEY);
CREATE VIEW internal AS SELECT id FROM bare;
CREATE VIEW spelled WITH (security_invoker = 'YES') AS SELECT id FROM t;

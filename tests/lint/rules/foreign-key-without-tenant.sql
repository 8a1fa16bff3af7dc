CREATE TABLE tenant (id int PRIMARY KEY);
CREATE TABLE o (id int PRIMARY KEY, tenant_id int REFERENCES tenant);
CREATE INDEX ON o (tenant_id);
CREATE TABLE t (id int PRIMARY KEY, o_id int REFERENCES o, tenant_id int REFERENCES tenant);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (tenant_id = 1);
-- passing
CREATE TABLE tenant (id int PRIMARY KEY);
CREATE TABLE o (id int PRIMARY KEY, tenant_id int REFERENCES tenant, UNIQUE (id, tenant_id));
CREATE TABLE t (id int PRIMARY KEY, o_id int REFERENCES o, tenant_id int REFERENCES tenant,
  FOREIGN KEY (o_id, tenant_id) REFERENCES o (id, tenant_id));
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (tenant_id = 1);
CREATE TABLE post (id int PRIMARY KEY, tenant_id int REFERENCES tenant, t_id int REFERENCES t);

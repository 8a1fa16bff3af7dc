CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT current_user::text';
CREATE TABLE t (id int PRIMARY KEY, owner text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (owner = me());
CREATE POLICY q ON t FOR INSERT TO authenticated
  WITH CHECK (owner = current_setting('app.user (of it)', true) AND owner <> current_setting('x', true));
-- passing
CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT current_user::text';
CREATE FUNCTION of_row(int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT $1::text';
CREATE TABLE t (id int PRIMARY KEY, owner text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (owner = (SELECT me()) AND owner = of_row(id));
CREATE POLICY q ON t FOR INSERT TO authenticated
  WITH CHECK (owner = (SELECT current_setting('app.user', true)) AND owner = current_user);

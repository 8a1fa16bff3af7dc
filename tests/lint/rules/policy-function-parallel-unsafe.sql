CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE TABLE t (id int PRIMARY KEY, owner text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (owner = (SELECT me()));
-- passing
CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT current_user::text';
CREATE FUNCTION elsewhere() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE TABLE t (id int PRIMARY KEY, owner text);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (owner = (SELECT me()));

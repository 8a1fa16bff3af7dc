-- It finds a policy on a table on which row level security is off.
CREATE TABLE blog (id int PRIMARY KEY);
CREATE POLICY own ON blog FOR SELECT TO authenticated USING (id = 1);

-- It finds a policy that calls current_setting() or a function of the schema auth outside a sub-query.
CREATE TABLE documents (id int PRIMARY KEY, owner text);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON documents TO authenticated USING (current_setting('app.user') = owner);

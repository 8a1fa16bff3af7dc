CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING
  (((SELECT current_setting('request.jwt.claims'))::jsonb -> 'user_metadata' ->> 'id')::int = id);
-- passing
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING
  (((SELECT current_setting('request.jwt.claims'))::jsonb -> 'app_metadata' ->> 'id')::int = id);

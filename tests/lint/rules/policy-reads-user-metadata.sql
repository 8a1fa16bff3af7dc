-- found: p, q, r
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING
  (((SELECT current_setting('request.jwt.claims'))::jsonb -> 'user_metadata' ->> 'id')::int = id);
CREATE TABLE users (id int PRIMARY KEY, raw_user_meta_data jsonb, raw_app_meta_data jsonb);
CREATE POLICY q ON t FOR UPDATE TO authenticated USING (EXISTS
  (SELECT FROM users AS u WHERE u.id = t.id AND u.raw_user_meta_data ->> 'role' = 'admin'));
CREATE POLICY r ON t FOR DELETE TO authenticated USING
  ((SELECT current_setting('request.jwt.claims'))::jsonb #>> '{user_metadata,id}' = id::text);
-- passing
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING
  (((SELECT current_setting('request.jwt.claims'))::jsonb -> 'app_metadata' ->> 'id')::int = id);
CREATE TABLE users (id int PRIMARY KEY, raw_user_meta_data jsonb, raw_app_meta_data jsonb);
CREATE POLICY q ON t FOR UPDATE TO authenticated USING (EXISTS
  (SELECT FROM users AS u WHERE u.id = t.id AND u.raw_app_meta_data ->> 'role' = 'admin'));

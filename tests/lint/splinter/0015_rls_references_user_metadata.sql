-- It finds a policy that reads user_metadata of the token.
CREATE FUNCTION jwt() RETURNS jsonb LANGUAGE sql STABLE SET search_path = ''
  AS $$ SELECT current_setting('request.jwt.claims', true)::jsonb $$;
CREATE TABLE foo (id int PRIMARY KEY);
ALTER TABLE foo ENABLE ROW LEVEL SECURITY;
CREATE POLICY bad ON foo FOR SELECT TO authenticated
  USING (((SELECT jwt()) -> 'user_metadata' ->> 'is_admin')::boolean);

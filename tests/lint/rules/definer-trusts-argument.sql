CREATE FUNCTION names(p_user_id uuid) RETURNS text[] LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT array_agg(relname::text) FROM pg_catalog.pg_class WHERE relname = p_user_id::text';
-- passing
CREATE FUNCTION me() RETURNS uuid LANGUAGE sql
  AS $$ SELECT nullif(current_setting('request.user', true), '')::uuid $$;
CREATE FUNCTION names(p_user_id uuid) RETURNS text[] LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT array_agg(relname::text) FROM pg_catalog.pg_class
      WHERE relname = p_user_id::text AND p_user_id = (SELECT "p_definer-trusts-argument".me())';
CREATE FUNCTION of_no_person(n int) RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = ''
  AS 'SELECT n';

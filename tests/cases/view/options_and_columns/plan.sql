\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE VIEW public.guarded WITH (security_barrier = 'on') AS
SELECT id,
    a,
    b
   FROM public.t;
ALTER VIEW public.guarded ALTER COLUMN b SET DEFAULT 'none'::text;
COMMENT ON COLUMN public.guarded.b IS 'new';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard weakens-security: view public.open lets functions of the one who asks see rows that its conditions hide
ALTER VIEW public.open SET (security_barrier = false, check_option = cascaded);
COMMIT;
